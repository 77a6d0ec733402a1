"""Figure 5 of the paper: networks mapped onto each other."""

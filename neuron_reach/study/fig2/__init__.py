"""Figure 2 of the paper: distances and clusters of neurons."""

"""Figure 3 of the paper: sizes of pruned networks."""

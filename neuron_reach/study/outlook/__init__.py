"""What the paper leaves open: training, transfer, fewer layers."""

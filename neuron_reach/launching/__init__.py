"""Which processes a run consists of, and how they are started."""

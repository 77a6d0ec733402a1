"""What the commands do: prune, reduce, map, and tell what a path holds."""

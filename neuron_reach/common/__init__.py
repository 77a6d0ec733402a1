"""What all other folders build on: options, files, results, progress."""

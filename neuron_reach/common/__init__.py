"""The ground that everything stands on: options, files, results, progress."""

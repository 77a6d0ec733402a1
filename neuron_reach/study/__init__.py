"""The experiments of the paper as graphs of resumable jobs, and the executors that run them."""

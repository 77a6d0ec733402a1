"""Resumable jobs, and the executors that run them."""

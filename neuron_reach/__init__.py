"""Look inside the networks that move robots: reach, record, prune and map."""

__version__ = '0.1.0'

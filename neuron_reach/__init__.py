"""Look inside the networks that move robots: reach, record, prune and map."""

from neuron_reach.common import caches

__version__ = '0.1.0'

caches.provide()  # before any of the libraries is loaded

"""Look inside the networks that move robots: reach, record, prune and map."""

from neuron_reach.common import caches
from neuron_reach.common.versions import __version__ as __version__

caches.provide()  # before any of the libraries is loaded

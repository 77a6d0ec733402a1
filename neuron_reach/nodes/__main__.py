"""`python -m neuron_reach.nodes NAME ...`: start a node of the package."""

import importlib
import signal
import sys

# While the libraries load, Ctrl-C ends the process without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)
module = importlib.import_module(f'neuron_reach.nodes.{sys.argv.pop(1)}')
raise SystemExit(module.main())

"""`python -m neuron_reach.nodes NAME ...`: run a node of the package."""

import importlib
import os
import signal
import sys

# Ctrl-C while the libraries are loading ends the process without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)
names = [
    'activation_recorder',
    'arm_reset',
    'arm_simulator',
    'bag_recorder',
    'dqn_policy',
    'gazebo_simulator',
]
if len(sys.argv) < 2 or sys.argv[1] not in names:
    given = f', not {sys.argv[1]!r}' if len(sys.argv) > 1 else ''
    print(f'name one of the nodes {", ".join(names)}{given}', file=sys.stderr)
    raise SystemExit(2)
module = importlib.import_module(f'neuron_reach.nodes.{sys.argv.pop(1)}')
code = module.main()
sys.stdout.flush()
sys.stderr.flush()
# Unloading PyTorch and the interpreter would take several times longer than the whole shutdown.
os._exit(code)

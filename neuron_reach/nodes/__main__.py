# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

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
    'policy_inspector',
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

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach run`: run a trained network live."""

from __future__ import annotations

from typing import Any

from neuron_reach.commands import graphs
from neuron_reach.commands.flags import Parser

DETAILS = """\
One arm moves in real time until Ctrl-C, to goals drawn at random; docs/interface.md lists the
topics. The network is that of `checkpoint`, or of `run_dir` if no checkpoint is given."""
LEAVES = """\
Nothing. With record:=N, N episodes are recorded into a bag in run_dir, and the run ends."""
EXAMPLES = """
neuron_reach run checkpoint:=/tmp/x/checkpoint
neuron_reach run checkpoint:=/tmp/x/checkpoint record:=20 run_dir:=/tmp/live
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    return graphs.add_command(commands, 'run', DETAILS, LEAVES, EXAMPLES)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach record`: record sample episodes of a trained network into a bag."""

from __future__ import annotations

from typing import Any

from neuron_reach.commands import graphs
from neuron_reach.commands.flags import Parser

DETAILS = """\
The network is that of `checkpoint`, or of `run_dir` if no checkpoint is given. The options it was
trained with apply unless you give others."""
LEAVES = """\
A bag in run_dir (by default beside the checkpoint), for analyze, prune, map and any other reader
of bags. A bag that is there already is never overwritten."""
EXAMPLES = """
neuron_reach record checkpoint:=/tmp/x run_dir:=y
neuron_reach record checkpoint:=/tmp/x record:=20 backend:=gazebo run_dir:=z
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    return graphs.add_command(commands, 'record', DETAILS, LEAVES, EXAMPLES)

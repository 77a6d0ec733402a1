# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach inspect`: run a policy on the topics of a robot."""

from __future__ import annotations

import argparse
import os
from typing import Any

from neuron_reach.commands import graphs
from neuron_reach.commands.flags import Parser

DETAILS = """\
The file `inputs` says which values of which topics are the inputs of the policy, and where its
actions go. Nothing is sent to the robot unless act:=true is given. docs/robot.md describes the
file and the topics, which any other program can subscribe to."""
LEAVES = """\
Nothing. With record:=DIR, a bag for analyze, prune, map and any other reader of bags."""
EXAMPLES = """
neuron_reach inspect policy:=p.onnx inputs:=go1.yaml
neuron_reach inspect policy:=p.onnx inputs:=go1.yaml record:=bag episodes:=20
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    parser = graphs.add_command(commands, 'inspect', DETAILS, LEAVES, EXAMPLES)
    parser.set_defaults(command=_inspect)
    return parser


def _inspect(options: argparse.Namespace) -> int:
    phases = graphs.phases('inspect', graphs.given(options.arguments))
    # Other commands look for a domain of their own; this one goes where the robot is.
    os.environ.setdefault('ROS_DOMAIN_ID', '0')
    return graphs.run(phases)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach info PATH`: describe a folder or file that any command has written."""

from __future__ import annotations

import argparse
from typing import Any

from neuron_reach.commands.flags import Parser, add_command, add_namespace, path

SUMMARY = 'Describe a folder or a file that any command has written.'
EXAMPLES = """
neuron_reach info runs/joints3_seed0
neuron_reach info runs/joints3_seed0/bag
neuron_reach info runs/reproduce
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    parser = add_command(
        commands,
        'info',
        SUMMARY,
        _info,
        leaves='Nothing; the command only reads files.',
        examples=EXAMPLES,
    )
    group = parser.add_argument_group('input')
    group.add_argument(
        'path', type=path, help='a folder that a command has written, or a file in it'
    )
    add_namespace(group)
    return parser


def _info(options: argparse.Namespace) -> int:
    from neuron_reach.workflows.info import describe_path

    print(describe_path(options.path, options.namespace))
    return 0

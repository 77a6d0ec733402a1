"""`neuron_reach info PATH`: describe what a folder or file holds."""

from __future__ import annotations

import argparse
from typing import Any

from neuron_reach.commands.flags import Parser, add_command, add_namespace, path

SUMMARY = 'Describe what any command left in a folder or a file.'
EXAMPLES = """
neuron_reach info runs/joints3_seed0
neuron_reach info runs/joints3_seed0/bag
neuron_reach info runs/reproduce
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    parser = add_command(
        commands, 'info', SUMMARY, _info, leaves='Nothing; it only reads.', examples=EXAMPLES
    )
    group = parser.add_argument_group('input')
    group.add_argument('path', type=path, help='a folder or a file in it')
    add_namespace(group)
    return parser


def _info(options: argparse.Namespace) -> int:
    from neuron_reach.workflows.info import describe_path

    print(describe_path(options.path, options.namespace))
    return 0

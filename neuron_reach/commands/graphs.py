# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What commands that run over ROS share: arguments written as in ROS, and starting the graph."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from neuron_reach.commands import flags
from neuron_reach.commands.flags import Parser, spelled
from neuron_reach.commands.help_text import table
from neuron_reach.errors import UserError
from neuron_reach.launching import graph, starter
from neuron_reach.launching.arguments import DESCRIPTIONS, argument_groups, describe_argument


def add_command(commands: Any, name: str, details: str, leaves: str, examples: str) -> Parser:
    """Add a command that starts the graph of its name; see `flags.add_command`."""
    parser = flags.add_command(
        commands, name, DESCRIPTIONS[name], _run, details, leaves=leaves, examples=examples
    )
    parser.set_defaults(graph=name)
    add_arguments(parser, name)
    return parser


def _run(options: argparse.Namespace) -> int:
    return run(phases(options.graph, given(options.arguments)))


def add_arguments(command: Parser, name: str) -> None:
    """Have a command take the `name:=value` arguments of a graph, and list them in its help."""
    groups = {
        heading: {field.name: describe_argument(field) for field in fields}
        for heading, fields in argument_groups(name).items()
    }
    groups['run']['config'] = 'YAML file with any of these arguments as `key: value`'
    command.arguments = {key for group in groups.values() for key in group}
    tables = [table(f'{heading} (name:=value)', rows) for heading, rows in groups.items()]
    command.epilog = '\n\n'.join([*tables, command.epilog or ''])
    command.add_argument('arguments', nargs='*', metavar='name:=value', help='see below')


def given(words: Sequence[str]) -> dict[str, str]:
    """Split `name:=value` words.

    Raises:
        UserError: a word is written differently, has no value, or is given twice.
    """
    values: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition(':=')
        if not separator or not name:
            name, value = spelled(word, words)
            example = f'such as {name}:={value}, ' if name.isidentifier() else ''
            raise UserError(f'arguments are written name:=value, {example}not {word!r}')
        if not value:
            raise UserError(f'argument {name} is empty; leave it out for its default')
        if name in values:
            raise UserError(f'argument {name} is given twice')
        values[name] = value
    return values


def phases(name: str, arguments: Mapping[str, str]) -> list[graph.Phase]:
    """Return the phases of a graph, once everything that it needs is known to be there.

    Raises:
        UserError: an argument is wrong, or PyTorch or ROS 2 is missing.
    """
    built = graph.build(name, arguments)
    require_torch()
    without = '; or train without ROS: train --no-ros' if name == 'train' else ''
    _require('rclpy', f'source a ROS 2 installation or use ./run{without}')
    return built


run = starter.run


def require_torch() -> None:
    """Raise UserError if PyTorch is not installed."""
    _require('torch', 'the README says how to get a CPU or a CUDA build')


def _require(module: str, how: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise UserError(f'{module} is not installed; {how}')

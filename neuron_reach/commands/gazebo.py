# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The commands `neuron_reach gazebo ...`."""

from __future__ import annotations

import argparse
from typing import Any

from neuron_reach.commands.flags import (
    Parser,
    add_command,
    add_commands,
    add_flags,
    path,
    read_flags,
    whole,
)
from neuron_reach.errors import UserError
from neuron_reach.gazebo.options import GazeboOptions

VARIED = ('payload', 'gain_scale', 'physics_steps')
SUMMARY = 'Use Gazebo without a ROS installation: install it, validate networks, film them.'
INSTALL_EXAMPLE = 'neuron_reach gazebo install'
VALIDATE_EXAMPLE = 'neuron_reach gazebo validate runs/joints3_seed0/checkpoint --payload 0.2'
FILM_EXAMPLE = 'neuron_reach gazebo film runs/joints3_seed0/checkpoint arm.gif'
EXAMPLES = '\n'.join((INSTALL_EXAMPLE, VALIDATE_EXAMPLE, FILM_EXAMPLE))


def add(commands: Any) -> Parser:
    """Add the command and its sub-commands."""
    parser = add_command(commands, 'gazebo', SUMMARY, _install, examples=EXAMPLES)
    add_commands(parser, {'commands': (_add_install, _add_validate, _add_film)})
    return parser


def _add_install(commands: Any) -> Parser:
    return add_command(
        commands,
        'install',
        'Install Gazebo 11 for this user from the packages of Debian; needs no root.',
        _install,
        leaves='Gazebo, in ~/.cache/neuron_reach/gazebo or the folder $NEURON_REACH_GAZEBO.',
        examples=INSTALL_EXAMPLE,
    )


def _add_validate(commands: Any) -> Parser:
    command = add_command(
        commands,
        'validate',
        'Play test episodes of trained networks in Gazebo and on the kinematic arm.',
        _validate,
        leaves='Nothing; it prints a table in Markdown.',
        examples=VALIDATE_EXAMPLE,
    )
    networks = command.add_argument_group('networks')
    networks.add_argument(
        'checkpoints',
        nargs='+',
        type=path,
        metavar='CHECKPOINT',
        help='checkpoints, or folders with one network',
    )
    networks.add_argument(
        '--episodes', type=whole, default=300, metavar='N', help='of each network (default: 300)'
    )
    networks.add_argument(
        '--arms', type=whole, default=1, metavar='N', help='that move at the same time (default: 1)'
    )
    add_flags(command.add_argument_group('Gazebo'), GazeboOptions, VARIED)
    return command


def _add_film(commands: Any) -> Parser:
    command = add_command(
        commands,
        'film',
        'Film a trained network reaching in Gazebo, as an animated picture.',
        _film,
        leaves='The picture, in FILE.',
        examples=FILM_EXAMPLE,
    )
    files = command.add_argument_group('input and output')
    files.add_argument(
        'checkpoint', type=path, metavar='CHECKPOINT', help='or a folder with one network'
    )
    files.add_argument('file', type=path, metavar='FILE', help='such as arm.gif or arm.png')
    files.add_argument(
        '--episodes', type=whole, default=3, metavar='N', help='to film (default: 3)'
    )
    return command


def _install(_options: argparse.Namespace) -> int:
    from neuron_reach.gazebo import tree
    from neuron_reach.gazebo.install import install

    install()
    print(f'Gazebo is installed in {tree.cache_folder()}')
    return 0


def _validate(options: argparse.Namespace) -> int:
    from neuron_reach.gazebo import tree

    gazebo = read_flags(GazeboOptions, options)
    if options.episodes < 1 or options.arms < 1:
        raise UserError('--episodes and --arms must be at least 1')
    tree.require()
    from neuron_reach.gazebo.validate import validate
    from neuron_reach.learning.kernels import use_one_core

    use_one_core()
    rows = []
    for checkpoint in options.checkpoints:
        kinematic = validate(checkpoint, None, options.episodes, options.episodes)
        physical = validate(checkpoint, gazebo, options.episodes, options.arms)
        rows.append(
            f'| {checkpoint} | {physical.joints} | {kinematic} | {physical} '
            f'| {physical.cycles:.0f} | {physical.physics_share:.0%} |'
        )
    print(
        '\n| network | joints | kinematic arm: successes [95 %] | Gazebo: successes [95 %] '
        "| control cycles per second | Gazebo's share of the time |"
    )
    print('|---|---|---|---|---|---|')
    print('\n'.join(rows))
    return 0


def _film(options: argparse.Namespace) -> int:
    from neuron_reach.gazebo import tree

    if options.episodes < 1:
        raise UserError('--episodes must be at least 1')
    tree.require()
    from neuron_reach.gazebo.film import film

    pictures = film(options.checkpoint, options.file, options.episodes)
    print(f'{options.file}: {pictures} pictures')
    return 0

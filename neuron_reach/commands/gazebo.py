"""The commands `neuron_reach gazebo ...`."""

from __future__ import annotations

import argparse
from typing import Any

from neuron_reach.commands.flags import add_flags, path, read_flags, whole
from neuron_reach.errors import UserError
from neuron_reach.gazebo.options import GazeboOptions

VARIED = ('payload', 'gain_scale', 'physics_steps')


def add(commands: Any) -> None:
    """Add the command and its sub-commands."""
    description = 'Gazebo without a ROS installation: install it, validate networks in it, film.'
    parser = commands.add_parser('gazebo', help=description, description=description)
    commands = parser.add_subparsers(title='commands', metavar='COMMAND', required=True)
    description = 'Install Gazebo 11 for this user from the packages of Debian; no root needed.'
    command = commands.add_parser('install', help=description, description=description)
    command.set_defaults(command=_install)

    description = 'Play test episodes of trained networks in Gazebo, and on the kinematic arm.'
    command = commands.add_parser('validate', help=description, description=description)
    command.add_argument('checkpoints', nargs='+', type=path, metavar='CHECKPOINT')
    command.add_argument('--episodes', type=whole, default=300, help='for each network (300)')
    command.add_argument('--arms', type=whole, default=1, help='that move at the same time (1)')
    add_flags(command, GazeboOptions, VARIED)
    command.set_defaults(command=_validate)

    description = 'Film a trained network reaching in Gazebo, as an animated picture.'
    command = commands.add_parser('film', help=description, description=description)
    command.add_argument('checkpoint', type=path, metavar='CHECKPOINT')
    command.add_argument('file', type=path, metavar='FILE', help='such as arm.gif or arm.png')
    command.add_argument('--episodes', type=whole, default=3, help='to film (3)')
    command.set_defaults(command=_film)


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
        "| control cycles a second | Gazebo's share of the time |"
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

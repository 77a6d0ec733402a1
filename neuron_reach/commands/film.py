"""`neuron_reach film CHECKPOINT`: an animated picture of an arm and its neurons."""

from __future__ import annotations

import argparse
from typing import Any

from neuron_reach.commands.flags import SAMPLE_EPISODES, add_command, path, whole
from neuron_reach.errors import UserError

DESCRIPTION = 'Film a trained network: the arm beside the activity of all neurons.'
EPILOG = """\
CHECKPOINT is a checkpoint or a run folder.

examples:
  neuron_reach film runs/joints3_seed0 -o arm.gif
  neuron_reach film runs/joints3_seed0/checkpoint --show 15 8 9 -o arm.png
"""


def add(commands: Any) -> None:
    """Add the sub-command."""
    parser = add_command(commands, 'film', DESCRIPTION, _film, EPILOG)
    parser.add_argument('checkpoint', type=path, metavar='CHECKPOINT')
    parser.add_argument(
        '-o', '--output', type=path, required=True, metavar='FILE', help='arm.gif or arm.png'
    )
    parser.add_argument(
        '--show',
        type=whole,
        nargs='+',
        default=[0, 1, 2],
        metavar='EPISODE',
        help='sample episodes to film, counted from 0 (default: 0 1 2)',
    )
    parser.add_argument(
        '--episodes',
        type=whole,
        default=SAMPLE_EPISODES,
        help='sample episodes to play; all of them give the order of the neurons (%(default)s)',
    )


def _film(options: argparse.Namespace) -> int:
    if options.episodes < 1:
        raise UserError(f'--episodes must be at least 1, not {options.episodes}')
    from neuron_reach.workflows.film import film

    frames = film(options.checkpoint, options.output, options.episodes, options.show)
    print(f'{options.output}: {frames} frames')
    return 0

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach film CHECKPOINT`: an animated picture of an arm and its neurons."""

from __future__ import annotations

import argparse
from typing import Any

from neuron_reach.analysis.options import SAMPLE_EPISODES
from neuron_reach.commands.flags import Parser, add_command, path, whole
from neuron_reach.errors import UserError

SUMMARY = 'Film a trained network: the arm beside the activity of all neurons.'
LEAVES = 'The animated picture, in FILE.'
EXAMPLES = """
neuron_reach film runs/joints3_seed0 -o arm.gif
neuron_reach film runs/joints3_seed0/checkpoint --show 15 8 9 -o arm.png
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    parser = add_command(commands, 'film', SUMMARY, _film, leaves=LEAVES, examples=EXAMPLES)
    files = parser.add_argument_group('input and output')
    files.add_argument(
        'checkpoint',
        type=path,
        metavar='CHECKPOINT',
        help='checkpoint, or a folder with one network',
    )
    files.add_argument(
        '-o',
        '--output',
        type=path,
        required=True,
        metavar='FILE',
        help='such as arm.gif or arm.png',
    )
    episodes = parser.add_argument_group('episodes')
    episodes.add_argument(
        '--show',
        type=whole,
        nargs='+',
        default=[0, 1, 2],
        metavar='EPISODE',
        help='sample episodes to film, counted from 0 (default: 0 1 2)',
    )
    episodes.add_argument(
        '--episodes',
        type=whole,
        default=SAMPLE_EPISODES,
        metavar='N',
        help='sample episodes to play; all of them determine the order of the neurons '
        '(default: %(default)s)',
    )
    return parser


def _film(options: argparse.Namespace) -> int:
    if options.episodes < 1:
        raise UserError(f'--episodes must be at least 1, not {options.episodes}')
    from neuron_reach.workflows.film import film

    frames = film(options.checkpoint, options.output, options.episodes, options.show)
    print(f'{options.output}: {frames} frames')
    return 0

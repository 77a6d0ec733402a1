# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach analyze PATH`: distances, clusters and figures of the activity of a network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from neuron_reach.analysis.options import SAMPLE_EPISODES, PruningOptions
from neuron_reach.commands.flags import (
    Parser,
    add_command,
    add_flags,
    add_namespace,
    add_output,
    path,
    read_flags,
    whole,
)
from neuron_reach.errors import UserError, warn

if TYPE_CHECKING:
    from neuron_reach.workflows.analyze import AnalysisSummary

SUMMARY = 'Look inside a network: distances between neurons, clusters, dead neurons, figures.'
DETAILS = """\
PATH is a bag, a checkpoint (sample episodes are then played), or a folder that holds them; of a
folder that holds both, the bag is used. Several bags must be of the same network."""
LEAVES = """\
In DIR: analysis.json, a table of the neurons (neurons.csv), distances and trees (.npz), and figures
(.svg, .png)."""
EXAMPLES = """
neuron_reach analyze runs/joints3_seed0/bag -o analysis
neuron_reach analyze a/bag b/bag --layers hidden_1 hidden_2 -o analysis
neuron_reach analyze runs/joints3_seed0 --include-io --tau 0.3 -o analysis
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    parser = add_command(
        commands, 'analyze', SUMMARY, _analyze, DETAILS, leaves=LEAVES, examples=EXAMPLES
    )
    files = parser.add_argument_group('input and output')
    files.add_argument('paths', type=path, nargs='+', metavar='PATH', help='bag, checkpoint, run')
    add_output(files)
    files.add_argument(
        '--episodes',
        type=whole,
        metavar='N',
        help=f'episodes of each bag (default: all), or to play (default: {SAMPLE_EPISODES})',
    )
    add_namespace(files)
    layers = parser.add_argument_group('layers')
    layers.add_argument(
        '--layers',
        nargs='+',
        default=[],
        metavar='LAYER',
        help='layers to analyze, such as hidden_1 (default: all hidden layers)',
    )
    layers.add_argument(
        '--include-io', action='store_true', help='analyze inputs and outputs as well'
    )
    layers.add_argument(
        '--raster',
        type=whole,
        default=0,
        metavar='EPISODE',
        help='episode whose activity is drawn (default: %(default)s)',
    )
    add_flags(
        parser.add_argument_group('clustering'), PruningOptions, ['tau', 'linkage', 'threshold']
    )
    return parser


def _analyze(options: argparse.Namespace) -> int:
    clustering = read_flags(PruningOptions, options)
    if options.layers and options.include_io:
        raise UserError('--include-io selects all layers; it cannot be given with --layers')
    if options.episodes is not None and options.episodes < 1:
        raise UserError(f'--episodes must be at least 1, not {options.episodes}')
    from neuron_reach.common.progress import ProgressBars
    from neuron_reach.workflows.analyze import run_analysis

    with ProgressBars() as bars:
        summary = run_analysis(
            options.paths,
            options.output,
            clustering,
            progress=bars,
            layers=options.layers,
            include_io=options.include_io,
            episodes=options.episodes,
            namespace=options.namespace,
            raster=options.raster,
        )
    for note in summary.notes:
        warn(note)
    print(_table(summary))
    print(f'results: {options.output}')
    return 0


def _table(summary: AnalysisSummary) -> str:
    from neuron_reach.analysis.activity import ClusteredLayer

    lines = [f'{summary.episodes} episodes, {summary.steps} steps', *summary.notes]
    lines.append(
        f'{"layer":<12}{"neurons":>8}{"dead":>6}{"dormant":>9}{"clusters":>10}{"mean distance":>15}'
    )
    for layer in summary.layers:
        clusters = str(layer.clusters) if isinstance(layer, ClusteredLayer) else ''
        mean = '' if layer.distance_mean is None else f'{layer.distance_mean:.3f}'
        dormant = '' if layer.dormant is None else str(layer.dormant)
        lines.append(
            f'{layer.layer:<12}{layer.neurons:>8}{layer.dead:>6}{dormant:>9}{clusters:>10}{mean:>15}'
        )
    return '\n'.join(lines)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach map SOURCE TARGET`: predict networks' activations from those of others."""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuron_reach.analysis.options import TRANSFORMS, MapOptions
from neuron_reach.commands.flags import (
    Adder,
    Parser,
    add_command,
    add_flags,
    add_output,
    path,
    read_flags,
)
from neuron_reach.commands.help_text import table
from neuron_reach.common.options import meant
from neuron_reach.errors import UserError, warn

if TYPE_CHECKING:
    from neuron_reach.workflows.mapping_summary import MappingSummary

SUMMARY = 'Map networks onto each other: how well one predicts the other, neuron by neuron.'
DETAILS = """\
SOURCE and TARGET are a checkpoint, a folder with one network (a run, results of prune or of a
finished prune-train), a bag, or a folder of these; of folders, all pairs are mapped. The inputs are
those of the target's sample episodes: of its bag if it has one, otherwise they are played. A bag as
a source needs the checkpoint that it was recorded with.

Either may be a policy of another library, too: a file or folder that nr.load reads. The episodes of
such a target are those of --bag or of the bag beside it; fresh episodes are their second half. A
--bag of another network serves as well: the target is run on its inputs. If the inputs differ, a
--transform file relates them."""
LEAVES = """\
In DIR: mapping.json, tables of errors, saturation, coverage and layers (.csv), and figures."""
EXAMPLES = """
neuron_reach map runs/joints2_seed0 runs/joints4_seed0 -o maps/2-4
neuron_reach map runs/joints4 runs/joints2 --transform naive -o maps/4-2
neuron_reach map a.onnx b.zip --bag recorded -o maps/policies
neuron_reach map runs/joints3 runs/joints3 --greedy --lambda 0 10 50 \\
    --baseline reflexive random permuted -o maps/3-3
"""
BASELINE_HELP = {
    'reflexive': 'each target network onto itself',
    'random': "a random network (Glorot) with the source's layer sizes, or with --random-hidden",
    'random-both': 'random networks as source and as target, on the inputs of the real target',
    'permuted': 'the source on the same inputs in another order',
}
TRANSFORM_HELP = {
    'naive': 'joint 1 follows joint 1, joint 2 follows joint 2, and so on; the rest stay at zero',
    'balanced': 'joints follow those at the same place along the arm; the rest stay at zero',
    'duplicate': 'as balanced, but the remaining joints repeat their neighbor',
    'FILE.yaml': '`matrix:` with a row for each source joint: angles of source = matrix * target; '
    'of policies, a row for each input, or `source:` and `target:` with the names of all inputs',
}


def add(commands: Any) -> Parser:
    """Add the command."""
    tables = (
        table('transforms, if the arms differ in joints (docs/mapping.md)', TRANSFORM_HELP),
        table('baselines', BASELINE_HELP),
    )
    parser = add_command(
        commands, 'map', SUMMARY, _map, DETAILS, tables=tables, leaves=LEAVES, examples=EXAMPLES
    )
    _add_files(parser.add_argument_group('input and output'))
    _add_projections(parser.add_argument_group('projections and baselines'))
    return parser


def _add_files(files: Adder) -> None:
    files.add_argument('source', type=path, metavar='SOURCE', help='network that predicts')
    files.add_argument('target', type=path, metavar='TARGET', help='network that is predicted')
    add_output(files)
    add_flags(files, MapOptions, ['episodes'])
    files.add_argument(
        '--bag',
        type=path,
        metavar='BAG',
        help='sample episodes whose inputs a policy of another library is mapped on',
    )
    files.add_argument(
        '--validation', type=path, metavar='BAG', help='fresh episodes of a single target'
    )
    files.add_argument(
        '--namespace',
        nargs='+',
        default=[],
        metavar='NS',
        help='namespace of the topics, or that of SOURCE and that of TARGET; needed only if a bag '
        'holds several robots',
    )
    add_flags(files, MapOptions, ['seed'])


def _add_projections(group: Adder) -> None:
    add_flags(group, MapOptions, ['transforms', 'lams'])
    group.add_argument('--greedy', action='store_true', help='compute greedy projections as well')
    group.add_argument(
        '--inputs', action='store_true', help='use input neurons of the source as well'
    )
    add_flags(group, MapOptions, ['tolerance', 'baselines', 'random_hidden'])


def _map(options: argparse.Namespace) -> int:
    chosen = _options(options)
    from neuron_reach.common.progress import ProgressBars
    from neuron_reach.workflows.map import run_mapping

    with ProgressBars() as bars:
        summary = run_mapping(
            source=options.source,
            target=options.target,
            folder=options.output,
            options=chosen,
            progress=bars,
            namespaces=options.namespace,
            bag=options.bag,
            validation=options.validation,
        )
    for note in summary.notes:
        warn(note)
    print(_table(summary))
    print(f'results: {options.output}')
    return 0


def _options(options: argparse.Namespace) -> MapOptions:
    """Return the options of the mapping, checked before anything is loaded."""
    chosen = read_flags(MapOptions, options)
    for name in chosen.transforms:
        if name not in TRANSFORMS and Path(name).suffix not in ('.yaml', '.yml'):
            raise UserError(
                f'--transform must be one of {", ".join(TRANSFORMS)} or a .yaml file, not {name!r}'
                f'{meant(name, TRANSFORMS)}'
            )
    if len(options.namespace) > 2:
        raise UserError('--namespace takes one for both networks, or that of SOURCE and of TARGET')
    return dataclasses.replace(chosen, lams=tuple(dict.fromkeys(chosen.lams)))


def _table(summary: MappingSummary) -> str:
    """Return means and intervals for the terminal."""
    from neuron_reach.workflows.mapping_summary import SHOWN

    rows = [['', 'pairs', *SHOWN]]
    for group in summary.groups:
        pair = group.pairs[0]
        cells = []
        for metric in SHOWN:
            interval = group.metrics[metric]
            cell = f'{interval.value:.3f}'
            if math.isfinite(interval.low):
                cell += f' ({interval.low:.3f} to {interval.high:.3f})'
            cells.append(cell)
        label = f'{pair.arms}, {pair.kind}, {pair.label}'
        rows.append([label, str(len(group.pairs)), *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return '\n'.join(
        '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )

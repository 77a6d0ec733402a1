"""`neuron_reach map SOURCE TARGET`: predict networks' activations from those of others."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuron_reach.commands.flags import Adder, Parser, add_command, add_output, number, path, whole
from neuron_reach.commands.help_text import table
from neuron_reach.common.options import meant
from neuron_reach.errors import UserError, warn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuron_reach.analysis.intervals import Interval
    from neuron_reach.figures.mapping import Bars
    from neuron_reach.workflows.map import Example, Group, MapOptions, Pair

SUMMARY = 'Map networks onto each other: how well one predicts the other, neuron by neuron.'
DETAILS = """\
SOURCE and TARGET are a checkpoint, a run folder, a bag, or a folder of these; of folders, all pairs
are mapped. The inputs are those of the target's sample episodes: of its bag if it has one,
otherwise they are played. A bag as a source needs the checkpoint that it was recorded with."""
LEAVES = """\
In DIR: mapping.json, tables of errors, saturation, coverage and layers (.csv), and figures."""
EXAMPLES = """
neuron_reach map runs/joints2_seed0 runs/joints4_seed0 -o maps/2-4
neuron_reach map runs/joints4 runs/joints2 --transform naive -o maps/4-2
neuron_reach map runs/joints3 runs/joints3 --greedy --lambda 0 10 50 \\
    --baseline reflexive random permuted -o maps/3-3
"""
BASELINES = {
    'reflexive': 'each target network onto itself',
    'random': "a random network (Glorot) with the source's layer sizes, or with --random-hidden",
    'random-both': 'random networks as source and as target, on the inputs of the real target',
    'permuted': 'the source on the same inputs in another order',
}
TRANSFORMS = {
    'naive': 'joint 1 follows joint 1, joint 2 follows joint 2, and so on; the rest stay at zero',
    'balanced': 'joints follow those at the same place along the arm; the rest stay at zero',
    'duplicate': 'as balanced, but the remaining joints repeat their neighbor',
    'FILE.yaml': '`matrix:` with a row for each source joint: angles of source = matrix * target',
}


def add(commands: Any) -> Parser:
    """Add the command."""
    tables = (
        table('transforms, if the arms differ in joints (docs/mapping.md)', TRANSFORMS),
        table('baselines', BASELINES),
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
    files.add_argument(
        '--episodes',
        type=whole,
        default=300,
        metavar='N',
        help='sample episodes, and as many fresh ones (default: %(default)s)',
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
    files.add_argument(
        '--seed',
        type=whole,
        default=0,
        help='of fresh goals and random networks (default: %(default)s)',
    )


def _add_projections(group: Adder) -> None:
    group.add_argument(
        '--transform',
        nargs='+',
        type=lambda name: str(path(name)),
        default=['balanced'],
        metavar='NAME',
        help='how angles are carried over, see below (default: balanced)',
    )
    group.add_argument(
        '--lambda',
        nargs='+',
        type=number,
        default=[50.0],
        metavar='L',
        dest='regularisations',
        help='strengths of the lasso term (default: 50)',
    )
    group.add_argument('--greedy', action='store_true', help='compute greedy projections as well')
    group.add_argument(
        '--inputs', action='store_true', help='use input neurons of the source as well'
    )
    group.add_argument(
        '--tolerance',
        type=number,
        default=0.0,
        help='observations that differ by at most this in each component count as duplicates '
        '(default: 0, exact duplicates)',
    )
    group.add_argument(
        '--baseline',
        nargs='+',
        default=[],
        choices=list(BASELINES),
        metavar='NAME',
        help='compare with these baselines, see below',
    )
    group.add_argument(
        '--random-hidden',
        nargs='+',
        type=whole,
        metavar='N',
        help='hidden layer sizes of random networks',
    )


def _map(options: argparse.Namespace) -> int:
    chosen = _checked(options)
    from neuron_reach.common.files import lock_folder
    from neuron_reach.common.progress import Progress
    from neuron_reach.common.results import claim_folder
    from neuron_reach.records.networks import find_networks
    from neuron_reach.workflows.map import PairMapper, summarise

    namespaces = options.namespace or [None]
    sources = find_networks(options.source, namespaces[0])
    targets = find_networks(options.target, namespaces[-1])
    mapper = PairMapper(sources, targets, chosen)
    inputs = {'source': str(options.source.resolve()), 'target': str(options.target.resolve())}
    claim_folder(options.output, 'map', inputs)
    _lock = lock_folder(options.output)
    progress = Progress('mapping', len(sources) * len(targets), unit='pairs')
    try:
        pairs, examples = mapper.run(progress.update)
    finally:
        progress.close()
    if not pairs:
        raise UserError('source and target are the same network; nothing else to map')
    groups = summarise(pairs, mapper.same_networks, chosen.seed)
    for note in mapper.notes:
        warn(note)
    _write(options.output, {**inputs, 'notes': mapper.notes}, chosen, groups, examples)
    print(_table(groups))
    print(f'results: {options.output}')
    return 0


def _checked(options: argparse.Namespace) -> MapOptions:
    """Check the numbers, before anything is loaded."""
    bounds: tuple[tuple[str, Sequence[float], float], ...] = (
        ('--lambda', options.regularisations, 0.0),
        ('--tolerance', [options.tolerance], 0.0),
        ('--episodes', [options.episodes], 1),
        ('--seed', [options.seed], 0),
        ('--random-hidden', options.random_hidden or [], 1),
    )
    for name, values, least in bounds:
        for value in values:
            if not (math.isfinite(value) and value >= least):
                raise UserError(f'{name} must be at least {least:g}, not {value:g}')
    if len(options.namespace) > 2:
        raise UserError('--namespace takes one for both networks, or that of SOURCE and of TARGET')
    kinds = ('naive', 'balanced', 'duplicate')
    for name in options.transform:
        if name not in kinds and Path(name).suffix not in ('.yaml', '.yml'):
            raise UserError(
                f'--transform must be one of {", ".join(kinds)} or a .yaml file, not {name!r}'
                f'{meant(name, kinds)}'
            )
    from neuron_reach.workflows.map import MapOptions

    return MapOptions(
        transforms=tuple(options.transform),
        regularisations=tuple(dict.fromkeys(options.regularisations)),
        greedy=options.greedy,
        baselines=tuple(options.baseline),
        random_hidden=None if options.random_hidden is None else tuple(options.random_hidden),
        inputs=options.inputs,
        tolerance=options.tolerance,
        episodes=options.episodes,
        seed=options.seed,
        validation=options.validation,
    )


def _write(
    folder: Path,
    known: dict[str, Any],
    options: MapOptions,
    groups: list[Group],
    examples: list[Example],
) -> None:
    """Write results as tables, figures and arrays."""
    from neuron_reach.common.names import GROUP_TABLE, MATRIX, PAIR_TABLE, PROJECTION
    from neuron_reach.common.results import replaced_results, write_csv, write_tensors
    from neuron_reach.common.versions import versions
    from neuron_reach.figures.style import save

    pairs = [pair for group in groups for pair in group.pairs]
    results = {
        **known,
        'options': {
            key: str(value) if isinstance(value, Path) else value
            for key, value in vars(options).items()
        },
        'versions': versions(),
        'bootstrap': '95 %, networks resampled (sources and targets separately)',
        'groups': [_group_record(group) for group in groups],
        'pairs': [{**vars(pair), 'layers': pair.layers.tolist()} for pair in pairs],
    }
    with replaced_results(folder, 'map', results) as new:
        write_csv(new / PAIR_TABLE, [_flat(vars(pair)) for pair in pairs])
        write_csv(new / GROUP_TABLE, [_flat(_group_record(group)) for group in groups])
        for name, figure in _figures(groups, examples).items():
            save(figure, new / name)
        for example in examples:
            projection = example.projection
            arrays = {
                'projection': projection.matrix,
                'rescaled': projection.rescaled(),
                'targets': projection.targets,
                'source_scale': projection.source_scale,
                'target_scale': projection.target_scale,
            }
            names = {'source': example.pair.source, 'target': example.pair.target}
            file = new / (_file_name(PROJECTION, example.pair) + MATRIX)
            write_tensors(file, arrays, names)


def _figures(groups: list[Group], examples: list[Example]) -> dict[str, Figure]:
    """Return the figures by file name."""
    from neuron_reach.common.names import LAYERS_FIGURE, METRICS_FIGURE, PROJECTION
    from neuron_reach.figures.mapping import layer_tables, metric_bars, projection_drawing

    several = len({_method(group.pairs[0]) for group in groups}) > 1
    metrics: Bars[Interval] = {}
    values: Bars[list[float]] = {}
    tables: dict[str, dict[str, Any]] = {}
    for group in groups:
        pair = group.pairs[0]
        place, series = _arms(pair), pair.kind + (f', {_method(pair)}' if several else '')
        for metric in ('error', 'saturation', 'coverage'):
            own = [getattr(member, metric) for member in group.pairs]
            metrics.setdefault(metric, {}).setdefault(place, {})[series] = group.metrics[metric]
            values.setdefault(metric, {}).setdefault(place, {})[series] = own
        if group.layers is not None:
            table = group.layers, list(pair.source_layers), list(pair.target_layers)
            name = f'{LAYERS_FIGURE}_{pair.kind}_{_method(pair)}'.replace(' = ', '')
            tables.setdefault(name, {})[f'{place}: {series}'] = table
    figures = {METRICS_FIGURE: metric_bars(metrics, values)}
    figures |= {name: layer_tables(members) for name, members in tables.items()}
    for example in examples:
        pair = example.pair
        names = f'source, {pair.source_joints} joints', f'target, {pair.target_joints} joints'
        figures[_file_name(PROJECTION, pair)] = projection_drawing(
            example.projection, pair.source_layers, pair.target_layers, names
        )
    return figures


def _arms(pair: Pair) -> str:
    """Return `source-target` by joints, as the paper writes it, and the transform."""
    arms = f'{pair.source_joints}-{pair.target_joints}'
    return arms if pair.transform == 'none' else f'{arms} {pair.transform}'


def _method(pair: Pair) -> str:
    return 'greedy' if pair.regularisation is None else f'lambda = {pair.regularisation:g}'


def _file_name(what: str, pair: Pair) -> str:
    parts = (what, pair.kind, _arms(pair).replace(' ', '_'), _method(pair).replace(' = ', ''))
    return '_'.join(parts)


def _group_record(group: Group) -> dict[str, Any]:
    """Return a group as plain data."""
    keys = ('kind', 'source_joints', 'target_joints', 'transform', 'method', 'regularisation')
    return {
        **{key: getattr(group.pairs[0], key) for key in keys},
        'pairs': len(group.pairs),
        **{
            name: {'mean': interval.value, 'low': interval.low, 'high': interval.high}
            for name, interval in group.metrics.items()
        },
        'layers': None if group.layers is None else group.layers.tolist(),
    }


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as a line of a table: intervals as three columns, no arrays."""
    line: dict[str, Any] = {}
    for key, value in record.items():
        if key in ('source_layers', 'target_layers'):
            line[key] = ' '.join(map(str, value.values()))
        elif isinstance(value, dict):
            line |= {f'{key}_{part}': number for part, number in value.items()}
        elif key != 'layers':
            line[key] = value
    return line


def _table(groups: list[Group]) -> str:
    """Return means and intervals for the terminal."""
    metrics = ('error', 'saturation', 'coverage')
    rows = [['', 'pairs', *metrics]]
    for group in groups:
        pair = group.pairs[0]
        cells = []
        for metric in metrics:
            interval = group.metrics[metric]
            cell = f'{interval.value:.3f}'
            if math.isfinite(interval.low):
                cell += f' ({interval.low:.3f} to {interval.high:.3f})'
            cells.append(cell)
        label = f'{_arms(pair)}, {pair.kind}, {_method(pair)}'
        rows.append([label, str(len(group.pairs)), *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return '\n'.join(
        '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )

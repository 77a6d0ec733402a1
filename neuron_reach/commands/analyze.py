"""`neuron_reach analyze BAG`: distances, clusters and figures of recorded activity."""

from __future__ import annotations

import argparse
from pathlib import Path
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
    from neuron_reach.analysis.activity import Activity
    from neuron_reach.records.record import ActivityRecord

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
    from neuron_reach.analysis.activity import analyze, choose_layers
    from neuron_reach.common.files import lock_folder
    from neuron_reach.common.progress import Progress
    from neuron_reach.common.results import claim_folder

    claim_folder(options.output, 'analyze', {'sources': _sources(options)})
    _lock = lock_folder(options.output)
    progress = Progress('analysing', 4, unit='parts')
    try:
        progress.update(0, 'reading the activity')
        record = _read(options)
        names = choose_layers(record, options.layers, options.include_io)
        if not 0 <= options.raster < record.episodes:
            raise UserError(
                f'--raster must be an episode from 0 to {record.episodes - 1}, not {options.raster}'
            )
        progress.update(1, f'distances of {record.select(names).neurons} neurons')
        activity = analyze(record.select(names), clustering)
        progress.update(2, 'writing')
        summary = _write(options, activity, record)
        progress.update(4)
    finally:
        progress.close()
    for note in summary['notes']:
        warn(note)
    print(_table(summary))
    print(f'results: {options.output}')
    return 0


def _read(options: argparse.Namespace) -> ActivityRecord:
    from neuron_reach.common.paths import checkpoint_in, find_bag
    from neuron_reach.records.networks import network_at
    from neuron_reach.records.recording import read_records, record_checkpoint

    paths: list[Path] = options.paths
    episodes: int | None = options.episodes
    found = [
        network_at(path, options.namespace) for path in paths if checkpoint_in(path) is not None
    ]
    networks = [network for network in found if network is not None]
    for network in networks:
        if network.bag is not None:
            continue
        if len(paths) > 1:
            raise UserError(f'{network.name}: a checkpoint is analysed alone, not with others')
        return record_checkpoint(network.load('it is played'), episodes or SAMPLE_EPISODES)
    bags = [find_bag(path) for path in paths]
    chosen = None if episodes is None else range(episodes)
    record = read_records(bags, episodes=chosen, namespace=options.namespace)
    for network in networks:
        record = network.checked(record)
    return record


def _sources(options: argparse.Namespace) -> list[str]:
    return [str(path.resolve()) for path in options.paths]


def _write(
    options: argparse.Namespace, activity: Activity, whole: ActivityRecord
) -> dict[str, Any]:
    """Write tables, arrays and figures, and the summary last; return it."""
    from neuron_reach.analysis.activity import layer_summaries, neuron_lines, pairs, spread
    from neuron_reach.common.names import DISTANCES, LINKAGE, NEURON_TABLE
    from neuron_reach.common.results import replaced_results, write_arrays, write_csv
    from neuron_reach.common.versions import versions

    record = activity.record
    summary = {
        'sources': _sources(options),
        'network': dict(record.network),
        'episodes': record.episodes,
        'steps': int(record.lengths.sum()),
        'notes': list(record.notes),
        'options': {key: value for key, value in vars(activity.options).items() if key != 'merge'},
        'versions': versions(),
        'all_to_all': {'neurons': record.neurons, **spread(pairs(activity.distances))},
        'layers': layer_summaries(activity),
    }
    names = {'layers': list(record.layers), 'sizes': list(record.sizes)}
    with replaced_results(options.output, 'analyze', summary) as folder:
        write_csv(folder / NEURON_TABLE, neuron_lines(activity))
        write_arrays(folder / DISTANCES, {'distances': activity.distances, **names})
        write_arrays(folder / LINKAGE, activity.clustering.trees)
        _draw(folder, activity, whole, options.raster)
    return summary


def _draw(folder: Path, activity: Activity, whole: ActivityRecord, episode: int) -> None:
    from neuron_reach.analysis.activity import pairs
    from neuron_reach.common.names import DENDROGRAMS, DENSITY, RASTER, SIZES
    from neuron_reach.figures import activity as figures
    from neuron_reach.figures.style import save

    record, clusters = activity.record, activity.clustering.clusters
    dead = {name: activity.maxima[record.columns(name)] == 0.0 for name in record.layers}
    drawings = {
        DENSITY: figures.density_figure(
            pairs(activity.distances),
            {name: pairs(activity.within(name)) for name in record.layers},
        ),
        RASTER: figures.raster_figure(whole, episode, whole.maxima()),
    }
    if clusters:
        drawings[DENDROGRAMS] = figures.dendrogram_figure(activity.clustering, dead)
        counts = {
            'neurons': [len(clusters[name]) for name in clusters],
            'alive': [int((~dead[name]).sum()) for name in clusters],
            f'clusters at tau = {activity.options.tau:g}': [
                int(clusters[name].max()) + 1 for name in clusters
            ],
        }
        drawings[SIZES] = figures.sizes_figure(counts, list(clusters))
    for name, figure in drawings.items():
        save(figure, folder / name)


def _table(summary: dict[str, Any]) -> str:
    lines = [f'{summary["episodes"]} episodes, {summary["steps"]} steps', *summary['notes']]
    lines.append(f'{"layer":<12}{"neurons":>8}{"dead":>6}{"clusters":>10}{"mean distance":>15}')
    for layer in summary['layers']:
        mean = layer['distance_mean']
        lines.append(
            f'{layer["layer"]:<12}{layer["neurons"]:>8}{layer["dead"]:>6}'
            f'{layer.get("clusters", ""):>10}{"" if mean is None else f"{mean:.3f}":>15}'
        )
    return '\n'.join(lines)

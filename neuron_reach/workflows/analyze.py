# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Analyze recorded or played activity of a network, and write tables, arrays and figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neuron_reach.analysis.activity import (
    DORMANT,
    Activity,
    LayerSummary,
    analyze,
    choose_layers,
    neuron_lines,
    pairs,
    spread,
    summarize_layers,
)
from neuron_reach.analysis.options import SAMPLE_EPISODES, PruningOptions
from neuron_reach.common.lookup import find_bag
from neuron_reach.common.names import (
    DENDROGRAMS,
    DENSITY,
    DISTANCES,
    LINKAGE,
    NEURON_TABLE,
    RASTER,
    SIZES,
)
from neuron_reach.common.paths import checkpoint_in, policy_in
from neuron_reach.common.progress import ShowProgress
from neuron_reach.common.results import (
    claimed_folder,
    replaced_results,
    to_json,
    write_arrays,
    write_csv,
)
from neuron_reach.common.versions import versions
from neuron_reach.errors import UserError
from neuron_reach.records.networks import network_at
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import read_records, record_checkpoint
from neuron_reach.workflows.policies import checked


@dataclasses.dataclass(frozen=True)
class AllToAll:
    """Distances between all neurons, whatever their layers; see `Spread`."""

    neurons: int
    pairs: int
    distance_mean: float | None
    distance_quartiles: tuple[float, ...] | None


@dataclasses.dataclass(frozen=True)
class AnalysisSummary:
    """What `analysis.json` says, by its keys.

    Attributes:
        sources: paths that were read or played.
        network: what the record knows of its network.
        episodes: that were analyzed.
        steps: of all episodes.
        notes: of the record, such as episodes left out.
        options: of the clustering.
        versions: see `versions`.
        all_to_all: distances between all neurons.
        layers: sizes, and distances within each layer.
        dormant_share: neurons are dormant whose mean absolute activation is at most this share of
            the mean of their layer.
    """

    sources: tuple[str, ...]
    network: dict[str, Any]
    episodes: int
    steps: int
    notes: tuple[str, ...]
    options: dict[str, float | str]
    versions: dict[str, str | None]
    all_to_all: AllToAll
    layers: tuple[LayerSummary, ...]
    dormant_share: float = DORMANT


def run_analysis(
    paths: Sequence[Path],
    folder: Path,
    options: PruningOptions,
    *,
    progress: ShowProgress,
    layers: Sequence[str] = (),
    include_io: bool = False,
    episodes: int | None = None,
    namespace: str | None = None,
    raster: int = 0,
) -> AnalysisSummary:
    """Read or play activity, analyze it, and write the results to a folder.

    Args:
        paths: see `read_activity`.
        folder: of the results; earlier results of the same paths are replaced.
        options: of the clustering.
        progress: shows which part is done.
        layers: to analyze; by default all hidden layers.
        include_io: analyze inputs and outputs as well.
        episodes: see `read_activity`.
        namespace: of the topics, needed only where a bag holds several robots.
        raster: the episode to draw.

    Raises:
        UserError: a path cannot be used, there is no such layer or episode, or the folder cannot
            be used.
    """

    def report(done: int, note: str = '') -> None:
        progress('analyzing', done, 4, 'parts', note)

    sources = tuple(str(path.resolve()) for path in paths)
    with claimed_folder(folder, 'analyze', {'sources': list(sources)}):
        report(0, 'reading the activity')
        record = read_activity(paths, episodes, namespace)
        names = choose_layers(record, layers, include_io)
        if not 0 <= raster < record.episodes:
            raise UserError(
                f'--raster must be an episode from 0 to {record.episodes - 1}, not {raster}'
            )
        chosen = record.select(names)
        report(1, f'distances of {chosen.neurons} neurons')
        activity = analyze(chosen, options)
        report(2, 'writing')
        summary = _summarize(activity, sources)
        _write(folder, activity, summary, record, raster)
        report(4)
    return summary


def read_activity(
    paths: Sequence[Path], episodes: int | None, namespace: str | None
) -> ActivityRecord:
    """Read the activity of one network from bags, or play it.

    Args:
        paths: bags, folders that hold one, or policies beside one; or a single folder with a
            network of the reaching task, without a bag.
        episodes: of each bag (None: all), or to play (None: `SAMPLE_EPISODES`).
        namespace: of the topics, needed only where a bag holds several robots.

    Raises:
        UserError: a path is none of these, or they are of different networks.
    """
    networks, bags = [], []
    for path in paths:
        alone = checkpoint_in(path) is None and policy_in(path) is None
        network = None if alone else network_at(path, namespace)
        if network is None:
            bags.append(find_bag(path))
        elif network.bag is not None:
            networks.append(network)
            bags.append(network.bag)
        elif network.policy is not None:
            raise UserError(
                f'{network.policy}: there are no episodes of it; record them first: '
                f'neuron_reach record {network.policy} --env ENV_ID -o DIR'
            )
        elif len(paths) > 1:
            raise UserError(
                f'{network.name}: a checkpoint must be analyzed alone, without other paths'
            )
        else:
            return record_checkpoint(network.load('it is played'), episodes or SAMPLE_EPISODES)
    chosen = None if episodes is None else range(episodes)
    record = read_records(bags, episodes=chosen, namespace=namespace)
    for network in networks:
        record = checked(network, record)
    return record


def _summarize(activity: Activity, sources: tuple[str, ...]) -> AnalysisSummary:
    record, options = activity.record, vars(activity.options)
    return AnalysisSummary(
        sources=sources,
        network=dict(record.network),
        episodes=record.episodes,
        steps=int(record.lengths.sum()),
        notes=record.notes,
        options={name: value for name, value in options.items() if name != 'merge'},
        versions=versions(),
        all_to_all=AllToAll(record.neurons, *spread(pairs(activity.distances))),
        layers=tuple(summarize_layers(activity)),
    )


def _write(
    folder: Path,
    activity: Activity,
    summary: AnalysisSummary,
    whole: ActivityRecord,
    raster: int,
) -> None:
    """Write tables, arrays and figures; the summary comes last."""
    record = activity.record
    names = {'layers': list(record.layers), 'sizes': list(record.sizes)}
    with replaced_results(folder, 'analyze', to_json(summary)) as new:
        write_csv(new / NEURON_TABLE, neuron_lines(activity))
        write_arrays(new / DISTANCES, {'distances': activity.distances, **names})
        write_arrays(new / LINKAGE, activity.clustering.trees)
        _draw(new, activity, whole, raster)


def _draw(folder: Path, activity: Activity, whole: ActivityRecord, episode: int) -> None:
    from neuron_reach.figures import activity as figures
    from neuron_reach.figures.style import save

    record, clusters = activity.record, activity.clustering.clusters
    dead = {name: activity.dead_neurons[record.columns(name)] for name in record.layers}
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

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Jobs of the study of figure 2: the activity of random, trained and pruned networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from neuron_reach.common.arrays import Array
from neuron_reach.common.random_streams import training_streams, untrained_seed
from neuron_reach.study.engine.jobs import AnyJob, Job, function
from neuron_reach.study.engine.results import AnyResult, JobResult, StoredResult
from neuron_reach.study.reductions import STEPS, TAU, Source, jobs_of, reduction
from neuron_reach.study.studies import Results, Scale

BIN = 0.2
"""Width of the bins of distances."""

RANDOM, TRAINED = 'random', 'trained'
PRUNED = f'pruned, {STEPS} steps'
KINDS = (RANDOM, TRAINED, *(f'pruned, step {step}' for step in range(1, STEPS)), PRUNED)
DRAWN = (RANDOM, TRAINED, PRUNED)


class DistanceValues(TypedDict):
    """Statistics of the distances between neurons, see `describe_distances`."""

    pairs: int
    mean: float
    deviation: float
    high_95: float
    high_99: float
    maximum: float
    bimodality: float
    alive_mean: float


class LayerValues(DistanceValues):
    """Statistics of one layer.

    Items:
        neurons: of the layer.
        dead: neurons that are never active.
        clusters: at the cut.
        cluster_distance: mean over all clusters of the tree.
        high: share of pairs among the 5 % largest of all pairs on the same layer.
    """

    neurons: int
    dead: int
    clusters: int
    cluster_distance: float
    high: float


class ActivityValues(TypedDict, total=False):
    """Values of `activity`: all-to-all distances, and layers; empty if there was no network."""

    everything: DistanceValues
    layers: list[LayerValues]


ActivityResult = StoredResult[ActivityValues]


def _seconds(episodes: int, **_: object) -> float:
    return 0.1 + 0.001 * episodes


@function('activity', version=2, seconds=_seconds, returns=ActivityValues)
def activity(
    source: AnyResult, name: str, seed: int, episodes: int, untrained: bool, tau: float
) -> JobResult[ActivityValues]:
    """Measure distances and clusters of a network, or of an untrained network on its inputs.

    Args:
        source: holds the network; if it does not, the result is empty.
        name: of the network there.
        seed: draws the goals of the episodes, and the weights of an untrained network.
        episodes: number of episodes.
        untrained: replace the network by a Glorot initialized one on the same inputs.
        tau: threshold at which trees are cut.

    Returns:
        values: `everything` (all-to-all) and `layers`.
        arrays: edges; everything (bins,) and layers (layers, bins): densities; by layer tree,
            clusters, dead, such as `tree_hidden_1`.
    """
    import torch

    from neuron_reach.analysis.activity import analyze, pairs
    from neuron_reach.analysis.options import PruningOptions
    from neuron_reach.analysis.samples import network_activations, random_network
    from neuron_reach.records.recording import record_checkpoint

    checkpoint = source.find_checkpoint(name)
    if checkpoint is None:
        return JobResult({})
    record = record_checkpoint(checkpoint, episodes, training_streams(seed)['record'])
    if untrained:
        generator = torch.Generator().manual_seed(untrained_seed(seed))
        network = random_network(record.sizes, generator)
        inputs = record.layer('input')
        record = dataclasses.replace(record, activations=network_activations(network, inputs))
    found = analyze(record.select(record.hidden), PruningOptions(tau=tau))
    within = {layer: pairs(found.within(layer)) for layer in found.record.layers}
    edges = np.arange(0.0, np.sqrt(record.activations.shape[1]) + BIN, BIN)
    bound = float(np.quantile(np.concatenate(list(within.values())), 0.95))
    layers: list[LayerValues] = []
    arrays = {}
    for layer, distances in within.items():
        tree, clusters = found.clustering.trees[layer], found.clustering.clusters[layer]
        dead = found.maxima[found.record.columns(layer)] == 0.0
        arrays.update({f'tree_{layer}': tree, f'clusters_{layer}': clusters, f'dead_{layer}': dead})
        layers.append(
            {
                'neurons': len(dead),
                'dead': int(dead.sum()),
                'clusters': int(clusters.max()) + 1,
                'cluster_distance': float(tree[:, 2].mean()) if len(tree) else 0.0,
                'high': float((distances > bound).mean()) if len(distances) else 0.0,
                **describe_distances(distances),
            }
        )
    everything = pairs(found.distances)
    arrays['edges'] = edges
    arrays['everything'] = _density(everything, edges)
    arrays['layers'] = np.stack([_density(distances, edges) for distances in within.values()])
    return JobResult({'everything': describe_distances(everything), 'layers': layers}, arrays)


def describe_distances(distances: Array) -> DistanceValues:
    """Return statistics of distances.

    Bimodality is (skewness^2 + 1) / kurtosis: 1/3 for a normal distribution, 5/9 for a uniform
    one, 1 for two points. `alive_mean` is the mean of nonzero distances, that is, without pairs of
    two dead neurons.
    """
    if not len(distances) or not distances.any():
        return {
            'pairs': len(distances),
            'mean': 0.0,
            'deviation': 0.0,
            'high_95': 0.0,
            'high_99': 0.0,
            'maximum': 0.0,
            'bimodality': 0.0,
            'alive_mean': 0.0,
        }
    centered = distances - distances.mean()
    deviation = float(distances.std())
    bimodality = 1.0
    if deviation > 0.0:
        third, fourth = (float((centered**power).mean()) / deviation**power for power in (3, 4))
        bimodality = (third**2 + 1.0) / fourth
    high_95, high_99 = np.quantile(distances, (0.95, 0.99))
    return {
        'pairs': len(distances),
        'mean': float(distances.mean()),
        'deviation': deviation,
        'high_95': float(high_95),
        'high_99': float(high_99),
        'maximum': float(distances.max()),
        'bimodality': bimodality,
        'alive_mean': float(distances[distances > 0.0].mean()),
    }


def _density(distances: Array, edges: Array) -> Array:
    if not len(distances):
        return np.zeros(len(edges) - 1)
    heights: Array = np.histogram(distances, edges, density=True)[0].astype(np.float64)
    return heights


@dataclasses.dataclass(frozen=True)
class Course:
    """Activity jobs of a network by kind, and the reduction steps that they depend on."""

    source: Source
    activities: Mapping[str, Job[ActivityValues]]
    steps: Sequence[AnyJob]


def courses_of(networks: Sequence[Source], scale: Scale) -> list[Course]:
    """Return the jobs for every network."""
    made = []
    for source in networks:
        steps = reduction(source, scale)
        places = [(source.job, source.name), (source.job, source.name)]
        places += [(step.trained, step.trained_name) for step in steps]
        activities = {
            kind: activity.job(
                f'activity of {source.what}, seed {source.seed}, {kind}',
                source=job,
                name=name,
                seed=source.seed,
                episodes=scale.distance_episodes,
                untrained=kind == RANDOM,
                tau=TAU,
            )
            for kind, (job, name) in zip(KINDS, places, strict=True)
        }
        made.append(Course(source, activities, jobs_of(steps)))
    return made


def whole(networks: Sequence[Course], results: Results) -> dict[str, list[ActivityResult]]:
    """Return the activities of networks without missing ones, by kind, in the same order."""
    found: dict[str, list[ActivityResult]] = {kind: [] for kind in KINDS}
    for course in networks:
        own = {kind: results.get(job) for kind, job in course.activities.items()}
        if all(result is not None and result.values for result in own.values()):
            for kind, result in own.items():
                assert result is not None
                found[kind].append(result)
    return found

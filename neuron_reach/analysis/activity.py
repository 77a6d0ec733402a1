# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Analysis of an activity record: distances and clusters of its neurons, and tables of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from neuron_reach.analysis.distances import neuron_distances
from neuron_reach.analysis.merging import Clustering, cluster_layers
from neuron_reach.analysis.options import PruningOptions
from neuron_reach.common.arrays import Array, Flags, Integers
from neuron_reach.errors import UserError
from neuron_reach.records.record import ActivityRecord

DORMANT = 0.1
"""A neuron is dormant if its mean activation is at most this share of the mean of its layer."""


@dataclasses.dataclass(frozen=True, eq=False)
class Activity:
    """A record and its analysis.

    Attributes:
        record: activations of the analyzed layers.
        distances: all-to-all (equation 2), (neurons, neurons).
        clustering: clusters of each hidden layer.
        maxima: Z_n, the largest absolute activation, (neurons,).
        means: mean activation, (neurons,).
        magnitudes: mean absolute activation, (neurons,).
        dead_neurons: which neurons were never active, (neurons,), see
            `ActivityRecord.dead_neurons`.
        options: options of the clustering.
    """

    record: ActivityRecord
    distances: Array
    clustering: Clustering
    maxima: Array
    means: Array
    magnitudes: Array
    dead_neurons: Flags
    options: PruningOptions

    def __repr__(self) -> str:
        clusters = {name: int(labels.max()) + 1 for name, labels in self.clusters.items()}
        record = self.record
        return (
            f'{type(self).__name__}({record.episodes} episodes, {record.neurons} neurons; '
            f'clusters {clusters}, dead {self.dead}, dormant {self.dormant})'
        )

    @property
    def trees(self) -> Mapping[str, Array]:
        """Linkage matrices as of scipy, by hidden layer."""
        return self.clustering.trees

    @property
    def clusters(self) -> Mapping[str, Integers]:
        """The cluster of each neuron, (neurons,), by hidden layer."""
        return self.clustering.clusters

    @property
    def dead(self) -> dict[str, int]:
        """How many neurons of each hidden layer were never active."""
        dead, record = self.dead_neurons, self.record
        return {name: int(dead[record.columns(name)].sum()) for name in record.hidden}

    @property
    def dormant(self) -> dict[str, int]:
        """How many neurons of each hidden layer are dormant, dead ones included.

        A neuron's score is its mean absolute activation divided by the mean of those of its layer;
        it is dormant if that is at most `DORMANT` (Sokar et al. 2023). In a layer that was never
        active, all neurons are dormant.
        """
        counts = {}
        for name in self.record.hidden:
            magnitudes = self.magnitudes[self.record.columns(name)]
            counts[name] = int((magnitudes <= DORMANT * magnitudes.mean()).sum())
        return counts

    def within(self, layer: str) -> Array:
        """Return the distances within a layer, (neurons of the layer, the same)."""
        part = self.record.columns(layer)
        return self.distances[part, part]


class Spread(NamedTuple):
    """Distances between the neurons of a set.

    Attributes:
        pairs: number of pairs of neurons.
        distance_mean: mean of their distances; None: there is no pair.
        distance_quartiles: quartiles of their distances; None: there is no pair.
    """

    pairs: int
    distance_mean: float | None
    distance_quartiles: tuple[float, ...] | None


@dataclasses.dataclass(frozen=True)
class LayerSummary:
    """Sizes of a layer, and the `Spread` of the distances within it.

    Attributes:
        layer: its name.
        neurons: their number.
        dead: how many were never active, see `ActivityRecord.dead_neurons`.
        dormant: how many are dormant, see `Activity.dormant`; None: it is not a hidden layer.
    """

    layer: str
    neurons: int
    dead: int
    dormant: int | None
    pairs: int
    distance_mean: float | None
    distance_quartiles: tuple[float, ...] | None


@dataclasses.dataclass(frozen=True)
class ClusteredLayer(LayerSummary):
    """A layer whose neurons were clustered.

    Attributes:
        clusters: number of clusters.
        largest_cluster_distance: at the root of the tree.
        threshold: d_tau.
    """

    clusters: int
    largest_cluster_distance: float
    threshold: float


def choose_layers(record: ActivityRecord, layers: Sequence[str], everything: bool) -> list[str]:
    """Return the layers to analyze: those in `layers`, or all (`everything`), or the hidden ones.

    Raises:
        UserError: there is no such layer, or the layers do not follow each other.
    """
    names = list(layers) or list(record.layers if everything else record.hidden)
    if not names:
        raise UserError(f'there are no hidden layers, only {", ".join(record.layers)}')
    for name in names:
        record.columns(name)  # raises if there is none
    names = [name for name in record.layers if name in names]
    record.select(names)  # raises if they do not follow each other
    return names


def analyze(record: ActivityRecord, options: PruningOptions) -> Activity:
    """Compute distances and clusters of all layers of a record.

    Raises:
        ValueError: the record has no steps.
    """
    if not record.lengths.sum():
        raise ValueError('a record without steps has no activity')
    distances = neuron_distances(record)
    parts = {name: record.columns(name) for name in record.hidden}
    clustering = cluster_layers(
        {name: distances[part, part] for name, part in parts.items()}, options
    )
    sums, magnitudes = np.zeros((2, record.neurons))
    for block in record.blocks():
        sums += block.sum(axis=(0, 1), dtype=np.float64)
        magnitudes += np.abs(block).sum(axis=(0, 1), dtype=np.float64)
    return Activity(
        record=record,
        distances=distances,
        clustering=clustering,
        maxima=record.maxima(),
        means=sums / record.lengths.sum(),
        magnitudes=magnitudes / record.lengths.sum(),
        dead_neurons=record.dead_neurons(),
        options=options,
    )


def pairs(distances: Array) -> Array:
    """Return the strict upper triangle of a distance matrix, (pairs,)."""
    return distances[np.triu_indices(len(distances), 1)]


def neuron_lines(activity: Activity) -> list[dict[str, Any]]:
    """Return a table row for each neuron; `nearest` is the nearest of all other neurons."""
    record = activity.record
    places = [
        (name, n)
        for name, size in zip(record.layers, record.sizes, strict=True)
        for n in range(size)
    ]
    others = activity.distances + np.diag(np.full(record.neurons, np.inf))
    lines = []
    for index, (layer, neuron) in enumerate(places):
        clusters = activity.clustering.clusters.get(layer)
        nearest = int(others[index].argmin()) if record.neurons > 1 else None
        lines.append(
            {
                'layer': layer,
                'neuron': neuron,
                'max': activity.maxima[index],
                'mean': activity.means[index],
                'dead': int(activity.dead_neurons[index]),
                'nearest_layer': None if nearest is None else places[nearest][0],
                'nearest_neuron': None if nearest is None else places[nearest][1],
                'nearest_distance': None if nearest is None else others[index, nearest],
                'cluster': None if clusters is None else int(clusters[neuron]),
            }
        )
    return lines


def summarize_layers(activity: Activity) -> list[LayerSummary]:
    """Return, for each layer, its sizes and the spread of the distances within it."""
    record, clustering = activity.record, activity.clustering
    dormant, summaries = activity.dormant, []
    for name, size in zip(record.layers, record.sizes, strict=True):
        dead = int(activity.dead_neurons[record.columns(name)].sum())
        distances = spread(pairs(activity.within(name)))
        summary = LayerSummary(name, size, dead, dormant.get(name), *distances)
        if name in clustering.clusters:
            summary = ClusteredLayer(
                **vars(summary),
                clusters=int(clustering.clusters[name].max()) + 1,
                largest_cluster_distance=float(clustering.trees[name][:, 2].max(initial=0.0)),
                threshold=clustering.thresholds[name],
            )
        summaries.append(summary)
    return summaries


def spread(distances: Array) -> Spread:
    """Return the number, mean and quartiles of distances."""
    if not len(distances):
        return Spread(0, None, None)
    quartiles = np.quantile(distances, (0.25, 0.5, 0.75))
    return Spread(len(distances), float(distances.mean()), tuple(quartiles.tolist()))

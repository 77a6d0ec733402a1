# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Pruning: clusters of neurons with similar activations are merged into one neuron each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch

from neuron_reach.analysis.clusters import cluster_tree, segment_layer
from neuron_reach.analysis.distances import neuron_distances
from neuron_reach.analysis.folding import (
    LEAST_SQUARES,
    SCALING,
    Fold,
    Moments,
    fold_weights,
    least_squares_fold,
    no_fold,
    scaling_fold,
)
from neuron_reach.analysis.options import PruningOptions
from neuron_reach.common.arrays import Array, Integers
from neuron_reach.errors import UserError
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import select
from neuron_reach.records.record import ActivityRecord


@dataclasses.dataclass(frozen=True, eq=False)
class Clustering:
    """Clusters of the neurons of some layers.

    Attributes:
        trees: by layer, scipy linkage matrices.
        thresholds: by layer, d_tau, the largest accepted cluster distance.
        clusters: by layer, the cluster of each neuron, (neurons,).
    """

    trees: Mapping[str, Array]
    thresholds: Mapping[str, float]
    clusters: Mapping[str, Integers]

    def __repr__(self) -> str:
        counts = ', '.join(
            f'{name} {len(labels)} -> {labels.max(initial=-1) + 1}'
            for name, labels in self.clusters.items()
        )
        return f'{type(self).__name__}({counts})'


N_co = TypeVar('N_co', QNetwork, FeedForward, covariant=True)


@dataclasses.dataclass(frozen=True, eq=False)
class Pruned(Clustering, Generic[N_co]):
    """A pruned network, and the clusters of hidden neurons that were merged.

    Attributes:
        network: with one hidden neuron for each cluster; a stack of one member, or layers.
        dead: by hidden layer, how many neurons were never active.
        methods: by hidden layer, how its neurons were merged: `SCALING` or `LEAST_SQUARES`.
    """

    network: N_co
    dead: Mapping[str, int]
    methods: Mapping[str, str]

    __repr__ = Clustering.__repr__


def cluster_layers(distances: Mapping[str, Array], options: PruningOptions) -> Clustering:
    """Cluster the neurons of each layer, and cut the trees at d_tau.

    d_tau is tau times the largest cluster distance of the layer's tree, or of all trees, or the
    largest distance of two neurons of the layer.

    Args:
        distances: by layer, (neurons, neurons).
        options: linkage, threshold and tau.
    """
    trees = {name: cluster_tree(matrix, options.linkage) for name, matrix in distances.items()}
    return _cut_trees(trees, distances, options)


def _cut_trees(
    trees: Mapping[str, Array],
    distances: Mapping[str, Array],
    options: PruningOptions,
) -> Clustering:
    """Cut the trees of layers at d_tau, see `cluster_layers`."""
    if options.threshold == 'neurons':
        largest = {name: float(matrix.max(initial=0.0)) for name, matrix in distances.items()}
    else:
        largest = {name: float(tree[:, 2].max(initial=0.0)) for name, tree in trees.items()}
    if options.threshold == 'network':
        largest = dict.fromkeys(largest, max(largest.values(), default=0.0))
    thresholds = {name: options.tau * distance for name, distance in largest.items()}
    clusters = {name: segment_layer(tree, thresholds[name]) for name, tree in trees.items()}
    return Clustering(trees, thresholds, clusters)


def prune(
    network: QNetwork, record: ActivityRecord, options: PruningOptions | None = None
) -> Pruned[QNetwork]:
    """Cluster the hidden neurons layer by layer and merge every cluster into one neuron.

    Args:
        network: a stack of one member.
        record: of this network, with all hidden layers.
        options: by default those of the paper.

    Raises:
        ValueError: the record is not of a network of this shape, or has no episodes.
    """
    return prune_each(network, record, [options or PruningOptions()])[0]


def prune_each(
    network: QNetwork, record: ActivityRecord, options: Sequence[PruningOptions]
) -> list[Pruned[QNetwork]]:
    """Prune a network with each of several options, as `prune` does; share distances and trees.

    Raises:
        ValueError: the record is not of a network of this shape, or has no episodes.
    """
    cuts = _cut_each(network.sizes, record, options)
    maxima, dead = record.maxima(), record.dead()
    by_layer = [maxima[record.columns(name)] for name in record.hidden]
    methods = dict.fromkeys(record.hidden, SCALING)
    pruned = []
    for choice, cut in zip(options, cuts, strict=True):
        merged = merge_neurons(network, list(cut.clusters.values()), by_layer, choice.merge)
        pruned.append(Pruned(**vars(cut), network=merged, dead=dead, methods=methods))
    return pruned


def prune_layers(
    network: FeedForward, record: ActivityRecord, options: PruningOptions | None = None
) -> Pruned[FeedForward]:
    """Prune a network of any functions, as `prune` does; see `merge_layers`.

    Raises:
        UserError: there are no hidden layers, or weights of the pruned network are not finite.
        ValueError: the record is not of a network of this shape, or has no episodes.
    """
    if len(network.layers) == 1:
        raise UserError('a network without hidden layers has nothing to prune')
    options = options or PruningOptions()
    (cut,) = _cut_each(network.sizes, record, [options])
    merged = merge_layers(network, record, cut.clusters, options.merge)
    names = zip(record.hidden, network.layers[:-1], strict=True)
    methods = {name: _method(layer) for name, layer in names}
    return Pruned(**vars(cut), network=merged, dead=record.dead(), methods=methods)


def _cut_each(
    sizes: Sequence[int], record: ActivityRecord, options: Sequence[PruningOptions]
) -> list[Clustering]:
    """Cluster the hidden layers of a network of some sizes with each of several options."""
    hidden = tuple(record.sizes[record.layers.index(name)] for name in record.hidden)
    if hidden != tuple(sizes[1:-1]):
        raise ValueError(
            f'hidden layers are {tuple(sizes[1:-1])}, those of the record are {hidden}'
        )
    distances = {name: neuron_distances(record.select([name])) for name in record.hidden}
    trees = {
        linkage: {name: cluster_tree(matrix, linkage) for name, matrix in distances.items()}
        for linkage in {choice.linkage for choice in options}
    }
    return [_cut_trees(trees[choice.linkage], distances, choice) for choice in options]


def merge_neurons(
    network: QNetwork,
    clusters: Sequence[Integers],
    maxima: Sequence[Array],
    merge: str = 'weighted',
) -> QNetwork:
    """Merge the neurons of each cluster into one (equation 4), see `scaling_fold`.

    If the members of every cluster are positive multiples of each other, the merged network
    computes the same function.

    Args:
        network: a stack of one member.
        clusters: by hidden layer, the cluster of each neuron, 0, 1, ..., (neurons,).
        maxima: by hidden layer, Z_n, (neurons,).
        merge: `weighted`, or `uniform` for a plain mean over the members.

    Returns:
        A stack of one member.

    Raises:
        ValueError: clusters or maxima are not of this network's hidden layers.
    """
    hidden = network.sizes[1:-1]
    for name, values in (('clusters', clusters), ('maxima', maxima)):
        if tuple(map(len, values)) != hidden:
            raise ValueError(f'{name} are of layers {tuple(map(len, values))}, not {hidden}')
    folds = [
        no_fold(network.sizes[0]),
        *(scaling_fold(*layer, merge) for layer in zip(clusters, maxima, strict=True)),
        no_fold(network.sizes[-1]),
    ]
    weights = [weight[0].numpy() for weight in network.weights]
    biases = [bias[0, 0].numpy() for bias in network.biases]
    merged = QNetwork(tuple(len(fold.share) for fold in folds))
    for layer, (weight, bias) in enumerate(fold_weights(weights, biases, folds)):
        merged.weights[layer][0] = torch.from_numpy(weight)
        merged.biases[layer][0, 0] = torch.from_numpy(bias)
    return merged


def merge_layers(
    network: FeedForward,
    record: ActivityRecord,
    clusters: Mapping[str, Integers],
    merge: str = 'weighted',
) -> FeedForward:
    """Merge the neurons of each cluster into one, by the method that suits each layer.

    Layers whose functions are all positively homogeneous, such as ReLU, merge by scaling factors
    (`scaling_fold`), all others by least squares (`least_squares_fold`). Inputs with their
    preparation, and outputs, stay as they are.

    Args:
        network: any feed-forward network.
        record: of this network, with all hidden layers.
        clusters: by hidden layer, the cluster of each neuron, 0, 1, ..., (neurons,).
        merge: of scaling factors, see `scaling_fold`.

    Raises:
        UserError: weights of the pruned network are not finite.
    """
    folds = [no_fold(network.sizes[0])]
    for number, name in enumerate(record.hidden):
        folds.append(layer_fold(network, record, number, clusters[name], merge))
    folds.append(no_fold(network.sizes[-1]))
    weights = [layer.weight for layer in network.layers]
    biases = [layer.bias for layer in network.layers]
    layers = []
    for layer, fold, (weight, bias) in zip(
        network.layers, folds[1:], fold_weights(weights, biases, folds), strict=True
    ):
        steps = layer.steps
        if fold.representatives is not None:
            steps = select(steps, fold.representatives)
        dtype = layer.weight.dtype
        with np.errstate(over='ignore'):  # is infinite then
            layers.append(Layer(weight.astype(dtype), bias.astype(dtype), steps))
        if not (np.isfinite(layers[-1].weight).all() and np.isfinite(layers[-1].bias).all()):
            raise UserError('weights are so large that those of the pruned network are not finite')
    return FeedForward(tuple(layers), network.preparation)


def layer_fold(
    network: FeedForward, record: ActivityRecord, number: int, labels: Integers, merge: str
) -> Fold:
    """Return how the neurons of a hidden layer are replaced by those of its clusters.

    Args:
        network: before merging.
        record: of this network, with all hidden layers.
        number: of the hidden layer, from 0.
        labels: the cluster of each neuron, 0, 1, ..., (neurons,).
        merge: of scaling factors, see `scaling_fold`.
    """
    name = record.hidden[number]
    if _method(network.layers[number]) == SCALING:
        return scaling_fold(labels, record.select([name]).maxima(), merge)
    outgoing = network.layers[number + 1].weight.astype(np.float64)
    return least_squares_fold(labels, Moments.of(record, name), outgoing)


def _method(layer: Layer) -> str:
    return SCALING if layer.homogeneous else LEAST_SQUARES

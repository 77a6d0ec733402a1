# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Pruning: merging neurons with similar activations (equation 4 of the paper)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from neuron_reach.analysis.clusters import cluster_tree, segment_layer
from neuron_reach.analysis.distances import neuron_distances
from neuron_reach.analysis.options import PruningOptions
from neuron_reach.common.arrays import Array, Integers
from neuron_reach.learning.qnetwork import QNetwork
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


@dataclasses.dataclass(frozen=True, eq=False)
class Pruned(Clustering):
    """A pruned network, and the clusters of hidden neurons that were merged.

    Attributes:
        network: a stack of one member, with one hidden neuron for each cluster.
        dead: by hidden layer, how many neurons were never active.
    """

    network: QNetwork
    dead: Mapping[str, int]

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
) -> Pruned:
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
) -> list[Pruned]:
    """Prune a network with each of several options, as `prune` does; share distances and trees.

    Raises:
        ValueError: the record is not of a network of this shape, or has no episodes.
    """
    sizes = tuple(record.sizes[record.layers.index(name)] for name in record.hidden)
    if sizes != network.sizes[1:-1]:
        raise ValueError(
            f'hidden layers are {network.sizes[1:-1]}, those of the record are {sizes}'
        )
    distances = {name: neuron_distances(record.select([name])) for name in record.hidden}
    trees = {
        linkage: {name: cluster_tree(matrix, linkage) for name, matrix in distances.items()}
        for linkage in {choice.linkage for choice in options}
    }
    maxima, dead = record.maxima(), record.dead()
    by_layer = [maxima[record.columns(name)] for name in record.hidden]
    pruned = []
    for choice in options:
        cut = _cut_trees(trees[choice.linkage], distances, choice)
        clusters = [cut.clusters[name] for name in record.hidden]
        merged = merge_neurons(network, clusters, by_layer, choice.merge)
        pruned.append(Pruned(cut.trees, cut.thresholds, cut.clusters, network=merged, dead=dead))
    return pruned


def merge_neurons(
    network: QNetwork,
    clusters: Sequence[Integers],
    maxima: Sequence[Array],
    merge: str = 'weighted',
) -> QNetwork:
    """Merge the neurons of each cluster into one (equation 4).

    The scaling factors gamma_n of a cluster C sum to one and are proportional to Z_n, uniform where
    all Z_n are zero; the cluster's activation is zeta = z_n / gamma_n. A member's view of the
    incoming weight from cluster D is 1/gamma_n sum over m in D of w_nm gamma_m. Weighted by
    gamma_n, the mean over the members is w_CD = sum of w_nm gamma_m over n in C, m in D, and the
    bias b_C = sum of b_n. Dead members of a cluster with active members have gamma_n = 0 and are
    ignored, because they carry no information about its activation.

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
    gather = [np.eye(network.sizes[0])]  # (clusters, neurons): 1 where a member takes part
    scale = [np.ones(network.sizes[0])]  # gamma
    for labels, largest in zip(clusters, maxima, strict=True):
        member = np.zeros((int(labels.max()) + 1, len(labels)))
        member[labels, np.arange(len(labels))] = 1.0
        sums = member @ largest
        gamma = np.where(sums[labels] > 0.0, largest, 1.0)
        gamma /= (member @ gamma)[labels]
        gather.append(member * (gamma > 0.0))
        scale.append(gamma)
    gather.append(np.eye(network.sizes[-1]))
    scale.append(np.ones(network.sizes[-1]))
    merged = QNetwork(tuple(len(member) for member in gather))
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        share = gather[layer + 1]
        if merge == 'uniform':
            gamma = scale[layer + 1]
            inverse = np.divide(1.0, gamma, out=np.zeros_like(gamma), where=gamma > 0.0)
            share = share * inverse / share.sum(axis=1, keepdims=True)
        incoming = weight[0].numpy().astype(np.float64) @ (gather[layer] * scale[layer]).T
        merged.weights[layer][0] = torch.from_numpy(share @ incoming)
        merged.biases[layer][0, 0] = torch.from_numpy(share @ bias[0, 0].numpy().astype(np.float64))
    return merged

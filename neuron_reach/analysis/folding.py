# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How the neurons of a cluster become one: folds of a layer into the weights before and after it.

Layers whose functions are positively homogeneous are merged by scaling factors (equation 4 of the
paper). In all others, a member of the cluster represents it, and least squares predicts the
activations of the other members from its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from neuron_reach.common.arrays import AnyArray, Array, Flags, Integers
from neuron_reach.records.record import ActivityRecord

SCALING = 'scaling factors'
"""Method of layers whose functions are positively homogeneous, f(c x) = c f(x) for c > 0."""

LEAST_SQUARES = 'least squares'
"""Method of all other layers."""

RESOLUTION = float(np.finfo(np.float32).eps)
"""A neuron is constant if its standard deviation is at most this share of its largest activation.

Recorded activations are single precision; smaller variations are rounding errors.
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """How the neurons of a layer are replaced by fewer.

    Their activations are taken to be z = expansion zeta + offset, with zeta the activations of the
    merged neurons, whose inputs are `share` times the inputs of the neurons.

    Attributes:
        share: (clusters, neurons).
        expansion: (neurons, clusters).
        offset: (neurons,); None: zero.
        representatives: the neuron whose activation each merged neuron has, (clusters,); None:
            merged neurons have scaled activations of their own.
    """

    share: Array
    expansion: Array
    offset: Array | None = None
    representatives: Integers | None = None


def no_fold(neurons: int) -> Fold:
    """Return the fold that leaves a layer as it is."""
    return Fold(np.eye(neurons), np.eye(neurons))


def scaling_fold(labels: Integers, maxima: Array, merge: str = 'weighted') -> Fold:
    """Return the fold of equation 4, for functions that are positively homogeneous.

    The scaling factors gamma_n of a cluster C sum to one and are proportional to Z_n, uniform where
    all Z_n are zero; the cluster's activation is zeta = z_n / gamma_n. A member's view of the
    incoming weight from cluster D is 1/gamma_n sum over m in D of w_nm gamma_m. Weighted by
    gamma_n, the mean over the members is w_CD = sum of w_nm gamma_m over n in C, m in D, and the
    bias b_C = sum of b_n. Dead members of a cluster with active members have gamma_n = 0 and are
    ignored, because they carry no information about its activation.

    Args:
        labels: the cluster of each neuron, 0, 1, ..., (neurons,).
        maxima: Z_n, (neurons,).
        merge: `weighted`, or `uniform` for a plain mean over the members.
    """
    member = _members(labels)
    sums = member @ maxima
    gamma = np.where(sums[labels] > 0.0, maxima, 1.0)
    gamma /= (member @ gamma)[labels]
    share = member * (gamma > 0.0)
    expansion = (share * gamma).T
    if merge == 'uniform':
        inverse = np.divide(1.0, gamma, out=np.zeros_like(gamma), where=gamma > 0.0)
        share = share * inverse / share.sum(axis=1, keepdims=True)
    return Fold(share, expansion)


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """Means and covariances of the activations of a layer.

    Attributes:
        means: (neurons,).
        covariances: (neurons, neurons).
        constant: which neurons have the same activation in all samples, (neurons,).
    """

    means: Array
    covariances: Array
    constant: Flags

    @classmethod
    def of(cls, record: ActivityRecord, layer: str) -> Moments:
        """Compute the moments of a layer over all steps of a record.

        Means are subtracted before squaring, in double precision, so that small variations around
        large means are not lost.
        """
        columns, steps = record.columns(layer), int(record.lengths.sum())
        neurons = columns.stop - columns.start
        means = sum(
            (rows[:, columns].sum(0, np.float64) for rows in record.steps()), np.zeros(neurons)
        )
        means = means / steps
        covariances, largest = np.zeros((neurons, neurons)), np.zeros(neurons)
        for rows in record.steps():
            values = rows[:, columns].astype(np.float64)
            np.maximum(largest, abs(values).max(axis=0, initial=0.0), out=largest)
            values -= means
            covariances += values.T @ values
        covariances /= steps
        constant: Flags = np.sqrt(covariances.diagonal()) <= RESOLUTION * largest
        return cls(means, covariances, constant)


def least_squares_fold(labels: Integers, moments: Moments, outgoing: Array) -> Fold:
    """Return the fold that keeps the inputs of the next layer, for any functions of the layer.

    One member r of each cluster represents it: its activation z_r stays as it is. The others are
    predicted from it by least squares, z_m = a_m z_r + c_m. The representative is the member that
    leaves the least squared error in the inputs of the next layer: with S the covariances within
    the cluster and G = W^T W of the weights W that the members feed, the error falls by
    (S G S)_rr / S_rr. Constant members have a_m = 0, and go into the biases of the next layer; if
    all are constant, the first one represents them.

    If the activations of all members are affine functions of that of the representative, the
    next layer receives the same in all samples.

    Args:
        labels: the cluster of each neuron, 0, 1, ..., (neurons,).
        moments: of the layer.
        outgoing: weights of the next layer, (neurons of the next layer, neurons).
    """
    share = _members(labels)
    expansion, offset = np.zeros(share.T.shape), np.zeros(len(labels))
    representatives = np.zeros(len(share), np.int64)
    for cluster, row in enumerate(share):
        members = np.flatnonzero(row)
        within = moments.covariances[np.ix_(members, members)]
        variances = np.where(moments.constant[members], np.inf, within.diagonal())
        outputs = outgoing[:, members] @ within
        best = int((np.square(outputs).sum(axis=0) / variances).argmax())
        slopes = np.where(moments.constant[members], 0.0, within[best] / variances[best])
        slopes[best] = 1.0
        representatives[cluster] = members[best]
        expansion[members, cluster] = slopes
        offset[members] = moments.means[members] - slopes * moments.means[members[best]]
    share[:] = 0.0
    share[np.arange(len(share)), representatives] = 1.0
    return Fold(share, expansion, offset, representatives)


def fold_weights(
    weights: Sequence[AnyArray], biases: Sequence[AnyArray], folds: Sequence[Fold]
) -> list[tuple[Array, Array]]:
    """Return weights and biases of all layers after folding, in double precision.

    Args:
        weights: by layer, (neurons, neurons of the layer before).
        biases: by layer, (neurons,).
        folds: of the inputs and of the neurons of each layer.
    """
    folded = []
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        before, fold = folds[number], folds[number + 1]
        whole, constant = weight.astype(np.float64), bias.astype(np.float64)
        if before.offset is not None:
            constant = constant + whole @ before.offset
        folded.append((fold.share @ (whole @ before.expansion), fold.share @ constant))
    return folded


def _members(labels: Integers) -> Array:
    """Return 1 where a neuron is a member of a cluster, (clusters, neurons)."""
    member = np.zeros((int(labels.max()) + 1, len(labels)))
    member[labels, np.arange(len(labels))] = 1.0
    return member

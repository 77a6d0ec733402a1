# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Hierarchical clusters of neurons (equation 3 of the paper), as scipy linkage matrices."""

from __future__ import annotations

from collections import deque

import numba
import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.analysis.options import LINKAGES
from neuron_reach.common.arrays import Array, Flags, Integers
from neuron_reach.errors import UserError


def cluster_tree(distances: ArrayLike, linkage: str = 'average') -> Array:
    """Merge neurons step by step into a binary tree.

    With `within`, each step merges the two clusters whose union C has the smallest mean distance
    between its members, D(C) = 1/(|C| (|C| - 1)) sum of d(i, j) over i != j in C (equation 3).
    With `average`, each step merges the two clusters with the smallest mean distance between
    members of one and members of the other (scipy's `average`).

    D never decreases from step to step. Let A and B be merged at D. No cluster has a larger mean
    distance than D at this step, and the unions of A and C and of B and C have at least D. The
    pairs within the union of A, B and C are those within the three unions of two, minus the pairs
    that are counted twice, so their mean is at least D as well.

    Args:
        distances: (neurons, neurons), symmetric, zero diagonal.
        linkage: one of `LINKAGES`.

    Returns:
        scipy linkage matrix, (neurons - 1, 4): the two merged clusters (neurons are 0, 1, ...; the
        cluster of step s is neurons + s), the cluster distance of the union, the size of the union.

    Raises:
        UserError: unknown linkage.
        ValueError: `distances` is not a finite square matrix.
    """
    distances = np.asarray(distances, np.float64)
    count = len(distances) if distances.ndim else 0
    if distances.shape != (count, count) or not np.isfinite(distances).all():
        raise ValueError(f'distances of shape {distances.shape} are not a finite square matrix')
    if linkage not in LINKAGES:
        raise UserError(f'linkage must be one of {", ".join(LINKAGES)}, not {linkage!r}')
    if count < 2:
        return np.zeros((0, 4))
    if linkage == 'average':
        from scipy.cluster.hierarchy import linkage as scipy_linkage

        condensed = distances[np.triu_indices(count, 1)]
        tree: Array = scipy_linkage(condensed, 'average')
        return tree
    return _within_tree(distances.copy())


@numba.njit(cache=True)
def _union_distance(cross: float, inner: float, size: float) -> float:
    return 2.0 * (inner + cross) / (size * (size - 1.0))


@numba.njit(cache=True)
def _nearest(
    row: int,
    cross: Array,
    inner: Array,
    sizes: Array,
    active: Flags,
) -> tuple[int, float]:
    """Return the best partner of cluster `row` among later ones, and the union's distance."""
    best, least = -1, np.inf
    for column in range(row + 1, len(sizes)):
        if active[column]:
            value = _union_distance(
                cross[row, column], inner[row] + inner[column], sizes[row] + sizes[column]
            )
            if value < least:
                best, least = column, value
    return best, least


@numba.njit(cache=True)
def _within_tree(cross: Array) -> Array:
    """Build the tree; `cross`, sums of distances between clusters, is updated in place.

    The distance of a union follows from sums that add up when clusters merge. The value of a pair
    changes only if one of the two was merged. So each cluster's best partner among the later ones
    is stored and searched again only when that partner was merged: O(N^2) memory, about O(N^2)
    time.
    """
    count = len(cross)
    tree = np.zeros((count - 1, 4))
    inner = np.zeros(count)  # sum of the distances within each cluster
    sizes = np.ones(count)
    names = np.arange(count)
    active = np.ones(count, np.bool_)
    partner = np.full(count, -1)
    value = np.full(count, np.inf)
    for row in range(count - 1):
        partner[row], value[row] = _nearest(row, cross, inner, sizes, active)
    for step in range(count - 1):
        a = int(np.argmin(value))
        b = partner[a]
        tree[step, 0] = min(names[a], names[b])
        tree[step, 1] = max(names[a], names[b])
        tree[step, 2] = max(value[a], 0.0)
        tree[step, 3] = sizes[a] + sizes[b]
        # The union is stored at index a, which is less than b.
        inner[a] += inner[b] + cross[a, b]
        sizes[a] += sizes[b]
        names[a] = count + step
        active[b] = False
        value[b] = np.inf
        for other in range(count):
            if active[other] and other != a:
                cross[a, other] += cross[b, other]
                cross[other, a] = cross[a, other]
        partner[a], value[a] = _nearest(a, cross, inner, sizes, active)
        for row in range(b):
            if not active[row] or row == a:
                continue
            if partner[row] == a or partner[row] == b:
                partner[row], value[row] = _nearest(row, cross, inner, sizes, active)
            elif row < a:
                union = _union_distance(cross[row, a], inner[row] + inner[a], sizes[row] + sizes[a])
                if union < value[row]:
                    partner[row], value[row] = a, union
    return tree


def segment_layer(tree: Array, threshold: float) -> Integers:
    """Cut a tree breadth-first from the root: take the first clusters with D(C) <= threshold.

    In a tree whose distances do not increase towards the root (as scipy's `centroid` can give), a
    cluster may be taken although a cluster within it has a larger distance. Single neurons are
    always accepted.

    Args:
        tree: scipy linkage matrix, (neurons - 1, 4).
        threshold: d_tau, the largest accepted cluster distance.

    Returns:
        Cluster of each neuron, (neurons,), numbered in the order of the first neurons.
    """
    count = len(tree) + 1
    labels = np.full(count, -1)
    queue = deque([2 * count - 2])
    while queue:
        node = queue.popleft()
        if node < count or tree[node - count, 2] <= threshold:
            labels[leaves(tree, node)] = node
        else:
            queue += [int(tree[node - count, 0]), int(tree[node - count, 1])]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbered: Integers = rank[inverse]
    return numbered


def leaves(tree: Array, node: int) -> list[int]:
    """Return the neurons of a cluster in the order of a drawing of the tree.

    Not recursive, because a tree can be a long chain.
    """
    count = len(tree) + 1
    neurons, stack = [], [node]
    while stack:
        top = stack.pop()
        if top < count:
            neurons.append(top)
        else:
            stack += [int(tree[top - count, 1]), int(tree[top - count, 0])]
    return neurons

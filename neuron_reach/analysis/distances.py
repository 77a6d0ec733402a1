# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Distances between the normalized activations of neurons (equation 2 of the paper)."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from neuron_reach.common.arrays import Array, Single
from neuron_reach.records.record import ActivityRecord

TILE = 128
"""Rows of the distance matrix that are computed at a time."""

PRODUCTS = 2**18
"""Scalar products that are computed at a time; they fit into the cache of a core."""

ALIKE = np.float32(1e-3)
"""Share of |a|^2 + |b|^2 below which |a - b|^2 is computed from a - b, not from products.

The rounding error of the products, about 1e-7 of the sum, then changes no distance by more than
1e-5.
"""

ROUNDING = 1e-13
"""Share of |a|^2 + |b|^2 below which |a - b|^2 is rounding error and the distance is set to 0."""

SMALLEST, LARGEST = np.finfo(np.float32).tiny, np.finfo(np.float32).max
"""Limits of the normal numbers of single precision."""

ZERO, TWO = np.float32(0), np.float32(2)


def neuron_distances(record: ActivityRecord, other: ActivityRecord | None = None) -> Array:
    """Return the distances of all pairs of neurons (equation 2).

    d(i, j) = 1/|E| sum over episodes E of || z_i^E / Z_i - z_j^E / Z_j ||, with Z_n the largest
    absolute activation of neuron n over all episodes; the normalized activation of a dead neuron
    is 0. For the distances within one layer, select that layer of the record first.

    Args:
        record: activations of any layers.
        other: activations of another network on the same inputs; None: `record` itself.

    Returns:
        (neurons of `record`, neurons of `other`); symmetric with a zero diagonal for one record.

    Raises:
        ValueError: no episodes, or the two records are not of the same episodes.
    """
    if record.episodes == 0:
        raise ValueError('a record without episodes has no distances')
    scale = _inverse(record.maxima())
    if other is None:
        return _within(record, scale) / record.episodes
    if not np.array_equal(record.lengths, other.lengths):
        raise ValueError('the two records are not of the same episodes')
    return _between(record, scale, other, _inverse(other.maxima())) / record.episodes


def _inverse(maxima: Array) -> Single | Array:
    """Return 1/Z_n, in single precision if all are normal numbers of single precision."""
    inverse = np.divide(1.0, maxima, out=np.zeros_like(maxima), where=maxima > 0.0)
    alive = inverse[inverse > 0.0]
    single = (alive >= SMALLEST).all() and (alive <= LARGEST).all()
    return inverse.astype(np.float32) if single else inverse


def _normalize(block: Single, scale: Single | Array) -> Single:
    return (block * scale).astype(np.float32, copy=False)


def _within(record: ActivityRecord, scale: Single | Array) -> Array:
    """Sum the norms of all pairs over the episodes; computed once per pair, then mirrored."""
    total = np.zeros((record.neurons, record.neurons))
    for block in record.blocks():
        normalized = _normalize(block, scale)
        _add_block(normalized, normalized, total, symmetric=True)
    whole: Array = total + total.T
    return whole


def _between(
    record: ActivityRecord,
    scale: Single | Array,
    other: ActivityRecord,
    other_scale: Single | Array,
) -> Array:
    total = np.zeros((record.neurons, other.neurons))
    steps = min(record.activations.shape[1], other.activations.shape[1])  # the rest is padding
    start = 0
    for block in record.blocks():
        theirs = other.activations[start : start + len(block), :steps]
        start += len(block)
        _add_block(
            _normalize(block[:, :steps], scale),
            _normalize(theirs, other_scale),
            total,
            symmetric=False,
        )
    return total


def _add_block(a: Single, b: Single, total: Array, *, symmetric: bool) -> None:
    """Add the norms of some episodes, a (episodes, steps, n), b (episodes, steps, m)."""
    squares = np.einsum('etn,etn->en', a, a)
    others = np.einsum('etm,etm->em', b, b)

    def add_tile(start: int) -> None:
        rows = slice(start, min(start + TILE, a.shape[2]))
        first = start if symmetric else 0
        place = total[rows, first:]
        count = max(1, PRODUCTS // place.size)
        for begin in range(0, len(a), count):
            part = slice(begin, begin + count)
            products = np.matmul(a[part, :, rows].transpose(0, 2, 1), b[part, :, first:])
            _add_norms(
                products,
                a[part, :, rows],
                b[part, :, first:],
                squares[part, rows],
                others[part, first:],
                symmetric,
                place,
            )

    tiles = range(0, a.shape[2], TILE)
    if len(tiles) == 1:  # a single layer: threads would cost more time than they save
        add_tile(0)
        return
    with threadpool_limits(1), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(add_tile, tiles))  # BLAS and numba release the GIL


@numba.njit(nogil=True, cache=True)
def _add_norms(
    products: Single,
    a: Single,
    b: Single,
    squares: Single,
    others: Single,
    symmetric: bool,
    total: Array,
) -> None:
    """Add || a - b || = sqrt(|a|^2 + |b|^2 - 2 a.b) of all pairs to `total`, (n, m).

    For two similar neurons the difference of squares suffers from cancellation in single precision;
    these few norms are computed again from the activations.

    Args:
        products: a.b, (episodes, n, m).
        a: (episodes, steps, n).
        b: (episodes, steps, m).
        squares: |a|^2, (episodes, n).
        others: |b|^2, (episodes, m).
        symmetric: compute only pairs whose column index is greater than the row index.
        total: changed in place.
    """
    for row in range(products.shape[1]):
        first = row + 1 if symmetric else 0
        sums = total[row]
        for episode in range(products.shape[0]):
            square, alike = squares[episode, row], np.int32(0)
            dots, theirs = products[episode, row], others[episode]
            for column in range(first, dots.size):
                both = square + theirs[column]
                value = both - TWO * dots[column]
                sums[column] += np.sqrt(max(value, ZERO))
                alike += np.int32(value < ALIKE * both)
            if alike:
                for column in range(first, dots.size):
                    both = square + theirs[column]
                    rough = both - TWO * dots[column]
                    if rough < ALIKE * both:
                        value = 0.0
                        for step in range(a.shape[1]):
                            value += (a[episode, step, row] - b[episode, step, column]) ** 2
                        exact = np.sqrt(value) if value > ROUNDING * both else 0.0
                        sums[column] += exact - np.sqrt(max(rough, ZERO))

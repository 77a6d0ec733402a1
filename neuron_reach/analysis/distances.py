"""Distances between neurons by what they do (equation 2 of the paper)."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from neuron_reach.analysis.record import ActivityRecord

Array = NDArray[np.float64]

TILE = 256
"""Rows of the distance matrix worked on at a time."""

PRODUCTS = 2**20
"""Scalar products of a tile worked on at a time: what the cache holds."""

PARALLEL = 2**18
"""More products than this are shared out to all cores."""

ROUNDING = 1e-14
"""Share of |a|^2 + |b|^2 below which |a - b|^2 is rounding: two such neurons are identical."""


def neuron_distances(record: ActivityRecord, other: ActivityRecord | None = None) -> Array:
    """Return the distances of all pairs of neurons (equation 2).

    d(i, j) = 1/|E| sum over episodes E of || z_i^E / Z_i - z_j^E / Z_j ||, with Z_n the largest
    absolute activation of neuron n over all episodes; a dead neuron's normalised activation is 0.
    For distances by layer, select a layer of the record first.

    Args:
        record: of any layers.
        other: of another network that has seen the same inputs; by default the same record.

    Returns:
        (neurons, neurons of the other), symmetric with a zero diagonal for one record.

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


def _inverse(maxima: Array) -> Array:
    inverse: Array = np.divide(1.0, maxima, out=np.zeros_like(maxima), where=maxima > 0.0)
    return inverse


def _within(record: ActivityRecord, scale: Array) -> Array:
    """Sum the norms over the episodes, from products of the upper triangle only."""
    total = np.zeros((record.neurons, record.neurons))
    for block in record.blocks():
        normalised = block * scale
        _add_block(normalised, normalised, total, symmetric=True)
    upper = np.triu(total, 1)
    whole: Array = upper + upper.T
    return whole


def _between(
    record: ActivityRecord, scale: Array, other: ActivityRecord, other_scale: Array
) -> Array:
    total = np.zeros((record.neurons, other.neurons))
    steps = min(record.activations.shape[1], other.activations.shape[1])  # beyond is padding
    start = 0
    for block in record.blocks():
        theirs = other.activations[start : start + len(block), :steps]
        start += len(block)
        _add_block(block[:, :steps] * scale, theirs * other_scale, total, symmetric=False)
    return total


def _add_block(a: Array, b: Array, total: Array, *, symmetric: bool) -> None:
    """Add the norms of some episodes, a (episodes, steps, n), b (episodes, steps, m), float64.

    The difference of squares cancels where two neurons are alike: in float64 what is left of it is
    good to 1e-7, in float32 it would be off by 1e-3.
    """
    squares = np.einsum('etn,etn->en', a, a)
    others = np.einsum('etm,etm->em', b, b)
    for start in range(0, a.shape[2], TILE):
        rows = slice(start, min(start + TILE, a.shape[2]))
        columns = slice(start if symmetric else 0, b.shape[2])
        place = total[rows, columns]
        count = max(1, PRODUCTS // place.size)
        add = _add_norms_in_parallel if place.size * count > PARALLEL else _add_norms
        for first in range(0, len(a), count):
            part = slice(first, first + count)
            products = np.matmul(a[part, :, rows].transpose(0, 2, 1), b[part, :, columns])
            add(products, squares[part, rows], others[part, columns], place)


def _norms(products: Array, squares: Array, others: Array, total: Array) -> None:
    """Add || a - b || = sqrt(|a|^2 + |b|^2 - 2 a.b) of all pairs to `total`, (n, m).

    Args:
        products: a.b, (episodes, n, m).
        squares: |a|^2, (episodes, n).
        others: |b|^2, (episodes, m).
        total: changed in place.
    """
    for row in numba.prange(products.shape[1]):
        for episode in range(products.shape[0]):
            square = squares[episode, row]
            for column in range(products.shape[2]):
                both = square + others[episode, column]
                value = both - 2.0 * products[episode, row, column]
                if value > ROUNDING * both:
                    total[row, column] += np.sqrt(value)


_add_norms = numba.njit(cache=True)(_norms)
_add_norms_in_parallel = numba.njit(parallel=True, cache=True)(_norms)

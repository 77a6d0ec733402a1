# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Non-negative least squares with a lasso term, on a Gram matrix that many targets share.

For each target, find the p >= 0 that minimizes p'Gp - 2c'p + lambda * sum(p), by the active-set
method of Lawson and Hanson (Solving Least Squares Problems, 1974, chapter 23). Repeatedly, the
source with the steepest descent enters the support, the equations on the support are solved
exactly, and sources whose weight reaches zero on the way to that solution leave the support. A
Cholesky factor of the support's part of G is updated as sources enter and leave.

G is often singular up to rounding because neurons are linearly dependent. `RIDGE` keeps the factor
positive definite. A source that depends on the support then replaces one of its sources, because
the long step towards the solution ends where the first weight of the support reaches zero.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from neuron_reach.common.arrays import Array, Flags, Integers

RIDGE = 1e-12
"""Relative amount added to the diagonal of G in the factor only; G itself is not changed."""

TOLERANCE = 1e-10
"""A target is solved when its Karush-Kuhn-Tucker residual is below this share of max |c|."""

ENTRIES = 5
"""Limit on entries into the support, per source; a target that exceeds it counts as unsolved."""

TINY = 1e-300
"""Added to a denominator that may be zero."""


@numba.njit(cache=True, nogil=True)
def _append(factor: Array, gram: Array, support: Integers, size: int) -> None:
    """Add the row of source `support[size]` to the factor of the `size` sources before it."""
    source = support[size]
    pivot = gram[source, source] * (1.0 + RIDGE)
    for row in range(size):
        value = gram[source, support[row]]
        for column in range(row):
            value -= factor[row, column] * factor[size, column]
        value /= factor[row, row]
        factor[size, row] = value
        pivot -= value * value
    # The pivot of a linearly dependent source is zero up to rounding and may be negative.
    factor[size, size] = math.sqrt(max(pivot, RIDGE * gram[source, source]))


@numba.njit(cache=True, nogil=True)
def _remove(factor: Array, place: int, size: int) -> None:
    """Remove row and column `place` from a factor of `size` sources (Givens rotations)."""
    for row in range(place, size - 1):
        for column in range(row + 2):
            factor[row, column] = factor[row + 1, column]
    for column in range(place, size - 1):
        length = math.hypot(factor[column, column], factor[column, column + 1])
        cosine = factor[column, column] / length
        sine = factor[column, column + 1] / length
        factor[column, column] = length
        for row in range(column + 1, size - 1):
            left, right = factor[row, column], factor[row, column + 1]
            factor[row, column] = cosine * left + sine * right
            factor[row, column + 1] = cosine * right - sine * left


@numba.njit(cache=True, nogil=True)
def _solve_support(
    factor: Array, cross: Array, half: float, support: Integers, size: int, solution: Array
) -> None:
    """Write the solution of the equations on the support, G p = c - lambda / 2."""
    for row in range(size):
        value = cross[support[row]] - half
        for column in range(row):
            value -= factor[row, column] * solution[column]
        solution[row] = value / factor[row, row]
    for row in range(size - 1, -1, -1):
        solution[row] /= factor[row, row]
        for column in range(row):
            solution[column] -= factor[row, column] * solution[row]


@numba.njit(cache=True, nogil=True)
def _drop_zeros(factor: Array, support: Integers, size: int, weights: Array, free: Flags) -> int:
    """Remove the sources of weight zero from the support; return how many sources remain."""
    for place in range(size - 1, -1, -1):
        if weights[place] > 0.0:
            continue
        free[support[place]] = True
        _remove(factor, place, size)
        size -= 1
        for later in range(place, size):
            support[later] = support[later + 1]
            weights[later] = weights[later + 1]
    return size


@numba.njit(cache=True, nogil=True)
def _descend(
    factor: Array,
    cross: Array,
    half: float,
    support: Integers,
    size: int,
    weights: Array,
    solution: Array,
    free: Flags,
) -> int:
    """Move to the optimal weights on the support; sources that reach zero on the way leave it.

    Returns the size of the remaining support.
    """
    while size > 0:
        _solve_support(factor, cross, half, support, size, solution)
        step, first = 1.0, -1
        for place in range(size):
            if solution[place] <= 0.0:
                reach = weights[place] / (weights[place] - solution[place] + TINY)
                if first < 0 or reach < step:
                    step, first = reach, place
        for place in range(size):
            weights[place] += step * (solution[place] - weights[place])
        if first < 0:
            break
        weights[first] = 0.0
        size = _drop_zeros(factor, support, size, weights, free)
    return size


@numba.njit(cache=True, nogil=True)
def _slope(
    gram: Array,
    cross: Array,
    half: float,
    support: Integers,
    size: int,
    weights: Array,
    slope: Array,
) -> float:
    """Write half the gradient, G p - c + lambda / 2; return its largest magnitude on the support.

    Rows of G are processed four at a time, which reduces the passes over `slope`.
    """
    count = slope.size
    for source in range(count):
        slope[source] = half - cross[source]
    place = 0
    while place + 4 <= size:
        a, b, c, d = weights[place], weights[place + 1], weights[place + 2], weights[place + 3]
        row_a, row_b = gram[support[place]], gram[support[place + 1]]
        row_c, row_d = gram[support[place + 2]], gram[support[place + 3]]
        for source in range(count):
            slope[source] += (a * row_a[source] + b * row_b[source]) + (
                c * row_c[source] + d * row_d[source]
            )
        place += 4
    for rest in range(place, size):
        weight, row = weights[rest], gram[support[rest]]
        for source in range(count):
            slope[source] += weight * row[source]
    worst = 0.0
    for place in range(size):
        worst = max(worst, abs(slope[support[place]]))
    return worst


@numba.njit(cache=True, nogil=True)
def _steepest(slope: Array, scale: Array, free: Flags, tolerance: float) -> int:
    """Return the free source with the steepest descent, -1 if there is none."""
    best, enters = 0.0, -1
    for source in range(slope.size):
        if free[source] and slope[source] < -tolerance:
            steepness = slope[source] * scale[source]
            if steepness < best:
                best, enters = steepness, source
    return enters


@numba.njit(cache=True, nogil=True)
def solve_targets(
    gram: Array, cross: Array, lams: Array, first: int, last: int, projections: Array
) -> int:
    """Solve the targets `first` to `last` (exclusive) for every lambda.

    Args:
        gram: G, (K, K), symmetric, with a positive diagonal.
        cross: c of every target, (M, K).
        lams: lambdas, (L,), preferably in descending order: each solution is the start of the
            next one, and supports grow as lambda falls.
        first: index of the first target.
        last: index after the last target.
        projections: output, p of every lambda and target, (L, M, K); all zero at the start.

    Returns:
        Number of unsolved problems; greater than 0 only if `gram` is not a Gram matrix.
    """
    count = gram.shape[0]
    unsolved = 0
    factor = np.empty((count, count))
    support = np.empty(count, np.int64)
    weights = np.empty(count)
    solution = np.empty(count)
    slope = np.empty(count)
    free = np.empty(count, np.bool_)
    scale = np.empty(count)
    for source in range(count):
        scale[source] = 1.0 / math.sqrt(gram[source, source])
    for target in range(first, last):
        correlations = cross[target]
        tolerance = TOLERANCE * np.abs(correlations).max()
        size = 0
        for number in range(lams.size):
            half = 0.5 * lams[number]
            free[:] = True
            for place in range(size):
                free[support[place]] = False
            size = _descend(factor, correlations, half, support, size, weights, solution, free)
            rebuilt = False
            for _ in range(ENTRIES * count):
                worst = _slope(gram, correlations, half, support, size, weights, slope)
                if worst > tolerance and not rebuilt:  # rounding errors have accumulated
                    rebuilt = True
                    for place in range(size):
                        _append(factor, gram, support, place)
                    size = _descend(
                        factor, correlations, half, support, size, weights, solution, free
                    )
                    continue
                enters = _steepest(slope, scale, free, tolerance)
                if enters < 0:
                    break
                support[size] = enters
                weights[size] = 0.0
                free[enters] = False
                _append(factor, gram, support, size)
                size = _descend(
                    factor, correlations, half, support, size + 1, weights, solution, free
                )
                # Only rounding errors make a source leave at once; do not try it again and again.
                free[enters] = False
                rebuilt = False
            else:
                unsolved += 1
            for place in range(size):
                projections[number, target, support[place]] = weights[place]
    return unsolved

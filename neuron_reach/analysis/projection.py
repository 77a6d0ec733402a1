# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Projections: prediction of the activations of a target network from those of a source network.

The target has M neurons, the source has K, and both run on the same N inputs X. The activations of
each neuron are divided by their largest absolute value (outputs can be negative): alpha_m for the
target, beta_k for the source. A projection P >= 0, (K, M), predicts the normalized activations A of
the target, (N, M), from those of the source B, (N, K), as B P (paper, section 6).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuron_reach.analysis.active_set import solve_targets
from neuron_reach.analysis.distances import neuron_distances
from neuron_reach.analysis.options import LAMBDA
from neuron_reach.common.arrays import Array, Integers
from neuron_reach.errors import UserError
from neuron_reach.records.record import ActivityRecord

CHUNK = 2048
"""Number of samples that are converted to double precision at a time."""


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """A projection matrix, and the neurons of its rows and columns.

    Dead sources (never active on X) have rows of zeros; dead targets have no column.

    Attributes:
        matrix: P >= 0 for normalized activations, (K, targets).
        targets: index of the target neuron of each column, ascending; dead targets are missing.
        source_scale: beta, the largest absolute activation of each source neuron on X, (K,).
        target_scale: alpha, likewise of each target neuron, including dead ones, (M,).
        lam: lambda of a linear projection; None for other projections.
    """

    matrix: Array
    targets: Integers
    source_scale: Array
    target_scale: Array
    lam: float | None = None

    def __repr__(self) -> str:
        kind = '' if self.lam is None else f', lambda {self.lam:g}'
        return f'Projection({self.sources} sources, {len(self.targets)} targets{kind})'

    @property
    def sources(self) -> int:
        """Number of source neurons that are not dead."""
        return int(np.count_nonzero(self.source_scale))

    @property
    def dead_targets(self) -> Integers:
        """Indices of the target neurons without a column."""
        return np.flatnonzero(self.target_scale == 0.0)

    @property
    def unmapped_targets(self) -> Integers:
        """Indices of the target neurons with a column of zeros, caused by a large lambda."""
        unmapped: Integers = self.targets[~self.matrix.any(axis=0)]
        return unmapped

    def rescaled(self) -> Array:
        """Return P for raw activations, P_km alpha_m / beta_k, (K, targets)."""
        alive = self.source_scale > 0.0
        inverse = np.zeros_like(self.source_scale)
        inverse[alive] = 1.0 / self.source_scale[alive]
        rescaled: Array = self.matrix * inverse[:, None] * self.target_scale[self.targets]
        return rescaled

    def predict(self, source: ArrayLike) -> Array:
        """Predict raw target activations, (N, targets), from raw source activations, (N, K)."""
        return np.asarray(source, np.float64) @ self.rescaled()


@dataclasses.dataclass(frozen=True, eq=False)
class NormalEquations:
    """What a linear projection depends on, computed from the activations on N samples.

    Live neurons are those that are not dead.

    Attributes:
        gram: G = B'B of the live sources, (live K, live K).
        cross: c = B'a of every live target, (live M, live K).
        source_scale: as in `Projection`.
        target_scale: as in `Projection`.
    """

    gram: Array
    cross: Array
    source_scale: Array
    target_scale: Array

    def __post_init__(self) -> None:
        """Check the shapes, which compiled code relies on.

        Raises:
            ValueError: shapes that do not match.
        """
        sources, targets = map(np.count_nonzero, (self.source_scale, self.target_scale))
        for name, values, expected in (
            ('gram', self.gram, (sources, sources)),
            ('cross', self.cross, (targets, sources)),
        ):
            if values.shape != expected:
                raise ValueError(
                    f'{name} of shape {values.shape} does not fit {expected}: '
                    f'{sources} live sources, {targets} live targets'
                )

    def __repr__(self) -> str:
        targets, sources = self.cross.shape
        return f'NormalEquations({sources} sources, {targets} targets)'


def sample_chunks(
    *, source: ArrayLike, target: ArrayLike, samples: Integers | None = None
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield the activations of the samples in chunks of n, (n, K) and (n, M).

    Args:
        source: activations of the source network, (N, K).
        target: activations of the target network on the same inputs, (N, M).
        samples: indices of the rows to take; None: all rows.

    Raises:
        ValueError: shapes that do not match, or no samples.
    """
    source, target = np.asarray(source), np.asarray(target)
    if source.ndim != 2 or target.ndim != 2:
        raise ValueError(
            f'activations must be (samples, neurons), not {source.shape} and {target.shape}'
        )
    count = len(source) if samples is None else len(samples)
    if len(source) != len(target) or not count:
        raise ValueError(
            f'source and target must be run on the same samples, not on {len(source)} '
            f'and {len(target)}'
        )
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        rows = part if samples is None else samples[part]
        yield source[rows], target[rows]


def _finite(maxima: Array) -> Array:
    if not np.isfinite(maxima).all():
        raise ValueError('activations must be finite numbers')
    return maxima


def normal_equations(
    *, source: ArrayLike, target: ArrayLike, samples: Integers | None = None
) -> NormalEquations:
    """Reduce activations to G = B'B and c = B'a, in double precision.

    Args:
        source: raw activations of the source network, (N, K).
        target: raw activations of the target network on the same inputs, (N, M).
        samples: indices of the rows in X; None: all rows.

    Raises:
        ValueError: shapes that do not match, or activations that are not finite.
    """
    source, target = np.asarray(source), np.asarray(target)
    maxima = [np.zeros(values.shape[-1:]) for values in (source, target)]
    for chunks in sample_chunks(source=source, target=target, samples=samples):
        for largest, chunk in zip(maxima, chunks, strict=True):
            np.maximum(largest, np.abs(chunk).max(axis=0), out=largest)
    source_scale, target_scale = map(_finite, maxima)
    targets, sources = np.flatnonzero(target_scale), np.flatnonzero(source_scale)
    gram, cross = np.zeros((sources.size, sources.size)), np.zeros((targets.size, sources.size))
    for source_chunk, target_chunk in sample_chunks(source=source, target=target, samples=samples):
        a = target_chunk[:, targets] / target_scale[targets]
        b = source_chunk[:, sources] / source_scale[sources]
        gram += b.T @ b
        cross += a.T @ b
    return NormalEquations(
        gram=gram, cross=cross, source_scale=source_scale, target_scale=target_scale
    )


@overload
def solve_projection(
    equations: NormalEquations, lam: float, *, threads: int | None = None
) -> Projection: ...
@overload
def solve_projection(
    equations: NormalEquations, lam: Sequence[float], *, threads: int | None = None
) -> list[Projection]: ...
def solve_projection(
    equations: NormalEquations,
    lam: float | Sequence[float],
    *,
    threads: int | None = None,
) -> Projection | list[Projection]:
    """Solve equation 5 for all targets, given the normal equations; see `linear_projection`."""
    values = np.atleast_1d(np.asarray(lam, np.float64))
    if values.ndim != 1 or not values.size or not (np.isfinite(values) & (values >= 0.0)).all():
        raise UserError(f'lambda must be at least 0, not {lam!r}')
    order = np.argsort(-values, kind='stable')
    targets, sources = equations.cross.shape
    solved = np.zeros((values.size, targets, sources))
    threads = threads or len(os.sched_getaffinity(0))
    # More blocks than threads, because targets differ in computing time.
    bounds = np.linspace(0, targets, min(targets, 8 * threads) + 1).astype(int)

    def solve(block: int) -> int:
        first, last = bounds[block], bounds[block + 1]
        unsolved: int = solve_targets(
            equations.gram, equations.cross, values[order], first, last, solved
        )
        return unsolved

    if sources:
        pool = ThreadPoolExecutor(threads)
        try:
            unsolved = sum(pool.map(solve, range(len(bounds) - 1)))
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C, only running blocks are finished
        if unsolved:
            raise ArithmeticError(f'{unsolved} projections could not be solved')
    projections = [
        _projection(equations, solved[place], value)
        for place, value in zip(np.argsort(order), values.tolist(), strict=True)
    ]
    return projections[0] if np.ndim(lam) == 0 else projections


def _projection(equations: NormalEquations, solved: Array, lam: float) -> Projection:
    """Make a projection of solutions P', (live M, live K): add the rows of dead sources to P."""
    alive = equations.source_scale > 0.0
    matrix = solved.T
    if not alive.all():
        matrix = np.zeros((alive.size, len(solved)))
        matrix[alive] = solved.T
    targets = np.flatnonzero(equations.target_scale)
    return Projection(
        matrix=matrix,
        targets=targets,
        source_scale=equations.source_scale,
        target_scale=equations.target_scale,
        lam=lam,
    )


@overload
def linear_projection(
    *,
    source: ArrayLike,
    target: ArrayLike,
    lam: float = LAMBDA,
    threads: int | None = None,
) -> Projection: ...
@overload
def linear_projection(
    *,
    source: ArrayLike,
    target: ArrayLike,
    lam: Sequence[float],
    threads: int | None = None,
) -> list[Projection]: ...
def linear_projection(
    *,
    source: ArrayLike,
    target: ArrayLike,
    lam: float | Sequence[float] = LAMBDA,
    threads: int | None = None,
) -> Projection | list[Projection]:
    """Find the P >= 0 that minimizes ||B p - a_m||^2 + lambda * sum(p) for each target m.

    Equation 5 of the paper; the squares are summed over the N samples, not averaged. The solution
    is exact: the Karush-Kuhn-Tucker residual (`kkt_residual`) stays below 1e-8, usually far below.

    Args:
        source: raw activations of the source network, (N, K).
        target: raw activations of the target network on the same inputs, (N, M).
        lam: lambda, or several lambdas; all together take little longer than the smallest alone.
        threads: number of threads of the solver; None: one per core.

    Returns:
        One projection; for several lambdas a list of projections in the same order.

    Raises:
        ValueError: shapes that do not match, or activations that are not finite.
        UserError: a negative lambda.
    """
    equations = normal_equations(source=source, target=target)
    return solve_projection(equations, lam, threads=threads)


def kkt_residual(equations: NormalEquations, projection: Projection) -> Array:
    """Return how much each target's column violates the Karush-Kuhn-Tucker conditions, (targets,).

    With the gradient g = 2 G p - 2 c + lambda, the residual is the maximum over k of |g_k| where
    p_k > 0 and of max(-g_k, 0) where p_k = 0, divided by the largest |2 c_k|. It is 0 at the
    minimum, and only there.

    Raises:
        ValueError: the projection is not linear.
    """
    if projection.lam is None:
        raise ValueError('only linear projections solve an optimization problem')
    p = projection.matrix[projection.source_scale > 0.0]
    half_gradient = equations.gram @ p - equations.cross.T + projection.lam / 2.0
    violation = np.where(p > 0.0, np.abs(half_gradient), np.maximum(-half_gradient, 0.0))
    largest = np.abs(equations.cross).max(axis=1, initial=0.0)
    residual: Array = violation.max(axis=0, initial=0.0) / np.where(largest > 0.0, largest, 1.0)
    return residual


def greedy_projection(
    *, source: ActivityRecord | ArrayLike, target: ActivityRecord | ArrayLike
) -> Projection:
    """Predict each target neuron by the source neuron at the smallest distance (equation 2).

    P_km = 1 for k = argmin_k d(m, k), the first one of several, else 0. Dead neurons are ignored.

    Args:
        source: the source network in sample episodes: a record, or raw activations (episodes,
            steps, K), zero after the end of an episode; (steps, K) is a single episode.
        target: the target network on the same inputs, as a record or (episodes, steps, M).

    Raises:
        ValueError: shapes that do not match, or activations that are not finite.
    """
    source, target = _as_record(source), _as_record(target)
    source_scale, target_scale = _finite(source.maxima()), _finite(target.maxima())
    sources, targets = np.flatnonzero(source_scale), np.flatnonzero(target_scale)
    matrix = np.zeros((source_scale.size, targets.size))
    if sources.size and targets.size:
        distances = neuron_distances(target, source)[np.ix_(targets, sources)]
        matrix[sources[distances.argmin(axis=1)], np.arange(targets.size)] = 1.0
    return Projection(
        matrix=matrix, targets=targets, source_scale=source_scale, target_scale=target_scale
    )


def _as_record(activations: ActivityRecord | ArrayLike) -> ActivityRecord:
    if isinstance(activations, ActivityRecord):
        return activations
    values = np.asarray(activations)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3:
        raise ValueError(f'activations must be (episodes, steps, neurons), not {values.shape}')
    episodes = len(values)
    return ActivityRecord(
        activations=values,
        lengths=np.full(episodes, values.shape[1]),
        layers=('hidden_1',),
        sizes=values.shape[2:],
        goals=np.full((episodes, 2), np.nan),
        rewards=np.full(episodes, np.nan),
    )

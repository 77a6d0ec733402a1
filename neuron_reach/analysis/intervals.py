# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Estimates from several networks, with 95 % bootstrap intervals.

Each network contributes one value, or, for mappings, each pair of a source and a target network.
Networks are drawn again with replacement, 10,000 times, from a fixed seed; see `bootstrap`.
Samples of the same networks are drawn together.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.analysis.bootstrap import bounds, draw_networks, resampled_means
from neuron_reach.common.arrays import Array, Integers
from neuron_reach.common.random_streams import resampling_stream

RESAMPLES = 10_000


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """One value for each pair of a source and a target network.

    Attributes:
        values: (sources, targets), NaN where there is no pair; or one a network, (networks,).
        sources: what the sources are called; networks of one name are the same, in all samples.
        targets: the same of the targets; None where there is one value a network.
    """

    values: Array
    sources: str
    targets: str | None = None

    def __post_init__(self) -> None:
        """Check that there are values.

        Raises:
            ValueError: there are none.
        """
        if np.isinf(self.values).any() or not np.isfinite(self.values).any():
            raise ValueError('values must be finite numbers, NaN where there is no pair')

    @property
    def mean(self) -> float:
        """Mean over the pairs that there are."""
        return float(np.nanmean(self.values))


Sample = ArrayLike | Pairs
"""Values of networks, (n,), or of pairs of them, (sources, targets), or `Pairs`."""

Statistic = Callable[[Mapping[str, Array]], Array]
"""Makes a number of the means of samples by name; works on arrays of resampled means alike."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate from several networks, such as a mean, with its 95 % interval.

    Attributes:
        value: the estimate.
        low: lower bound; NaN if there are too few networks for an interval.
        high: upper bound, likewise.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f'{short(self.value)} ({short(self.low)} to {short(self.high)})'


def short(value: float) -> str:
    """Return a number with three digits."""
    if value == 0 or not math.isfinite(value):
        return f'{value:g}'
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f'{value:,.{min(digits, 6)}f}'


def as_pairs(values: Sample, name: str) -> Pairs:
    """Take values of networks that are in no other sample for pairs with such."""
    if isinstance(values, Pairs):
        return values
    sample = np.asarray(values, np.float64)
    if sample.ndim not in (1, 2) or not sample.size or not np.isfinite(sample).all():
        raise ValueError(
            'values must be finite numbers, one a network or one for each source and target'
        )
    return Pairs(sample, f'{name}, sources', f'{name}, targets' if sample.ndim == 2 else None)


def network_means(samples: Sequence[Pairs], seed: int, size: int | None = None) -> list[Array]:
    """Return the widened means of resampled networks, (RESAMPLES,) each.

    Args:
        samples: what to take the means of; networks that several have in common are drawn once.
        seed: of the resampling.
        size: networks in each resample; as many as there are if None.
    """
    generator = resampling_stream(seed)
    drawn: dict[str, Integers] = {}

    def draw(name: str, networks: int) -> Integers:
        if name not in drawn:
            drawn[name] = draw_networks(networks, generator, RESAMPLES, size)
        elif drawn[name].shape[1] != networks:
            raise ValueError('values of the same networks must be of the same shape')
        return drawn[name]

    return [
        resampled_means(
            sample.values,
            draw(sample.sources, len(sample.values)),
            None if sample.targets is None else draw(sample.targets, sample.values.shape[1]),
        )
        for sample in samples
    ]


def statistic_interval(statistic: Statistic, samples: Mapping[str, Sample]) -> Interval:
    """Return what a function makes of the means of some samples, with its interval."""
    known = {name: as_pairs(values, name) for name, values in samples.items()}
    value = statistic({name: np.array(sample.mean) for name, sample in known.items()})
    draws = statistic(dict(zip(known, network_means(list(known.values()), 0), strict=True)))
    return Interval(float(value), *bounds(draws))


def mean_interval(values: Sample) -> Interval:
    """Return the mean of networks, (n,), or of pairs, (sources, targets), with its interval."""
    return statistic_interval(lambda mean: mean['values'], {'values': values})


def difference_interval(ours: Sample, theirs: Sample, *, paired: bool = False) -> Interval:
    """Return the mean of `ours` less that of `theirs`, with its interval.

    Args:
        ours: (n,) networks or (sources, targets) pairs of them.
        theirs: likewise.
        paired: whether equal places in both are of the same network; then shapes are equal. Of
            `Pairs` their names tell.
    """
    name = 'ours' if paired else 'theirs'
    samples = {'ours': as_pairs(ours, 'ours'), 'theirs': as_pairs(theirs, name)}
    if paired and samples['ours'].values.shape != samples['theirs'].values.shape:
        raise ValueError('paired values must be of the same shape')
    return statistic_interval(lambda mean: mean['ours'] - mean['theirs'], samples)

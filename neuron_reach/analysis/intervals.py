# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Estimates from several networks, with 95 % bootstrap intervals.

Each network contributes one value; for mappings, each pair of a source and a target network does.
Networks are resampled with replacement, 10,000 times, with a fixed seed; see `bootstrap`. Samples
of the same networks share their draws.
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
        values: (sources, targets), NaN where there is no pair; or one per network, (networks,).
        sources: name of the set of source networks; sets of one name are the same in all samples.
        targets: name of the set of target networks; None: one value per network.
    """

    values: Array
    sources: str
    targets: str | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: there is no finite value, or an infinite one.
        """
        if np.isinf(self.values).any() or not np.isfinite(self.values).any():
            raise ValueError('values must be finite numbers, NaN where there is no pair')

    @property
    def mean(self) -> float:
        """Mean over all pairs that have a value."""
        return float(np.nanmean(self.values))


Sample = ArrayLike | Pairs
"""Values of networks, (n,), or of pairs of them, (sources, targets), or `Pairs`."""

Statistic = Callable[[Mapping[str, Array]], Array]
"""Function of the means of samples, by name; also applied to arrays of resampled means."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate from several networks, such as a mean, with its 95 % interval.

    Attributes:
        value: the estimate.
        low: lower bound; NaN if there are too few networks for an interval.
        high: upper bound; NaN likewise.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f'{short(self.value)} ({short(self.low)} to {short(self.high)})'


def short(value: float) -> str:
    """Format a number with three significant digits, at most six of them decimals."""
    if value == 0 or not math.isfinite(value):
        return f'{value:g}'
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f'{value:,.{min(digits, 6)}f}'


def as_pairs(values: Sample, name: str) -> Pairs:
    """Return the values as `Pairs`; plain arrays are of networks that are in no other sample."""
    if isinstance(values, Pairs):
        return values
    sample = np.asarray(values, np.float64)
    if sample.ndim not in (1, 2) or not sample.size or not np.isfinite(sample).all():
        raise ValueError(
            'values must be finite numbers, one per network or one per pair of source and target'
        )
    return Pairs(sample, f'{name}, sources', f'{name}, targets' if sample.ndim == 2 else None)


def network_means(samples: Sequence[Pairs], seed: int, size: int | None = None) -> list[Array]:
    """Return the widened means of resampled networks, (RESAMPLES,) each.

    Args:
        samples: values to average; a set of networks that several samples share is drawn once.
        seed: seed of the resampling.
        size: networks in each resample; None: as many as the sample has.
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
    """Return a function of the means of some samples, with its interval."""
    known = {name: as_pairs(values, name) for name, values in samples.items()}
    value = statistic({name: np.array(sample.mean) for name, sample in known.items()})
    draws = statistic(dict(zip(known, network_means(list(known.values()), 0), strict=True)))
    return Interval(float(value), *bounds(draws))


def mean_interval(values: Sample) -> Interval:
    """Return the mean over networks, (n,), or pairs, (sources, targets), with its interval."""
    return statistic_interval(lambda mean: mean['values'], {'values': values})


def difference_interval(ours: Sample, theirs: Sample, *, paired: bool = False) -> Interval:
    """Return the mean of `ours` minus that of `theirs`, with its interval.

    Args:
        ours: one value per network, (n,), or per pair of networks, (sources, targets).
        theirs: likewise.
        paired: equal indices in both arrays refer to the same network; the shapes must be equal.
            For `Pairs`, their names say which networks are the same.
    """
    name = 'ours' if paired else 'theirs'
    samples = {'ours': as_pairs(ours, 'ours'), 'theirs': as_pairs(theirs, name)}
    if paired and samples['ours'].values.shape != samples['theirs'].values.shape:
        raise ValueError('paired values must be of the same shape')
    return statistic_interval(lambda mean: mean['ours'] - mean['theirs'], samples)

"""Is a result what the paper says? One rule, for every finding of every study.

The unit is the network: each contributes one value to a result (for mappings, each pair of a
source and a target network). The uncertainty of a result is its 95 % bootstrap interval: networks
are drawn again with replacement, 10,000 times, from a fixed seed; for pairs, sources and targets
are drawn, once for both where they are the same networks, and a pair counts as often as both were
drawn. Resampling few networks understates their spread: deviations from the estimate are widened
by sqrt(n / (n - 1)) and by the ratio of Student's t to the normal quantile, which makes the
interval right for normal values, however few.

* **A statement** that something is greater, smaller or different from something else is confirmed
  if the whole interval of the difference is on the paper's side, "differs" if all of it is on the
  other, and not confirmed if it holds zero: these networks cannot tell.
* **A statement that two things are alike** comes with a margin. It is confirmed if the whole
  interval is within the margin, "differs" if all of it is outside, and not confirmed otherwise.
* **A statement with several parts** is confirmed if all of them are, "differs" if any part does,
  and not confirmed otherwise.
* **A number** that the paper measured with m networks is compared with the mean of ours. The
  interval is that in which the mean of m more networks like ours would lie in 95 of 100 cases. A
  number within is confirmed; one outside differs.

With fewer than 5 networks nothing is confirmed. One finding in twenty that is truly as the paper
says will miss its number by chance.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuron_reach.analysis.bootstrap import bounds, draw_networks, resampled_means

Array = NDArray[np.float64]

RESAMPLES = 10_000
FEWEST_NETWORKS = 5
CONFIRMED, NOT_CONFIRMED, DIFFERS = 'confirmed', 'not confirmed', 'differs'


@dataclasses.dataclass(frozen=True)
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
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f'{_short(self.value)} ({_short(self.low)} to {_short(self.high)})'


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came of holding a result against the paper.

    Attributes:
        word: CONFIRMED, NOT_CONFIRMED or DIFFERS.
        reason: why, in a few words.
        interval: what was judged.
        networks: how many values that rests on, of the smaller group.
    """

    word: str
    reason: str
    interval: Interval
    networks: int


def _short(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f'{value:g}'
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f'{value:,.{min(digits, 6)}f}'


def _sample(values: Sample, name: str) -> Pairs:
    """Take values of networks that are in no other sample for pairs with such."""
    if isinstance(values, Pairs):
        return values
    sample = np.asarray(values, np.float64)
    if sample.ndim not in (1, 2) or not sample.size or not np.isfinite(sample).all():
        raise ValueError(
            'values must be finite numbers, one a network or one for each source and target'
        )
    return Pairs(sample, f'{name}, sources', f'{name}, targets' if sample.ndim == 2 else None)


def _means(samples: Sequence[Pairs], seed: int, size: int | None = None) -> list[Array]:
    """Return the means of resampled networks, (RESAMPLES,) each.

    Args:
        samples: what to take the means of; networks that several have in common are drawn once.
        seed: of the resampling.
        size: networks in each resample; as many as there are if None.
    """
    generator = np.random.default_rng(seed)
    drawn: dict[str, NDArray[np.int64]] = {}

    def draw(name: str, networks: int) -> NDArray[np.int64]:
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
    known = {name: _sample(values, name) for name, values in samples.items()}
    value = statistic({name: np.array(sample.mean) for name, sample in known.items()})
    draws = statistic(dict(zip(known, _means(list(known.values()), 0), strict=True)))
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
    samples = {'ours': _sample(ours, 'ours'), 'theirs': _sample(theirs, name)}
    if paired and samples['ours'].values.shape != samples['theirs'].values.shape:
        raise ValueError('paired values must be of the same shape')
    return statistic_interval(lambda mean: mean['ours'] - mean['theirs'], samples)


def judge_statistic(
    statistic: Statistic, samples: Mapping[str, Sample], *, what: str = 'difference'
) -> Verdict:
    """Judge the statement that what a function makes of the means of some samples is above zero."""
    interval = statistic_interval(statistic, samples)
    return _judge_sign(interval, _count(*samples.values()), what)


def judge_all(parts: Sequence[Verdict]) -> Verdict:
    """Judge a statement of several parts; reason and interval are of the one that decides."""
    order = [DIFFERS, NOT_CONFIRMED, CONFIRMED]
    weakest = min(parts, key=lambda part: (order.index(part.word), part.interval.low))
    count = sum(part.word == CONFIRMED for part in parts)
    reason = f'{count} of {len(parts)} parts confirmed; the weakest: {weakest.reason}'
    return dataclasses.replace(
        weakest, reason=reason, networks=min(part.networks for part in parts)
    )


def judge_difference(
    greater: Sample, smaller: Sample, *, paired: bool = False, what: str = 'difference'
) -> Verdict:
    """Judge the statement that the mean of `greater` is above that of `smaller`."""
    interval = difference_interval(greater, smaller, paired=paired)
    return _judge_sign(interval, _count(greater, smaller), what)


def judge_positive(values: Sample, *, what: str = 'mean') -> Verdict:
    """Judge the statement that the mean of these values, one a network, is above zero."""
    return _judge_sign(mean_interval(values), _count(values), what)


def _judge_sign(interval: Interval, networks: int, what: str) -> Verdict:
    if networks < FEWEST_NETWORKS:
        word, reason = NOT_CONFIRMED, _too_few(networks)
    elif interval.low > 0:
        word, reason = CONFIRMED, f'{what} {interval}, all of it on the side of the paper'
    elif interval.high < 0:
        word, reason = DIFFERS, f'{what} {interval}, all of it on the other side'
    else:
        word, reason = NOT_CONFIRMED, f'{what} {interval} holds zero'
    return Verdict(word, reason, interval, networks)


def judge_alike(
    first: Sample,
    second: Sample,
    *,
    margin: float,
    paired: bool = False,
    what: str = 'difference',
) -> Verdict:
    """Judge the statement that two means differ by at most `margin`."""
    interval = difference_interval(first, second, paired=paired)
    networks = _count(first, second)
    bound = f'a margin of {_short(margin)}'
    if networks < FEWEST_NETWORKS:
        word, reason = NOT_CONFIRMED, _too_few(networks)
    elif -margin <= interval.low and interval.high <= margin:
        word, reason = CONFIRMED, f'{what} {interval} is within {bound}'
    elif interval.low > margin or interval.high < -margin:
        word, reason = DIFFERS, f'{what} {interval} is beyond {bound}'
    else:
        word, reason = NOT_CONFIRMED, f'{what} {interval} is not all within {bound}'
    return Verdict(word, reason, interval, networks)


def judge_number(values: Sample, published: float, published_networks: int) -> Verdict:
    """Judge a number that the paper measured, as the mean of so many networks, against ours.

    The verdict's interval is the one in which such a mean would lie, were the paper's networks
    like ours.
    """
    sample = _sample(values, 'values')
    value = sample.mean
    errors = _means([sample], 1, published_networks)[0] - _means([sample], 0)[0]
    interval = Interval(value, *bounds(value + errors))
    networks = _count(values)
    if networks < FEWEST_NETWORKS:
        word, reason = NOT_CONFIRMED, _too_few(networks)
    elif interval.low <= published <= interval.high:
        word = CONFIRMED
        reason = f'{_short(published)} is where {interval} has such a mean'
    else:
        word = DIFFERS
        side = 'above' if published > interval.high else 'below'
        reason = f'{_short(published)} is {side} {interval}, where such a mean would be'
    return Verdict(word, reason, interval, networks)


def _count(*samples: Sample) -> int:
    shapes = [
        np.shape(sample.values if isinstance(sample, Pairs) else sample) for sample in samples
    ]
    return int(min(min(shape) for shape in shapes))


def _too_few(networks: int) -> str:
    return f'only {networks} networks; it takes {FEWEST_NETWORKS} to tell'

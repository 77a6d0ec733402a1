"""Is a result what the paper says? One rule, for every finding of every study.

The unit is the network: each contributes one value to a result (for mappings, each pair of a
source and a target network). The uncertainty of a result is its 95 % bootstrap interval: networks
are drawn again with replacement, 10,000 times, from a fixed seed; for pairs, sources and targets
are drawn independently. Resampling few networks understates their spread: deviations from the
estimate are widened by sqrt(n / (n - 1)) and by the ratio of Student's t to the normal quantile,
which makes the interval right for normal values, however few.

* **A statement** that something is greater, smaller or different from something else is confirmed
  if the whole interval of the difference is on the paper's side, "differs" if all of it is on the
  other, and not confirmed if it holds zero: these networks cannot tell.
* **A statement that two things are alike** comes with a margin. It is confirmed if the whole
  interval is within the margin, "differs" if all of it is outside, and not confirmed otherwise.
* **A number** that the paper measured with m networks is compared with the mean of ours. The
  interval is that in which the mean of m more networks like ours would lie in 95 of 100 cases. A
  number within is confirmed; one outside differs.

With fewer than 5 networks nothing is confirmed. One finding in twenty that is truly as the paper
says will miss its number by chance.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
LEVEL = 0.95
FEWEST_NETWORKS = 5
CONFIRMED, NOT_CONFIRMED, DIFFERS = 'confirmed', 'not confirmed', 'differs'


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


def _sample(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, np.float64)
    if sample.ndim not in (1, 2) or not sample.size or not np.isfinite(sample).all():
        raise ValueError(
            'values must be finite numbers, one a network or one for each source and target'
        )
    return sample


def _means(sample: NDArray[np.float64], seed: int, size: int | None = None) -> NDArray[np.float64]:
    """Return the means of resampled networks, (RESAMPLES,), widened for the number of networks.

    Args:
        sample: (networks,), or (sources, targets), each axis resampled on its own.
        seed: of the resampling.
        size: networks in each resample; as many as there are if None.
    """
    generator = np.random.default_rng(seed)
    weights = [
        generator.multinomial(size or count, np.full(count, 1 / count), RESAMPLES) / (size or count)
        for count in sample.shape
    ]
    if sample.ndim == 1:
        means = weights[0] @ sample
    else:
        means = np.einsum('rs,st,rt->r', weights[0], sample, weights[1], optimize=True)
    centre = sample.mean()
    widened: NDArray[np.float64] = centre + (means - centre) * _widening(min(sample.shape))
    return widened


@functools.cache
def _widening(networks: int) -> float:
    if networks < 2:
        return 1.0
    from scipy.stats import norm, t

    tail = (1 + LEVEL) / 2
    ratio = t.ppf(tail, networks - 1) / norm.ppf(tail)
    return float(ratio * math.sqrt(networks / (networks - 1)))


def _interval(value: float, draws: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def mean_interval(values: ArrayLike) -> Interval:
    """Return the mean of networks, (n,), or of pairs, (sources, targets), with its interval."""
    sample = _sample(values)
    return _interval(float(sample.mean()), _means(sample, 0))


def difference_interval(ours: ArrayLike, theirs: ArrayLike, *, paired: bool) -> Interval:
    """Return the mean of `ours` less that of `theirs`, with its interval.

    Args:
        ours: (n,) networks or (sources, targets) pairs of them.
        theirs: likewise.
        paired: whether equal places in both are of the same network; then shapes are equal.
    """
    first, second = _sample(ours), _sample(theirs)
    value = float(first.mean() - second.mean())
    if paired:
        if first.shape != second.shape:
            raise ValueError('paired values must be of the same shape')
        return _interval(value, _means(first - second, 0))
    return _interval(value, _means(first, 0) - _means(second, 1))


def judge_difference(
    greater: ArrayLike, smaller: ArrayLike, *, paired: bool, what: str = 'difference'
) -> Verdict:
    """Judge the statement that the mean of `greater` is above that of `smaller`."""
    interval = difference_interval(greater, smaller, paired=paired)
    return _judge_sign(interval, _count(greater, smaller), what)


def judge_positive(values: ArrayLike, *, what: str = 'mean') -> Verdict:
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
    first: ArrayLike, second: ArrayLike, *, margin: float, paired: bool, what: str = 'difference'
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


def judge_number(values: ArrayLike, published: float, published_networks: int) -> Verdict:
    """Judge a number that the paper measured, as the mean of so many networks, against ours.

    The verdict's interval is the one in which such a mean would lie, were the paper's networks
    like ours.
    """
    sample = _sample(values)
    value = float(sample.mean())
    errors = _means(sample, 1, published_networks) - _means(sample, 0)
    interval = _interval(value, value + errors)
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


def _count(*groups: ArrayLike) -> int:
    return int(min(min(np.shape(group)) for group in groups))


def _too_few(networks: int) -> str:
    return f'only {networks} networks; it takes {FEWEST_NETWORKS} to tell'

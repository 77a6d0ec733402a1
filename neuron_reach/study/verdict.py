# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The rule that judges whether a result agrees with the paper, for all findings of all studies.

The unit is the network: each contributes one value to a result (for mappings, each pair of a
source and a target network). The uncertainty of a result is its 95 % bootstrap interval: networks
are resampled with replacement, 10,000 times, from a fixed seed; for pairs, sources and targets are
resampled, once for both if they are the same networks, and a pair counts as often as both were
drawn. Resampling few networks underestimates their spread: deviations from the estimate are widened
by sqrt(n / (n - 1)) and by the ratio of Student's t to the normal quantile, which makes the
interval correct for normally distributed values, for any number of networks.

* **A statement** that something is greater, smaller or different from something else is confirmed
  if the whole interval of the difference is on the paper's side, "differs" if the whole interval is
  on the other side, and inconclusive if it contains zero.
* **A statement that two things are similar** has a margin. It is confirmed if the whole interval is
  within the margin, "differs" if the whole interval is outside, and inconclusive otherwise.
* **A statement with several parts** is confirmed if all parts are, "differs" if any part does, and
  inconclusive otherwise.
* **A number** that the paper measured with m networks is compared with the mean of ours. The
  interval contains the mean of m more networks like ours in 95 of 100 cases. A number inside it is
  confirmed; a number outside differs.

With fewer than 5 networks every finding is inconclusive. About one in twenty numbers for which the
paper is right will differ by chance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from neuron_reach.analysis.bootstrap import bounds
from neuron_reach.analysis.intervals import (
    Interval,
    Pairs,
    Sample,
    Statistic,
    as_pairs,
    difference_interval,
    mean_interval,
    network_means,
    short,
    statistic_interval,
)

FEWEST_NETWORKS = 5
CONFIRMED, INCONCLUSIVE, DIFFERS = 'confirmed', 'inconclusive', 'differs'


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The judgment of a result compared with the paper.

    Attributes:
        word: CONFIRMED, INCONCLUSIVE or DIFFERS.
        reason: why, in a few words.
        interval: of the judged quantity.
        networks: number of values it is based on, of the smaller group.
    """

    word: str
    reason: str
    interval: Interval
    networks: int


def judge_statistic(
    statistic: Statistic, samples: Mapping[str, Sample], *, what: str = 'difference'
) -> Verdict:
    """Judge the statement that a function of the means of some samples is above zero."""
    interval = statistic_interval(statistic, samples)
    return _judge_sign(interval, _count(*samples.values()), what)


def judge_all(parts: Sequence[Verdict]) -> Verdict:
    """Judge a statement of several parts; reason and interval are of the deciding part."""
    order = [DIFFERS, INCONCLUSIVE, CONFIRMED]
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
    """Judge the statement that the mean of these values, one per network, is above zero."""
    return _judge_sign(mean_interval(values), _count(values), what)


def _judge_sign(interval: Interval, networks: int, what: str) -> Verdict:
    if networks < FEWEST_NETWORKS:
        word, reason = INCONCLUSIVE, _too_few(networks)
    elif interval.low > 0:
        word, reason = CONFIRMED, f'{what} {interval}, entirely on the side of the paper'
    elif interval.high < 0:
        word, reason = DIFFERS, f'{what} {interval}, entirely on the other side'
    else:
        word, reason = INCONCLUSIVE, f'{what} {interval} contains zero'
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
    bound = f'a margin of {short(margin)}'
    if networks < FEWEST_NETWORKS:
        word, reason = INCONCLUSIVE, _too_few(networks)
    elif -margin <= interval.low and interval.high <= margin:
        word, reason = CONFIRMED, f'{what} {interval} is within {bound}'
    elif interval.low > margin or interval.high < -margin:
        word, reason = DIFFERS, f'{what} {interval} is outside {bound}'
    else:
        word, reason = INCONCLUSIVE, f'{what} {interval} is partly outside {bound}'
    return Verdict(word, reason, interval, networks)


def judge_number(values: Sample, published: float, published_networks: int) -> Verdict:
    """Compare a number that the paper measured, as the mean of its networks, with ours.

    The verdict's interval is the one that would contain such a mean if the paper's networks were
    like ours.
    """
    sample = as_pairs(values, 'values')
    value = sample.mean
    errors = network_means([sample], 1, published_networks)[0] - network_means([sample], 0)[0]
    interval = Interval(value, *bounds(value + errors))
    networks = _count(values)
    if networks < FEWEST_NETWORKS:
        word, reason = INCONCLUSIVE, _too_few(networks)
    elif interval.low <= published <= interval.high:
        word = CONFIRMED
        reason = f'{short(published)} is within {interval}, the range of such means'
    else:
        word = DIFFERS
        side = 'above' if published > interval.high else 'below'
        reason = f'{short(published)} is {side} {interval}, the range of such means'
    return Verdict(word, reason, interval, networks)


def _count(*samples: Sample) -> int:
    shapes = [
        np.shape(sample.values if isinstance(sample, Pairs) else sample) for sample in samples
    ]
    return int(min(min(shape) for shape in shapes))


def _too_few(networks: int) -> str:
    return f'only {networks} networks; at least {FEWEST_NETWORKS} are needed'

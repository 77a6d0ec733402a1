# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import numpy as np
import pytest

from neuron_reach.analysis import intervals
from neuron_reach.analysis.intervals import Pairs, mean_interval
from neuron_reach.study.verdict import (
    CONFIRMED,
    DIFFERS,
    INCONCLUSIVE,
    judge_alike,
    judge_all,
    judge_difference,
    judge_number,
    judge_positive,
    judge_statistic,
)

ABOVE, BELOW = np.linspace(9, 11, 20), np.linspace(4, 6, 20)
MIXED = np.linspace(-5, 5.1, 20)


def test_a_difference_is_confirmed_contradicted_or_neither():
    assert judge_difference(ABOVE, BELOW, paired=False).word == CONFIRMED
    assert judge_difference(BELOW, ABOVE, paired=False).word == DIFFERS
    assert judge_difference(ABOVE, ABOVE[::-1], paired=False).word == INCONCLUSIVE
    assert judge_positive(ABOVE).word == CONFIRMED
    assert judge_positive(-ABOVE).word == DIFFERS
    assert judge_positive(MIXED).word == INCONCLUSIVE


def test_bounds_belong_to_what_they_bound():
    """Of five values without any spread, so that the interval is a single point."""
    zero, two, tiny = np.zeros(5), np.full(5, 2.0), np.full(5, 1e-9)
    assert judge_positive(zero).word == INCONCLUSIVE
    assert (judge_positive(tiny).word, judge_positive(-tiny).word) == (CONFIRMED, DIFFERS)
    for first, second in ((zero, two), (two, zero)):
        assert judge_alike(first, second, margin=2.0).word == CONFIRMED
        assert judge_alike(first, second, margin=1.999).word == DIFFERS
    assert judge_number(two, 2.0, 20).word == CONFIRMED
    assert judge_number(two, 2.001, 20).word == judge_number(two, 1.999, 20).word == DIFFERS


def test_the_reason_tells_on_which_side_a_number_lies():
    assert ' is above ' in judge_number(ABOVE, 15.0, 20).reason
    assert ' is below ' in judge_number(ABOVE, 5.0, 20).reason
    assert judge_positive(ABOVE).reason.endswith('on the side of the paper')
    assert judge_positive(-ABOVE).reason.endswith('on the other side')
    assert judge_positive(MIXED).reason.endswith('contains zero')


def test_pairs_see_what_the_spread_between_networks_hides():
    base = np.linspace(0, 100, 10)
    assert judge_difference(base + 1, base, paired=True).word == CONFIRMED
    assert judge_difference(base + 1, base, paired=False).word == INCONCLUSIVE


def test_alike_needs_the_whole_interval_within_the_margin():
    near = ABOVE + 0.5
    assert judge_alike(near, ABOVE, margin=2, paired=False).word == CONFIRMED
    assert judge_alike(near, ABOVE, margin=0.5, paired=False).word == INCONCLUSIVE
    assert judge_alike(BELOW, ABOVE, margin=2, paired=False).word == DIFFERS
    assert judge_alike(ABOVE, BELOW, margin=2, paired=False).word == DIFFERS


def test_a_number_is_compared_with_where_such_a_mean_would_lie():
    assert judge_number(ABOVE, 10.1, 20).word == CONFIRMED
    assert judge_number(ABOVE, 15.0, 20).word == DIFFERS
    assert judge_number(ABOVE, 5.0, 20).word == DIFFERS
    few, many = (judge_number(ABOVE, 10.5, m).interval for m in (2, 2000))
    assert few.low < many.low < 10 < many.high < few.high


@pytest.mark.parametrize('count', [1, 4])
def test_few_networks_confirm_and_contradict_nothing(count):
    few = ABOVE[:count]
    for judged in (
        judge_positive(few),
        judge_difference(few, BELOW, paired=False),
        judge_difference(ABOVE, BELOW[:count], paired=False),
        judge_alike(few, few, margin=100, paired=True),
        judge_number(few, float(few.mean()), 20),
        judge_positive(np.ones((20, count))),
    ):
        assert judged.word == INCONCLUSIVE
        assert judged.reason == f'only {count} networks; at least 5 are needed'
        assert judged.networks == count


@pytest.mark.parametrize('networks', [5, 20])
def test_the_interval_of_a_number_holds_about_as_often_as_stated(networks, monkeypatch):
    monkeypatch.setattr(intervals, 'RESAMPLES', 500)
    generator = np.random.default_rng(networks)
    trials, inside = 600, 0
    for _ in range(trials):
        sample = generator.normal(3, 2, networks)
        published = generator.normal(3, 2, 20).mean()
        inside += judge_number(sample, published, 20).word == CONFIRMED
    assert 0.92 < inside / trials < 0.98


def test_networks_of_one_name_are_drawn_together():
    generator = np.random.default_rng(0)
    effect = generator.normal(0, 10, 6)
    values = effect[:, None] + effect
    np.fill_diagonal(values, np.nan)

    def width(sample):
        interval = mean_interval(sample)
        return interval.high - interval.low

    # The mean is twice that of the effects if they are the same, else the sum of two means.
    same, apart = width(Pairs(values, 'a', 'a')), width(Pairs(values, 'a', 'b'))
    assert same / apart == pytest.approx(2**0.5, rel=0.15)
    more = effect[:, None] + generator.normal(0, 10, 6) + 1.0
    base = effect[:, None] + np.zeros(6)
    pairs = Pairs(base + 1.0, 'a', 'b'), Pairs(base, 'a', 'c')
    assert judge_difference(*pairs).word == CONFIRMED  # what sources do cancels
    assert judge_difference(Pairs(more, 'a', 'b'), Pairs(more, 'd', 'e')).word == INCONCLUSIVE
    with pytest.raises(ValueError, match='same networks must be of the same shape'):
        judge_difference(Pairs(base, 'a', 'b'), Pairs(base[:5], 'a', 'b'))
    with pytest.raises(ValueError, match='finite numbers'):
        Pairs(np.full((2, 2), np.nan), 'a', 'b')


def test_what_functions_make_of_means_is_judged():
    samples = {'near': ABOVE, 'far': BELOW, 'middle': ABOVE - 1}

    def closer(mean):
        return abs(mean['near'] - mean['far']) - abs(mean['near'] - mean['middle'])

    assert judge_statistic(closer, samples).word == CONFIRMED
    assert judge_statistic(lambda mean: -closer(mean), samples).word == DIFFERS
    assert judge_statistic(closer, samples).interval.value == pytest.approx(4)


def test_of_several_parts_the_weakest_decides():
    good, open_, bad = judge_positive(ABOVE), judge_positive(MIXED), judge_positive(-ABOVE)
    assert judge_all([good, good]).word == CONFIRMED
    assert judge_all([good, open_]).word == INCONCLUSIVE
    judged = judge_all([open_, bad, good])
    assert (judged.word, judged.interval) == (DIFFERS, bad.interval)
    assert judged.reason.startswith('1 of 3 parts confirmed; the weakest: ')


def test_pairs_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match='same shape'):
        judge_difference(ABOVE, BELOW[:5], paired=True)

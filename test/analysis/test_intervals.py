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
from hypothesis import given
from hypothesis import strategies as st

from neuron_reach.analysis import intervals
from neuron_reach.analysis.intervals import Interval, difference_interval, mean_interval


def test_pairs_are_resampled_by_network_not_by_pair():
    generator = np.random.default_rng(0)
    by_source = np.repeat(generator.normal(size=(5, 1)), 5, axis=1)
    pairs = mean_interval(by_source)
    as_if_independent = mean_interval(by_source.reshape(-1))
    assert pairs.high - pairs.low > 1.5 * (as_if_independent.high - as_if_independent.low)
    networks = mean_interval(by_source[:, 0])
    assert (pairs.low, pairs.high) == pytest.approx((networks.low, networks.high))


def test_a_single_source_has_the_interval_of_its_targets():
    interval = mean_interval([[0.0, 1.0, 2.0, 3.0, 4.0]])
    targets = np.random.default_rng(0).choice(5, (5000, 5)).mean(axis=1)
    expected = np.quantile(targets, [0.025, 0.975])
    assert [interval.low, interval.high] == pytest.approx(expected, abs=0.15)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12))
def test_an_interval_holds_its_estimate_and_is_the_same_every_time(values):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, 'RESAMPLES', 100)
        interval = mean_interval(values)
        slack = 1e-6 * (1 + abs(interval.value))
        assert interval.low - slack <= interval.value <= interval.high + slack
        assert mean_interval(values) == interval


def test_a_difference_of_equals_is_nothing():
    values = np.linspace(9, 11, 20)
    interval = difference_interval(values, values, paired=True)
    assert (interval.value, interval.low, interval.high) == (0, 0, 0)


@pytest.mark.parametrize('values', [[], [np.nan, 1], np.zeros((2, 2, 2)), 3.0])
def test_values_must_be_finite_and_one_a_network(values):
    with pytest.raises(ValueError, match='finite numbers'):
        mean_interval(values)


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (51.6123, '51.6'),
        (0.012345, '0.0123'),
        (12345.6, '12,346'),
        (0.0, '0'),
        (-2.5, '-2.50'),
        (1.2e-6, '0.000001'),
    ],
)
def test_intervals_are_written_with_three_digits(value, text):
    assert str(Interval(value, value, value)) == f'{text} ({text} to {text})'

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
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from neuron_reach.analysis import (
    Projection,
    bootstrap_pairs,
    coverage,
    layer_projection,
    linear_projection,
    projection_error,
    saturation,
)

matrices = st.tuples(st.integers(2, 7), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 1e-9, 0.3, 1.0, 50.0]))
)


@given(matrices)
def test_saturation_and_coverage_are_shares(matrix):
    for metric in (saturation, coverage):
        value = metric(matrix)
        assert 0.0 <= value <= 1.0 if matrix.any() else np.isnan(value)


@given(matrices, st.floats(1e-3, 1e3))
def test_only_the_shares_within_a_column_count(matrix, factor):
    for metric in (saturation, coverage):
        np.testing.assert_allclose(metric(factor * matrix), metric(matrix), atol=1e-9)


def test_saturation_and_coverage_as_defined():
    half = np.array([[0.5, 0.0], [0.5, 2.0], [0.0, 0.0], [0.0, 0.0]])
    assert saturation(half) == pytest.approx(0.5 * np.log(2) / np.log(4))
    used = np.array([0.25, 0.75])
    assert coverage(half) == pytest.approx(-(used * np.log(used)).sum() / np.log(4))
    assert saturation(np.ones((4, 3))) == pytest.approx(1.0)
    assert coverage(np.eye(4)) == pytest.approx(1.0)
    assert saturation(np.eye(4)) == 0.0


def test_logarithms_are_to_the_base_of_the_sources_that_are_alive():
    """Three of five; one target is fed by two of them evenly, the other by one alone."""
    matrix = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 4.0], [0.0, 0.0], [0.0, 0.0]])
    scale = np.array([1.0, 0.0, 2.0, 3.0, 0.0])
    projection = Projection(matrix, np.arange(2), scale, np.ones(2))
    assert saturation(projection) == pytest.approx(0.5 * np.log(2) / np.log(3))
    used = np.array([0.25, 0.75])
    assert coverage(projection) == pytest.approx(-(used * np.log(used)).sum() / np.log(3))
    even = np.where(scale[:, None] > 0.0, 1.0, 0.0)
    projection = Projection(even, np.arange(1), scale, np.ones(1))
    assert saturation(projection) == coverage(projection) == pytest.approx(1.0)
    silent = np.array([1.0, 1.0, 0.0])
    assert linear_projection(target=np.eye(3), source=silent * np.eye(3), lam=0.0).sources == 2


def test_a_single_source_is_covered_and_suffices():
    for matrix, scale in (([[2.0, 1.0]], [1.0]), ([[0.0, 0.0], [2.0, 1.0]], [0.0, 1.0])):
        projection = Projection(np.array(matrix), np.arange(2), np.array(scale), np.ones(2))
        assert coverage(projection) == 1.0
        assert saturation(projection) == 0.0


def test_targets_that_nothing_maps_to_are_left_out():
    with_zeros = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    assert coverage(with_zeros) == pytest.approx(1.0)
    np.testing.assert_array_equal(
        layer_projection(with_zeros, source_layers=[1, 1], target_layers=[1, 1, 1]),
        [[1, np.nan, 0], [0, np.nan, 1]],
    )


@given(st.integers(0, 2**32 - 1))
def test_the_error_of_the_zero_projection_is_1(seed):
    generator = np.random.default_rng(seed)
    target, source = generator.random((20, 3)), generator.random((20, 4))
    assert projection_error(np.zeros((4, 3)), target=target, source=source) == pytest.approx(1.0)
    best = linear_projection(target=target, source=source, lam=0.0)
    assert projection_error(best, target=target, source=source) >= 0.0


def test_the_error_as_defined():
    target, source = np.array([[1.0, 0.0], [0.5, -1.0]]), np.array([[1.0], [0.0]])
    error = projection_error([[0.5, 1.0]], target=target, source=source)
    assert error == pytest.approx((0.5 + 1.0 + 0.5 + 1.0) / 2.5)


def test_validation_samples_are_scaled_as_the_samples_were():
    samples = np.array([[2.0], [1.0]])
    projection = linear_projection(target=samples, source=samples, lam=0.0)
    fresh = np.array([[8.0], [4.0]])
    assert projection_error(projection, target=fresh, source=fresh) == pytest.approx(0.0, abs=1e-9)
    assert projection_error(projection, target=fresh, source=0 * fresh) == 1.0
    # One target neuron that fired more than ever counts more, in the units of its old maximum.
    two = linear_projection(target=np.eye(2), source=np.eye(2), lam=0.0)
    assert projection_error(two, target=[[3.0, 1.0]], source=[[0.0, 1.0]]) == pytest.approx(
        3.0 / 4.0
    )


@given(matrices, st.data())
def test_layer_columns_sum_to_1(matrix, data):
    def layers(neurons):
        cuts = data.draw(st.lists(st.integers(0, neurons), max_size=2).map(sorted))
        return np.diff([0, *cuts, neurons]).tolist()

    source_layers, target_layers = layers(matrix.shape[0]), layers(matrix.shape[1])
    table = layer_projection(matrix, source_layers=source_layers, target_layers=target_layers)
    assert table.shape == (len(source_layers), len(target_layers))
    sums = table.sum(axis=0)
    np.testing.assert_allclose(sums[np.isfinite(sums)], 1.0)
    first = 0
    for layer, size in enumerate(target_layers):
        mapped = matrix[:, first : first + size].any()
        assert np.isfinite(sums[layer]) == mapped
        first += size


def test_layer_projection_averages_over_the_target_layer():
    matrix = [[1.0, 0.0, 0.0], [1.0, 5.0, 0.0], [0.0, 0.0, 0.1]]
    table = layer_projection(matrix, source_layers=[1, 2], target_layers=[2, 1])
    np.testing.assert_allclose(table, [[0.25, 0.0], [0.75, 1.0]])


def test_a_reflexive_layer_projection_is_the_identity():
    np.testing.assert_array_equal(
        layer_projection(np.eye(6), source_layers=[2, 3, 1], target_layers=[2, 3, 1]), np.eye(3)
    )


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: saturation([[1.0, -1.0]]), 'numbers >= 0'),
        (lambda: coverage(np.ones(3)), 'must be a matrix'),
        (
            lambda: layer_projection(np.eye(3), source_layers=[2, 2], target_layers=[3]),
            'source layers hold 4 neurons, not 3',
        ),
        (
            lambda: layer_projection(np.eye(3), source_layers=[3], target_layers=[2]),
            'target layers hold 2 neurons, not 3',
        ),
        (
            lambda: projection_error(np.eye(3), target=np.ones((5, 2)), source=np.ones((5, 3))),
            r'for 3 source and 3 target neurons, not for .* shape \(5, 3\) and \(5, 2\)',
        ),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def draw_alone(networks, generator):
    return generator.standard_normal(networks)


def draw_crossed(networks, generator):
    """Effects of sources and targets: intervals from resampled pairs would be far too narrow."""
    shape = (networks, networks)
    sources, targets = generator.standard_normal((2, networks))
    return sources[:, None] + targets + 0.1 * generator.standard_normal(shape)


def draw_same(networks, generator):
    effects = generator.standard_normal(networks)
    values = effects[:, None] + effects + 0.1 * generator.standard_normal((networks, networks))
    np.fill_diagonal(values, np.nan)
    return values


@pytest.mark.parametrize(
    ('draw', 'networks', 'trials'),
    [
        (draw_alone, 5, 2000),
        (draw_alone, 20, 2000),
        (draw_crossed, 20, 1000),
        (draw_same, 20, 1000),
    ],
)
def test_the_bootstrap_interval_holds_the_true_mean_in_95_of_100_cases(draw, networks, trials):
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(trials):
        values = draw(networks, generator)
        interval = bootstrap_pairs(
            values, generator, resamples=400, same_networks=draw is draw_same
        )
        assert interval.value == pytest.approx(np.nanmean(values))
        hits += interval.low <= 0.0 <= interval.high
    fewest, most = binom.ppf((0.0005, 0.9995), trials, 0.95)
    assert fewest <= hits <= most


def test_missing_pairs_are_left_out():
    values = np.array([[np.nan, 1.0, 2.0], [3.0, np.nan, 4.0], [5.0, 6.0, np.nan]])
    interval = bootstrap_pairs(values, np.random.default_rng(0), same_networks=True)
    assert interval.value == pytest.approx(3.5)
    reach = 2.5 * 4.303 / 1.960 * 1.5**0.5  # resampled means lie in 1 to 6, before they are widened
    assert 3.5 - reach <= interval.low < 3.5 < interval.high <= 3.5 + reach


def test_one_network_has_no_interval():
    interval = bootstrap_pairs([[0.2, 0.4]], np.random.default_rng(0))
    assert interval.value == pytest.approx(0.3)
    assert np.isnan(interval.low) and np.isnan(interval.high)


def test_networks_mapped_to_themselves_are_resampled_one_by_one():
    values = np.arange(10.0)
    interval = bootstrap_pairs(values, np.random.default_rng(0))
    assert interval.value == 4.5
    means = np.random.default_rng(1).choice(values, (5000, 10)).mean(axis=1)
    widening = 2.262 / 1.960 * (10 / 9) ** 0.5  # Student's t with 9 degrees of freedom, n / (n - 1)
    for bound, share in ((interval.low, 0.025), (interval.high, 0.975)):
        expected = 4.5 + (np.quantile(means, share) - 4.5) * widening
        assert bound == pytest.approx(expected, abs=0.2)

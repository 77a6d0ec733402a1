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
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neuron_reach.analysis import network_activations, random_network, unique_samples
from neuron_reach.learning.qnetwork import QNetwork

few_values = arrays(
    np.float32,
    st.tuples(st.integers(0, 30), st.integers(1, 3)),
    elements=st.sampled_from([-0.0, 0.0, 0.1, 0.15, 0.2, 1.0]),
)


@given(few_values)
def test_exact_duplicates_go(samples):
    kept = unique_samples(samples)
    assert (np.diff(kept) > 0).all()
    rows = [tuple(row) for row in samples.tolist()]
    assert [rows[number] for number in kept] == list(dict.fromkeys(rows))


@given(few_values, st.sampled_from([1e-3, 0.06, 0.3, 5.0]))
def test_what_goes_is_close_to_something_kept_and_what_stays_is_not(samples, tolerance):
    kept = unique_samples(samples, tolerance)
    assert (np.diff(kept) > 0).all()
    distances = np.abs(samples[:, None] - samples[kept].astype(np.float64)).max(axis=2)
    if len(samples):
        assert (distances.min(axis=1) <= tolerance).all()
        among_kept = distances[kept] + np.diag(np.full(len(kept), np.inf))
        assert among_kept.min() > tolerance


@pytest.mark.parametrize('tolerance', [-1.0, float('nan')])
def test_a_bad_tolerance_is_refused(tolerance):
    with pytest.raises(ValueError, match='tolerance must be at least 0'):
        unique_samples(np.ones((2, 2)), tolerance)


def test_activations_are_those_of_the_network():
    network = QNetwork((3, 5, 2))
    network.initialize([torch.Generator().manual_seed(0)], 0.3)
    observations = np.random.default_rng(0).standard_normal((4, 7, 3)).astype(np.float32)
    activations = network_activations(network, observations)
    assert activations.shape == (4, 7, 10)
    np.testing.assert_array_equal(activations[..., :3], observations)
    hidden = np.maximum(observations @ network.weights[0][0].numpy().T, 0)
    np.testing.assert_allclose(activations[..., 3:8], hidden, rtol=1e-5, atol=1e-6)
    output = hidden @ network.weights[1][0].numpy().T + 0.3
    np.testing.assert_allclose(activations[..., 8:], output, rtol=1e-5, atol=1e-6)


def test_a_network_of_another_arm_is_refused():
    with pytest.raises(ValueError, match=r'3 inputs cannot .* of shape \(5, 4\)'):
        network_activations(QNetwork((3, 2)), np.zeros((5, 4)))


def test_random_networks_are_glorot_uniform():
    network = random_network((200, 100, 50), torch.Generator().manual_seed(0))
    for weight, bias in zip(network.weights, network.biases, strict=True):
        bound = (6.0 / (weight.shape[1] + weight.shape[2])) ** 0.5
        assert 0.99 * bound < weight.abs().max() <= bound
        assert weight.std() == pytest.approx(bound / 3**0.5, rel=0.03)
        assert not bias.any()

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The effective rank of a layer's activity."""

import numpy as np
import pytest

from neuron_reach.analysis.effective_rank import effective_rank


def with_singular_values(values, samples, seed=0):
    """A matrix of activations, (samples, neurons), with given singular values."""
    generator = np.random.default_rng(seed)
    left = np.linalg.qr(generator.normal(size=(samples, len(values))))[0]
    right = np.linalg.qr(generator.normal(size=(len(values), len(values))))[0]
    return left * values @ right


@pytest.mark.parametrize('samples', [5, 8, 50])
def test_it_counts_singular_values_up_to_the_share(samples):
    activations = with_singular_values(np.array([60.0, 30.0, 9.5, 0.4, 0.1]), samples)

    assert effective_rank(activations) == 3  # 99.5 of 100
    assert effective_rank(activations, delta=0.11) == 2  # 90 of 100
    assert effective_rank(activations, delta=0.0005) == 5
    assert effective_rank(activations.T) == 3


def test_activity_that_is_not_centered_counts_with_its_mean():
    assert effective_rank(np.ones((10, 4))) == 1


def test_copies_of_a_neuron_do_not_count():
    activations = np.repeat(np.random.default_rng(1).normal(size=(100, 6)), 3, axis=1)

    assert effective_rank(activations, delta=0.0001) == 6


def test_a_layer_that_is_never_active_has_none():
    assert effective_rank(np.zeros((20, 3))) == 0


@pytest.mark.parametrize(
    ('activations', 'delta', 'message'),
    [
        (np.zeros(3), 0.1, 'must be \\(samples, neurons\\)'),
        (np.ones((2, 2)), 1.0, 'delta'),
        (np.ones((2, 2)), -0.1, 'delta'),
    ],
)
def test_wrong_arguments_are_named(activations, delta, message):
    with pytest.raises(ValueError, match=message):
        effective_rank(activations, delta)

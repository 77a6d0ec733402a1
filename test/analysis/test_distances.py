# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist, squareform

from neuron_reach.analysis import distances as distances_module
from neuron_reach.analysis import neuron_distances
from neuron_reach.records import record as record_module


def normalized(record):
    values = record.activations.astype(np.float64)
    largest = abs(values).max((0, 1))
    return values / np.where(largest > 0.0, largest, 1.0)


def plain(record, other):
    """Equation 2, word by word."""
    ours, theirs = normalized(record), normalized(other)
    total = np.zeros((record.neurons, other.neurons))
    for episode in range(record.episodes):
        length = record.lengths[episode]
        for i in range(record.neurons):
            for j in range(other.neurons):
                a, b = ours[episode, :length, i], theirs[episode, :length, j]
                total[i, j] += np.sqrt(((a - b) ** 2).sum())
    return total / record.episodes


@pytest.fixture(params=['in one go', 'in small pieces'])
def pieces(request, monkeypatch):
    if request.param == 'in small pieces':
        monkeypatch.setattr(record_module, 'BLOCK_BYTES', 1)
        monkeypatch.setattr(distances_module, 'TILE', 4)
        monkeypatch.setattr(distances_module, 'PRODUCTS', 30)


def test_equation_2_within_a_record(random_record, pieces):
    record = random_record()
    record.activations[:, :, [5, 6]] = 0.0  # dead
    found = neuron_distances(record)
    assert np.allclose(found, plain(record, record), rtol=0.0, atol=1e-5)
    assert np.array_equal(found, found.T)
    assert not found.diagonal().any()
    assert found[5, 6] == 0.0


def test_equation_2_between_two_records(random_record, pieces):
    record, other = random_record(), random_record(sizes=(4, 3, 2, 9))
    assert np.allclose(neuron_distances(record, other), plain(record, other), rtol=0.0, atol=1e-5)


def test_scipy_agrees(random_record):
    record, other = random_record(seed=1), random_record(seed=1, sizes=(4, 2, 2, 2))
    ours, theirs = normalized(record), normalized(other)
    expected = np.mean([squareform(pdist(episode.T)) for episode in ours], axis=0)
    assert np.allclose(neuron_distances(record), expected, rtol=0.0, atol=1e-6)
    expected = np.mean([cdist(a.T, b.T) for a, b in zip(ours, theirs, strict=True)], axis=0)
    assert np.allclose(neuron_distances(record, other), expected, rtol=0.0, atol=1e-6)


def test_a_layer_by_itself_is_part_of_the_whole(random_record):
    record = random_record()
    part = record.columns('hidden_1')
    alone = neuron_distances(record.select(['hidden_1']))
    assert np.allclose(alone, neuron_distances(record)[part, part], rtol=0.0, atol=1e-6)


def test_identical_neurons_are_at_distance_zero(random_record):
    record = random_record(episodes=20, steps=60)
    record.activations[:, :, 6] = 4.0 * record.activations[:, :, 5]
    found = neuron_distances(record)
    assert found[5, 6] == 0.0
    assert np.array_equal(np.delete(found[5], [5, 6]), np.delete(found[6], [5, 6]))


def test_nearly_identical_neurons_are_told_apart(random_record):
    record = random_record(episodes=2, steps=60, equal=True)
    record.activations[:, :, 6] = record.activations[:, :, 5]
    record.activations[0, 3, 6] += 1e-4 * record.activations[:, :, 5].max()
    assert neuron_distances(record)[5, 6] == pytest.approx(0.5e-4, rel=1e-2)


def test_records_of_other_episodes_are_refused(random_record):
    record = random_record()
    with pytest.raises(ValueError, match='same episodes'):
        neuron_distances(record, random_record(seed=1))
    with pytest.raises(ValueError, match='without episodes'):
        neuron_distances(record.first(0))


@pytest.mark.parametrize('factor', [2.0**127, 2.0**-138])
def test_distances_of_huge_and_tiny_activations_are_right(random_record, factor):
    """A power of two changes nothing but exponents, of whose inverse float32 has too few."""
    record = random_record()
    draw = np.random.default_rng(1).integers(0, 2**10, record.activations.shape)
    usual = dataclasses.replace(record, activations=(draw / 2**10).astype(np.float32))
    extreme = usual.activations.copy()
    extreme[:, :, 4:9] *= np.float32(factor)
    record = dataclasses.replace(usual, activations=extreme)
    assert np.isfinite(extreme).all()
    expected = neuron_distances(usual)
    assert np.allclose(neuron_distances(record), expected, rtol=1e-6, atol=1e-6)
    assert np.allclose(neuron_distances(record, usual), expected, rtol=1e-6, atol=1e-6)

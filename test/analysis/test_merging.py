# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuron_reach.analysis import (
    ActivityRecord,
    PruningOptions,
    merge_neurons,
    neuron_distances,
    prune,
    prune_each,
)
from neuron_reach.learning.qnetwork import QNetwork

MERGES = ['weighted', 'uniform']


def random_network(sizes, seed):
    network = QNetwork(sizes)
    generator = torch.Generator().manual_seed(seed)
    for weight, bias in zip(network.weights, network.biases, strict=True):
        weight[0] = torch.randn(weight.shape[1:], generator=generator) / weight.shape[2] ** 0.5
        bias[0] = 0.5 * torch.randn(bias.shape[1:], generator=generator)
    return network


def run(network, inputs):
    with torch.no_grad():
        layers = network.activations(torch.from_numpy(inputs)[None])
    return [layer[0].numpy() for layer in layers]


def record_of(network, inputs, steps=10):
    activations = np.concatenate(run(network, inputs), axis=1)
    activations = activations.reshape(-1, steps, activations.shape[1])
    episodes = len(activations)
    hidden = [f'hidden_{n + 1}' for n in range(len(network.sizes) - 2)]
    return ActivityRecord(
        activations,
        np.full(episodes, steps),
        ('input', *hidden, 'output'),
        network.sizes,
        np.zeros((episodes, 2)),
        np.zeros(episodes),
    )


def split(network, copies, dead, rng, powers_of_two=False):
    """Split every hidden neuron into scaled copies, and add dead ones; also return the clusters.

    What copy i of n feels is scaled by s_i; what feels it gets a share of its weight by 1 / s_i.
    """
    hidden = network.sizes[1:-1]
    owners, scales = [np.arange(network.sizes[0])], [np.ones(network.sizes[0])]
    for width in hidden:
        own = np.repeat(np.arange(width), rng.integers(1, copies + 1, width))
        own = np.concatenate((own, np.full(dead, -1)))
        rng.shuffle(own)
        draws = 2.0 ** rng.integers(-2, 3, len(own))
        owners.append(own)
        scales.append(draws if powers_of_two else rng.uniform(0.3, 3.0, len(own)))
    owners.append(np.arange(network.sizes[-1]))
    scales.append(np.ones(network.sizes[-1]))
    larger = QNetwork(tuple(map(len, owners)))
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        own, before = owners[layer + 1], owners[layer]
        shares = rng.dirichlet(np.ones(len(before))) + 0.1
        sums = np.array([shares[before == n].sum() for n in range(before.max() + 1)])
        shares = np.where(before < 0, rng.normal(size=len(before)), shares / sums[before])
        values = weight[0].numpy().astype(np.float64)[own][:, before]
        values *= scales[layer + 1][:, None] * (shares / scales[layer])[None]
        offsets = bias[0, 0].numpy()[own] * scales[layer + 1]
        values[own < 0] = rng.normal(size=(int((own < 0).sum()), len(before))) * 0.01
        offsets[own < 0] = -1e3  # never above zero
        larger.weights[layer][0] = torch.from_numpy(values)
        larger.biases[layer][0, 0] = torch.from_numpy(offsets)
    clusters = [np.where(own < 0, own.max() + 1, own) for own in owners[1:-1]]
    return larger, clusters


def groups(labels):
    return sorted(np.flatnonzero(labels == label).tolist() for label in set(labels.tolist()))


@settings(max_examples=40)
@given(
    st.integers(0, 2**31),
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from(MERGES),
)
def test_scaled_copies_and_dead_neurons_merge_back_exactly(seed, hidden, copies, dead, merge):
    rng = np.random.default_rng(seed)
    network = random_network((4, *hidden, 3), seed)
    inputs = rng.normal(size=(60, 4)).astype(np.float32)
    larger, clusters = split(network, copies, dead, rng)
    expected = run(network, inputs)[-1]
    scale = abs(expected).max() + 1.0
    assert np.allclose(run(larger, inputs)[-1], expected, atol=1e-4 * scale)
    maxima = [layer.max(axis=0).astype(np.float64) for layer in run(larger, inputs)[1:-1]]
    merged = merge_neurons(larger, clusters, maxima, merge)
    assert merged.sizes == (4, *(width + (dead > 0) for width in hidden), 3)
    assert np.allclose(run(merged, inputs)[-1], expected, atol=1e-4 * scale)


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.sampled_from(MERGES), st.sampled_from(['within', 'average']))
def test_pruning_finds_the_copies_and_gives_the_network_back(seed, merge, linkage):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(200, 4)).astype(np.float32)
    candidates = (random_network((4, 5, 4, 3), seed + number) for number in itertools.count())
    network = next(candidate for candidate in candidates if _distinct(candidate, inputs))
    larger, clusters = split(network, 3, 2, rng, powers_of_two=True)
    record = record_of(larger, inputs)
    result = prune(larger, record, PruningOptions(tau=1e-3, merge=merge, linkage=linkage))
    for found, expected in zip(result.clusters.values(), clusters, strict=True):
        assert groups(found) == groups(expected)
    assert list(result.dead.values()) == [2, 2]
    expected = run(network, inputs)[-1]
    assert np.allclose(run(result.network, inputs)[-1], expected, atol=1e-4)


def _distinct(network, inputs):
    """Whether all neurons can be told apart: none is dead, no two of a layer do nearly the same."""
    record = record_of(network, inputs)
    distances = [neuron_distances(record.select([name])) for name in record.hidden]
    nearest = min(own[np.triu_indices(len(own), 1)].min() for own in distances)
    return nearest >= 0.02 and not any(record.dead().values())


@pytest.mark.parametrize('threshold', ['layer', 'network', 'neurons'])
@pytest.mark.parametrize('merge', MERGES)
def test_tau_zero_changes_no_output_beyond_rounding(merge, threshold):
    network = random_network((6, 48, 48, 48, 9), 3)
    for bias in network.biases[:-1]:
        bias -= 0.8  # many dead ones
    inputs = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
    record = record_of(network, inputs)
    result = prune(network, record, PruningOptions(tau=0.0, merge=merge, threshold=threshold))
    dead = np.array(list(result.dead.values()))
    assert (dead > 1).all()
    # Others may be alike, too: active in one and the same step only.
    assert (np.array(result.network.sizes[1:-1]) <= 48 - np.maximum(dead - 1, 0)).all()
    expected = run(network, inputs)[-1]
    assert np.allclose(run(result.network, inputs)[-1], expected, rtol=1e-5, atol=1e-5)


def test_tau_one_leaves_one_neuron_a_layer():
    network = random_network((4, 8, 8, 3), 0)
    inputs = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    result = prune(network, record_of(network, inputs), PruningOptions(tau=1.0))
    assert result.network.sizes[1:-1] == (1, 1)
    assert np.isfinite(run(result.network, inputs)[-1]).all()


def test_more_tolerance_never_means_more_neurons():
    network = random_network((4, 30, 3), 1)
    record = record_of(network, np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    sizes = [
        prune(network, record, PruningOptions(tau=tau)).network.sizes[1]
        for tau in np.linspace(0.0, 1.0, 11)
    ]
    assert sizes == sorted(sizes, reverse=True)


def test_the_threshold_can_be_that_of_the_whole_network():
    network = random_network((4, 20, 20, 3), 2)
    network.weights[0][0, :10] = network.weights[0][0, :1] * 1.01  # a layer of small distances
    record = record_of(network, np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    options = PruningOptions(tau=0.5, linkage='within', threshold='layer')
    layer = prune(network, record, options)
    whole = prune(network, record, dataclasses.replace(options, threshold='network'))
    assert sum(whole.network.sizes) <= sum(layer.network.sizes)
    largest = max(tree[:, 2].max() for tree in whole.trees.values())
    for name, tree in whole.trees.items():
        merged = [row[2] for row in tree if row[2] <= 0.5 * largest]
        assert len(set(whole.clusters[name].tolist())) <= 20 - (len(merged) > 0)


def test_the_threshold_can_be_that_of_neurons():
    network = random_network((4, 20, 20, 3), 2)
    record = record_of(network, np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    found = prune(network, record, PruningOptions(tau=0.3, threshold='neurons'))
    for name in record.hidden:
        farthest = neuron_distances(record.select([name])).max()
        assert found.thresholds[name] == pytest.approx(0.3 * farthest)
        assert farthest > found.trees[name][:, 2].max()
    alike = dataclasses.replace(record, activations=np.ones_like(record.activations))
    found = prune(network, alike, PruningOptions(tau=0.3, threshold='neurons'))
    assert set(found.thresholds.values()) == {0.0}


def test_the_two_means_are_those_of_equation_4():
    network = random_network((2, 3, 2), 5)
    maxima, clusters = [np.array([1.0, 3.0, 0.0])], [np.array([0, 0, 0])]
    gamma = np.array([0.25, 0.75])
    first, second = network.weights[0][0].numpy(), network.weights[1][0].numpy()
    for merge, share in (('weighted', gamma / gamma), ('uniform', 1.0 / gamma / 2.0)):
        merged = merge_neurons(network, clusters, maxima, merge)
        assert np.allclose(merged.weights[0][0, 0], share @ first[:2], atol=1e-6)
        assert np.allclose(merged.biases[0][0, 0], share @ network.biases[0][0, 0].numpy()[:2])
        assert np.allclose(merged.weights[1][0, :, 0], second[:, :2] @ gamma, atol=1e-6)


def test_networks_and_records_that_do_not_fit_are_refused():
    network = random_network((4, 5, 3), 0)
    record = record_of(network, np.zeros((10, 4), np.float32))
    with pytest.raises(ValueError, match='hidden layers are'):
        prune(random_network((4, 6, 3), 0), record)
    with pytest.raises(ValueError, match='without episodes'):
        prune(network, record.first(0))
    with pytest.raises(ValueError, match='clusters are of layers'):
        merge_neurons(network, [np.zeros(4, int)], [np.ones(5)])
    with pytest.raises(ValueError, match='maxima are of layers'):
        merge_neurons(network, [np.zeros(5, int)], [np.ones(4)])


def test_pruning_in_several_ways_is_each_of_them_alone():
    network = random_network((4, 9, 8, 3), 1)
    record = record_of(network, np.random.default_rng(1).normal(size=(80, 4)).astype(np.float32))
    ways = [
        PruningOptions(tau=0.6),
        PruningOptions(tau=0.9, linkage='average'),
        PruningOptions(tau=0.6, merge='uniform', threshold='network'),
    ]
    for way, found in zip(ways, prune_each(network, record, ways), strict=True):
        alone = prune(network, record, way)
        assert found.network.flat.equal(alone.network.flat)
        assert found.thresholds == alone.thresholds
        assert found.network.sizes[1:-1] < (9, 8)

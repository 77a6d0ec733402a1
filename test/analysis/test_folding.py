# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Merging of neurons in networks of any functions: what has to be exact, and least squares."""

import dataclasses

import numpy as np
import pytest

from neuron_reach.analysis import PruningOptions, merge_layers, prune, prune_layers
from neuron_reach.analysis.folding import LEAST_SQUARES, SCALING, Moments, least_squares_fold
from neuron_reach.errors import UserError
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import FUNCTIONS, Affine, Function
from neuron_reach.records.record import ActivityRecord

from .test_merging import random_network, record_of

HOMOGENEOUS = [name for name, kind in FUNCTIONS.items() if kind.homogeneous]
OTHERS = [name for name, kind in FUNCTIONS.items() if not kind.homogeneous]
LABELS = np.array([0, 1, 2, 3, 0, 1, 1, 2])
"""Of eight neurons, four of which are made of the first four."""


def function(name):
    return Function.of(name, low=-0.5, high=0.5) if name == 'clip' else Function.of(name)


def make(seed, sizes, steps, dtype=np.float32):
    """Return a random network with prepared inputs and squashed outputs."""
    draw = np.random.default_rng(seed)
    layers = [
        Layer(
            (draw.normal(size=(after, before)) / before**0.5).astype(dtype),
            (0.5 * draw.normal(size=after)).astype(dtype),
            tuple(own),
        )
        for before, after, own in zip(sizes, sizes[1:], [*steps, (Function('tanh'),)], strict=False)
    ]
    center, scale = draw.normal(size=(2, sizes[0])).astype(dtype)
    return FeedForward(tuple(layers), (Affine(center, scale),))


def copied(network, scales):
    """Give the neurons of all hidden layers the inputs of those that `LABELS` names, scaled."""
    layers = [
        dataclasses.replace(
            layer,
            weight=(scales[:, None] * layer.weight[LABELS]).astype(layer.weight.dtype),
            bias=(scales * layer.bias[LABELS]).astype(layer.bias.dtype),
        )
        for layer in network.layers[:-1]
    ]
    return dataclasses.replace(network, layers=(*layers, network.layers[-1]))


def inputs(seed, samples=600, number=5):
    return np.random.default_rng(seed).normal(size=(samples, number)).astype(np.float32)


def recorded(network, observations, episodes=6):
    values = network.activations(observations).reshape(episodes, -1, sum(network.sizes))
    names = ('input', *(f'hidden_{n}' for n in range(1, len(network.sizes) - 1)), 'output')
    parts = np.split(values, np.cumsum(network.sizes)[:-1], axis=-1)
    return ActivityRecord.from_arrays(dict(zip(names, parts, strict=True)))


def outputs(network, observations):
    return network.activations(observations)[:, -network.sizes[-1] :]


def assert_same(smaller, network):
    """Compare on fresh inputs; all outputs are within -1 and 1."""
    fresh = inputs(1000)
    np.testing.assert_allclose(outputs(smaller, fresh), outputs(network, fresh), atol=1e-5)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('name', FUNCTIONS)
def test_identical_neurons_merge_without_a_trace_at_tau_zero(name, dtype):
    network = copied(make(0, (5, 8, 8, 3), [[function(name)]] * 2, dtype), np.ones(8))
    pruned = prune_layers(network, recorded(network, inputs(0)), PruningOptions(tau=0.0))
    for labels in pruned.clusters.values():
        np.testing.assert_array_equal(labels, LABELS)
    assert pruned.network.sizes == (5, 4, 4, 3)
    assert set(pruned.methods.values()) == {SCALING if name in HOMOGENEOUS else LEAST_SQUARES}
    assert_same(pruned.network, network)
    assert pruned.network.layers[0].weight.dtype == dtype
    assert pruned.network.preparation is network.preparation
    assert pruned.network.layers[-1].steps == network.layers[-1].steps


@pytest.mark.parametrize('steps', [[], *([name] for name in HOMOGENEOUS), ['leaky_relu', 'relu']])
def test_positive_multiples_merge_exactly_under_homogeneous_functions(steps):
    scales = np.random.default_rng(0).uniform(0.3, 3.0, 8)
    network = copied(make(2, (5, 8, 8, 3), [[function(name) for name in steps]] * 2), scales)
    record = recorded(network, inputs(0))
    for merge in ('weighted', 'uniform'):
        merged = merge_layers(network, record, dict.fromkeys(record.hidden, LABELS), merge)
        assert merged.sizes == (5, 4, 4, 3)
        assert_same(merged, network)


@pytest.mark.parametrize('name', OTHERS)
def test_affinely_related_activations_merge_exactly_under_other_functions(name):
    draw = np.random.default_rng(3)
    affine = Affine(*draw.normal(size=(2, 8)).astype(np.float32))
    network = copied(make(3, (5, 8, 8, 3), [[function(name), affine]] * 2), np.ones(8))
    record = recorded(network, inputs(0))
    merged = merge_layers(network, record, dict.fromkeys(record.hidden, LABELS))
    assert merged.sizes == (5, 4, 4, 3)
    assert_same(merged, network)


@pytest.mark.parametrize('name', OTHERS)
def test_constant_neurons_go_into_the_biases(name):
    network = make(4, (5, 8, 8, 3), [[function(name)]] * 2)
    for layer in network.layers[:-1]:
        layer.weight[4:] = 0.0
    record = recorded(network, inputs(0))
    clusters = {'hidden_1': np.array([0, 1, 2, 3, 0, 0, 3, 3])}
    clusters['hidden_2'] = np.array([0, 1, 2, 3, 4, 4, 4, 4])  # one of constant neurons alone
    merged = merge_layers(network, record, clusters)
    assert merged.sizes == (5, 4, 5, 3)
    assert_same(merged, network)


def test_each_layer_merges_by_the_method_that_suits_its_functions():
    steps = [[Function('relu')], [Function('tanh')], [Function('silu')]]
    network = copied(make(5, (5, 8, 8, 8, 3), steps), np.ones(8))
    pruned = prune_layers(network, recorded(network, inputs(0)), PruningOptions(tau=0.0))
    assert list(pruned.methods.values()) == [SCALING, LEAST_SQUARES, LEAST_SQUARES]
    assert_same(pruned.network, network)


def test_layers_of_relu_merge_to_the_bit_as_the_networks_trained_here_do():
    ours = random_network((4, 30, 20, 3), 0)
    observations = inputs(0, 200, 4)
    weights = zip(ours.weights, ours.biases, strict=True)
    layers = [Layer(w[0].numpy(), b[0, 0].numpy(), (Function('relu'),)) for w, b in weights]
    layers[-1] = dataclasses.replace(layers[-1], steps=())
    for merge in ('weighted', 'uniform'):
        options = PruningOptions(tau=0.4, merge=merge)
        record = record_of(ours, observations)
        expected = prune(ours, record, options).network
        found = prune_layers(FeedForward(tuple(layers)), record, options).network
        assert found.sizes == expected.sizes < ours.sizes
        for layer, weight, bias in zip(
            found.layers, expected.weights, expected.biases, strict=True
        ):
            np.testing.assert_array_equal(layer.weight, weight[0])
            np.testing.assert_array_equal(layer.bias, bias[0, 0])


def test_the_next_layer_gets_what_least_squares_predict_best():
    """Checked against numpy's solution, of all members as the representative."""
    network = make(6, (5, 6, 3), [[Function('tanh')]])
    record = recorded(network, inputs(0))
    z = record.layer('hidden_1').reshape(-1, 6).astype(np.float64)
    labels, outgoing = np.array([0, 1, 1, 0, 1, 1]), network.layers[1].weight.astype(np.float64)
    fold = least_squares_fold(labels, Moments.of(record, 'hidden_1'), outgoing)
    predicted = z[:, fold.representatives] @ fold.expansion.T + fold.offset
    for cluster, representative in enumerate(fold.representatives):
        members = np.flatnonzero(labels == cluster)
        assert representative in members
        errors = {}
        for choice in members:
            design = np.column_stack([z[:, choice], np.ones(len(z))])
            fitted = design @ np.linalg.lstsq(design, z[:, members], rcond=None)[0]
            errors[choice] = np.square((z[:, members] - fitted) @ outgoing[:, members].T).sum()
            if choice == representative:
                np.testing.assert_allclose(predicted[:, members], fitted, atol=1e-9)
        assert errors[representative] == min(errors.values())
    np.testing.assert_allclose(predicted.mean(0), z.mean(0), atol=1e-12)


def test_steps_after_the_end_of_an_episode_do_not_count():
    network = make(7, (5, 8, 8, 3), [[Function('sigmoid')]] * 2)
    record = recorded(network, inputs(0), episodes=4)
    lengths, clusters = np.array([150, 7, 1, 22]), dict.fromkeys(record.hidden, LABELS)
    names = dict(zip(record.layers, map(record.layer, record.layers), strict=True))
    short = ActivityRecord.from_arrays(names, lengths)
    valid = {
        name: np.concatenate([values[n, :end] for n, end in enumerate(lengths)])
        for name, values in names.items()
    }
    whole = ActivityRecord.from_arrays(valid)
    merged = [merge_layers(network, each, clusters) for each in (short, whole)]
    for layer, other in zip(merged[0].layers, merged[1].layers, strict=True):
        np.testing.assert_allclose(layer.weight, other.weight, rtol=1e-6)
        np.testing.assert_allclose(layer.bias, other.bias, rtol=1e-6)


def test_rounding_errors_of_a_saturated_neuron_predict_nothing():
    draw = np.random.default_rng(0)
    saturated = np.nextafter(np.float32(1.0), np.float32(0.0)) + np.zeros(500, np.float32)
    saturated[::2] = 1.0
    moving = draw.normal(size=500).astype(np.float32)
    record = ActivityRecord.from_arrays({'hidden_1': np.column_stack([saturated, moving])})
    moments = Moments.of(record, 'hidden_1')
    assert moments.constant.tolist() == [True, False]
    fold = least_squares_fold(np.array([0, 0]), moments, np.array([[1e9, 1.0]]))
    assert fold.representatives.tolist() == [1]
    assert fold.expansion.tolist() == [[0.0], [1.0]]


def test_networks_that_cannot_be_pruned_are_refused():
    network = make(8, (5, 8, 3), [[Function('tanh')]])
    record = recorded(network, inputs(0))
    with pytest.raises(ValueError, match='hidden layers are'):
        prune_layers(make(8, (5, 7, 3), [[Function('tanh')]]), record)
    with pytest.raises(UserError, match='without hidden layers'):
        prune_layers(make(8, (5, 3), []), record)
    network.layers[1].weight[:] = 3e38
    network.layers[0].weight[:] = network.layers[0].weight[:1]
    network.layers[0].bias[:] = network.layers[0].bias[:1]
    with pytest.raises(UserError, match='so large'):
        prune_layers(network, recorded(make(8, (5, 8, 3), [[Function('tanh')]]), inputs(0)))

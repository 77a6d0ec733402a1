# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import math
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuron_reach.learning import kernels
from neuron_reach.learning.qnetwork import QNetwork, greedy

SIZES = [(4, 8, 8, 3), (6, 1, 5, 9), (8, 7, 1, 1, 3, 27), (2, 3)]


def filled(sizes, members=1, seed=0):
    network = QNetwork(*[sizes] * members)
    for part in network.weights + network.biases:
        part.copy_(torch.randn(part.shape, generator=generator(seed)) * 0.7)
        seed += 1
    return network


@contextmanager
def double_precision():
    """Networks made in here are of float64, so that only their formulas can differ."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def sequential(network, member):
    """One member as torch's own layers, in double precision."""
    layers = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        linear = torch.nn.Linear(weight.shape[2], weight.shape[1], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(weight[member])
            linear.bias.copy_(bias[member, 0])
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


@pytest.mark.parametrize('sizes', SIZES)
@pytest.mark.parametrize('members', [1, 3])
def test_forward_is_that_of_torchs_layers(sizes, members):
    with double_precision():
        network = filled(sizes, members)
        observations = torch.randn(members, 11, sizes[0], generator=generator(1))
    layers = network.activations(observations)
    assert [tuple(layer.shape) for layer in layers] == [(members, 11, size) for size in sizes]
    assert torch.equal(layers[0], observations)
    for member in range(members):
        values = observations[member]
        modules = iter(sequential(network, member))
        for layer, found in enumerate(layers[1:], start=1):
            values = next(modules)(values)
            if layer < len(sizes) - 1:
                values = next(modules)(values)
            torch.testing.assert_close(found[member], values, rtol=1e-11, atol=1e-11)
    assert np.array_equal(network.q_values(observations.numpy()), layers[-1])


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=6),
    members=st.integers(1, 3),
    batch=st.integers(1, 12),
    seed=st.integers(0, 2**31),
)
def test_gradients_are_those_of_autograd(sizes, members, batch, seed):
    with double_precision():
        network = filled(sizes, members, seed)
        draw = generator(seed + 1)
        observations = torch.randn(members, batch, sizes[0], generator=draw)
        actions = torch.randint(sizes[-1], (members, batch), generator=draw)
        targets = torch.randn(members, batch, generator=draw)
        gradient = network.empty_like()
        gradient.flat.fill_(7.0)  # to be overwritten
        for member in range(members):
            layers = np.zeros(batch * sum(sizes))
            layers[: batch * sizes[0]] = observations[member].numpy().reshape(-1)
            own = network.parameters[member], network.layer_sizes[member]
            kernels.forward(*own, batch, layers, len(sizes) - 2)  # outputs are not needed
            into = gradient.parameters[member]
            kernels.backward(*own, layers, actions[member].numpy(), targets[member].numpy(), into)
    for member in range(members):
        reference = sequential(network, member)
        with torch.enable_grad():
            chosen = reference(observations[member]).gather(1, actions[member][:, None])[:, 0]
            torch.nn.functional.mse_loss(chosen, targets[member]).backward()
        linears = [module for module in reference if isinstance(module, torch.nn.Linear)]
        for layer, linear in enumerate(linears):
            weight, bias = gradient.weights[layer][member], gradient.biases[layer][member, 0]
            torch.testing.assert_close(weight, linear.weight.grad, rtol=1e-11, atol=1e-11)
            torch.testing.assert_close(bias, linear.bias.grad, rtol=1e-11, atol=1e-11)


def test_parameters_are_views_of_one_flat_array():
    network = filled((3, 4, 2), 2)
    assert network.members == 2
    assert network.flat.shape == (2, 32)  # 26 parameters, and room up to a whole cache line
    network.flat.zero_()
    assert not any(part.any() for part in network.weights + network.biases)
    network.biases[1].fill_(1.0)
    network.weights[0].fill_(1.0)
    assert int(network.flat.sum()) == 2 * (2 + 12)
    observations = torch.ones(2, 1, 3)
    assert network.activations(observations)[1].tolist() == [[[3.0] * 4]] * 2


def test_a_stack_of_different_widths_computes_what_its_members_do():
    members = [filled((4, 8, 5, 3)), filled((4, 2, 30, 3), seed=5)]
    stack = QNetwork.stack(members)
    assert stack.shapes == ((4, 8, 5, 3), (4, 2, 30, 3))
    observations = np.random.default_rng(0).normal(size=(2, 7, 4)).astype(np.float32)
    found = stack.q_values(observations)
    for member, network in enumerate(members):
        assert np.array_equal(found[[member]], network.q_values(observations[[member]]))
        assert torch.equal(stack.select([member]).flat, network.flat)
    with pytest.raises(ValueError):
        stack.activations(torch.from_numpy(observations))
    with pytest.raises(ValueError, match='only the widths of hidden layers may differ'):
        QNetwork.stack([members[0], QNetwork((4, 8, 5, 2))])


def test_a_copy_shares_nothing():
    network = filled((3, 4, 2))
    other = network.copy()
    assert torch.equal(other.flat, network.flat)
    network.flat.fill_(9.0)
    assert not (other.flat == 9.0).any()
    assert not network.empty_like().flat.any()


def test_initial_weights_are_he_normal_and_a_members_own():
    sizes = (50, 400, 300, 200)
    network = QNetwork(sizes, sizes)
    network.initialize([generator(1), generator(2)], 1.5)
    first, second, output = network.weights
    assert float(first.std()) == pytest.approx(math.sqrt(1 / 50), rel=0.02)
    assert float(second.std()) == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert float(output.std()) == pytest.approx(0.1 * math.sqrt(2 / 300), rel=0.02)
    assert float(first.mean()) == pytest.approx(0.0, abs=0.01)
    assert not network.biases[0].any()
    assert (network.biases[2] == 1.5).all()
    alone = QNetwork(sizes)
    alone.initialize([generator(2)], 1.5)
    assert torch.equal(alone.flat[0], network.flat[1])
    assert not torch.equal(network.flat[0], network.flat[1])


def test_greedy_picks_the_greatest_value_of_each_members_own_network():
    network = filled((4, 8, 3), 2)
    observations = np.random.default_rng(0).normal(size=(2, 50, 4)).astype(np.float32)
    actions = greedy(network, observations)
    assert actions.shape == (2, 50)
    for member in range(2):
        values = sequential(network, member)(torch.from_numpy(observations[member]).double())
        assert np.array_equal(actions[member], values.argmax(-1).numpy())
    assert (actions[0] != actions[1]).any()


@pytest.mark.parametrize(
    'shape', [(1, 6), (8,), (), (1, 5, 6), (1, 5, 9), (2, 5, 8), (1, 1, 5, 8), (0, 5, 8)]
)
def test_observations_of_another_shape_are_refused(shape):
    network = filled((8, 5, 3))
    with pytest.raises(ValueError, match=r'do not fit .*\(1, batch, 8\)') as error:
        greedy(network, np.zeros(shape, np.float32))
    assert f'shape {shape} ' in str(error.value)
    with pytest.raises(ValueError, match='do not fit'):
        network.activations(torch.zeros(shape))


def test_observations_of_any_type_and_order_give_the_same():
    network = filled((8, 5, 3), members=2)
    values = np.random.default_rng(0).normal(size=(2, 7, 8)).astype(np.float32)
    expected = network.q_values(values)
    assert (network.q_values(values.astype(np.float64)) == expected).all()
    assert (network.q_values(np.asfortranarray(values)) == expected).all()
    assert (network.q_values(np.repeat(values, 2, axis=1)[:, ::2]) == expected).all()
    turned = torch.from_numpy(np.asfortranarray(values))
    assert (network.activations(turned)[-1].numpy() == expected).all()


def test_no_observations_have_no_outputs():
    network = filled((8, 5, 3))
    assert greedy(network, np.zeros((1, 0, 8), np.float32)).shape == (1, 0)
    layers = network.activations(torch.zeros(1, 0, 8))
    assert [tuple(layer.shape) for layer in layers] == [(1, 0, 8), (1, 0, 5), (1, 0, 3)]


@pytest.mark.parametrize('shape', [(), (3,), (3, 0, 2), (3, -1, 2)])
def test_layers_without_neurons_are_refused(shape):
    with pytest.raises(ValueError, match='neurons per layer'):
        QNetwork(shape)

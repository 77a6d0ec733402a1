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
import torch

from neuron_reach.analysis import input_transform, network_activations, transform_observations
from neuron_reach.analysis.reuse import adapt_network, copy_hidden, remove_layer
from neuron_reach.arm.task import action_table
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.records.record import ActivityRecord

HIDDEN = (9, 7, 8)


def made(joints, seed=0, hidden=HIDDEN):
    network = QNetwork((2 * joints + 2, *hidden, 3**joints))
    generator = torch.Generator().manual_seed(seed)
    for array in (*network.weights, *network.biases):
        array.normal_(0.0, 0.6, generator=generator)
    return network


def observations(joints, count=40):
    generator = np.random.default_rng(joints)
    angles = generator.uniform(-3, 3, (count, joints))
    seen = np.empty((count, 2 * joints + 2), np.float32)
    seen[:, 0:-2:2], seen[:, 1:-2:2] = np.sin(angles), np.cos(angles)
    seen[:, -2:] = generator.uniform(-1, 1, (count, 2))
    return seen


@pytest.mark.parametrize('kind', ['naive', 'balanced', 'duplicate'])
@pytest.mark.parametrize(('source', 'target'), [(2, 4), (4, 2), (3, 4), (4, 3), (2, 3), (3, 3)])
def test_an_adapted_network_does_what_the_source_does_on_transformed_inputs(source, target, kind):
    network, matrix = made(source), input_transform(target=target, source=source, kind=kind)
    adapted = adapt_network(network, matrix)
    seen = observations(target)
    expected = network_activations(network, transform_observations(seen, matrix))
    found = network_activations(adapted, seen)
    hidden = sum(HIDDEN)
    ours = found[:, 2 * target + 2 : 2 * target + 2 + hidden]
    theirs = expected[:, 2 * source + 2 : 2 * source + 2 + hidden]
    assert ours == pytest.approx(theirs, abs=2e-5)
    values, source_values = found[:, -(3**target) :], expected[:, -(3**source) :]
    table = [tuple(np.sign(row).astype(int)) for row in action_table(source)]
    for number, motion in enumerate(np.sign(action_table(target))):
        same = table.index(tuple((matrix @ motion).astype(int)))
        assert values[:, number] == pytest.approx(source_values[:, same], abs=2e-5)


def test_what_is_no_choice_of_joints_is_refused():
    with pytest.raises(ValueError, match='follow one joint'):
        adapt_network(made(2), [[0.5, 0.5], [0, 1]])
    with pytest.raises(ValueError, match='is not for the 3 source joints'):
        adapt_network(made(2), np.eye(3))


def test_only_what_lies_between_hidden_layers_is_copied():
    source, start = made(2, seed=1), made(4, seed=2)
    copied = copy_hidden(source=source, start=start)
    for layer in range(4):
        origin = source if layer in (1, 2) else start
        assert torch.equal(copied.weights[layer], origin.weights[layer])
        assert torch.equal(copied.biases[layer], origin.biases[layer])
    with pytest.raises(ValueError, match='do not fit'):
        copy_hidden(source=made(2, hidden=(9, 7, 9)), start=start)


def record_of(network, joints):
    seen = observations(joints, 60).reshape(6, 10, -1)
    activations = network_activations(network, seen)
    layers = ('input', *(f'hidden_{n}' for n in range(1, len(network.sizes) - 1)), 'output')
    return ActivityRecord(
        activations, np.full(6, 10), layers, network.sizes, np.zeros((6, 2)), np.zeros(6)
    )


def test_a_layer_that_only_passes_on_is_removed_without_a_trace():
    network = made(2)
    network.weights[1].uniform_(0.1, 1.0, generator=torch.Generator().manual_seed(3))
    network.biases[1].fill_(0.3)  # of inputs that are not negative: the ReLU does nothing
    record = record_of(network, 2)
    shorter, missed = remove_layer(network, record, 2)
    assert missed == pytest.approx(0.0, abs=1e-6)
    assert shorter.sizes == (6, 9, 8, 9)
    seen = observations(2)
    values = [network_activations(net, seen)[:, -9:] for net in (network, shorter)]
    assert values[0] == pytest.approx(values[1], abs=1e-3)


@pytest.mark.parametrize('layer', [1, 2, 3])
def test_the_prediction_is_the_best_affine_one(layer):
    network = made(2)
    record = record_of(network, 2)
    shorter, missed = remove_layer(network, record, layer)
    before, own = (
        record.layer(record.layers[place]).reshape(60, -1).astype(float)
        for place in (layer - 1, layer)
    )
    design = np.column_stack((before, np.ones(60)))
    predicted = design @ np.linalg.lstsq(design, own, rcond=1e-9)[0]
    residual = np.square(own - predicted).sum() / np.square(own - own.mean(axis=0)).sum()
    assert missed == pytest.approx(residual, abs=1e-5)
    behind = network.weights[layer][0].numpy(), network.biases[layer][0, 0].numpy()
    expected = predicted @ behind[0].T + behind[1]
    found = before @ shorter.weights[layer - 1][0].numpy().T
    found += shorter.biases[layer - 1][0, 0].numpy()
    assert found == pytest.approx(expected, abs=1e-3)


def test_layers_that_are_not_there_are_refused():
    network = made(2)
    record = record_of(network, 2)
    for layer in (0, 4):
        with pytest.raises(ValueError, match='no hidden layer'):
            remove_layer(network, record, layer)
    other = dataclasses.replace(record_of(made(2, hidden=(9, 7, 9)), 2))
    with pytest.raises(ValueError, match='those of the record'):
        remove_layer(network, other, 1)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Pruning and mapping of policies of other origin, by the public functions."""

import numpy as np
import pytest
from analysis.test_folding import LABELS, copied, inputs, make, recorded

import neuron_reach as nr
from neuron_reach.learning.checkpoint import load_checkpoint, network_digest
from neuron_reach.networks.functions import Function
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.feed_forward import FeedForwardPolicy, Origin

ORIGIN = Origin(path='walker.zip', format='stable-baselines3', algorithm='ppo')


@pytest.fixture(scope='module')
def tanh():
    network = copied(make(0, (5, 8, 8, 3), [[Function('tanh')]] * 2), np.ones(8))
    return FeedForwardPolicy(network, Actions('continuous', (-1.0,) * 3, (1.0,) * 3), ORIGIN)


@pytest.fixture(scope='module')
def tanh_record(tanh):
    return recorded(tanh.network, inputs(0))


def test_a_pruned_policy_is_saved_and_read(tanh, tanh_record, tmp_path):
    pruned = nr.prune(tanh, tanh_record, tau=0.0)
    assert pruned.sizes == pruned.policy.sizes == (5, 4, 4, 3)
    assert pruned.methods == dict.fromkeys(('hidden_1', 'hidden_2'), 'least squares')
    np.testing.assert_array_equal(pruned.clusters['hidden_2'], LABELS)
    again = nr.load(pruned.save(tmp_path / 'pruned'))
    np.testing.assert_array_equal(again.outputs(inputs(1)), pruned.policy.outputs(inputs(1)))
    np.testing.assert_allclose(again.outputs(inputs(1)), tanh.outputs(inputs(1)), atol=1e-5)
    assert (again.origin, again.actions) == (ORIGIN, tanh.actions)
    assert '"least squares"' in pruned.to_json()


def test_a_checkpoint_has_the_same_digest_as_its_layers(folders):
    network = load_checkpoint(folders[2]).network
    assert nr.load(folders[2]).network.digest == network_digest(network)


def test_the_methods_of_networks_trained_here_are_those_of_the_paper(policy, record):
    assert set(nr.prune(policy, record).methods.values()) == {'scaling factors'}


def test_records_of_other_networks_are_refused(tanh, tanh_record):
    other = FeedForwardPolicy(make(1, (5, 8, 8, 3), [[Function('tanh')]] * 2))
    with pytest.raises(nr.UserError, match='the record: is not of this policy'):
        nr.prune(other, tanh_record)
    wider = FeedForwardPolicy(make(1, (5, 8, 9, 3), [[Function('tanh')]] * 2))
    with pytest.raises(ValueError, match=r'\(5, 8, 8, 3\), but this policy has \(5, 8, 9, 3\)'):
        nr.prune(wider, tanh_record)
    with pytest.raises(ValueError, match=r'are \(8, 9\), those of the record are \(8, 8\)'):
        nr.prune(wider, tanh_record.select(tanh_record.hidden))


def test_any_two_policies_map_onto_each_other_on_common_inputs(tanh, tanh_record):
    silu = FeedForwardPolicy(make(2, (5, 6, 3), [[Function('silu')]]))
    found = nr.map(source=silu, target=tanh, record=tanh_record)
    assert 0.0 < found.error < 1.0
    assert found.source_layers == {'hidden_1': 6, 'output': 3}
    assert nr.map(source=tanh, target=tanh, record=tanh_record, lam=0.01).error < 0.1
    first, second = tanh_record.first(3), tanh_record.part(slice(3, None))
    by_hand = nr.map(source=silu, target=tanh, record=first, validation=second)
    assert (found.error, found.interval) == (by_hand.error, by_hand.interval)
    samples = {name: tanh_record.layer(name).reshape(600, -1) for name in tanh.layers}
    single = nr.map(source=silu, target=tanh, record=nr.ActivityRecord.from_arrays(samples))
    assert single.error == pytest.approx(found.error)  # halves of its steps are the same


def test_inputs_that_differ_need_a_matrix_or_names(tanh, tanh_record):
    other = FeedForwardPolicy(make(3, (4, 6, 3), [[Function('elu', (1.0,))]]))
    with pytest.raises(ValueError, match='source with 4 inputs does not fit a target with 5'):
        nr.map(source=other, target=tanh, record=tanh_record)
    names = {'source': ['e', 'b', 'x', 'a'], 'target': ['a', 'b', 'c', 'd', 'e']}
    matrix = np.zeros((4, 5))
    matrix[[0, 1, 3], [4, 1, 0]] = 1.0
    named, given = (
        nr.map(source=other, target=tanh, record=tanh_record, transform=transform)
        for transform in (names, matrix)
    )
    assert named.error == given.error < 1.0
    with pytest.raises(ValueError, match=r'shape \(5, 4\) does not fit .* 4 .* 5, .* \(4, 5\)'):
        nr.map(source=other, target=tanh, record=tanh_record, transform=matrix.T)
    with pytest.raises(nr.UserError, match='record is missing'):
        nr.map(source=tanh, target=tanh)

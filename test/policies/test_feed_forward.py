# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Folders that `FeedForwardPolicy.save` writes."""

import json

import numpy as np
import pytest

import neuron_reach as nr
from neuron_reach.common.files import json_bytes
from neuron_reach.common.names import POLICY
from neuron_reach.errors import UserError
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.feed_forward import FeedForwardPolicy, Merged
from neuron_reach.policies.observations import Observations, Part


def network(inputs=3, outputs=4):
    weight = np.random.default_rng(0).normal(size=(outputs, inputs)).astype(np.float32)
    return FeedForward((Layer(weight, np.zeros(outputs, np.float32)),))


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('actions', {'kind': 'fly'}),
        ('actions', {'kind': 'continuous', 'low': ['a'] * 4, 'high': [1.0] * 4}),
        ('actions', {'kind': 'continuous', 'low': [-(10**400)] * 4, 'high': [1.0] * 4}),
        ('actions', {'kind': 'continuous', 'low': [[1.0]] * 4, 'high': [1.0] * 4}),
        ('actions', {'kind': 'continuous', 'low': [0.0], 'high': [1.0]}),
        ('actions', {'kind': 'quantiles'}),
        ('actions', {'kind': 'quantiles', 'groups': [0]}),
        ('actions', {'kind': 'quantiles', 'groups': [3]}),
        ('actions', {'kind': 'multi_discrete', 'groups': [5, -1]}),
        ('actions', {'kind': 'multi_discrete', 'groups': [1, 1]}),
        ('observations', []),
        ('observations', [{'key': '', 'shape': [4], 'counts': []}]),
        ('observations', [{'key': '', 'shape': [-3, -1], 'counts': []}]),
        ('observations', [{'key': '', 'shape': ['x'], 'counts': []}]),
        ('observations', [{'key': '', 'shape': [2], 'counts': [10**12, 3]}]),
        ('sizes', [10**15, 4]),
        ('network', '0' * 64),
        ('steps', {'layers.0': [['tanh']]}),
    ],
)
def test_a_description_that_does_not_fit_is_one_line(tmp_path, key, value):
    file = FeedForwardPolicy(network(), Actions('argmax')).save(tmp_path / 'saved') / POLICY
    described = json.loads(file.read_text())
    del described['sha256']
    nothing = {'low': None, 'high': None, 'groups': []}
    described[key] = {**nothing, **value} if key == 'actions' else value
    file.write_bytes(json_bytes(described))
    with pytest.raises(UserError) as error:
        nr.load(file.parent)
    assert str(error.value).startswith(str(file)) and '\n' not in str(error.value)


@pytest.mark.parametrize(
    'actions',
    [
        Actions('argmax'),
        Actions('none'),
        Actions('quantiles', groups=(2,)),
        Actions('multi_discrete', groups=(3, 1)),
        Actions('continuous', (-1.0,) * 4, (float('inf'),) * 4),
        Actions(),
    ],
)
def test_what_fits_is_read_as_it_was_saved(tmp_path, actions):
    observations = Observations((Part('a', (2,)), Part('b', (1,))))
    policy = FeedForwardPolicy(network(), actions, observations=observations)
    read = nr.load(policy.save(tmp_path / 'saved'))
    assert read.actions == actions and read.observations == observations


def test_actions_that_do_not_fit_the_network_are_refused():
    with pytest.raises(ValueError, match='4 outputs do not fit actions with groups'):
        FeedForwardPolicy(network(), Actions('multi_discrete', groups=(3, 3)))
    with pytest.raises(ValueError, match='do not fit 3 inputs'):
        FeedForwardPolicy(network(), observations=Observations((Part('', (5,)),)))


def test_an_expansion_with_nan_is_left_out(tmp_path):
    merged = Merged(np.full((5, 3), np.nan), np.zeros(5))
    assert (
        nr.load(FeedForwardPolicy(network(), merged=merged).save(tmp_path / 'saved')).merged is None
    )

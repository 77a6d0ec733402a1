# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import gymnasium
import numpy as np
import pytest

import neuron_reach as nr
from neuron_reach.environment import ENVIRONMENT_ID
from neuron_reach.learning.checkpoint import load_checkpoint
from neuron_reach.records.recording import record_checkpoint

from .test_policy import OBSERVATIONS


def test_it_computes_what_its_network_computes(policy, folders):
    network = load_checkpoint(folders[2]).network
    assert policy.sizes == (6, 12, 8, 9)
    assert policy.layers == ('input', 'hidden_1', 'hidden_2', 'output')
    expected = network.q_values(OBSERVATIONS[None])[0]
    np.testing.assert_allclose(policy.outputs(OBSERVATIONS), expected, rtol=1e-6)
    found = policy.activations(OBSERVATIONS)
    assert {name: values.shape for name, values in found.items()} == {
        'hidden_1': (20, 12),
        'hidden_2': (20, 8),
        'output': (20, 9),
    }
    assert (found['hidden_1'] >= 0.0).all()
    np.testing.assert_array_equal(found['output'], policy.outputs(OBSERVATIONS))
    np.testing.assert_array_equal(policy.act(OBSERVATIONS), expected.argmax(axis=1))


def test_it_acts_in_the_environment(policy):
    env = gymnasium.make(ENVIRONMENT_ID, joints=2, disable_env_checker=True)
    observation, _ = env.reset(seed=0)
    action = policy.act(observation)
    assert env.action_space.contains(action)
    env.step(action)


def test_records_are_those_of_the_commands_unless_a_seed_is_given(policy, folders):
    expected = record_checkpoint(load_checkpoint(folders[2]), 10)
    ours, other, again = (policy.record(episodes=10, seed=seed) for seed in (None, 1, 1))
    np.testing.assert_array_equal(ours.activations, expected.activations)
    np.testing.assert_array_equal(other.goals, again.goals)
    assert (other.goals != ours.goals).all()
    with pytest.raises(nr.UserError, match='at least 1, not 0'):
        policy.record(episodes=0)


def test_a_saved_policy_is_the_same(policy, tmp_path):
    for _ in range(2):  # what was saved before is replaced
        saved = nr.load(policy.save(tmp_path / 'saved'))
    np.testing.assert_array_equal(saved.outputs(OBSERVATIONS), policy.outputs(OBSERVATIONS))
    assert repr(saved) == 'ReachingPolicy(6-12-8-9)'


@pytest.mark.parametrize('name', ['notes.txt', 'state.json', 'metadata.json'])
def test_saving_replaces_nothing_else(policy, tmp_path, name):
    (tmp_path / name).write_text('mine')
    if name != 'metadata.json':
        with pytest.raises(nr.UserError, match='other files'):
            policy.save(tmp_path)
    with pytest.raises(nr.UserError, match='other files'):
        policy.save(tmp_path / name)
    assert (tmp_path / name).read_text() == 'mine'


def test_loading_what_is_no_policy_is_one_line(tmp_path):
    for path in (tmp_path, str(tmp_path / 'missing')):
        with pytest.raises(nr.UserError, match=str(tmp_path)) as error:
            nr.load(path)
        assert '\n' not in str(error.value)

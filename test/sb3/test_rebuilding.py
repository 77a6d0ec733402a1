# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Algorithms constructed afresh from the readable parts of files."""

import base64
import json
import pickle
import zipfile

import gymnasium
import numpy as np
import pytest
import torch

pytest.importorskip('stable_baselines3')

from sb3_contrib import QRDQN, TQC, TRPO
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv

from neuron_reach.errors import UserError
from neuron_reach.policies.archives import open_archive
from neuron_reach.policies.sb3_file import read_file
from neuron_reach.sb3.rebuilding import exploration, hyperparameters, rebuild
from sb3.signs import SIGNS, STEER, model

DISCRETE, CONTINUOUS = (A2C, DQN, PPO, QRDQN, TRPO), (DDPG, SAC, TD3, TQC)


def opened(path):
    with open_archive(path) as archive:
        return read_file(archive)


@pytest.fixture
def saved(tmp_path):
    def save(algorithm, **options):
        env = STEER if algorithm in CONTINUOUS else SIGNS
        made = model(algorithm, env, **options)
        made.save(tmp_path / 'model.zip')
        return made, opened(tmp_path / 'model.zip'), DummyVecEnv([lambda: gymnasium.make(env)])

    return save


@pytest.mark.parametrize('algorithm', DISCRETE + CONTINUOUS)
def test_parameters_and_plain_hyperparameters_are_those_of_the_file(saved, algorithm):
    made, file, env = saved(algorithm, gamma=0.97, learning_rate=0.0123)
    rebuilt = rebuild(file, env, hyperparameters(file, {}).values, 0)
    assert type(rebuilt) is algorithm
    assert (rebuilt.gamma, rebuilt.learning_rate) == (0.97, 0.0123)
    state = rebuilt.policy.state_dict()
    for name, values in made.policy.state_dict().items():
        assert torch.equal(values, state[name]), name


def test_functions_of_a_file_are_never_loaded_but_named(saved, tmp_path):
    _, file, _ = saved(PPO, learning_rate=lambda left: left * 1e-3)
    found = hyperparameters(file, {})
    assert found.unknown == ('learning_rate',)
    assert found.values['learning_rate'] == 3e-4
    assert 'learning_rate only as a pickle' in str(found)
    chosen = hyperparameters(file, {'learning_rate': 1e-4})
    assert (chosen.unknown, chosen.values['learning_rate'], str(chosen)) == ((), 1e-4, '')


def test_constant_schedules_of_newer_files_are_read(saved):
    _, file, _ = saved(PPO, clip_range=0.05)
    assert hyperparameters(file, {}).values['clip_range'] == 0.05


def test_a_pickle_in_a_file_is_not_loaded(saved, tmp_path):
    _, _, env = saved(PPO)
    path, mark = tmp_path / 'hostile.zip', tmp_path / 'mark'
    with zipfile.ZipFile(tmp_path / 'model.zip') as old, zipfile.ZipFile(path, 'w') as new:
        for name in old.namelist():
            content = old.read(name)
            if name == 'data':
                data = json.loads(content)

                class Hostile:
                    def __reduce__(self):
                        return open, (str(mark), 'w')

                code = base64.b64encode(pickle.dumps(Hostile())).decode()
                for key in ('clip_range', 'policy_class', 'learning_rate', 'policy_kwargs'):
                    data[key] = {':type:': 'x', ':serialized:': code}
                data['policy_kwargs']['net_arch'] = [16, 12]
                content = json.dumps(data).encode()
            new.writestr(name, content)
    file = opened(path)
    rebuild(file, env, hyperparameters(file, {}).values, 0)
    assert not mark.exists()


def test_a_trained_policy_explores_as_it_did_at_the_end(saved):
    _, file, _ = saved(DQN, exploration_initial_eps=0.9, exploration_final_eps=0.07)
    assert hyperparameters(file, {}).values['exploration_initial_eps'] == 0.07
    anew = hyperparameters(file, {}, continued=False).values
    assert anew['exploration_initial_eps'] == 0.9
    assert hyperparameters(file, {}).values['learning_starts'] == 1000
    assert anew['learning_starts'] == 100
    chosen = hyperparameters(file, {'exploration_initial_eps': 0.5, 'learning_starts': 7}).values
    assert (chosen['exploration_initial_eps'], chosen['learning_starts']) == (0.5, 7)


def test_exploration_falls_over_the_whole_training():
    names = ('exploration_initial_eps', 'exploration_final_eps', 'exploration_fraction')
    values = dict(zip(names, (1.0, 0.2, 0.5), strict=True))
    rates = [
        [exploration(values, steps, 100, 400)[name] for name in names] for steps in (0, 100, 200)
    ]
    assert np.allclose(rates, [(1.0, 0.6, 1.0), (0.6, 0.2, 1.0), (0.2, 0.2, 1.0)])
    assert exploration({'gamma': 0.9}, 0, 100, 400) == {}


def test_action_noise_of_a_file_is_named_and_can_be_set(saved):
    noise = NormalActionNoise(np.zeros(1), np.full(1, 0.3))
    _, file, env = saved(TD3, action_noise=noise)
    found = hyperparameters(file, {})
    assert 'action_noise' in found.unknown
    assert rebuild(file, env, found.values, 0).action_noise._sigma == 0.1
    chosen = hyperparameters(file, {'action_noise': 0.2}).values
    assert rebuild(file, env, chosen, 0).action_noise._sigma == 0.2


@pytest.mark.parametrize(
    ('chosen', 'message'),
    [
        ({'learning_rte': 1.0}, r"no hyperparameter 'learning_rte' \(did you mean learning_rate"),
        ({'batch_size': 'many'}, 'batch_size must be a whole number of at least 1, not many'),
        ({'batch_size': -5}, 'of at least 1, not -5'),
        ({'n_steps': 1.5}, 'of at least 1, not 1.5'),
        ({'n_epochs': 1e12}, 'of at least 1, not 1000000000000.0'),
        ({'gamma': float('nan')}, 'gamma must be a number of at least 0, not nan'),
        ({'learning_rate': 'evil'}, 'learning_rate must be a number of at least 0, not evil'),
        ({'normalize_advantage': 1}, 'normalize_advantage must be true or false, not 1'),
        ({'target_kl': float('inf')}, 'target_kl must be finite, not inf'),
        ({'batch_size': 1}, 'cannot be retrained with these hyperparameters'),
    ],
)
def test_wrong_hyperparameters_are_refused_in_one_line(saved, chosen, message):
    _, file, env = saved(PPO)
    with pytest.raises(UserError, match=message) as error:
        rebuild(file, env, hyperparameters(file, chosen).values, 0)
    assert '\n' not in str(error.value)


def test_whole_hyperparameters_may_be_written_as_other_numbers(saved):
    _, file, _ = saved(PPO)
    values = hyperparameters(file, {'batch_size': 32.0, 'target_kl': None}).values
    assert (repr(values['batch_size']), values['target_kl']) == ('32', None)
    assert hyperparameters(file, {'sde_sample_freq': -1}).values['sde_sample_freq'] == -1


def test_another_environment_is_refused_in_one_line(saved):
    _, file, _ = saved(PPO)
    env = DummyVecEnv([lambda: gymnasium.make('CartPole-v1')])
    with pytest.raises(UserError, match='does not fit the environment') as error:
        rebuild(file, env, hyperparameters(file, {}).values, 0)
    assert '\n' not in str(error.value)

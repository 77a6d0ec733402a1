# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What the callback of stable-baselines3 logs, beside trainings of the real library."""

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip('stable_baselines3')

from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.logger import configure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import neuron_reach as nr
from neuron_reach.analysis.layer_health import layer_health
from neuron_reach.sb3 import ActivityCallback


def small():
    """Options of a small network, a dict of their own for each model, as the library changes it."""
    return {'policy_kwargs': {'net_arch': [16, 12]}, 'seed': 3, 'device': 'cpu'}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ('algorithm', 'env', 'part', 'options'),
    [
        (PPO, 'CartPole-v1', 'policy_net', {'n_steps': 128}),
        (A2C, 'CartPole-v1', 'policy_net', {}),
        (DQN, 'CartPole-v1', 'q_net', {'learning_starts': 50}),
        (SAC, 'Pendulum-v1', 'latent_pi', {'learning_starts': 250}),
        (TD3, 'Pendulum-v1', 'mu', {'learning_starts': 250}),
    ],
)
def test_all_hidden_layers_are_logged_and_no_other(algorithm, env, part, options):
    model = algorithm('MlpPolicy', env, **small(), **options)
    callback = ActivityCallback(every=128, samples=64)

    model.learn(256, callback=callback)

    assert list(callback.health) == [f'{part}/hidden_1', f'{part}/hidden_2']
    for health, neurons in zip(callback.health.values(), (16, 12), strict=True):
        assert 1 <= health.effective_rank <= neurons


def test_the_numbers_are_those_of_the_network_on_the_latest_observations(tmp_path):
    model = PPO('MlpPolicy', 'CartPole-v1', **small(), n_steps=64, n_epochs=1)
    with torch.no_grad():  # a neuron that is constant, and one that hardly moves
        model.policy.mlp_extractor.policy_net[0].weight[3] = 0.0
        model.policy.mlp_extractor.policy_net[0].bias[3] = 0.5
        model.policy.mlp_extractor.policy_net[0].weight[5] *= 1e-4
    model.set_logger(configure(str(tmp_path), ['tensorboard']))
    expected = []

    class Keep(ActivityCallback):
        def _measure(self):
            layer = self.model.policy.mlp_extractor.policy_net[0]
            weight, bias = (values.detach().numpy() for values in (layer.weight, layer.bias))
            observations = np.concatenate(self._recent)[-50:]
            expected.append(layer_health({'hidden_1': np.tanh(observations @ weight.T + bias)}))
            super()._measure()

    model.learn(64, callback=Keep(every=60, samples=50))

    logged = EventAccumulator(str(tmp_path)).Reload()
    (health,) = expected[0].values()
    for what, value in health._asdict().items():
        (scalar,) = logged.Scalars(f'activity/policy_net/hidden_1/{what}')
        assert scalar.value == pytest.approx(value), what
    assert health.dead == 1 / 16
    assert health.dormant >= 1 / 16


def test_the_training_stays_the_same_to_the_bit():
    def trained(callback):
        model = DQN('MlpPolicy', 'CartPole-v1', **small(), learning_starts=50)
        model.learn(400, callback=callback)
        return model.policy.state_dict()

    with_it, without = trained(ActivityCallback(every=40, samples=32)), trained(None)

    assert all(torch.equal(with_it[name], without[name]) for name in without)


def test_dict_observations_are_measured_too():
    class Pair(gym.ObservationWrapper):
        def __init__(self, env):
            super().__init__(env)
            self.observation_space = gym.spaces.Dict(
                {'b': env.observation_space, 'a': env.observation_space}
            )

        def observation(self, observation):
            return {'a': observation, 'b': observation}

    model = PPO('MultiInputPolicy', Pair(gym.make('CartPole-v1')), **small(), n_steps=64)
    callback = ActivityCallback(every=64)
    model.learn(64, callback=callback)

    assert list(callback.health) == ['policy_net/hidden_1', 'policy_net/hidden_2']


def test_a_policy_without_hidden_layers_is_named():
    model = PPO('MlpPolicy', 'CartPole-v1', policy_kwargs={'net_arch': []}, n_steps=64)

    with pytest.raises(nr.UserError, match='ActorCriticPolicy has no hidden layer'):
        model.learn(64, callback=ActivityCallback(every=64))


@pytest.mark.parametrize('wrong', [{'every': 0}, {'samples': 0}, {'tau': -1.0}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(nr.UserError, match='at least'):
        ActivityCallback(**wrong)

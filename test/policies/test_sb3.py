# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Policies read from zip files compute what stable-baselines3 computes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neuron_reach as nr
from neuron_reach.policies.sb3 import read_sb3

pytest.importorskip('stable_baselines3')
pytest.importorskip('sb3_contrib')

import torch
from gymnasium import spaces
from sb3_contrib import ARS, QRDQN, TQC, TRPO, CrossQ, MaskablePPO, RecurrentPPO
from sb3_contrib.common.torch_layers import BatchRenorm
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.preprocessing import preprocess_obs

from .sb3_models import (
    DICT,
    LIMITED,
    WIDE,
    StillEnv,
    changed_copy,
    data_of,
    made_once,
    sample,
    tensors,
)

PUBLIC = Path(__file__).parents[3] / 'shared' / 'policies'
NN = torch.nn


def arch(net_arch, activation=None, **options):
    activation = {} if activation is None else {'activation_fn': activation}
    return {'policy_kwargs': {'net_arch': net_arch, **activation, **options}}


CASES = {
    'a2c': (A2C, WIDE, spaces.Discrete(3), {}),
    'a2c_relu': (A2C, WIDE, LIMITED, arch({'pi': [5], 'vf': [7, 3]}, NN.ReLU)),
    'ars': (ARS, WIDE, LIMITED, {}),
    'ars_clipped': (ARS, WIDE, LIMITED, arch([5], squash_output=False)),
    'ars_discrete': (ARS, WIDE, spaces.Discrete(3), arch([5], NN.ELU)),
    'ars_linear': (ARS, WIDE, LIMITED, {'linear': True}),
    'crossq': (CrossQ, WIDE, LIMITED, {}),
    'crossq_sde': (CrossQ, WIDE, LIMITED, {'use_sde': True, **arch([5, 4], NN.Tanh)}),
    'crossq_without': (CrossQ, WIDE, LIMITED, arch([5], batch_norm=False)),
    'ddpg': (DDPG, WIDE, LIMITED, {}),
    'ddpg_tanh': (DDPG, WIDE, LIMITED, arch({'pi': [5, 4], 'qf': [6]}, NN.Tanh)),
    'dqn': (DQN, WIDE, spaces.Discrete(5), {}),
    'dqn_binary': (DQN, spaces.MultiBinary((2, 3)), spaces.Discrete(2), arch([5], NN.SiLU)),
    'dqn_linear': (DQN, WIDE, spaces.Discrete(5), arch([])),
    'ppo': (PPO, WIDE, LIMITED, {}),
    'ppo_dict': (PPO, DICT, LIMITED, arch([9], NN.GELU)),
    'ppo_discrete': (PPO, spaces.Discrete(5), spaces.MultiDiscrete([3, 2]), {}),
    'ppo_grid': (PPO, spaces.Box(-1.0, 1.0, (2, 3)), spaces.Box(-1.0, 2.0, (2, 2)), {}),
    'ppo_list': (PPO, WIDE, LIMITED, arch([{'pi': [5], 'vf': [4]}])),
    'ppo_linear': (PPO, WIDE, LIMITED, arch([], NN.ReLU)),
    'ppo_multi': (PPO, spaces.MultiDiscrete([3, 2]), spaces.MultiBinary(3), {}),
    'ppo_sde': (PPO, WIDE, LIMITED, {'use_sde': True}),
    'ppo_squashed': (
        PPO,
        WIDE,
        LIMITED,
        {'use_sde': True, **arch([5], NN.LeakyReLU, squash_output=True)},
    ),
    'qrdqn': (QRDQN, WIDE, spaces.Discrete(3), arch([8], n_quantiles=7)),
    'sac': (SAC, WIDE, LIMITED, {}),
    'sac_dict': (SAC, DICT, LIMITED, arch({'pi': [5], 'qf': [8, 4]}, NN.ELU)),
    'sac_linear': (SAC, WIDE, LIMITED, arch([])),
    'sac_sde': (SAC, WIDE, LIMITED, {'use_sde': True}),
    'sac_sde_linear': (SAC, WIDE, LIMITED, {'use_sde': True, **arch([])}),
    'sac_sde_clip': (SAC, WIDE, LIMITED, {'use_sde': True, **arch([5], clip_mean=0.3)}),
    'sac_sde_free': (SAC, WIDE, LIMITED, {'use_sde': True, **arch([5], clip_mean=0.0)}),
    'td3': (TD3, WIDE, LIMITED, {}),
    'td3_dict': (TD3, DICT, LIMITED, arch([], NN.ReLU)),
    'tqc': (TQC, WIDE, LIMITED, arch([8], n_critics=1, n_quantiles=5)),
    'trpo': (TRPO, WIDE, LIMITED, arch([5, 5], NN.Softplus)),
}
ON_POLICY = ('a2c', 'ppo', 'trpo')


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def hidden_outputs(module, inputs):
    """Return what the activation functions inside a module return, in their order."""
    found = []

    def keep(layer, _, output):
        if not list(layer.children()) and not isinstance(
            layer, NN.Linear | NN.Flatten | NN.Hardtanh | BatchRenorm
        ):
            found.append(output.numpy())

    hooks = [layer.register_forward_hook(keep) for layer in module.modules()]
    with torch.no_grad():
        result = module._predict(inputs, deterministic=True)
    for hook in hooks:
        hook.remove()
    return found, result


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """Return a function that makes the model of a case, and its file, only once."""
    return made_once(CASES, tmp_path_factory.mktemp('models'))


@pytest.mark.parametrize('name', CASES)
def test_policies_compute_and_do_what_those_of_the_library_do(saved, name):
    made, path = saved(name)
    policy = nr.load(path)
    raw = sample(made.observation_space, 30)
    inputs = policy.observations.inputs(raw)
    expected, _ = made.predict(raw, deterministic=True)
    assert policy.origin.algorithm == name.partition('_')[0]
    close(policy.act(inputs).reshape(expected.shape), expected)
    if isinstance(raw, dict):
        close(policy.act(raw).reshape(expected.shape), expected)

    actor = made.actor if hasattr(made, 'actor') and made.actor is not None else made.policy
    prepared = preprocess_obs(made.policy.obs_to_tensor(raw)[0], made.observation_space)
    if name.startswith(ON_POLICY):
        latent = made.policy.mlp_extractor.policy_net
        with torch.no_grad():
            features = made.policy.features_extractor(prepared)
            close(inputs, features)
            output = made.policy.action_net(latent(features)).numpy()
            output = np.tanh(output) if name == 'ppo_squashed' else output
            hidden = [latent[: n + 1](features).numpy() for n in range(1, len(latent), 2)]
    elif name.startswith(('dqn', 'qrdqn', 'ars')):
        chain = {'d': 'q_net', 'q': 'quantile_net', 'a': 'action_net'}[name[0]]
        net = getattr(made.policy, chain)
        net = getattr(net, chain, net)
        with torch.no_grad():
            features = made.policy.features_extractor if name[0] == 'a' else NN.Flatten()
            features = features(prepared)
            output = net(features).numpy()
            hidden = [net[: n + 1](features).numpy() for n in range(1, len(net), 2)]
            hidden = hidden[: len(policy.sizes) - 2]
    else:
        hidden, output = hidden_outputs(actor, made.policy.obs_to_tensor(raw)[0])
        hidden = hidden[: len(policy.sizes) - 2]
    found = policy.activations(inputs)
    close(found['output'], output)
    assert len(hidden) == len(policy.sizes) - 2
    for number, values in enumerate(hidden, 1):
        close(found[f'hidden_{number}'], values)


@pytest.mark.parametrize('name', ['a2c_relu', 'ppo', 'ppo_dict', 'ppo_linear', 'ppo_sde', 'trpo'])
def test_value_networks_compute_what_those_of_the_library_do(saved, name):
    made, path = saved(name)
    policy = read_sb3(path, 'value')
    raw = sample(made.observation_space, 30)
    with torch.no_grad():
        expected = made.policy.predict_values(made.policy.obs_to_tensor(raw)[0])
    close(policy.outputs(policy.observations.inputs(raw)), expected)
    with pytest.raises(nr.UserError, match='chooses no actions'):
        policy.act(policy.observations.inputs(raw))


@pytest.mark.parametrize(
    'name', ['crossq', 'ddpg_tanh', 'sac', 'sac_dict', 'sac_sde', 'td3', 'tqc']
)
def test_critics_compute_what_those_of_the_library_do(saved, name):
    made, path = saved(name)
    raw = sample(made.observation_space, 30)
    observations = nr.load(path).observations.inputs(raw)
    inputs = np.concatenate([observations, sample(spaces.Box(-1.0, 1.0, (2,)), 30)], axis=1)
    with torch.no_grad():
        expected = made.critic.qf0(torch.from_numpy(inputs))
    close(read_sb3(path, 'critic').outputs(inputs), expected)


def test_single_observations_are_accepted(saved):
    for name in ('ppo', 'ppo_dict', 'ppo_discrete', 'ppo_grid', 'ppo_multi'):
        made, path = saved(name)
        policy = nr.load(path)
        raw = made.observation_space.sample()
        expected, _ = made.predict(raw, deterministic=True)
        action = policy.act(policy.observations.inputs(raw))
        close(action, expected.reshape(action.shape))


def test_shared_layers_come_first(saved, tmp_path):
    made, path = saved('ppo')
    state = made.policy.state_dict()
    shared = torch.randn(4, 4), torch.randn(4)
    state['mlp_extractor.shared_net.0.weight'], state['mlp_extractor.shared_net.0.bias'] = shared
    changed = changed_copy(path, tmp_path / 'shared.zip', {'policy.pth': tensors(state)})
    inputs = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    first = np.tanh(inputs @ shared[0].numpy().T + shared[1].numpy())
    for part in ('policy', 'value'):
        policy = read_sb3(changed, part)
        assert policy.sizes[:2] == (4, 4)
        close(policy.activations(inputs)['hidden_1'], first)
        close(policy.outputs(inputs), read_sb3(path, part).outputs(first))


def test_a_saved_policy_keeps_actions_and_observations(saved, tmp_path):
    made, path = saved('sac_dict')
    policy = nr.load(path)
    again = nr.load(policy.save(tmp_path / 'folder'))
    assert (again.origin, again.actions) == (policy.origin, policy.actions)
    assert again.observations == policy.observations
    raw = sample(made.observation_space, 5)
    np.testing.assert_array_equal(again.act(raw), policy.act(raw))
    assert again.source.name == 'origin.zip'


def test_where_a_policy_comes_from_is_known(saved):
    import stable_baselines3

    _, path = saved('tqc')
    origin = nr.load(path).origin
    assert (origin.path, origin.format, origin.algorithm, origin.part) == (
        str(path),
        'stable-baselines3',
        'tqc',
        'policy',
    )
    assert origin.library == f'stable-baselines3 {stable_baselines3.__version__}'


def test_bounds_that_the_text_leaves_out_are_unknown(saved, tmp_path):
    _, path = saved('ppo')
    text = data_of(path)
    text['action_space']['low'] = '[-2. ... 0.5]'
    changed = changed_copy(path, tmp_path / 'long.zip', {'data': json.dumps(text)})
    actions = nr.load(changed).actions
    assert (actions.kind, actions.low, actions.high) == ('continuous', None, None)


def test_goals_of_the_former_her_are_concatenated(saved, tmp_path):
    _, path = saved('sac')
    changed = changed_copy(
        path, tmp_path / 'her.zip', {'data': json.dumps({**data_of(path), 'model_class': {}})}
    )
    policy = nr.load(changed)
    assert policy.observations.keys == ('observation', 'desired_goal')
    raw = {'desired_goal': [3.0], 'achieved_goal': [9.0], 'observation': [0.0, 1.0, 2.0]}
    np.testing.assert_array_equal(policy.act(raw), policy.act([0.0, 1.0, 2.0, 3.0]))


@pytest.mark.parametrize(
    ('name', 'algorithm', 'sizes'),
    [
        ('a2c_Acrobot-v1', A2C, (6, 64, 64, 3)),
        ('ars_Pendulum-v1', ARS, (3, 16, 1)),
        ('dqn_LunarLander-v2', DQN, (8, 256, 256, 4)),
        ('ppo_BipedalWalker-v3', PPO, (24, 64, 64, 4)),
        ('sac_Pendulum-v1', SAC, (3, 64, 64, 1)),
        ('tqc_PandaReach-v1', TQC, (13, 64, 64, 3)),
    ],
)
@pytest.mark.filterwarnings('ignore')
def test_public_policies_do_what_the_library_does_with_them(name, algorithm, sizes):
    path = PUBLIC / f'{name}.zip'
    if not path.exists():
        pytest.skip(f'{path} is not here')
    policy = nr.load(path)
    assert policy.sizes == sizes
    theirs = load_old(algorithm, path, policy)
    raw = sample(theirs.observation_space, 50)
    expected, _ = theirs.predict(raw, deterministic=True)
    close(policy.act(policy.observations.inputs(raw)), expected)


def load_old(algorithm, path, policy):
    """Load a file that was written with gym, whose pickles are not to be read here."""
    boxes = {
        part.key: spaces.Box(-1.0, 1.0, part.shape, np.float32)
        for part in policy.observations.parts
    }
    actions = policy.actions
    return algorithm.load(
        path,
        device='cpu',
        custom_objects={
            'observation_space': boxes[''] if '' in boxes else spaces.Dict(boxes),
            'action_space': spaces.Discrete(policy.sizes[-1])
            if actions.kind == 'argmax'
            else spaces.Box(np.float32(actions.low), np.float32(actions.high)),
            **dict.fromkeys(('learning_rate', 'lr_schedule', 'clip_range'), 0.0),
            **dict.fromkeys(('exploration_schedule', 'delta_std_schedule'), lambda _: 0.0),
            **dict.fromkeys(('_last_obs', '_last_original_obs', 'ep_info_buffer')),
            **dict.fromkeys(('ep_success_buffer', 'weights', 'replay_buffer_class')),
            'replay_buffer_kwargs': {},
            'buffer_size': 10,
            'policy_kwargs': {
                key: value
                for key, value in data_of(path)['policy_kwargs'].items()
                if key in ('net_arch', 'log_std_init', 'n_critics', 'use_sde')
            },
        },
    )


def test_policies_with_images_or_recurrence_are_one_line(tmp_path):
    eye = spaces.Box(0, 255, (36, 36, 3), np.uint8)
    for kind, algorithm, observations, problem in (
        ('CnnPolicy', DQN, eye, 'policies with image observations'),
        ('MlpPolicy', DQN, eye, 'policies with image observations'),
        ('MultiInputPolicy', PPO, spaces.Dict({'eye': eye}), 'policies with image observations'),
        ('MlpLstmPolicy', RecurrentPPO, WIDE, 'recurrent policies are not supported'),
    ):
        actions = spaces.Discrete(2) if algorithm is DQN else LIMITED
        small = {'buffer_size': 10} if algorithm is DQN else {}
        algorithm(kind, StillEnv(observations, actions), device='cpu', **small).save(
            tmp_path / 'model'
        )
        with pytest.raises(nr.UserError, match=problem) as error:
            nr.load(tmp_path / 'model.zip')
        assert '\n' not in str(error.value)


class MyPolicy(ActorCriticPolicy):
    """A policy of somebody's own that changes nothing."""


def test_maskable_policies_and_those_of_own_classes_are_read(tmp_path):
    for kind, algorithm, name in (
        ('MlpPolicy', MaskablePPO, 'maskable_ppo'),
        (MyPolicy, A2C, 'a2c'),
    ):
        made = algorithm(kind, StillEnv(WIDE, spaces.Discrete(3)), seed=0, device='cpu')
        made.save(tmp_path / 'model')
        policy = nr.load(tmp_path / 'model.zip')
        raw = sample(WIDE, 20)
        assert policy.origin.algorithm == name
        np.testing.assert_array_equal(policy.act(raw), made.predict(raw, deterministic=True)[0])


def test_reading_needs_no_stable_baselines(saved):
    _, path = saved('sac')
    code = (
        'import sys\n'
        'from neuron_reach.policies.sb3 import read_sb3\n'
        'read_sb3(sys.argv[1])\n'
        'assert "stable_baselines3" not in sys.modules\n'
    )
    subprocess.run([sys.executable, '-c', code, path], check=True, timeout=60)

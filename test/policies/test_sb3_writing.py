# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Pruned policies go back into the files that they come from, and the library trains them on."""

import json
import zipfile

import numpy as np
import pytest

import neuron_reach as nr
from neuron_reach.analysis.options import PruningOptions
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.policies.feed_forward import FeedForwardPolicy
from neuron_reach.policies.sb3 import read_sb3, write_sb3
from neuron_reach.records.record import ActivityRecord

pytest.importorskip('stable_baselines3')
pytest.importorskip('sb3_contrib')

import torch
from gymnasium import spaces
from sb3_contrib import ARS, QRDQN, TQC, TRPO, CrossQ
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike

from .sb3_models import (
    DICT,
    LIMITED,
    WIDE,
    changed_copy,
    data_of,
    made_once,
    model,
    sample,
    tensors,
)

NN = torch.nn
TRAINED = {'n_steps': 16, 'batch_size': 8}
LATE = {'learning_starts': 4, 'buffer_size': 100, 'batch_size': 8}
CASES = {
    'a2c': (A2C, WIDE, LIMITED, {}),
    'a2c_rmsprop': (
        A2C,
        WIDE,
        spaces.Discrete(3),
        {'policy_kwargs': {'optimizer_class': RMSpropTFLike, 'optimizer_kwargs': {'eps': 1e-5}}},
    ),
    'ars': (ARS, WIDE, LIMITED, {}),
    'crossq': (CrossQ, WIDE, LIMITED, LATE),
    'ddpg': (DDPG, WIDE, LIMITED, {**LATE, 'policy_kwargs': {'activation_fn': NN.ReLU}}),
    'dqn': (DQN, WIDE, spaces.Discrete(5), LATE),
    'dqn_elu': (
        DQN,
        WIDE,
        spaces.Discrete(5),
        {**LATE, 'policy_kwargs': {'activation_fn': NN.ELU}},
    ),
    'ppo': (PPO, WIDE, LIMITED, TRAINED),
    'ppo_dict': (PPO, DICT, LIMITED, TRAINED),
    'ppo_relu': (
        PPO,
        WIDE,
        spaces.Discrete(3),
        {
            **TRAINED,
            'policy_kwargs': {
                'activation_fn': NN.ReLU,
                'net_arch': [{'pi': [8, 6], 'vf': [7]}],
                'optimizer_class': torch.optim.SGD,
                'ortho_init': False,
            },
        },
    ),
    'ppo_sde': (PPO, WIDE, LIMITED, {**TRAINED, 'use_sde': True}),
    'qrdqn': (QRDQN, WIDE, spaces.Discrete(3), {**LATE, 'policy_kwargs': {'n_quantiles': 7}}),
    'sac': (SAC, WIDE, LIMITED, LATE),
    'sac_sde': (
        SAC,
        WIDE,
        LIMITED,
        {**LATE, 'use_sde': True, 'policy_kwargs': {'log_std_init': -2.0}},
    ),
    'td3': (TD3, WIDE, LIMITED, {**LATE, 'policy_kwargs': {'net_arch': {'pi': [8], 'qf': [9]}}}),
    'tqc': (TQC, WIDE, LIMITED, {**LATE, 'policy_kwargs': {'n_critics': 1, 'n_quantiles': 5}}),
    'trpo': (TRPO, WIDE, LIMITED, TRAINED),
}


def smaller(policy, inputs, tau=0.9):
    """Prune a policy by its activity on some inputs."""
    record = ActivityRecord(
        activations=policy.compute(inputs)[None],
        lengths=np.array([len(inputs)]),
        layers=policy.layers,
        sizes=policy.sizes,
        goals=np.full((1, 2), np.nan),
        rewards=np.full(1, np.nan),
    )
    return policy.pruned(record, PruningOptions(tau=tau))[0]


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Return a function that makes the model of a case, and its file, only once."""
    return made_once(CASES, tmp_path_factory.mktemp('files'))


@pytest.mark.parametrize('name', CASES)
def test_a_pruned_policy_is_loaded_does_the_same_and_learns(files, name, tmp_path):
    before, path = files(name)
    raw = sample(before.observation_space, 40)
    policy = nr.load(path)
    pruned = smaller(policy, policy.observations.inputs(raw))
    assert all(np.less(pruned.sizes[1:-1], policy.sizes[1:-1]))
    write_sb3(pruned, tmp_path / 'pruned.zip')

    theirs = type(before).load(tmp_path / 'pruned.zip', env=before.get_env(), device='cpu')
    expected, _ = theirs.predict(raw, deterministic=True)
    inputs = pruned.observations.inputs(raw)
    np.testing.assert_allclose(pruned.act(inputs), expected, rtol=1e-5, atol=1e-6)
    again = nr.load(tmp_path / 'pruned.zip')
    assert again.sizes == pruned.sizes
    np.testing.assert_array_equal(again.outputs(inputs), pruned.outputs(inputs))

    net_arch = theirs.policy_kwargs['net_arch']
    hidden = list(pruned.sizes[1:-1])
    if isinstance(net_arch, dict):
        other = read_sb3(path, 'value' if 'vf' in net_arch else 'critic')
        assert net_arch == {'pi': hidden, min(net_arch.keys() - {'pi'}): list(other.sizes[1:-1])}
        after = read_sb3(tmp_path / 'pruned.zip', other.origin.part)
        assert after.network.digest == other.network.digest
    else:
        assert net_arch == hidden
    kept = theirs.policy_kwargs.keys() - {'net_arch'}
    assert {key: theirs.policy_kwargs[key] for key in kept} == {
        key: before.policy_kwargs[key] for key in kept
    }
    assert kept == before.policy_kwargs.keys() - {'net_arch'}
    if name != 'ars':
        theirs.learn(32)
        assert np.isfinite(theirs.predict(raw)[0]).all()


@pytest.mark.parametrize('name', ['dqn', 'qrdqn', 'td3'])
def test_target_networks_become_copies(files, name, tmp_path):
    _, path = files(name)
    policy = nr.load(path)
    pruned = smaller(policy, sample(WIDE, 40))
    write_sb3(pruned, tmp_path / 'pruned.zip')
    with zipfile.ZipFile(tmp_path / 'pruned.zip') as archive:
        state = torch.load(archive.open('policy.pth'), weights_only=True)
    trained = {'dqn': 'q_net.', 'qrdqn': 'quantile_net.', 'td3': 'actor.'}[name]
    names = [key for key in state if key.startswith(trained)]
    assert names
    for key in names:
        target = key.replace(trained, trained.replace('.', '_target.'), 1)
        torch.testing.assert_close(state[key], state[target])


@pytest.mark.parametrize(('name', 'optimizer'), [('ppo', 'policy'), ('sac', 'actor')])
def test_optimizers_of_changed_networks_begin_anew(name, optimizer, tmp_path):
    algorithm, observations, actions, options = CASES[name]
    trained = model(algorithm, observations, actions, **options).learn(32)
    trained.save(tmp_path / 'trained')
    pruned = smaller(nr.load(tmp_path / 'trained.zip'), sample(WIDE, 40))
    write_sb3(pruned, tmp_path / 'pruned.zip')
    states = {}
    for file in ('trained', 'pruned'):
        with zipfile.ZipFile(tmp_path / f'{file}.zip') as archive:
            for member in archive.namelist():
                if member.endswith('optimizer.pth'):
                    state = torch.load(archive.open(member), weights_only=True)
                    states[file, member.partition('.')[0]] = state
    before, after = states['trained', optimizer], states['pruned', optimizer]
    assert before['state']
    assert after['state'] == {}
    assert after['param_groups'] == before['param_groups']
    for other in {part for _, part in states} - {optimizer}:
        assert states['pruned', other]['state'].keys() == states['trained', other]['state'].keys()
    algorithm.load(tmp_path / 'pruned.zip', env=trained.get_env(), device='cpu').learn(32)


@pytest.mark.parametrize('name', ['crossq', 'ppo_sde', 'sac', 'sac_sde'])
def test_exploration_stays_when_neurons_do_the_same(files, name, tmp_path):
    """Two neurons that do the same are merged without a change of the noise."""
    before, path = files(name)
    with zipfile.ZipFile(path) as archive:
        state = torch.load(archive.open('policy.pth'), weights_only=True)
    layer = {'crossq': 'actor.latent_pi.4', 'ppo_sde': 'mlp_extractor.policy_net.2'}.get(
        name, 'actor.latent_pi.2'
    )
    for kind in ('weight', 'bias'):
        state[f'{layer}.{kind}'][3] = state[f'{layer}.{kind}'][1]
    state[f'{layer}.bias'] += 3.0  # all are active, and differ
    twins = changed_copy(path, tmp_path / 'twins.zip', {'policy.pth': tensors(state)})
    policy, inputs = nr.load(twins), sample(spaces.Box(-1.0, 1.0, (4,)), 200)
    pruned = smaller(policy, inputs, tau=1e-6)
    assert pruned.sizes[-2] == policy.sizes[-2] - 1
    pruned = nr.load(pruned.save(tmp_path / 'folder'))  # keeps what was merged
    deviations = []
    for file in (twins, write_sb3(pruned, tmp_path / 'pruned.zip')):
        theirs = type(before).load(file, device='cpu')
        theirs.policy.set_training_mode(False)
        observations = torch.from_numpy(inputs)
        with torch.no_grad():
            if name == 'ppo_sde':
                deviations.append(theirs.policy.get_distribution(observations).distribution.stddev)
            else:
                mean, log_std, options = theirs.actor.get_action_dist_params(observations)
                found = theirs.actor.action_dist.proba_distribution(mean, log_std, **options)
                deviations.append(found.distribution.stddev)
    torch.testing.assert_close(deviations[1], deviations[0], rtol=1e-4, atol=1e-5)


def test_noise_that_cannot_be_merged_is_one_line(files, tmp_path):
    _, path = files('sac')
    policy = nr.load(path)
    pruned = smaller(policy, sample(WIDE, 40))
    pruned.merged = None
    with pytest.raises(nr.UserError, match=r'log_std\.(bias|weight) has a parameter') as error:
        write_sb3(pruned, tmp_path / 'pruned.zip')
    assert '\n' not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_normalized_noise_is_not_written_back(tmp_path):
    made = model(CrossQ, WIDE, LIMITED, **LATE, use_sde=True)
    made.save(tmp_path / 'model')
    with pytest.raises(nr.UserError, match='gSDE') as error:
        write_sb3(nr.load(tmp_path / 'model.zip'), tmp_path / 'new.zip')
    assert '\n' not in str(error.value)


def test_value_networks_are_written_back(files, tmp_path):
    before, path = files('ppo')
    policy = read_sb3(path, 'value')
    pruned = smaller(policy, sample(WIDE, 40))
    theirs = PPO.load(pruned.export(tmp_path / 'pruned.zip'), device='cpu')
    inputs = sample(WIDE, 9)
    with torch.no_grad():
        expected = theirs.policy.predict_values(torch.from_numpy(inputs))
    np.testing.assert_allclose(pruned.outputs(inputs), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(theirs.predict(inputs)[0].shape, before.predict(inputs)[0].shape)


def test_normalization_is_left_to_the_library(files, tmp_path):
    mean, std = np.array([1.0, -2.0, 0.5, 0.0]), np.array([2.0, 0.5, 1.0, 4.0])
    policy = nr.load(files('ppo')[1]).with_normalization({'mean': mean, 'std': std, 'epsilon': 0.0})
    raw = sample(WIDE, 40)
    theirs = PPO.load(write_sb3(smaller(policy, raw), tmp_path / 'pruned.zip'), device='cpu')
    expected, _ = theirs.predict(np.float32((raw - mean) / std), deterministic=True)
    np.testing.assert_allclose(smaller(policy, raw).act(raw), expected, rtol=1e-4, atol=1e-5)


def test_a_policy_of_another_origin_has_no_file_to_go_back_into(files, tmp_path):
    layer = Layer(np.ones((2, 3), np.float32), np.zeros(2, np.float32))
    for policy in (
        FeedForwardPolicy(FeedForward((layer,))),
        FeedForwardPolicy(FeedForward((layer,)), source=files('ppo')[1]),
    ):
        with pytest.raises(nr.UserError, match='was not read from a file of stable-baselines3'):
            write_sb3(policy, tmp_path / 'new.zip')


def test_critics_and_shared_layers_are_not_written_back(files, tmp_path):
    _, path = files('sac')
    with pytest.raises(nr.UserError, match='a critic cannot be written back'):
        write_sb3(read_sb3(path, 'critic'), tmp_path / 'new.zip')
    before, path = files('ppo')
    state = {
        **before.policy.state_dict(),
        'mlp_extractor.shared_net.0.weight': torch.ones(4, 4),
        'mlp_extractor.shared_net.0.bias': torch.ones(4),
    }
    shared = changed_copy(path, tmp_path / 'shared.zip', {'policy.pth': tensors(state)})
    with pytest.raises(nr.UserError, match='shares layers between policy and value'):
        write_sb3(nr.load(shared), tmp_path / 'new.zip')


def test_networks_that_do_not_fit_are_not_written(files, tmp_path):
    policy = nr.load(files('ppo')[1])
    first, *others = policy.network.layers
    for network, problem in (
        (FeedForward((first,)), '4-8 does not replace one 4-8-6-2'),
        (FeedForward((Layer(first.weight, first.bias), *others)), 'other functions'),
    ):
        changed = FeedForwardPolicy(network, origin=policy.origin, source=policy.source)
        with pytest.raises(nr.UserError, match=problem):
            write_sb3(changed, tmp_path / 'new.zip')


def test_options_that_the_text_does_not_say_are_one_line(files, tmp_path):
    _, path = files('a2c_rmsprop')
    for value in ("<class 'os.system'>", '<function <lambda> at 0x7f>', "{'a': array(1)}"):
        text = data_of(path)
        text['policy_kwargs']['optimizer_class'] = value
        changed = changed_copy(path, tmp_path / 'changed.zip', {'data': json.dumps(text)})
        with pytest.raises(nr.UserError, match=r'policy_kwargs\.optimizer_class cannot be written'):
            write_sb3(nr.load(changed), tmp_path / 'new.zip')


def test_a_file_may_replace_its_origin_and_an_unwritable_one_is_one_line(files, tmp_path):
    _, path = files('dqn')
    copy = changed_copy(path, tmp_path / 'copy.zip', {})
    policy = nr.load(copy)
    write_sb3(policy, copy)
    assert nr.load(copy).network.digest == policy.network.digest
    with pytest.raises(nr.UserError, match='cannot be written'):
        write_sb3(policy, tmp_path / 'missing' / 'new.zip')
    with pytest.raises(nr.UserError, match='cannot be written'):
        write_sb3(policy, tmp_path)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""State dicts as learning libraries save them, and safetensors files."""

import argparse
import collections
import itertools
import os
import pathlib
import pickle
import re
import types

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import neuron_reach as nr
from neuron_reach.common.paths import PathKind, kind_of

OBSERVATIONS = np.random.default_rng(0).normal(size=(20, 6)).astype('f')


def mlp(*sizes, activation=nn.ELU, ending=()):
    """Return a chain of layers; `0`, `2`, ... are linear."""
    torch.manual_seed(sum(sizes))
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1], *ending)


def named(**modules):
    """Return the state dict of modules, with their names in front; `_` in a name is a dot."""
    found = collections.OrderedDict()
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            found[f'{name.replace("__", ".")}.{key}'] = value
    return found


ACTOR, CRITIC = mlp(6, 16, 8, 3), mlp(6, 12, 5, 1)
TRUNK, MU, VALUE = mlp(6, 16, 8, ending=(nn.ELU(),)), nn.Linear(8, 3), nn.Linear(8, 1)
MEAN, VARIANCE = torch.linspace(-1, 1, 6).double(), torch.linspace(0.5, 2, 6).double()
OPTIMIZER = {'state': {0: {'exp_avg': torch.zeros(16, 6), 'step': 3}}, 'param_groups': []}


def normalized(values, deviation, bound=None):
    values = (values - MEAN) / deviation
    return (values if bound is None else values.clamp(-bound, bound)).float()


class Branches(nn.Module):
    """Layers with the names of CleanRL's actors."""

    def __init__(self, *names, scale=True):
        super().__init__()
        torch.manual_seed(3)
        sizes = [(6, 16), (16, 8), *[(8, 3)] * (len(names) - 2)]
        for name, (inputs, outputs) in zip(names, sizes, strict=True):
            setattr(self, name, nn.Linear(inputs, outputs))
        if scale:
            self.register_buffer('action_scale', torch.tensor([2.0, 1.0, 0.5]))
            self.register_buffer('action_bias', torch.tensor([[0.5, 0.0, -1.0]]))

    def scaled(self, values, name):
        values = torch.relu(self.fc2(torch.relu(self.fc1(values))))
        return torch.tanh(getattr(self, name)(values)) * self.action_scale + self.action_bias


SAC = Branches('fc1', 'fc2', 'fc_mean', 'fc_logstd')
TD3 = Branches('fc1', 'fc2', 'fc_mu')
CRITIC_QF = nn.ModuleDict(
    {'fc1': nn.Linear(9, 16), 'fc2': nn.Linear(16, 8), 'fc3': nn.Linear(8, 1)}
)

KINDS = {
    'rsl_rl': (
        {
            'model_state_dict': {'std': torch.ones(3), **named(actor=ACTOR, critic=CRITIC)},
            'optimizer_state_dict': OPTIMIZER,
            'iter': 100,
            'infos': None,
        },
        ACTOR,
    ),
    'rsl_rl with normalization': (
        {
            'model_state_dict': named(actor=ACTOR, critic=CRITIC),
            'obs_norm_state_dict': {
                '_mean': MEAN[None].float(),
                '_var': VARIANCE[None].float(),
                '_std': VARIANCE[None].float().sqrt(),
                'count': torch.tensor(7),
            },
            'privileged_obs_norm_state_dict': {'_mean': -MEAN[None], '_std': VARIANCE[None]},
        },
        lambda values: ACTOR(normalized(values, VARIANCE.sqrt() + 1e-2)),
    ),
    'rsl_rl of today': (
        {
            'actor_state_dict': {
                **named(mlp=ACTOR),
                'obs_normalizer._mean': MEAN[None],
                'obs_normalizer._std': VARIANCE[None].sqrt(),
                'distribution.std_param': torch.ones(3),
            },
            'critic_state_dict': {**named(mlp=CRITIC), 'obs_normalizer._mean': -MEAN[None]},
        },
        lambda values: ACTOR(normalized(values, VARIANCE.sqrt() + 1e-2)),
    ),
    'rl_games': (
        {
            'model': {
                'value_mean_std.running_mean': torch.zeros(1),
                'value_mean_std.running_var': torch.ones(1),
                'running_mean_std.running_mean': MEAN,
                'running_mean_std.running_var': VARIANCE,
                'running_mean_std.count': torch.tensor(5.0),
                'a2c_network.sigma': torch.zeros(3),
                **named(a2c_network__actor_mlp=TRUNK, a2c_network__value=VALUE),
                **named(a2c_network__mu=MU),
            },
            'epoch': 3,
            'last_mean_rewards': np.float32(2.5),
            'env_state': None,
        },
        lambda values: MU(TRUNK(normalized(values, (VARIANCE + 1e-5).sqrt(), 5.0))),
    ),
    'skrl': (
        {
            'policy': {
                'log_std_parameter': torch.zeros(3),
                **named(net=TRUNK, policy_layer=MU, value_layer=VALUE),
            },
            'optimizer': OPTIMIZER,
            'state_preprocessor': {
                'running_mean': MEAN,
                'running_variance': VARIANCE,
                'current_count': torch.tensor(1.0),
            },
            'value_preprocessor': {
                'running_mean': torch.zeros(1),
                'running_variance': torch.ones(1),
            },
        },
        lambda values: MU(TRUNK(normalized(values, VARIANCE.sqrt() + 1e-8, 5.0))),
    ),
    'skrl with a critic': (
        {'policy': named(net_container=TRUNK, policy_layer=MU), 'value': named(net=CRITIC)},
        lambda values: MU(TRUNK(values)),
    ),
    'CleanRL ppo': (
        {'actor_logstd': torch.zeros(1, 3), **named(critic=CRITIC, actor_mean=ACTOR)},
        ACTOR,
    ),
    'compiled and in parallel': (
        {'actor_critic': named(_orig_mod__module__critic=CRITIC, _orig_mod__module__actor=ACTOR)},
        ACTOR,
    ),
    'stable-baselines3 policy.pth': (
        {
            'log_std': torch.zeros(3),
            **named(mlp_extractor__policy_net=TRUNK, mlp_extractor__value_net=CRITIC[:4]),
            **named(action_net=MU, value_net=nn.Linear(5, 1)),
        },
        lambda values: MU(TRUNK(values)),
    ),
    'names in another order': (
        {
            **named(actor=nn.ModuleDict({'4': ACTOR[4], '0': ACTOR[0]})),
            **named(actor=nn.ModuleDict({'2': ACTOR[2]})),
        },
        ACTOR,
    ),
    'a bare chain': (ACTOR.state_dict(), ACTOR),
    'more than ten layers': (
        mlp(6, *[4] * 11, 3).state_dict(),
        mlp(6, *[4] * 11, 3),
    ),
}


def saved(folder, state, name='policy.pt', **options):
    path = folder / name
    torch.save(state, path, **options)
    return path


def check(policy, module, observations=OBSERVATIONS):
    with torch.no_grad():
        expected = module(torch.from_numpy(observations)).numpy()
    np.testing.assert_allclose(policy.outputs(observations), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('kind', KINDS)
def test_state_dicts_of_learning_libraries_open(kind, tmp_path):
    state, module = KINDS[kind]
    policy = nr.load(saved(tmp_path, state), activation='elu')
    check(policy, module)
    assert policy.origin.format == 'PyTorch'
    older = saved(tmp_path, state, 'old.pth', _use_new_zipfile_serialization=False)
    check(nr.load(older, activation='ELU'), module)


@pytest.mark.parametrize('kind', KINDS)
def test_safetensors_with_any_chain_open(kind, tmp_path):
    """Their tensors are sorted by name."""
    state, module = KINDS[kind]
    flat = {}

    def fill(name, value):
        if isinstance(value, torch.Tensor):
            flat[name] = value.contiguous().clone()
        elif isinstance(value, dict):
            for key, inner in value.items():
                fill(f'{name}.{key}'.lstrip('.'), inner)

    fill('', state)
    path = tmp_path / 'model.safetensors'
    safetensors.torch.save_file(flat, path)
    check(nr.load(path, activation='elu'), module)


@pytest.mark.parametrize(('actor', 'head'), [(SAC, 'fc_mean'), (TD3, 'fc_mu')])
def test_scales_of_actions_belong_to_the_output(actor, head, tmp_path):
    state = (actor.state_dict(), CRITIC_QF.state_dict(), CRITIC_QF.state_dict())
    path = saved(tmp_path, state)
    check(nr.load(path, activation='relu'), lambda values: actor.scaled(values, head))
    with pytest.raises(nr.UserError, match="has no '4'; choose one by part=: 0 "):
        nr.load(path, activation='relu', part='4')
    assert nr.load(path, activation='relu', part='1').sizes == (9, 16, 8, 1)
    check(
        nr.load(saved(tmp_path, actor.state_dict()), activation='relu'),
        lambda values: actor.scaled(values, head),
    )


def test_parts_can_be_chosen(tmp_path):
    path = saved(tmp_path, KINDS['rsl_rl'][0])
    for part in ('critic', 'value', 'model_state_dict.critic'):
        policy = nr.load(path, part=part, activation='elu')
        check(policy, CRITIC)
        with pytest.raises(nr.UserError, match='chooses no actions'):
            policy.act(OBSERVATIONS)
    check(nr.load(path, part='actor', activation='elu'), ACTOR)
    path = saved(tmp_path, KINDS['rl_games'][0])
    assert refusal(path).endswith('(networks: policy (6-16-8-3), value (6-16-8-1))')
    policy = nr.load(path, part='value', activation='elu')
    deviation = (VARIANCE + 1e-5).sqrt()
    check(policy, lambda values: VALUE(TRUNK(normalized(values, deviation, 5.0))))


def test_q_networks_choose_the_greatest_value(tmp_path):
    state = {**named(q_network__network=ACTOR, target_network__network=mlp(6, 16, 8, 3))}
    policy = nr.load(saved(tmp_path, state), activation='elu')
    check(policy, ACTOR)
    expected = policy.outputs(OBSERVATIONS).argmax(axis=1)
    np.testing.assert_array_equal(policy.act(OBSERVATIONS), expected)


def test_the_precision_is_that_of_the_file(tmp_path):
    double = mlp(6, 8, 3).double()
    policy = nr.load(saved(tmp_path, double.state_dict()), activation='elu')
    assert policy.network.layers[0].weight.dtype == np.float64
    for kind in (torch.float16, torch.bfloat16):
        policy = nr.load(saved(tmp_path, mlp(6, 8, 3).to(kind).state_dict()), activation='elu')
        check(policy, mlp(6, 8, 3).to(kind).float())


def refusal(path, **options):
    """Return the one line by which a file is refused."""
    with pytest.raises(nr.UserError) as error:
        nr.load(path, **options)
    text = str(error.value)
    assert '\n' not in text
    return text


def test_an_activation_that_the_file_does_not_say_is_asked_for(tmp_path):
    path = saved(tmp_path, KINDS['rsl_rl'][0])
    text = refusal(path)
    assert 'name it by activation=: clip, elu, gelu' in text
    assert 'model_state_dict.actor (6-16-8-3), model_state_dict.critic (6-12-5-1)' in text
    assert 'did you mean relu' in refusal(path, activation='rellu')
    assert nr.load(saved(tmp_path, named(actor=MU))).sizes == (8, 3)  # no hidden layers


RECURRENT = {'memory_a.rnn.weight_ih_l0': torch.zeros(4, 6), 'memory_a.rnn.weight_hh_l0': MU.weight}
UNFIT = {
    'recurrent': (RECURRENT | named(actor=ACTOR), 'belongs to a recurrent network'),
    'convolution': (
        {'cnn.0.weight': torch.zeros(8, 3, 3, 3)} | named(actor=ACTOR),
        'a convolution',
    ),
    'layer norm': (
        nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3)).state_dict(),
        '1.weight belongs to a layer normalization; supported are chains',
    ),
    'batch norm': (
        nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)).state_dict(),
        '1.weight belongs to a batch normalization, whose place the file does not say',
    ),
    'shapes': (
        nn.Sequential(nn.Linear(6, 8), nn.Linear(9, 3)).state_dict(),
        'holds no layers whose shapes fit, but 0.weight (8, 6), 0.bias (8,), 1.weight (3, 9)',
    ),
    'weight norm': (
        nn.Sequential(weight_norm(nn.Linear(6, 8)), nn.Linear(8, 3)).state_dict(),
        '0.parametrizations.weight.original0 belongs to weight or spectral normalization',
    ),
    'spectral norm': (
        nn.Sequential(nn.utils.spectral_norm(nn.Linear(6, 8)), nn.Linear(8, 3)).state_dict(),
        '0.weight_orig belongs to weight or spectral normalization',
    ),
    'layers that skip others': (
        named(actor_mlp__0=nn.Linear(6, 8), actor_mlp__1=nn.Linear(14, 8), mu=MU, value=VALUE),
        'layers of a policy (actor_mlp.0 and others) do not follow each other',
    ),
    'advantages': (
        named(net=TRUNK, advantage=MU, value=VALUE),
        'advantage belongs to a dueling network',
    ),
    'several': (
        named(student=ACTOR, teacher=mlp(6, 9, 3)),
        'holds 2 networks; choose one by part=: student (6-16-8-3), teacher (6-9-3)',
    ),
    'NaN': ({'0.weight': torch.full((3, 6), torch.nan)}, 'layer 0 holds infinity or NaN'),
    'nothing': ({'epoch': 3}, 'holds no tensors; supported are chains'),
    'a wrong bias': (
        {'0.weight': torch.zeros(3, 6), '0.bias': torch.zeros(2)},
        'the bias of layer 0',
    ),
}


@pytest.mark.parametrize('kind', UNFIT)
def test_what_is_no_chain_is_one_line(kind, tmp_path):
    state, words = UNFIT[kind]
    path = saved(tmp_path, state)
    text = refusal(path, activation='elu')
    assert words in text
    assert text.startswith(str(path))


class Evil:
    """Would run code when it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch evil',)


@pytest.mark.parametrize('older', [False, True])
def test_modules_and_other_objects_are_refused(older, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for state in (ACTOR, {'model': ACTOR.state_dict(), 'hook': Evil()}):
        path = saved(tmp_path, state, _use_new_zipfile_serialization=not older)
        text = refusal(path, activation='elu')
        assert 'could run code' in text
        assert 'save module.state_dict() instead' in text
    path.write_bytes(pickle.dumps({'hook': Evil()}))
    assert re.search('could run code|is damaged', refusal(path, activation='elu'))
    assert not (tmp_path / 'evil').exists()


@pytest.mark.parametrize('name', ['last.ckpt', 'ppo.cleanrl_model'])
def test_files_of_other_endings_are_policies(name, tmp_path):
    path = saved(tmp_path, ACTOR.state_dict(), name)
    assert kind_of(path) == PathKind.POLICY_FILE
    assert nr.load(path, activation='elu').sizes == (6, 16, 8, 3)


def test_copies_of_a_network_count_once(tmp_path):
    """As skrl saves a model that is both policy and value."""
    shared = named(net=TRUNK, policy_layer=MU, value_layer=VALUE)
    path = saved(tmp_path, {'policy': shared, 'value': {k: v.clone() for k, v in shared.items()}})
    expected = MU(TRUNK(torch.from_numpy(OBSERVATIONS))).detach()
    found = nr.load(path, activation='elu').outputs(OBSERVATIONS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_advantages_can_be_named(tmp_path):
    path = saved(tmp_path, named(net=TRUNK, advantage=MU, value=VALUE))
    assert nr.load(path, part='advantage', activation='elu').sizes == (6, 16, 8, 3)


class Settings:
    """Belongs to a project that is not installed where a file is read."""

    def __init__(self):
        self.rate, self.folder = 1e-3, pathlib.Path('runs')

    def __setstate__(self, state):
        os.system('touch evil')


class Dotted(dict):
    """Entries by name, as many projects keep settings."""


@pytest.mark.parametrize(
    'settings',
    [
        argparse.Namespace(rate=1e-3, sizes=[8, 8], device=torch.device('cpu'), none=None),
        Settings(),
        Dotted(inner=Dotted(rate=np.float32(0.5)), shape=torch.Size([2])),
        types.SimpleNamespace(
            seen={1, 2}, counts=collections.Counter('aab'), last=collections.deque([1.0], 3)
        ),
        {'function': np.mean, 'kind': torch.float32, 'class': nn.ELU, 'text': np.str_('elu')},
        {'statistics': np.arange(3.0), 'deep': [argparse.Namespace(values=np.int64(3))]},
    ],
    ids=lambda settings: type(settings).__name__,
)
def test_settings_beside_the_tensors_are_skipped(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for state in (
        {'args': settings, 'model': named(actor=ACTOR), 'optimizer': OPTIMIZER},
        Dotted(cfg=settings, state_dict=named(actor=ACTOR)),
    ):
        policy = nr.load(saved(tmp_path, state, 'last.ckpt'), activation='elu')
        expected = ACTOR(torch.from_numpy(OBSERVATIONS)).detach()
        np.testing.assert_allclose(policy.outputs(OBSERVATIONS), expected, rtol=1e-5, atol=1e-6)
    assert not (tmp_path / 'evil').exists()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_tensors_beside_settings_keep_their_numbers(dtype, tmp_path):
    whole = torch.linspace(-1, 1, 48).to(dtype).reshape(8, 6).T  # with strides, and a storage's end
    state = {
        'args': Settings(),
        'actor.weight': whole[3:],
        'actor.bias': nn.Parameter(whole[0, :3]),
    }
    (layer,) = nr.load(saved(tmp_path, state)).network.layers
    np.testing.assert_array_equal(layer.weight, whole[3:].double())
    np.testing.assert_array_equal(layer.bias, whole[0, :3].detach().double())


def test_what_would_run_code_is_refused_beside_settings_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = ACTOR.state_dict()
    harmful = [
        {'model': model, 'args': argparse.Namespace(hook=Evil())},
        {'args': argparse.Namespace(), 'model': model, 'hooks': [Settings(), Evil()]},
        Dotted(model=model, hook=Evil()),
    ]
    for state in harmful:
        text = refusal(saved(tmp_path, state), activation='elu')
        assert f'would call {os.system.__module__}.system' in text
        assert 'could run code' in text
    for state in ({'model': ACTOR}, {'policy': [ACTOR], 'args': argparse.Namespace()}):
        text = refusal(saved(tmp_path, state), activation='elu')
        assert 'torch.nn.modules.container.Sequential' in text
        assert 'save module.state_dict() instead' in text
    assert not (tmp_path / 'evil').exists()


def test_containers_of_themselves_end(tmp_path):
    state = dict(ACTOR.state_dict())
    state['self'] = [state, state]
    assert nr.load(saved(tmp_path, state), activation='elu').sizes == (6, 16, 8, 3)


@pytest.mark.parametrize('name', ['policy.pt', 'old.pt', 'policy.safetensors'])
def test_damaged_files_are_one_line(name, tmp_path):
    path = saved(
        tmp_path, ACTOR.state_dict(), name, _use_new_zipfile_serialization='old' not in name
    )
    if path.suffix == '.safetensors':
        safetensors.torch.save_file(ACTOR.state_dict(), path)
    content = path.read_bytes()
    for size in range(0, len(content), 97):
        path.write_bytes(content[:size])
        refusal(path, activation='elu')
    for place in range(0, len(content), 61):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            nr.load(path, activation='elu')
        except nr.UserError as error:
            assert '\n' not in str(error)

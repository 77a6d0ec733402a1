# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Modules of PyTorch compute the same as policies, or are refused in one line."""

import numpy as np
import pytest
import torch
from torch import nn

import neuron_reach as nr

OBSERVATIONS = np.random.default_rng(0).normal(size=(30, 6)).astype('f') * 2.0


class Custom(nn.Module):
    """Normalization, functions, selections and constants in its own forward."""

    def __init__(self):
        super().__init__()
        self.body = nn.ModuleList([nn.Linear(6, 9), nn.Linear(9, 7)])
        self.head = nn.Linear(7, 6)
        self.register_buffer('mean', torch.linspace(-1, 1, 6))
        self.register_buffer('std', torch.linspace(0.5, 2, 6))

    def forward(self, observation, deterministic=True):
        values = torch.clamp((observation - self.mean) / (self.std + 1e-2), -5.0, 5.0)
        for layer in self.body:
            values = layer(values)
            values = values * torch.sigmoid(values)
        mean, log_std = self.head(values).chunk(2, dim=-1)
        return 0.5 * torch.tanh(mean) + 0.1, log_std


class Weights(nn.Module):
    """Parameters of its own, by matrix products."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.Parameter(torch.randn(*s)) for s in ((6, 8), (3, 8)))
        self.bias = nn.Parameter(torch.randn(8))

    def forward(self, x):
        x = x.view(x.shape[0], -1)
        x = torch.addmm(self.bias, x, self.first).relu()
        return x @ self.second.t()


class Concatenated(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ELU(), nn.Linear(8, 3))

    def forward(self, observation, command):
        return self.net(torch.cat([command * 2.0, observation], dim=-1))


def normalized():
    norm = nn.BatchNorm1d(8)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    nn.init.uniform_(norm.weight, 0.5, 2)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(6, 8),
        norm,
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Sequential(nn.Linear(8, 8, bias=False), nn.Identity(), nn.Softplus(2.0)),
        nn.BatchNorm1d(8, affine=False),
        nn.Linear(8, 3),
    )


FUNCTIONS = [
    *(nn.CELU(), nn.ELU(0.7), nn.LeakyReLU(0.2), nn.Tanh(), nn.ReLU(inplace=True)),
    *(nn.SELU(), nn.Sigmoid(), nn.SiLU(), nn.GELU(), nn.GELU('tanh'), nn.Softplus(), nn.Mish()),
    *(nn.Softsign(), nn.Hardsigmoid(), nn.Hardswish(), nn.Hardtanh(-0.5, 2.0), nn.ReLU6()),
]


def check(module, policy, *arguments):
    with torch.no_grad():
        expected = module.eval()(*arguments)
    expected = expected[0] if isinstance(expected, tuple) else expected
    given = np.concatenate([each.numpy() for each in arguments], axis=1)
    np.testing.assert_allclose(policy.outputs(given), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('function', FUNCTIONS, ids=str)
def test_functions_compute_the_same(function):
    module = nn.Sequential(nn.Linear(6, 9), function, nn.Linear(9, 3))
    policy = nr.from_torch(module)
    check(module, policy, torch.from_numpy(OBSERVATIONS))
    hidden = module[:2](torch.from_numpy(OBSERVATIONS)).detach()
    found = policy.activations(OBSERVATIONS)['hidden_1']
    np.testing.assert_allclose(found, hidden, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('made', [Custom, Weights, normalized])
@pytest.mark.parametrize('double', [False, True])
def test_modules_with_their_own_forward_compute_the_same(made, double):
    torch.manual_seed(0)
    module = made()
    training = module.training
    policy = nr.from_torch(module)
    assert module.training == training
    check(module, policy, torch.from_numpy(OBSERVATIONS))
    if double:
        policy = nr.from_torch(module.double())
        assert policy.network.layers[0].weight.dtype == np.float64
        check(module, policy, torch.from_numpy(OBSERVATIONS).double())


class Rearranged(nn.Module):
    """Selects and permutes what it then maps."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x):
        x = x.unflatten(1, (2, 3)).permute(0, 2, 1)
        first, second = x.unbind(2)
        narrow = torch.narrow(x.select(2, 0), 1, 1, 2)
        wide = x[:, :1, 0].expand(-1, 2)
        return self.layer(torch.cat([narrow, second[:, :2], wide], 1)) + 0.0 * first


def test_rearrangements_compute_the_same():
    check(module := Rearranged(), nr.from_torch(module), torch.from_numpy(OBSERVATIONS))


def test_several_arguments_are_concatenated():
    module = Concatenated()
    parts = torch.from_numpy(OBSERVATIONS).split([4, 2], dim=1)
    check(module, nr.from_torch(module, example=parts), *parts)
    with pytest.raises(nr.UserError, match='forward takes 2 arguments; give them as example='):
        nr.from_torch(module)


def test_parameters_are_copied():
    module = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2))
    policy = nr.from_torch(module, example=OBSERVATIONS)
    before = policy.outputs(OBSERVATIONS)
    with torch.no_grad():
        module[0].weight.zero_()
    np.testing.assert_array_equal(policy.outputs(OBSERVATIONS), before)


class Branching(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.layer, self.other, self.how = nn.Linear(6, 6), nn.Linear(6, 6), forward

    def forward(self, x):
        return self.how(self, x)


UNFIT = [
    (nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5)), '_1 (1) does not fit: normalization over'),
    (nn.Sequential(nn.Conv1d(1, 2, 3), nn.Linear(6, 2)), '_0 (0) does not fit: convolutions are'),
    (nn.GRU(6, 4), 'cannot be followed'),
    (nn.Sequential(nn.Linear(6, 3), nn.Softmax(-1)), 'softmax is no elementwise function'),
    (nn.Tanh(), 'has no linear layer'),
    (nn.Identity(), 'has no linear layer'),
    (
        Branching(lambda self, x: x + self.layer(x).relu()),
        '(add) does not fit: it combines two',
    ),
    (Branching(lambda self, x: self.layer(x).sin()), 'sin (sin) does not fit: this operation is'),
    (Branching(lambda self, x: self.layer(x) if x.sum() > 0 else x), 'cannot be followed'),
    (Branching(lambda self, x: torch.exp(self.layer(x))), 'exp does not belong to a known'),
    (Branching(lambda self, x: self.layer(x) @ self.other(x).t()), 'as attention does'),
    (Branching(lambda self, x: torch.ones(3)), 'does not depend on its inputs'),
    ('policy', 'takes a torch.nn.Module, not str'),
]


@pytest.mark.parametrize(('module', 'words'), UNFIT)
def test_what_does_not_fit_is_one_line(module, words):
    with pytest.raises(nr.UserError) as error:
        nr.from_torch(module)
    assert words in str(error.value)
    assert '\n' not in str(error.value)

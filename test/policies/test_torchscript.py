# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""TorchScript archives are read without running their code."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import neuron_reach as nr

from .test_torch_module import FUNCTIONS, OBSERVATIONS, Custom, Weights, check, normalized


class Exported(nn.Module):
    """As rsl_rl exports a policy."""

    def __init__(self):
        super().__init__()
        self.normalizer = nn.Identity()
        self.actor = nn.Sequential(nn.Linear(6, 8), nn.ELU(), nn.Linear(8, 3))

    def forward(self, x):
        return self.actor(self.normalizer(x))

    @torch.jit.export
    def reset(self):
        pass


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.memory = nn.Linear(6, 6), nn.GRUCell(6, 4)

    def forward(self, x):
        return self.memory(self.layer(x))


class Heads(nn.Module):
    """As rsl_rl exports an actor whose output has means and deviations; its settings are kept."""

    def __init__(self):
        super().__init__()
        self.sizes: dict[str, int] = {'actions': 3}
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.CELU(), nn.Linear(8, 6))
        self.heads = nn.Unflatten(-1, (2, 3))

    def forward(self, x):
        return self.heads(self.layers(x))[..., 0, :]


KINDS = ('script', 'trace', 'frozen')


def saved(folder, module, kind='script'):
    path = folder / 'policy.pt'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        example = torch.from_numpy(OBSERVATIONS[:1])
        made = torch.jit.trace(module, example) if kind == 'trace' else torch.jit.script(module)
        made = torch.jit.freeze(made.eval()) if kind == 'frozen' else made
        torch.jit.save(made, path)
    return path


@pytest.mark.parametrize(
    ('made', 'kind'),
    [
        *((made, kind) for made in (Exported, Heads, Weights, normalized) for kind in KINDS),
        (Custom, 'trace'),
    ],
)
def test_archives_compute_the_same(made, kind, tmp_path):
    torch.manual_seed(0)
    module = made().eval()
    policy = nr.load(saved(tmp_path, module, kind))
    assert policy.origin.format == 'TorchScript'
    check(module, policy, torch.from_numpy(OBSERVATIONS))


@pytest.mark.parametrize('function', FUNCTIONS, ids=str)
def test_functions_compute_the_same(function, tmp_path):
    module = nn.Sequential(nn.Linear(6, 9), function, nn.Linear(9, 3)).eval()
    check(module, nr.load(saved(tmp_path, module)), torch.from_numpy(OBSERVATIONS))


def test_what_does_not_fit_is_one_line(tmp_path):
    with pytest.raises(nr.UserError, match='recurrent networks are not supported'):
        nr.load(saved(tmp_path, Recurrent()))
    for module in (Recurrent(), nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4)), nn.Tanh()):
        with pytest.raises(nr.UserError, match='supported are chains') as error:
            nr.load(saved(tmp_path, module))
        assert '\n' not in str(error.value)
    with pytest.raises(nr.UserError, match='say their activation functions themselves'):
        nr.load(saved(tmp_path, Exported()), activation='elu')


def test_damaged_archives_are_one_line(tmp_path):
    path = saved(tmp_path, Exported())
    content = path.read_bytes()
    expected = nr.load(path).outputs(OBSERVATIONS)
    for place in range(0, len(content), 41):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :])
        try:
            assert nr.load(path).outputs(OBSERVATIONS).shape == expected.shape
        except nr.UserError as error:
            assert '\n' not in str(error)
    path.write_bytes(content)
    np.testing.assert_array_equal(nr.load(path).outputs(OBSERVATIONS), expected)

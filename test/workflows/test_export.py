# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The command export, and what info says of policies of other libraries."""

import pytest
import torch
from torch import nn

import neuron_reach as nr
from neuron_reach.cli import main
from neuron_reach.errors import UserError
from neuron_reach.workflows.info import describe_path


@pytest.fixture
def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.ELU(), nn.Linear(5, 4), nn.ELU(), nn.Linear(4, 2))


@pytest.fixture
def state_dict(module, tmp_path):
    path = tmp_path / 'model.pt'
    actor = {f'actor.{name}': value for name, value in module.state_dict().items()}
    torch.save({'model_state_dict': actor | {'critic.0.weight': torch.zeros(1, 6)}}, path)
    return path


def test_a_state_dict_is_exported(state_dict, module, tmp_path, capsys):
    file = tmp_path / 'policy.safetensors'
    assert main(['export', str(state_dict), str(file), '--activation', 'elu']) == 0
    assert capsys.readouterr().out == f'{file}: a network of 6-5-4-2 neurons\n'
    observations = torch.randn(9, 6)
    found = torch.from_numpy(nr.load(file).outputs(observations))
    torch.testing.assert_close(found, module(observations).detach(), rtol=1e-5, atol=1e-5)
    critic = ['--part', 'critic', '--activation', 'elu']
    assert main(['export', str(state_dict), str(file), *critic]) == 0
    assert nr.load(file).sizes == (6, 1)


@pytest.mark.parametrize('arguments', [('model.pt', 'a.h'), ('none', 'a.h'), ('model.pt', 'a.txt')])
def test_problems_are_one_line(arguments, state_dict, capsys, monkeypatch):
    monkeypatch.chdir(state_dict.parent)
    assert main(['export', *arguments]) == 2
    assert capsys.readouterr().err.count('\n') == 1
    assert [item.name for item in state_dict.parent.iterdir()] == ['model.pt']


def test_info_describes_files_and_folders(module, tmp_path):
    policy = nr.from_torch(module)
    for path in (policy.save(tmp_path / 'saved'), policy.export(tmp_path / 'a.safetensors')):
        text = describe_path(path)
        assert f'Policy     {path}: written 20' in text
        assert 'Layers     6 | 5 4 | 2\nFunctions  elu, elu | identity\n' in text
        assert f'Next       neuron_reach record {path} --env ENV_ID -o DIR' in text
    assert 'PyTorch' in describe_path(tmp_path / 'saved')
    inside = describe_path(tmp_path / 'saved' / 'policy.json')
    assert inside.startswith('File       policy.json, part of')


def test_info_names_the_networks_of_a_state_dict(state_dict):
    text = describe_path(state_dict)
    assert 'Network    model_state_dict.actor (6-5-4-2)' in text
    assert 'Network    model_state_dict.critic (6-1)' in text
    assert 'Functions  not in the file' in text


def test_info_of_other_files_says_what_was_found(tmp_path):
    for name, content, words in (
        ('policy.zip', b'PK\x03\x04', 'truncated or no zip archive'),
        ('policy.pt', b'version https://git-lfs.github.com/spec/v1', 'a pointer to a file in Git'),
        ('policy.onnx', b'<!DOCTYPE html>', 'is a web page'),
        ('policy.safetensors', b'', 'is empty'),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=words) as error:
            describe_path(tmp_path / name)
        assert '\n' not in str(error.value)

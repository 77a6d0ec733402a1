# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Files of stable-baselines3 whose networks cannot be used are one line each.

The files are made here without the library.
"""

import json
import zipfile

import numpy as np
import pytest
import torch

import neuron_reach as nr
from neuron_reach.policies.sb3 import read_sb3

from .sb3_texts import BOX, DATA, LSTM, STATE, write


def refused(path, problem, part=None):
    with pytest.raises(nr.UserError, match=problem) as error:
        read_sb3(path, part)
    assert str(error.value).startswith(str(path))
    assert '\n' not in str(error.value)


def test_a_file_made_by_hand_is_read(tmp_path):
    policy = nr.load(write(tmp_path))
    assert policy.sizes == (3, 5, 2)
    assert policy.origin.library == 'stable-baselines3'
    assert policy.origin.algorithm == 'ppo'
    assert policy.actions.low == (-2.0, -0.1)


@pytest.mark.parametrize('name', ['data', 'policy.pth'])
def test_files_without_a_member_are_refused(tmp_path, name):
    refused(write(tmp_path, **{name: None}), f'has no {name}, which policies of stable-baselines3')


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        (b'', 'data: is truncated or not JSON'),
        (b'{"policy_class": ', 'data: is truncated or not JSON'),
        (b'\xff\xfe', 'data: is truncated or not JSON'),
        (b'[1, 2]', 'data: must hold a JSON object, not a list'),
        (b'{"a": ' + b'[' * 60 + b']' * 60 + b'}', 'data: is nested more than 50 deep'),
        (b'[' * 100_000, 'data: is truncated or not JSON'),
        (b'{}', 'its action_space cannot be used: there is no description of it'),
    ],
)
def test_text_that_cannot_be_read_is_one_line(tmp_path, text, problem):
    refused(write(tmp_path, data=text), problem)


def test_text_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr('neuron_reach.policies.sb3_file.JSON_LIMIT', 1000)
    text = json.dumps({**DATA, 'more': 'x' * 1000}).encode()
    refused(write(tmp_path, data=text), r'data is too large: \d+ bytes; at most 1000')


@pytest.mark.parametrize(
    ('changed', 'problem'),
    [
        ({'policy_kwargs': {'activation_fn': "<class 'mine.Wavy'>"}}, 'Wavy.* is not supported'),
        ({'policy_kwargs': {'activation_fn': '<function <lambda> at 0x7f>'}}, 'is not supported'),
        (
            {'policy_kwargs': {'activation_fn': "<class 'torch.nn.modules.activation.PReLU'>"}},
            'supported are CELU, ELU',
        ),
        (
            {'policy_kwargs': {'features_extractor_class': "<class 'mine.Extractor'>"}},
            'feature extractor of its own .*mine.Extractor',
        ),
        ({'observation_space': BOX | {'_shape': [84]}}, '84 values, but the network has 3 inputs'),
        ({'observation_space': BOX | {'_shape': [1, 3, 1], 'dtype': 'uint8'}}, 'image'),
        ({'observation_space': BOX | {'_shape': [-3]}}, r'its shape is \[-3\]'),
        ({'observation_space': {':type:': "<class 'gym.spaces.tuple.Tuple'>"}}, 'a space Tuple'),
        ({'observation_space': None}, 'no description'),
        ({'action_space': BOX | {'_shape': [3]}}, 'needs 3 outputs, but the network has 2'),
    ],
)
def test_text_that_does_not_fit_is_one_line(tmp_path, changed, problem):
    refused(write(tmp_path, data=json.dumps({**DATA, **changed}).encode()), problem)


@pytest.mark.parametrize(
    ('changed', 'problem'),
    [
        (LSTM, 'recurrent policies are not supported'),
        ({'features_extractor.cnn.0.weight': torch.ones(8, 3, 8, 8)}, 'image observations'),
        ({'q.features_extractor.extractors.eye.cnn.0.bias': torch.ones(2)}, 'image observations'),
        ({'pi_features_extractor.net.0.weight': torch.ones(3, 3)}, 'feature extractor of its own'),
        ({'action_net.weight': torch.full((2, 5), torch.nan)}, 'infinity or NaN'),
        ({'action_net.weight': torch.ones(2, 6)}, 'the layer before has 5 neurons'),
        ({'action_net.weight': torch.ones(2, 5).to_sparse()}, 'more numbers than the file holds'),
        ({'action_net.weight': torch.ones(1).expand(90000, 90000)}, 'more numbers than the file'),
        ({'action_net.weight': [1.0]}, 'must hold tensors by name'),
        ({'action_net.weight': torch.ones(2, 5) * 1j}, 'real numbers, not torch.complex64'),
        ({'action_net.weight': torch.ones(2, 5, dtype=torch.int8)}, 'not torch.int8'),
        ({'mlp_extractor.policy_net.1.weight': torch.ones(5)}, 'does not belong to a chain'),
        ({'mlp_extractor.policy_net.3.weight': torch.ones(5, 5)}, 'does not belong to a chain'),
        ({'mlp_extractor.policy_net.²': torch.ones(5)}, 'does not belong to a chain'),
        ({'mlp_extractor.policy_net.0.weight': None}, 'has no mlp_extractor.policy_net.0.weight'),
        ({'mlp_extractor.policy_net.0.x\ny': torch.ones(1)}, r'x\\ny does not belong'),
        ({'action_net.weight': None, 'action_net.bias': None}, 'needs 2 outputs'),
    ],
)
def test_networks_that_are_no_chain_from_the_observations_are_one_line(tmp_path, changed, problem):
    state = {name: values for name, values in {**STATE, **changed}.items() if values is not None}
    refused(write(tmp_path, state=state), problem)


def test_a_state_without_networks_is_one_line(tmp_path):
    for state in ({}, {'encoder.weight': torch.ones(2, 2)}):
        refused(write(tmp_path, state=state), 'has no network that is known; supported are a2c')
    refused(write(tmp_path, state=[torch.ones(2)]), 'must hold tensors by name')


def test_a_part_that_is_not_there_is_one_line(tmp_path):
    for part in ('critic', 'target', ''):
        if part:
            refused(write(tmp_path), f"ppo has no part '{part}', only policy, value", part)
    assert read_sb3(write(tmp_path), 'value').sizes == (3, 4, 1)


@pytest.mark.filterwarnings('ignore')
def test_other_archives_of_torch_are_named(tmp_path):
    path = tmp_path / 'policy.zip'
    torch.save(STATE, path)
    refused(path, 'holds tensors of PyTorch, not a policy of stable-baselines3')
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    refused(path, 'holds a TorchScript module, not a policy of stable-baselines3')
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('notes.txt', 'nothing')
    refused(path, 'has no data')


def test_damaged_files_are_one_line(tmp_path):
    path = write(tmp_path)
    whole, random = path.read_bytes(), np.random.default_rng(1)
    for size in random.integers(len(whole), size=20):
        path.write_bytes(whole[:size])
        refused(path, 'is truncated or no zip archive')
    for place in random.integers(len(whole), size=100):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        try:
            read_sb3(path)
        except nr.UserError as error:
            assert '\n' not in str(error)

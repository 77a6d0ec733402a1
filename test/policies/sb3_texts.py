# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A small file of stable-baselines3 that is made without the library."""

import io
import json
import zipfile

import torch

BOX = {
    ':type:': "<class 'gymnasium.spaces.box.Box'>",
    'dtype': 'float32',
    '_shape': [3],
    'low': '[-1. -1. -1.]',
    'high': '[1. 1. 1.]',
}
DATA = {
    'policy_class': {
        ':type:': "<class 'abc.ABCMeta'>",
        '__module__': 'stable_baselines3.common.policies',
    },
    'policy_kwargs': {},
    'observation_space': BOX,
    'action_space': {**BOX, '_shape': [2], 'low': '[-2. -1.e-1]', 'high': '[2. inf]'},
    'clip_range': 0.2,
}
STATE = {
    'mlp_extractor.policy_net.0.weight': torch.ones(5, 3),
    'mlp_extractor.policy_net.0.bias': torch.ones(5),
    'mlp_extractor.value_net.0.weight': torch.ones(4, 3),
    'mlp_extractor.value_net.0.bias': torch.ones(4),
    'action_net.weight': torch.ones(2, 5),
    'action_net.bias': torch.ones(2),
    'value_net.weight': torch.ones(1, 4),
    'value_net.bias': torch.ones(1),
}
LSTM = {'lstm_actor.weight_ih_l0': torch.ones(8, 3)}


def write(folder, *, state=None, **members):
    """Write a file with other content of some members; None leaves a member out."""
    file = io.BytesIO()
    torch.save(STATE if state is None else state, file)
    members = {'data': json.dumps(DATA).encode(), 'policy.pth': file.getvalue(), **members}
    path = folder / 'policy.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)
    return path

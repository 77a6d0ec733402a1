# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Small models of stable-baselines3 and sb3-contrib, in environments where nothing happens."""

import io
import json
import zipfile

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

WIDE = spaces.Box(-np.inf, np.inf, (4,))
LIMITED = spaces.Box(np.array([-2.0, 0.5], np.float32), np.array([1.5, 3.0], np.float32))
DICT = spaces.Dict(
    {
        'speed': spaces.Box(-1.0, np.array([1.0, np.inf], np.float32)),
        'grid': spaces.Box(-1.0, 1.0, (2, 3)),
        "hand's": spaces.Discrete(4),
        'fingers': spaces.MultiBinary(3),
        'joints': spaces.MultiDiscrete([2, 3]),
    }
)


class StillEnv(gymnasium.Env):
    """An environment that returns observations at random, whatever the actions."""

    def __init__(self, observation_space, action_space):
        self.observation_space = observation_space
        self.action_space = action_space
        self.steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        self.steps += 1
        return self.observation_space.sample(), 1.0, False, self.steps >= 20, {}


def model(algorithm, observations=WIDE, actions=LIMITED, **options):
    """Return a small model whose parameters are all far from zero."""
    kind = 'MultiInputPolicy' if isinstance(observations, spaces.Dict) else 'MlpPolicy'
    policy_options = {'net_arch': [8, 6], **options.pop('policy_kwargs', {})}
    if algorithm.__name__ == 'ARS' and options.pop('linear', False):
        kind, policy_options = 'LinearPolicy', {}
    made = algorithm(
        kind,
        StillEnv(observations, actions),
        policy_kwargs=policy_options,
        seed=0,
        device='cpu',
        **options,
    )
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for values in made.policy.parameters():
            values.copy_(torch.randn(values.shape, generator=random) * 0.6)
        for name, values in made.policy.named_buffers():  # of batch normalizations
            if name.endswith(('ra_mean', 'ra_var')):
                values.copy_(torch.rand(values.shape, generator=random) + 0.1)
    return made


def made_once(cases, folder):
    """Return a function that makes the model of a case, and its file in a folder, only once.

    Args:
        cases: by name, the arguments of `model`: algorithm, observations, actions, options.
        folder: for the files.
    """
    made = {}

    def get(name):
        if name not in made:
            algorithm, observations, actions, options = cases[name]
            made[name] = model(algorithm, observations, actions, **options)
            made[name].save(folder / name)
        return made[name], folder / f'{name}.zip'

    return get


def sample(space, count):
    """Return a batch of observations."""
    space.seed(3)
    drawn = [space.sample() for _ in range(count)]
    if isinstance(space, spaces.Dict):
        return {key: np.stack([one[key] for one in drawn]) for key in drawn[0]}
    return np.stack(drawn)


def data_of(path):
    """Return the readable text of a file."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read('data'))


def tensors(state):
    """Return what `torch.save` writes."""
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def changed_copy(path, target, members):
    """Copy an archive with other content of some members; None leaves a member out."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, 'w') as new:
        for name in {**dict.fromkeys(old.namelist()), **members}:
            content = members[name] if name in members else old.read(name)
            if content is not None:
                new.writestr(name, content)
    return target

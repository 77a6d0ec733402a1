# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Policies of stable-baselines3 and sb3-contrib, from their zip files and back into them.

Reading needs neither library and executes nothing that is in a file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuron_reach.common.arrays import AnyArray
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.archives import open_archive
from neuron_reach.policies.feed_forward import FeedForwardPolicy, Origin
from neuron_reach.policies.observations import Observations, Part
from neuron_reach.policies.sb3_file import Sb3File, read_file, section
from neuron_reach.policies.sb3_spaces import read_actions, read_observations, read_space

FORMAT = 'stable-baselines3'
"""Name of the format in `Origin`."""


def read_sb3(path: str | Path, part: str | None = None) -> FeedForwardPolicy:
    """Read a network from a zip file of stable-baselines3 or sb3-contrib.

    Inputs are those of the library's own network: `policy.observations` makes them from what an
    environment returns (numbers of discrete observations become one-hot vectors, dicts are
    concatenated). Critics take the observation and then the action, scaled to -1..1.

    Args:
        path: of the file.
        part: `policy` (an actor, or a Q-network), `value` (of a2c, ppo and trpo) or `critic` (of
            ddpg, sac, td3 and tqc: the first one); by default the policy.

    Raises:
        UserError: the file is none of these, is damaged, or its networks are not supported.
    """
    path, part = Path(path), part or 'policy'
    with open_archive(path) as archive:
        file = read_file(archive)
    network = read_network(file, part)
    return FeedForwardPolicy(
        network,
        _actions(file, part, network.sizes[-1]),
        Origin(
            path=str(path),
            format=FORMAT,
            library=f'stable-baselines3 {file.version}'.strip(),
            algorithm=file.algorithm,
            part=part,
        ),
        path,
        _observations(file, part, network.sizes[0]),
    )


def read_network(file: Sb3File, part: str) -> FeedForward:
    """Return a network of a file.

    Raises:
        UserError: the file has no such part, or it is no chain of linear layers.
    """
    names = file.layers(part)
    hidden, ending = file.activation(), file.ending(part)
    layers = []
    for name in names:
        weight = _values(file, f'{name}.weight')
        bias = np.zeros(len(weight), np.float32)
        if f'{name}.bias' in file.state:
            bias = _values(file, f'{name}.bias')
        layers.append(Layer(weight, bias, ending if name is names[-1] else hidden))
    try:
        return FeedForward(tuple(layers))
    except ValueError as error:
        raise file.error(f'its {part} network cannot be used: {error}') from None


def _values(file: Sb3File, name: str) -> AnyArray:
    if name not in file.state:
        raise file.error(f'has no {name}')
    return np.array(file.state[name].detach().float().numpy())


def _actions(file: Sb3File, part: str, outputs: int) -> Actions:
    if part != 'policy':
        return Actions('none')
    if file.family == 'q':
        return Actions('argmax')
    fields = section(file.data, 'action_space')
    try:
        if file.family == 'quantiles':
            count = sum(read_space(fields).counts)
            if not count or outputs % count:
                raise ValueError(f'there are {outputs} quantiles for {count} actions')
            return Actions('quantiles', groups=(outputs // count,))
        return read_actions(fields, outputs, squashed=file.squashes)
    except ValueError as error:
        raise file.error(f'its action_space cannot be used: {error}') from None


def _observations(file: Sb3File, part: str, inputs: int) -> Observations:
    try:
        observations, images = read_observations(section(file.data, 'observation_space'))
    except ValueError as error:
        raise file.error(f'its observation_space cannot be used: {error}') from None
    if images:
        raise file.error('policies with image observations are not supported')
    if part == 'critic':
        return Observations()
    if observations.size != inputs:
        raise file.error(
            f'its observation_space has {observations.size} values, but the network has '
            f'{inputs} inputs'
        )
    if file.joins_goals:
        return Observations((Part('observation'), Part('desired_goal')))
    return observations

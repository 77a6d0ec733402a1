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

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuron_reach.common.arrays import Array
from neuron_reach.common.files import atomic_file
from neuron_reach.errors import UserError
from neuron_reach.networks.feed_forward import FeedForward
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.archives import load_tensors, open_archive
from neuron_reach.policies.feed_forward import WRITERS, FeedForwardPolicy, Merged, Origin
from neuron_reach.policies.observations import Observations, Part
from neuron_reach.policies.sb3_file import (
    DATA,
    STATE,
    Sb3File,
    normalized,
    read_file,
    read_network,
    section,
)
from neuron_reach.policies.sb3_options import with_net_arch
from neuron_reach.policies.sb3_spaces import read_actions, read_observations, read_space

FORMAT = 'stable-baselines3'
"""Name of the format in `Origin`."""

_TARGETS = ('actor_target', 'q_net_target', 'quantile_net_target')
"""Networks that follow the trained ones; they have to have the same widths."""


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


def write_sb3(policy: FeedForwardPolicy, path: str | Path) -> Path:
    """Write a policy back into the zip file that it comes from, so that the library can retrain it.

    Its network replaces that of the file and `net_arch` gets its widths; target networks become
    copies, and its optimizer is reset. Other networks of the file stay as they are. A
    normalization of observations is left out: the library keeps it in `VecNormalize`.

    Args:
        policy: from `read_sb3`, perhaps pruned since.
        path: of the new file; an existing one is replaced.

    Returns:
        The path.

    Raises:
        UserError: the policy comes from elsewhere, the library could not use it, or the file cannot
            be written.
    """
    path = Path(path)
    if policy.source is None or policy.origin.format != FORMAT:
        raise UserError(
            f'{path}: cannot be written: the policy was not read from a file of {FORMAT}'
        )
    with open_archive(policy.source) as archive:
        file = read_file(archive)
        members = {name: archive.read(name) for name in archive.names}
    members[STATE] = _saved(_new_state(policy, file))
    members[DATA] = json.dumps(_new_data(policy, file), indent=4).encode()
    name = 'actor.optimizer.pth' if file.family == 'actor-critic' else 'policy.optimizer.pth'
    if name in members:
        members[name] = _fresh(file.path / name, members[name])
    try:
        with atomic_file(path) as aside, zipfile.ZipFile(aside, 'w') as new:
            for name, content in members.items():
                new.writestr(name, content)
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None
    return path


WRITERS[FORMAT] = write_sb3


def _new_data(policy: FeedForwardPolicy, file: Sb3File) -> dict[str, Any]:
    """Return the readable text of a file with the widths of a policy."""
    part, hidden = policy.origin.part, list(policy.sizes[1:-1])
    if not hidden:
        return file.data
    if file.family == 'on-policy':
        widths = {
            key: hidden if part == each else file.widths(each)
            for key, each in (('pi', 'policy'), ('vf', 'value'))
        }
        return {**file.data, 'policy_kwargs': with_net_arch(file, widths)}
    if file.family == 'actor-critic':
        widths = {'pi': hidden, 'qf': file.widths('critic')}
        return {**file.data, 'policy_kwargs': with_net_arch(file, widths)}
    return {**file.data, 'policy_kwargs': with_net_arch(file, hidden)}


def _new_state(policy: FeedForwardPolicy, file: Sb3File) -> dict[str, torch.Tensor]:
    """Return the parameters of a file with those of a policy."""
    part, network = policy.origin.part, policy.network
    if part == 'critic':
        raise file.error(
            'a critic cannot be written back, as all critics must have the same widths'
        )
    if file.shares_layers:
        raise file.error(
            'cannot be written back: it shares layers between policy and value, which current '
            'versions of stable-baselines3 do not have'
        )
    before, names = read_network(file, part), file.layers(part)
    ends = [sizes[:1] + sizes[-1:] for sizes in (before.sizes, network.sizes)]
    if len(before.sizes) != len(network.sizes) or ends[0] != ends[1]:
        raise file.error(f'a network {_dashes(network)} does not replace one {_dashes(before)}')
    plain = FeedForward(network.layers)  # the library normalizes observations by itself
    if before.structure() != plain.structure():
        raise file.error('a network with other functions does not replace its own')
    state = dict(file.state)
    for name, layer in zip(names, network.layers, strict=True):
        for kind, values in (('weight', layer.weight), ('bias', layer.bias)):
            full = f'{name}.{kind}'
            if full in state:
                state[full] = torch.from_numpy(values.astype(np.float32))
            elif values.any():
                raise file.error(f'its layer {name} has no bias, but that of the network has one')
    for normalizer, count in zip(file.normalizers(part).values(), network.sizes, strict=False):
        state.update(_neutral(file, normalizer, count))
    if part == 'policy' and (network.sizes[-2] != before.sizes[-2] or file.normalizers(part)):
        state.update(_exploration(policy, file))
    for name in state:
        module, _, rest = name.partition('.')
        if part == 'policy' and module in _TARGETS:
            state[name] = state[f'{module.removesuffix("_target")}.{rest}']
    return state


def _neutral(file: Sb3File, normalizer: str, count: int) -> dict[str, torch.Tensor]:
    """Return parameters of a batch normalization that does nothing, as layers contain it."""
    variance = 1.0 - file.renorm_epsilon
    values = {'ra_mean': 0.0, 'ra_var': variance, 'scale': 1.0, 'bias': 0.0}
    return {f'{normalizer}.{kind}': torch.full((count,), value) for kind, value in values.items()}


def _exploration(policy: FeedForwardPolicy, file: Sb3File) -> dict[str, torch.Tensor]:
    """Return the parameters of the exploration that belong to neurons of the last hidden layer.

    A linear map is folded as the output layer was. With gSDE, the noise of an action is a sum over
    neurons of activation times independent noise of standard deviation s_m: neurons z_m = a_m z
    that were merged add up to a standard deviation sqrt(sum_m (a_m s_m)^2). Constant parts of
    activations are left out there.
    """
    prefix = 'actor.' if file.family == 'actor-critic' else ''
    linear, bias, rows = (f'{prefix}log_std{end}' for end in ('.weight', '.bias', ''))
    names = {linear, rows} if file.uses_sde else {linear}
    if not names & file.state.keys():
        return {}
    before = read_network(file, 'policy').sizes[-2]
    normalizer = file.normalizers('policy').get(file.layers('policy')[-1])
    if normalizer is not None and rows in names:
        raise file.error('cannot be written back: its exploration (gSDE) is normalized')
    unchanged = Merged(np.eye(before), np.zeros(before))
    merged = policy.merged or (unchanged if policy.sizes[-2] == before else None)
    if merged is None or len(merged.offset) != before:
        raise file.error(
            f'cannot be written back: {min(names & file.state.keys())} has a parameter for each '
            'neuron, and it is unknown which ones were merged'
        )
    expansion, offset = merged.expansion, merged.offset
    if linear in file.state:
        weight, constant = (file.state[name].double().numpy() for name in (linear, bias))
        if normalizer is not None:
            weight, constant = normalized(file, normalizer, weight, constant)
        return {
            linear: torch.from_numpy(np.float32(weight @ expansion)),
            bias: torch.from_numpy(np.float32(constant + weight @ offset)),
        }
    softened = file.options.get('use_expln') is True
    variances = np.square(_deviation(file.state[rows].double().numpy(), softened=softened))
    deviation = np.sqrt(np.square(expansion.T) @ variances)
    return {rows: torch.from_numpy(np.float32(_logarithm(deviation, softened=softened)))}


def _deviation(log_std: Array, *, softened: bool) -> Array:
    """Return standard deviations for their parameters; softened: `expln` of the library."""
    if not softened:
        return np.asarray(np.exp(log_std))
    return np.where(log_std <= 0.0, np.exp(log_std), np.log1p(np.maximum(log_std, 0.0)) + 1.0)


def _logarithm(deviation: Array, *, softened: bool) -> Array:
    """Return the parameters for standard deviations, the inverse of `_deviation`."""
    logarithm: Array = np.log(np.maximum(deviation, np.finfo(np.float32).tiny))
    if not softened:
        return logarithm
    return np.where(deviation <= 1.0, logarithm, np.expm1(np.maximum(deviation - 1.0, 0.0)))


def _fresh(path: Path, content: bytes) -> bytes:
    """Return the state of a new optimizer with the same options.

    Raises:
        UserError: it is damaged.
    """
    state = load_tensors(path, content)
    if not isinstance(state, dict) or 'param_groups' not in state:
        raise UserError(f'{path}: is no state of an optimizer')
    return _saved({'state': {}, 'param_groups': state['param_groups']})


def _saved(values: Any) -> bytes:
    file = io.BytesIO()
    torch.save(values, file)
    return file.getvalue()


def _dashes(network: FeedForward) -> str:
    return '-'.join(map(str, network.sizes))

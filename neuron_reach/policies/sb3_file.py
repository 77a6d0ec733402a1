# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What a zip file of stable-baselines3 or sb3-contrib says about its networks.

Structure follows from the names in the state dict, everything else from the readable text beside
it. Pickled parts of the text are never loaded.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuron_reach.common.arrays import AnyArray
from neuron_reach.common.files import JSON_LIMIT, parse_json
from neuron_reach.errors import UserError, printable
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import Function, Step
from neuron_reach.policies.archives import Archive, load_tensors

DATA, STATE, VERSION = 'data', 'policy.pth', '_stable_baselines3_version'
"""Members: the readable text, the parameters, and the version of the library."""

CLIP_MEAN = 2.0
"""Default bound of the mean of actors with state-dependent exploration."""

RENORM_EPSILON = 1e-3
"""Default of what batch normalizations of crossq add to the variance."""

_FUNCTIONS: dict[str, tuple[Step, ...]] = {
    'CELU': (Function.of('elu'),),
    'ELU': (Function.of('elu'),),
    'GELU': (Function.of('gelu'),),
    'Hardsigmoid': (Function.of('hardsigmoid'),),
    'Hardswish': (Function.of('hardswish'),),
    'Hardtanh': (Function.of('clip', low=-1.0, high=1.0),),
    'Identity': (),
    'LeakyReLU': (Function.of('leaky_relu'),),
    'Mish': (Function.of('mish'),),
    'ReLU': (Function.of('relu'),),
    'ReLU6': (Function.of('clip', low=0.0, high=6.0),),
    'SELU': (Function.of('selu'),),
    'SiLU': (Function.of('silu'),),
    'Sigmoid': (Function.of('sigmoid'),),
    'Softplus': (Function.of('softplus'),),
    'Softsign': (Function.of('softsign'),),
    'Tanh': (Function.of('tanh'),),
}
"""Activation functions by the name of their class in `torch.nn`, with its default parameters."""

_EXTRACTORS = ('FlattenExtractor', 'CombinedExtractor')
"""Feature extractors that only flatten."""

_FAMILIES = {
    'actor.': 'actor-critic',
    'mlp_extractor.': 'on-policy',
    'q_net.': 'q',
    'quantile_net.': 'quantiles',
    'value_net.': 'on-policy',
    'action_net.': 'ars',
}
"""Kind of an algorithm by how names in the state dict begin; the first that fits."""

_PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    'actor-critic': {
        'policy': ('actor.latent_pi', 'actor.mu'),
        'critic': ('critic.qf0',),
    },
    'on-policy': {
        'policy': ('mlp_extractor.shared_net', 'mlp_extractor.policy_net', 'action_net'),
        'value': ('mlp_extractor.shared_net', 'mlp_extractor.value_net', 'value_net'),
    },
    'q': {'policy': ('q_net.q_net',)},
    'quantiles': {'policy': ('quantile_net.quantile_net',)},
    'ars': {'policy': ('action_net',)},
}
"""Modules of each network, in their order."""


_RENORM = ('ra_mean', 'ra_var', 'scale', 'bias', 'steps')
"""Parameters of a batch normalization (`BatchRenorm` of sb3-contrib)."""


@dataclasses.dataclass(frozen=True)
class Sb3File:
    """The content of a zip file.

    Attributes:
        path: of the file.
        data: its readable text.
        state: parameters of all networks by name.
        version: of the library that wrote it; empty: unknown.
    """

    path: Path
    data: dict[str, Any]
    state: dict[str, torch.Tensor]
    version: str

    @property
    def family(self) -> str:
        """Kind of the algorithm, a key of `_PARTS`.

        Raises:
            UserError: it is none that is supported.
        """
        for beginning, family in _FAMILIES.items():
            if any(name.startswith(beginning) for name in self.state):
                return family
        raise self.error(
            'has no network that is known; supported are a2c, ars, crossq, ddpg, dqn, her, ppo, '
            'qrdqn, sac, td3, tqc and trpo'
        )

    @property
    def algorithm(self) -> str:
        """The algorithm, by the module of its policy and by the names of its options."""
        family, data = self.family, self.data
        module = str(section(data, 'policy_class').get('__module__'))
        if family == 'on-policy':
            if 'cg_max_steps' in data:
                return 'trpo'
            name = 'ppo' if 'clip_range' in data else 'a2c'
            return f'maskable_{name}' if '.maskable.' in module else name
        if family == 'actor-critic':
            if 'top_quantiles_to_drop_per_net' in data or '.tqc.' in module:
                return 'tqc'
            if '.crossq.' in module:
                return 'crossq'
            if 'target_policy_noise' in data or '.td3.' in module:
                single = data.get('policy_delay') == 1 and data.get('target_noise_clip') == 0.0
                return 'ddpg' if single else 'td3'
            return 'sac'
        return {'q': 'dqn', 'quantiles': 'qrdqn', 'ars': 'ars'}[family]

    @property
    def options(self) -> dict[str, Any]:
        """Readable text of `policy_kwargs`."""
        return section(self.data, 'policy_kwargs')

    @property
    def uses_sde(self) -> bool:
        """Whether exploration depends on the state (gSDE)."""
        return (self.data.get('use_sde') or self.options.get('use_sde')) is True

    @property
    def shares_layers(self) -> bool:
        """Whether the first layers of policy and value are the same (before version 1.8)."""
        return any(name.startswith('mlp_extractor.shared_net.') for name in self.state)

    @property
    def joins_goals(self) -> bool:
        """Whether it is of HER before version 1.1, which concatenated observation and goal."""
        return 'model_class' in self.data

    @property
    def squashes(self) -> bool:
        """Whether actors end in a tanh, which is then scaled to the bounds of the actions."""
        family, options = self.family, self.options
        if family == 'ars':
            linear = 'ARSLinearPolicy' in str(section(self.data, 'policy_class').get('__init__'))
            squashes = options.get('squash_output', not linear) is True
            kind = str(section(self.data, 'action_space').get(':type:'))
            return squashes and kind.endswith("Box'>")
        if family == 'on-policy':
            return self.uses_sde and options.get('squash_output') is True
        return family == 'actor-critic'

    @property
    def renorm_epsilon(self) -> float:
        """What batch normalizations add to the variance."""
        epsilon = self.options.get('batch_norm_eps', RENORM_EPSILON)
        if not isinstance(epsilon, int | float) or not 0.0 <= epsilon < 1.0:
            raise self.error(f'its batch_norm_eps is {epsilon!r}')
        return epsilon

    def layers(self, part: str) -> list[str]:
        """Return the names of the linear layers of a part; all but the last are activated.

        Raises:
            UserError: there is no such part, or it is no chain of linear layers.
        """
        return [name for name in self._modules(part) if not self._normalizes(name)]

    def normalizers(self, part: str) -> dict[str, str]:
        """Return the names of batch normalizations, by the linear layer that follows each."""
        names = self._modules(part)
        return {after: name for name, after in itertools.pairwise(names) if self._normalizes(name)}

    def widths(self, part: str) -> list[int]:
        """Return the number of neurons in each hidden layer of a part."""
        return [len(self.state[f'{name}.weight']) for name in self.layers(part)[:-1]]

    def _modules(self, part: str) -> list[str]:
        parts = _PARTS[self.family]
        if part not in parts:
            raise self.error(f'{self.algorithm} has no part {part!r}, only {", ".join(parts)}')
        return [name for module in parts[part] for name in self._chain(module)]

    def _normalizes(self, module: str) -> bool:
        return f'{module}.ra_mean' in self.state

    def _chain(self, module: str) -> list[str]:
        """Return the names of the linear layers and batch normalizations of a module."""
        below = {name[len(module) + 1 :] for name in self.state if name.startswith(f'{module}.')}
        if below <= {'weight', 'bias'}:
            return [module] if below else []
        found = [re.match(r'([0-9]{1,4})\.', name) for name in below]
        numbers = sorted({int(number[1]) for number in found if number is not None})
        expected: set[str] = set()
        place, wanted = 0, []
        for number in numbers:
            normalizes = self._normalizes(f'{module}.{number}')
            kinds = _RENORM if normalizes else ('weight', 'bias')
            expected |= {f'{number}.{kind}' for kind in kinds}
            wanted.append(place)
            place += 1 if normalizes else 2  # an activation function follows linear layers
        if numbers != wanted or not below <= expected:
            odd = min(below - expected, default=f'{max(numbers, default=0)}.weight')
            raise self.error(
                f'{module}.{odd} does not belong to a chain of linear layers with an activation '
                'function after each'
            )
        return [f'{module}.{number}' for number in numbers]

    def activation(self) -> tuple[Step, ...]:
        """Return what follows each hidden layer.

        Raises:
            UserError: the text names a function that is not supported.
        """
        given = self.options.get('activation_fn')
        if given is None:
            return _FUNCTIONS['Tanh' if self.family == 'on-policy' else 'ReLU']
        found = re.fullmatch(r"<class 'torch\.nn\.modules\.\w+\.(\w+)'>", str(given))
        if found is None or found[1] not in _FUNCTIONS:
            raise self.error(
                f'its activation function {given} is not supported; supported are '
                f'{", ".join(_FUNCTIONS)} of torch.nn'
            )
        return _FUNCTIONS[found[1]]

    def ending(self, part: str) -> tuple[Step, ...]:
        """Return what follows the output layer."""
        if part != 'policy' or not self.squashes:
            return ()
        tanh = Function.of('tanh')
        if 'actor.log_std' in self.state and 'actor.mu.0.weight' in self.state:
            bound = self.options.get('clip_mean', CLIP_MEAN)
            if not isinstance(bound, int | float) or not 0.0 < bound < math.inf:
                raise self.error(f'its clip_mean is {bound!r}')
            return Function.of('clip', low=-bound, high=bound), tanh
        return (tanh,)

    def error(self, problem: str) -> UserError:
        """Return the error for a file that cannot be used."""
        return UserError(f'{self.path}: {printable(problem)}')


def section(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an entry of the text that is an object; empty where it is not there or is none."""
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def read_file(archive: Archive) -> Sb3File:
    """Return the content of an open zip file.

    Raises:
        UserError: it is no file of stable-baselines3, is damaged, or its networks are not
            supported.
    """
    path = archive.path
    names = {name.rpartition('/')[2] for name in archive.names}
    if STATE not in archive.names and 'data.pkl' in names:
        kind = 'a TorchScript module' if 'constants.pkl' in names else 'tensors of PyTorch'
        raise UserError(f'{path}: holds {kind}, not a policy of stable-baselines3')
    for name in (DATA, STATE):
        if name not in archive.names:
            raise UserError(f'{path}: has no {name}, which policies of stable-baselines3 have')
    data, _ = parse_json(path / DATA, archive.read(DATA, JSON_LIMIT))
    content = archive.read(STATE)
    state = load_tensors(path / STATE, content)
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(values, torch.Tensor) for name, values in state.items()
    ):
        raise UserError(f'{path / STATE}: must hold tensors by name')
    for name, values in state.items():
        if values.layout != torch.strided or values.nbytes > len(content):
            raise UserError(f'{path / STATE}: {name} has more numbers than the file holds')
    version = ''
    if VERSION in archive.names:
        version = archive.read(VERSION, 100).decode('ascii', 'replace').strip()
    file = Sb3File(path, data, state, version)
    _check_supported(file)
    return file


def read_network(file: Sb3File, part: str) -> FeedForward:
    """Return a network of a file.

    Raises:
        UserError: the file has no such part, or it is no chain of linear layers.
    """
    names = file.layers(part)
    hidden, ending = file.activation(), file.ending(part)
    normalizers = file.normalizers(part)
    layers = []
    for name in names:
        weight = _values(file, f'{name}.weight')
        bias = np.zeros(len(weight), np.float32)
        if f'{name}.bias' in file.state:
            bias = _values(file, f'{name}.bias')
        if name in normalizers:
            weight, bias = normalized(file, normalizers[name], weight, bias)
        layers.append(Layer(weight, bias, ending if name is names[-1] else hidden))
    try:
        return FeedForward(tuple(layers))
    except ValueError as error:
        raise file.error(f'its {part} network cannot be used: {error}') from None


def normalized(
    file: Sb3File, normalizer: str, weight: AnyArray, bias: AnyArray
) -> tuple[AnyArray, AnyArray]:
    """Return a linear map with the batch normalization in front of it as one linear map."""
    mean, variance, scale, shift = (
        np.asarray(_values(file, f'{normalizer}.{kind}'), float) for kind in _RENORM[:4]
    )
    if weight.shape[1:] != mean.shape:
        raise file.error(f'{normalizer} has {len(mean)} neurons, but weights {weight.shape} follow')
    factor = scale / np.sqrt(variance + file.renorm_epsilon)
    constant = bias + np.asarray(weight, float) @ (shift - mean * factor)
    return np.float32(weight * factor), np.float32(constant)


def _values(file: Sb3File, name: str) -> AnyArray:
    if name not in file.state:
        raise file.error(f'has no {name}')
    if not file.state[name].is_floating_point():
        raise file.error(f'{name} must hold real numbers, not {file.state[name].dtype}')
    return np.array(file.state[name].detach().float().numpy())


def _check_supported(file: Sb3File) -> None:
    """Raise UserError for networks that are no chain of linear layers from the observations."""
    if any('lstm' in name for name in file.state):
        raise file.error('recurrent policies are not supported, only feed-forward networks')
    extracted = [name for name in file.state if 'features_extractor.' in name]
    if any('.cnn.' in name for name in extracted):
        raise file.error('policies with image observations (CnnPolicy) are not supported')
    given = str(file.options.get('features_extractor_class', "FlattenExtractor'>"))
    if extracted or not given.endswith(tuple(f"{name}'>" for name in _EXTRACTORS)):
        name = f'parameters {extracted[0]!r}' if extracted else given
        raise file.error(
            f'has a feature extractor of its own ({name}); supported are networks that take the '
            'observations as they are'
        )

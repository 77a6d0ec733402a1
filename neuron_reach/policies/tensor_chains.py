# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Chains of linear layers among named tensors, such as a state dict of PyTorch.

Names and shapes tell which layers follow each other and what a network is for; state dicts say
nothing of functions between layers.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from neuron_reach.common.arrays import AnyArray
from neuron_reach.errors import UserError
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import FUNCTIONS, Affine, Function, Step
from neuron_reach.networks.signals import SUPPORTED
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.normalizers import normalizer_for
from neuron_reach.policies.parts import PART_ORDER, role_of_path, words

Tensors = Mapping[str, AnyArray]

_ALIASES = {'celu': 'elu', 'swish': 'silu', 'lrelu': 'leaky_relu', 'leakyrelu': 'leaky_relu'}
_PARTS = {'policy': 'policy', 'actor': 'policy', 'q': 'q', 'value': 'value', 'critic': 'value'}
"""Words for `part`, with the role that each means."""


@dataclasses.dataclass(frozen=True)
class Chain:
    """Linear layers that follow each other.

    Attributes:
        name: what their names have in common.
        role: what they are for, see `parts.role`.
        modules: names of the layers, without `.weight`.
        sizes: neurons of all layers.
    """

    name: str
    role: str | None
    modules: tuple[str, ...]
    sizes: tuple[int, ...]

    def __str__(self) -> str:
        return f'{self.name} ({"-".join(map(str, self.sizes))})'

    def is_called(self, part: str) -> bool:
        """Tell whether `part` means this chain."""
        named = part in (self.name, self.modules[-1]) or self.name.startswith(f'{part}.')
        return named or f'.{self.name}.'.find(f'.{part}.') >= 0


def find_chains(tensors: Tensors) -> list[Chain]:
    """Return all chains, the one that is chosen by default first."""
    modules = _linear_modules(tensors)
    roles = {module: role_of_path(module) for module in modules}
    chains: list[Chain] = []
    for role in PART_ORDER:
        own = [module for module in modules if roles[module] == role]
        neutral = [module for module in modules if roles[module] is None and role is not None]
        chains += _chains_of(role, own, neutral, tensors)
    found = [
        _with_trunk(chain, chains)
        for chain in chains
        if chain.role or not any(set(chain.modules) < set(other.modules) for other in chains)
    ]
    names = [chain.name for chain in found]
    return [
        dataclasses.replace(chain, name=chain.role)
        if chain.role and names.count(chain.name) > 1
        else chain
        for chain in found
    ]


def _linear_modules(tensors: Tensors) -> list[str]:
    """Return the names of all linear layers, without `.weight`."""
    return [
        name.removesuffix('weight').rstrip('.')
        for name, values in tensors.items()
        if re.fullmatch(r'(.*\.)?weight', name) and values.ndim == 2 and values.size
    ]


def _chains_of(
    role: str | None, own: Sequence[str], neutral: Sequence[str], tensors: Tensors
) -> list[Chain]:
    """Return the chains of one role.

    Args:
        role: of the chains.
        own: modules of this role, each for one chain.
        neutral: modules that may be part of them.
        tensors: by name.
    """
    chains: list[Chain] = []
    used: set[str] = set()
    for others, least in ((neutral, 1), ((), 2)):  # first with all modules of a scope
        for scope in _scopes(own):
            mine = [module for module in own if module.startswith(scope) and module not in used]
            around = [module for module in others if module.startswith(scope)]
            members = [module for module in _linear_modules(tensors) if module in {*mine, *around}]
            ordered = _ordered(members, tensors) if len(mine) >= least else None
            if ordered:
                used |= set(mine)
                chains.append(_chain(scope, mine, role, ordered, tensors))
    return chains


def _scopes(modules: Sequence[str]) -> list[str]:
    """Return the names of all containers of modules with a dot at the end, outer ones first."""
    found = {'': None}
    for module in modules:
        parts = module.split('.')[:-1]
        found |= {''.join(f'{part}.' for part in parts[: n + 1]): None for n in range(len(parts))}
    return sorted(found, key=lambda scope: scope.count('.'))


def _ordered(modules: Sequence[str], tensors: Tensors) -> tuple[str, ...] | None:
    """Return the modules in an order in which their shapes fit, None if there is none."""
    first: dict[str, int] = {}
    for place, module in enumerate(modules):
        first.setdefault(re.sub(r'\d+', '#', module), place)

    def numbers(module: str) -> list[int]:
        return [int(number) for number in re.findall(r'\d+', module)]

    def natural(module: str) -> list[tuple[int, str]]:
        return [
            (int(part), '') if part.isdigit() else (-1, part)
            for part in re.findall(r'\d+|\D+', module)
        ]

    for order in (
        sorted(modules, key=lambda module: (first[re.sub(r'\d+', '#', module)], numbers(module))),
        sorted(modules, key=natural),
        sorted(modules, key=lambda module: (not module[-1:].isdigit(), natural(module))),
    ):
        shapes = [_weight(module, tensors).shape for module in order]
        if all(below[0] == above[1] for below, above in itertools.pairwise(shapes)):
            return tuple(order)
    return None


def _weight(module: str, tensors: Tensors) -> AnyArray:
    return tensors[f'{module}.weight' if module else 'weight']


def _bias(module: str) -> str:
    return f'{module}.bias' if module else 'bias'


def _chain(
    scope: str, own: Sequence[str], role: str | None, modules: Sequence[str], tensors: Tensors
) -> Chain:
    shapes = [_weight(module, tensors).shape for module in modules]
    split = [module.split('.')[:-1] for module in own]
    common = [parts[0] for parts in zip(*split, strict=False) if len(set(parts)) == 1]
    name = '.'.join(common) or scope.rstrip('.') or role or 'network'
    return Chain(name, role, tuple(modules), (shapes[0][1], *(shape[0] for shape in shapes)))


def _with_trunk(chain: Chain, chains: Sequence[Chain]) -> Chain:
    """Return a chain that is only an output layer with the layers that it shares with another."""
    if len(chain.modules) > 1:
        return chain
    for other in chains:
        shared = other.modules[:-1]
        if shared and other.role != chain.role and other.sizes[-2] == chain.sizes[0]:
            return dataclasses.replace(
                chain,
                modules=(*shared, *chain.modules),
                sizes=(*other.sizes[:-1], chain.sizes[-1]),
            )
    return chain


# --- choosing one ---------------------------------------------------------------------------------


def choose(where: str, tensors: Tensors, part: str | None) -> Chain:
    """Return one chain among named tensors.

    Args:
        where: of the tensors, for messages.
        tensors: by name.
        part: its name or role; by default a policy, else the values of actions, else a network
            whose names do not say what it is for, else a critic.

    Raises:
        UserError: there is none, or which one is not clear; says what is there.
    """
    chains = find_chains(tensors)
    if not chains:
        raise UserError(f'{where}: {_without_chain(tensors)}; {SUPPORTED}')
    roles = [role for role in PART_ORDER if any(chain.role == role for chain in chains)]
    found = [chain for chain in chains if chain.role == roles[0]]
    if part is not None:
        found = [chain for chain in chains if chain.is_called(part)]
        found = found or [chain for chain in chains if chain.role == _PARTS.get(part, part)]
    found = _different(found, tensors)
    if len(found) != 1:
        problem = f'has no {part!r}' if not found else f'holds {len(found)} networks'
        raise UserError(f'{where}: {problem}; choose one by part=: {", ".join(map(str, chains))}')
    _check_others(where, tensors, found[0])
    if part is None:
        _check_default(where, tensors, found[0])
    return found[0]


def _different(chains: Sequence[Chain], tensors: Tensors) -> list[Chain]:
    """Return the chains without copies of others, such as a model that is saved twice."""

    def content(chain: Chain) -> bytes:
        arrays = [
            np.asarray(values, float)
            for module in chain.modules
            for values in (_weight(module, tensors), tensors.get(_bias(module), np.zeros(0)))
        ]
        return b''.join(values.tobytes() for values in arrays)

    return [*{(chain.sizes, content(chain)): chain for chain in reversed(chains)}.values()][::-1]


def _without_chain(tensors: Tensors) -> str:
    if not tensors:
        return 'holds no tensors'
    for name, values in tensors.items():
        if values.ndim > 2:
            return f'{name} has {values.ndim} dimensions, as convolutions and ensembles have'
    shown = ', '.join(f'{name} {values.shape}' for name, values in [*tensors.items()][:3])
    return f'holds no layers whose shapes fit, but {shown}'


def _check_others(where: str, tensors: Tensors, chain: Chain) -> None:
    """Refuse networks of which the chain is only a part."""
    parents = {module.rpartition('.')[0] for module in chain.modules}
    for name, values in tensors.items():
        changed = re.fullmatch(r'(.*\.)?([^.]+)\.(weight_(g|orig)|parametrizations\..+)', name)
        if changed is not None and (changed[1] or '').rstrip('.') in parents:
            raise UserError(
                f'{where}: {name} belongs to weight or spectral normalization; remove it before '
                f'saving, or use from_torch; {SUPPORTED}'
            )
        module, _, kind = name.rpartition('.')
        parent = module.rpartition('.')[0]
        unclear = chain.role is None and parent not in parents
        if unclear or role_of_path(module) not in (chain.role, None):
            continue
        if re.match(r'weight_[ih]h', kind):
            raise UserError(f'{where}: {name} belongs to a recurrent network; {SUPPORTED}')
        if kind == 'weight' and values.ndim > 2:
            raise UserError(f'{where}: {name} belongs to a convolution; {SUPPORTED}')
        if kind == 'weight' and values.ndim == 1 and parent in parents:
            batch = f'{module}.running_mean' in tensors
            what = 'batch normalization' if batch else 'layer normalization'
            advice = ', whose place the file does not say; use from_torch' if batch else ''
            raise UserError(f'{where}: {name} belongs to a {what}{advice}; {SUPPORTED}')


def _check_default(where: str, tensors: Tensors, chain: Chain) -> None:
    """Refuse a chain that nobody named and that is not what acts."""
    own = [module for module in _linear_modules(tensors) if role_of_path(module) == 'policy']
    if own and chain.role != 'policy':
        raise UserError(
            f'{where}: layers of a policy ({own[0]} and others) do not follow each other; '
            f'part= can name another network; {SUPPORTED}'
        )
    if {'adv', 'advantage', 'advantages'} & set(words(chain.modules[-1])):
        raise UserError(
            f'{where}: {chain.modules[-1]} belongs to a dueling network, whose outputs are sums of '
            f'values and advantages; part={chain.modules[-1]!r} names the advantages; {SUPPORTED}'
        )


# --- the network ----------------------------------------------------------------------------------


def network_of(
    where: str, tensors: Tensors, chain: Chain, activation: str | None
) -> tuple[FeedForward, Actions]:
    """Return the network of a chain, and how it acts.

    Args:
        where: of the tensors, for messages.
        tensors: by name; statistics of observations among them become its preparation.
        chain: of layers.
        activation: name of the function of hidden layers.

    Raises:
        UserError: the function is missing or unknown, or values are not finite.
    """
    hidden = _hidden_step(where, tensors, chain, activation)
    preparation = normalizer_for(tensors, chain.role, chain.sizes[0])
    ending = _scaling(tensors, chain)
    parts = []
    for number, module in enumerate(chain.modules):
        weight = _weight(module, tensors)
        bias = tensors.get(_bias(module), np.zeros(len(weight)))
        parts.append((weight, bias, ending if number == len(chain.modules) - 1 else hidden))
    double = all(weight.dtype == np.float64 for weight, _, _ in parts)
    kind = np.float64 if double else np.float32
    try:
        network = FeedForward(
            tuple(
                Layer(np.array(weight, kind), np.array(bias, kind), tuple(_of(kind, steps)))
                for weight, bias, steps in parts
            ),
            tuple(_of(kind, preparation)),
        )
    except ValueError as error:
        raise UserError(f'{where}: {error}') from None
    return network, Actions(_actions(chain))


def _of(kind: type[np.float32 | np.float64], steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Affine):
            yield Affine(np.array(step.center, kind), np.array(step.scale, kind))
        else:
            yield step


def _hidden_step(
    where: str, tensors: Tensors, chain: Chain, activation: str | None
) -> tuple[Step, ...]:
    if len(chain.modules) == 1:
        return ()
    if activation is None:
        found = ', '.join(map(str, find_chains(tensors)))
        raise UserError(
            f'{where}: does not say which function follows the hidden layers; name it by '
            f'activation=: {", ".join(FUNCTIONS)} (networks: {found})'
        )
    name = re.sub(r'(?<=[a-z])(?=[A-Z])', '_', activation.strip()).lower()
    name = _ALIASES.get(name, name)
    try:
        return (Function.of(name),)
    except UserError as error:
        raise UserError(f'activation: {error}') from None


def _scaling(tensors: Tensors, chain: Chain) -> tuple[Step, ...]:
    """Return the steps of an output layer beside which a file has scales of actions.

    The actions of ddpg, td3 and sac are then tanh(x) scale + bias.
    """
    if chain.role != 'policy':
        return ()
    scope = chain.modules[-1].rpartition('.')[0]
    names = [f'{scope}.{name}'.lstrip('.') for name in ('action_scale', 'action_bias')]
    parts = [tensors.get(name) for name in names]
    if any(part is None for part in parts):
        return ()
    scale, shift = (
        np.broadcast_to(np.asarray(part, float).ravel(), (chain.sizes[-1],)) for part in parts
    )
    return (Function.of('tanh'), Affine(-shift / np.where(scale == 0.0, 1.0, scale), scale))


def _actions(chain: Chain) -> str | None:
    if chain.role == 'value':
        return 'none'
    return 'argmax' if chain.role == 'q' or 'logits' in words(chain.modules[-1]) else None

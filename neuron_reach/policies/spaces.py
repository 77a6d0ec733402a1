# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Spaces of Gymnasium: observations become inputs of a network, outputs become actions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces

from neuron_reach.common.arrays import Single
from neuron_reach.errors import UserError
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.observations import Part

Write: TypeAlias = Callable[[Any, Single], None]
"""Writes an observation to its place among the inputs, (inputs,)."""

_ALLOWED = {
    'argmax': spaces.Discrete,
    'quantiles': spaces.Discrete,
    'continuous': spaces.Box,
    'squashed': spaces.Box,
    'multi_discrete': spaces.MultiDiscrete,
    'multi_binary': spaces.MultiBinary,
}
_KIND_OF_SPACE = {
    spaces.Discrete: 'argmax',
    spaces.Box: 'continuous',
    spaces.MultiDiscrete: 'multi_discrete',
    spaces.MultiBinary: 'multi_binary',
}


def flattening(space: spaces.Space[Any], name: str, keys: Sequence[str] = ()) -> tuple[int, Write]:
    """Return the number of inputs for observations of a space, and what writes one.

    As in stable-baselines3: boxes are flattened; discrete observations are one-hot; the parts of a
    dict follow each other in the order of its space.

    Args:
        space: of the observations.
        name: of the environment, for the message.
        keys: of a dict, in the order of the inputs; by default all, in the order of the space.

    Raises:
        UserError: a key is missing; images, or observations of another kind than those above.
    """
    if isinstance(space, spaces.Dict):
        if missing := [key for key in keys if key not in space.spaces]:
            raise UserError(f'{name}: observes no {missing[0]!r}, which the policy needs')
        parts = {key: flattening(space.spaces[key], name) for key in keys or space.spaces}
        return sum(size for size, _ in parts.values()), _side_by_side(parts)
    if isinstance(space, spaces.Box) and len(space.shape) == 3 and space.dtype == np.uint8:
        raise UserError(
            f'{name}: observes images {space.shape}; only feed-forward networks without '
            'convolution are supported'
        )
    if not isinstance(space, tuple(_KIND_OF_SPACE)):
        raise UserError(
            f'{name}: observations of the space {type(space).__name__} are not supported; only '
            'Box, Discrete, MultiDiscrete, MultiBinary and Dict are'
        )
    part, first = Part(shape=space.shape, counts=_counts(space)), getattr(space, 'start', 0)
    if not np.any(first):
        return _width(space), part.write
    return _width(space), lambda values, place: part.write(np.subtract(values, first), place)


def _side_by_side(parts: dict[str, tuple[int, Write]]) -> Write:
    def write(observation: Any, place: Single) -> None:
        start = 0
        for key, (size, write_part) in parts.items():
            write_part(observation[key], place[start : start + size])
            start += size

    return write


def fit_actions(actions: Actions, space: spaces.Space[Any], outputs: int, name: str) -> Actions:
    """Return how outputs of a network become actions of a space, with its bounds.

    Args:
        actions: what is known of the network; an unknown kind follows from the space.
        space: of the actions.
        outputs: of the network.
        name: of the environment, for the message.

    Raises:
        UserError: the network does not act, or has another kind or number of actions.
    """
    found = next((kind for known, kind in _KIND_OF_SPACE.items() if isinstance(space, known)), None)
    if found is None:
        raise UserError(f'{name}: actions of the space {type(space).__name__} are not supported')
    kind = actions.kind or found
    if kind == 'none':
        raise UserError('this network estimates values and chooses no actions')
    if not isinstance(space, _ALLOWED[kind]):
        raise UserError(
            f'{name}: expects actions of {type(space).__name__}, but those of the network are of '
            f'{_ALLOWED[kind].__name__} ({kind})'
        )
    expected = _width(space)
    actual = outputs // actions.groups[0] if kind == 'quantiles' else outputs
    if actual != expected:
        raise UserError(f'{name}: expects {expected} outputs, but the network has {actual}')
    if isinstance(space, spaces.MultiDiscrete):
        return Actions(kind, groups=_counts(space))
    if not isinstance(space, spaces.Box):
        return dataclasses.replace(actions, kind=kind)
    if kind == 'squashed' and not space.is_bounded():
        raise UserError(f'{name}: its actions have no bounds, to which the network scales them')
    low, high = (tuple(map(float, bound.ravel())) for bound in (space.low, space.high))
    return Actions(kind, low, high)


def _counts(space: spaces.Space[Any]) -> tuple[int, ...]:
    """Return how many values each whole number of a space can have; empty: its numbers are real."""
    if isinstance(space, spaces.Discrete):
        return (int(space.n),)
    return tuple(space.nvec.ravel().tolist()) if isinstance(space, spaces.MultiDiscrete) else ()


def _width(space: spaces.Space[Any]) -> int:
    """Return how many inputs or outputs stand for an element of a space."""
    return sum(_counts(space)) or math.prod(space.shape or ())


def to_actions(space: spaces.Space[Any]) -> Callable[[Any], list[Any]]:
    """Return what turns chosen actions, (environments, ...), into those that `step` takes.

    They never share memory with the argument, as an environment may keep them.
    """
    if isinstance(space, spaces.Discrete):
        start = int(space.start)
        return lambda chosen: (chosen + start).tolist() if start else chosen.tolist()
    first = space.start if isinstance(space, spaces.MultiDiscrete) else 0
    shape, dtype = space.shape or (), space.dtype

    def convert(chosen: Any) -> list[Any]:
        shaped = chosen.reshape(len(chosen), *shape)
        return list((shaped + first if np.any(first) else shaped).astype(dtype))

    return convert

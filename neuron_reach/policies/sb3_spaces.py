# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Spaces of observations and actions, from the text by which stable-baselines3 describes them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from neuron_reach.networks.functions import LARGEST
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.observations import Observations, Part

_NUMBER = re.compile(r'[-+]?(?:inf|\d+\.?\d*(?:e[-+]?\d+)?|\.\d+)')
_WHOLE = re.compile(r'\d+')
_ENTRY = re.compile(r"""(['"])(.{1,200}?)\1(?:: |, )(\w+)\(""")


@dataclasses.dataclass(frozen=True)
class Space:
    """A space of a Gym or Gymnasium environment.

    Attributes:
        kind: name of its class, such as `Box`.
        shape: of its elements.
        counts: of Discrete and MultiDiscrete, how many values each number can have.
        image: whether its elements are images, for any network.
    """

    kind: str
    shape: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    image: bool = False

    def part(self, key: str = '') -> Part:
        """Return how its elements become inputs."""
        return Part(key, self.shape, self.counts)


def read_space(fields: Any) -> Space:
    """Return a space other than Dict.

    Args:
        fields: an entry of the JSON text.

    Raises:
        ValueError: it is another space, or fields are missing or of another kind.
    """
    kind, fields = kind_of(fields), dict(fields)
    shape = fields.get('_shape', fields.get('shape')) or ()
    if not isinstance(shape, list | tuple) or not all(
        isinstance(size, int) and size > 0 for size in shape
    ):
        raise ValueError(f'its shape is {shape!r}')
    shape = tuple(shape)
    if kind == 'Box':
        return Space(kind, shape, image=len(shape) == 3 and fields.get('dtype') == 'uint8')
    if kind == 'Discrete':
        return Space(kind, (), _whole(str(fields.get('n'))))
    if kind == 'MultiDiscrete':
        counts = _whole(str(fields.get('nvec')))
        return Space(kind, (len(counts),), counts)
    if kind == 'MultiBinary':
        return Space(kind, shape or _whole(str(fields.get('n'))))
    raise ValueError(f'it is a space {kind}')


def kind_of(fields: Any) -> str:
    """Return the name of the class of a space.

    Raises:
        ValueError: there is no space.
    """
    text = str(fields.get(':type:')) if isinstance(fields, dict) else ''
    found = re.search(r"(\w+)'>$", text[-100:])
    if found is None:
        raise ValueError('there is no description of it')
    return found[1]


def read_observations(fields: Any) -> tuple[Observations, bool]:
    """Return how observations become inputs, and whether there are images among them.

    Raises:
        ValueError: see `read_space`.
    """
    if kind_of(fields) != 'Dict':
        space = read_space(fields)
        return Observations((space.part(),)), space.image
    spaces = dict(_entries(str(fields.get('spaces'))))
    if not spaces:
        raise ValueError('it has no entries')
    parts = tuple(space.part(key) for key, space in spaces.items())
    return Observations(parts), any(space.image for space in spaces.values())


def _entries(text: str) -> Iterator[tuple[str, Space]]:
    """Yield keys and spaces of the text `{'key': Box(-1.0, 1.0, (3,), float32), ...}`."""
    place = 0
    while found := _ENTRY.search(text, place):
        depth, place = 1, found.end()
        while depth and place < len(text):
            depth += {'(': 1, ')': -1}.get(text[place], 0)
            place += 1
        if depth:
            raise ValueError('its text is cut off')
        yield found[2], _printed(found[3], text[found.end() : place - 1])


def _printed(kind: str, arguments: str) -> Space:
    """Return the space that is printed as `kind(arguments)`."""
    if kind == 'Box':  # Box([-1. -1.], 1.0, (2,), float32), or in old versions Box(2,)
        inner = re.search(r'\(([\d, ]*)\), \w+$', arguments)
        shape = tuple(map(int, _WHOLE.findall(arguments if inner is None else inner[1])))
        if inner is None and not re.fullmatch(r'[\d, ]*', arguments):
            raise ValueError(f'it has an entry Box({arguments})')
        return Space(kind, shape, image=len(shape) == 3 and arguments.endswith('uint8'))
    if kind == 'Discrete':
        return Space(kind, (), _whole(arguments.partition(',')[0]))
    if kind == 'MultiDiscrete':
        counts = _whole(arguments.partition(', start')[0])
        return Space(kind, (len(counts),), counts)
    if kind == 'MultiBinary':
        return Space(kind, _whole(arguments))
    raise ValueError(f'it has an entry {kind}')


def _whole(text: str) -> tuple[int, ...]:
    """Return the whole numbers that a text lists: `4`, `[3 2]`, `(2, 3)`."""
    if not re.fullmatch(r'[\[(]?[\d ,\n]+[\])]?', text) or '0' in _WHOLE.findall(text):
        raise ValueError(f'it has the size {text!r}')
    return tuple(map(int, _WHOLE.findall(text)))


def read_actions(fields: Any, outputs: int, *, squashed: bool) -> Actions:
    """Return how the outputs of an actor become actions.

    Args:
        fields: an entry of the JSON text.
        outputs: of the network.
        squashed: whether continuous actions are scaled from -1..1.

    Raises:
        ValueError: see `read_space`; or the outputs do not fit.
    """
    space = read_space(fields)
    wanted = sum(space.counts) or math.prod(space.shape)
    if wanted != outputs:
        raise ValueError(f'it needs {wanted} outputs, but the network has {outputs}')
    if space.kind == 'Box':
        low, high = (_bounds(fields, name, outputs) for name in ('low', 'high'))
        if low is None or high is None:
            low = high = None
        return Actions('squashed' if squashed else 'continuous', low, high)
    if space.kind == 'Discrete':
        return Actions('argmax')
    if space.kind == 'MultiDiscrete':
        return Actions('multi_discrete', groups=space.counts)
    return Actions('multi_binary')


def _bounds(fields: Mapping[str, Any], name: str, count: int) -> tuple[float, ...] | None:
    """Return the bounds that an array's text lists; None: unknown, as long texts leave some out."""
    text = str(fields.get(name))
    values = np.array(_NUMBER.findall(text), float)
    if '...' in text or len(values) != count:
        return None
    return tuple(map(float, np.clip(values, -LARGEST, LARGEST)))

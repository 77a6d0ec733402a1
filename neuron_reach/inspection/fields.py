# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Fields of messages, named as in `linear.x` or `data[2:10]`: how many numbers, and reading them.

The functions accept the message classes of rclpy; this module imports them by name at run time.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from neuron_reach.common.arrays import Array
from neuron_reach.common.options import meant
from neuron_reach.errors import UserError

FLOATS = ('float', 'double', 'long double')
INTEGERS = tuple(f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32, 64))
OTHERS = ('boolean', 'octet', 'char')

_TYPE = re.compile(r'([a-z]\w*)/(?:msg/)?([A-Z]\w*)', re.ASCII)
_PART = re.compile(r'([a-z]\w*)(?:\[(\d{1,9})(?:(:)(\d{1,9}))?\])?', re.ASCII)
_SEQUENCE = re.compile(r'sequence<([^,>]+)(?:, *\d+)?>|(.+)\[(\d+)\]')


class InputError(ValueError):
    """A message cannot be used; the text says why, in one line."""


def message_class(name: str) -> Any:
    """Return the class of a message type.

    Args:
        name: such as `sensor_msgs/msg/Imu`.

    Raises:
        UserError: there is no such type, or its package is not installed.
    """
    found = _TYPE.fullmatch(name)
    if found is None:
        raise UserError(f'{name!r} is no message type; one is written sensor_msgs/msg/Imu')
    package, message = found.groups()
    try:
        module = importlib.import_module(f'{package}.msg')
    except ImportError:
        raise UserError(
            f'the package {package} of {name} is not installed, or not sourced'
        ) from None
    if not hasattr(getattr(module, message, None), 'get_fields_and_field_types'):
        types = [known for known in vars(module) if known[:1].isupper()]
        raise UserError(f'{package} has no message type {message!r}{meant(message, types)}')
    return getattr(module, message)


@dataclasses.dataclass(frozen=True)
class Leaf:
    """Numbers in a message: one, or those of an array.

    Attributes:
        path: the names of fields, and the indices of elements, that lead to it.
        kind: type of the numbers as ROS names it, such as `double`.
        width: how many; None: as many as a message holds.
        part: which elements of an array; None: it is a single number.
    """

    path: tuple[str | int, ...]
    kind: str
    width: int | None = 1
    part: slice | None = None

    @property
    def name(self) -> str:
        """Its name, such as `linear.x`."""
        name = ''.join(f'[{step}]' if isinstance(step, int) else f'.{step}' for step in self.path)
        if self.part is not None and self.part.stop is not None:
            name += f'[{self.part.start}:{self.part.stop}]'
        return name[1:]

    def read(self, message: Any) -> Array:
        """Return the numbers in a message, (width,); all elements where the width is unknown.

        Raises:
            InputError: the message has too few elements.
        """
        value = message
        for step in self.path:
            if isinstance(step, int):
                if step >= len(value):
                    raise InputError(f'{self.name}: there are only {len(value)} elements')
                value = value[step]
            else:
                value = getattr(value, step)
        if self.part is None:
            return np.array([_number(value)])
        if self.part.stop is not None and self.part.stop > len(value):
            raise InputError(f'{self.name}: there are only {len(value)} elements')
        part = value[self.part]
        if self.kind == 'octet':
            part = [_number(item) for item in part]
        return np.asarray(part, np.float64)


def _number(value: Any) -> float:
    return float(value[0] if isinstance(value, bytes) else value)


def leaves(message_type: Any, field: str) -> list[Leaf]:
    """Return the numbers that a field stands for; those of a field with fields are all of them.

    Args:
        message_type: class of the message.
        field: names separated by dots, each of an array followed by `[i]` or, at the end, `[i:j]`.

    Raises:
        UserError: there is no such field, or it holds no numbers.
    """
    path: list[str | int] = []
    count: int | None = 1
    parent, kind = message_type, ''
    parts = field.split('.')
    for position, text in enumerate(parts):
        found = _PART.fullmatch(text)
        if found is None:
            raise UserError(f'field {field!r} is not written like linear.x, data[3] or data[0:12]')
        name, start, colon, stop = found.groups()
        kind, count = _field(parent, name)
        path.append(name)
        if start is not None:
            low, high = int(start), int(stop) if colon else int(start) + 1
            if count == 1 or (count is not None and high > count) or low >= high:
                held = 'one value' if count == 1 else f'{count} elements'
                raise UserError(
                    f'field {field!r}: {name} is {held}'
                    if count is not None
                    else f'field {field!r}: {text} is empty'
                )
            if colon:
                if position < len(parts) - 1 or not _is_number(kind):
                    raise UserError(f'field {field!r}: [i:j] must end the name of numbers')
                return [Leaf(tuple(path), kind, high - low, slice(low, high))]
            path.append(low)
            count = 1
        if position < len(parts) - 1:
            if count != 1:
                raise UserError(f'field {field!r}: {name} is an array; name an element, {name}[0]')
            if '/' not in kind:
                raise UserError(f'field {field!r}: {name} has no fields')
            parent = message_class(kind)
    if count != 1:
        if not _is_number(kind):
            raise UserError(f'field {field!r} holds {kind}, not numbers')
        return [Leaf(tuple(path), kind, count, slice(None))]
    return list(_expanded(tuple(path), kind, field))


def _expanded(path: tuple[str | int, ...], kind: str, field: str) -> Iterator[Leaf]:
    """Yield the numbers below a field that is no array."""
    if _is_number(kind):
        yield Leaf(path, kind)
        return
    if '/' not in kind:
        raise UserError(f'field {field!r} holds {kind}, not numbers')
    parent = message_class(kind)
    for name in parent.get_fields_and_field_types():
        inner, count = _field(parent, name)
        if count == 1:
            yield from _expanded((*path, name), inner, f'{field}.{name}')
        elif _is_number(inner):
            yield Leaf((*path, name), inner, count, slice(None))
        else:
            raise UserError(f'field {field!r}: {name} holds {inner}, not numbers')


def _field(parent: Any, name: str) -> tuple[str, int | None]:
    """Return the type of a field, and how many elements it has; None: any number."""
    fields = parent.get_fields_and_field_types()
    if name not in fields:
        raise UserError(
            f'{parent.__name__} has no field {name!r}{meant(name, fields)}; '
            f'it has {", ".join(fields)}'
        )
    found = _SEQUENCE.fullmatch(fields[name])
    if found is None:
        return fields[name], 1
    return (found[1], None) if found[1] else (found[2], int(found[3]))


def _is_number(kind: str) -> bool:
    return kind in (*FLOATS, *INTEGERS, *OTHERS)

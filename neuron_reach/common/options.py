# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Options as frozen dataclasses: one place for default, meaning, unit and range.

YAML files, ROS parameters, launch arguments and the command line all fill the same dataclasses and
refuse an unknown key or a value out of range with the same message.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from neuron_reach.common import plain_yaml
from neuron_reach.common.dataclass_types import DataclassT
from neuron_reach.errors import UserError

SWITCHES = {'true': True, 'yes': True, 'on': True, 'false': False, 'no': False, 'off': False}
"""Texts for true and false."""

ROS_PARAMETERS = 'ros__parameters'


def option(
    default: Any,
    description: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    choices: tuple[str, ...] = (),
    path: bool = False,
    item: type | None = None,
    flag: str = '',
    key: str = '',
) -> Any:
    """Declare one option: a dataclass field with its meaning and its allowed values.

    Args:
        default: the value if none is given.
        description: in a few words.
        low: smallest number allowed.
        high: largest number allowed.
        choices: texts allowed.
        path: whether a text is a path.
        item: type of the items of a list; by default that of the items of `default`.
        flag: name on the command line, if it is another than that of the field.
        key: name in files of results, if it is another than that of the field.
    """
    if item is None and isinstance(default, tuple):
        item = type(default[0])
    metadata = {'description': description, 'low': low, 'high': high, 'choices': choices}
    metadata |= {'path': path, 'item': item, 'flag': flag}
    if key:
        metadata['key'] = key
    return dataclasses.field(default=default, metadata=metadata)


def allowed(field: dataclasses.Field[Any]) -> str:
    """Describe briefly which values a field takes."""
    item = field.metadata['item']
    if field.metadata['choices']:
        return ('any of ' if item else 'one of ') + ', '.join(field.metadata['choices'])
    if isinstance(field.default, bool):
        return 'true or false'
    if isinstance(field.default, str):
        return 'a path' if field.metadata['path'] else 'text'
    if item is str:
        return 'a list of texts'
    kind = 'a number' if (item or type(field.default)) is float else 'a whole number'
    if item:
        kind = f'{kind} or a list of {kind.removeprefix("a ")}s, each'
    low, high = field.metadata['low'], field.metadata['high']
    if low > -math.inf and high < math.inf:
        return f'{kind} from {_bound(low)} to {_bound(high)}'
    if low > -math.inf:
        return f'{kind} of at least {_bound(low)}'
    return kind if high == math.inf else f'{kind} of at most {_bound(high)}'


def _bound(value: float) -> str:
    return str(int(value)) if value == int(value) else f'{value:g}'


def _read(field: dataclasses.Field[Any], value: Any) -> Any:
    """Turn a value from YAML, ROS or a command line into the field's type, or raise ValueError."""
    default = field.default
    if not isinstance(default, str):
        value = from_text(value)
    if field.metadata['item']:
        return _read_list(field, value)
    if isinstance(default, bool):
        result = SWITCHES.get(value.lower()) if isinstance(value, str) else value
        in_range = isinstance(result, bool)
    elif isinstance(default, str):
        result, in_range = value, isinstance(value, str)
        if field.metadata['choices']:
            in_range = value in field.metadata['choices']
        elif in_range and field.metadata['path'] and value:
            result = user_path(value)
    else:
        result = _read_number(value, type(default))
        in_range = field.metadata['low'] <= result <= field.metadata['high']
    if not in_range:
        raise ValueError
    return result


def _read_list(field: dataclasses.Field[Any], value: Any) -> tuple[Any, ...]:
    """Turn a value into the items of a list, or raise ValueError."""
    if isinstance(value, str | bytes | Mapping):
        raise ValueError
    items = value if hasattr(value, '__len__') else (value,)
    kind, choices = field.metadata['item'], field.metadata['choices']
    if kind is str:
        if not all(isinstance(text, str) and (not choices or text in choices) for text in items):
            raise ValueError
        return tuple(map(user_path, items) if field.metadata['path'] else items)
    numbers = tuple(_read_number(number, kind) for number in items)
    low, high = field.metadata['low'], field.metadata['high']
    if not numbers or not all(low <= number <= high for number in numbers):
        raise ValueError
    return numbers


def user_path(text: str) -> str:
    """Return a path as it can be used anywhere: without `~`, and with no dash in front.

    Raises:
        ValueError: there is no such user, or no file can have that name.
    """
    path = os.path.expanduser(text)  # noqa: PTH111  # Path would drop the slash at the end
    if path.startswith('~') or '\0' in path or not path:
        raise ValueError(f'not {text!r}')
    return str(Path(path).absolute()) if path.startswith('-') else path


def from_text(value: Any) -> Any:
    """Return the YAML value of a text, such as that of an argument; keep other values."""
    return plain_yaml.parse(value) if isinstance(value, str) else value


def _read_number(value: Any, kind: type) -> Any:
    value = from_text(value)  # a number in quotes is one
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    number = float(value)
    if not math.isfinite(number) or (kind is int and number != int(number)):
        raise ValueError
    return kind(number)


def fill(
    cls: type[DataclassT],
    values: Mapping[str, Any],
    source: str,
    spell: Callable[[dataclasses.Field[Any]], str] | None = None,
) -> DataclassT:
    """Build the options `cls` from those of `values` that it knows.

    Keys of other options are ignored; `check_keys` finds unknown ones.

    Args:
        cls: the options.
        values: by names of fields.
        source: where they come from, for messages.
        spell: returns how messages name a field; by default by its source and its name.

    Raises:
        UserError: a value is of the wrong kind or out of range; names `source` and the key.
    """
    known = {}
    for field in dataclasses.fields(cls):
        if field.name not in values:
            continue
        name = f'{source}: {field.name}' if spell is None else spell(field)
        known[field.name] = read_option(field, values[field.name], name)
    return cls(**known)


def read_option(field: dataclasses.Field[Any], value: Any, name: str) -> Any:
    """Return the value of one option in the type of its field.

    Args:
        field: the option.
        value: as given.
        name: of the option, for messages.

    Raises:
        UserError: it is of the wrong kind or out of range.
    """
    try:
        return _read(field, value)
    except (ValueError, TypeError, OverflowError):
        found = _found(field, _culprit(field, value))
        raise UserError(f'{name} must be {allowed(field)}, {found}') from None


def _culprit(field: dataclasses.Field[Any], value: Any) -> Any:
    """Return the first item of a list that is not allowed, or the value itself."""
    if field.metadata['item'] and isinstance(value, list | tuple):
        for item in value:
            try:
                _read_list(field, (item,))
            except (ValueError, TypeError, OverflowError):
                return item
    return value


def _found(field: dataclasses.Field[Any], value: Any) -> str:
    """Return what was found instead of what is allowed, and what may have been meant."""
    if field.metadata['choices'] and isinstance(value, str):
        return f'not {_shown(value)}{meant(value, field.metadata["choices"])}'
    quotes = isinstance(field.default, str) and isinstance(value, int | float)
    return f'not {_shown(value)}{"; put text in quotes" if quotes else ""}'


def _shown(value: Any) -> str:
    """Return a value as text for one line."""
    text = 'nothing' if value is None else repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'


def check_keys(values: Mapping[str, Any], allowed_keys: set[str], source: str) -> None:
    """Raise UserError if `values` has a key that is not allowed."""
    unknown = sorted(set(map(str, values)) - allowed_keys)
    if unknown:
        raise UserError(
            f'{source}: unknown key {unknown[0]!r}{meant(unknown[0], allowed_keys)}; '
            f'allowed: {", ".join(sorted(allowed_keys))}'
        )


def meant(name: str, known: Collection[str]) -> str:
    """Return the question whether the closest of the known names was meant, or nothing."""
    near = closest(name, known)
    return f' (did you mean {near}?)' if near else ''


def closest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that a mistyped or shortened one resembles, None if there is none.

    Upper and lower case, and - and _, count as the same letter.
    """
    alike = {other.lower().replace('-', '_'): other for other in known}
    typed = name.lower().replace('-', '_')
    near = difflib.get_close_matches(typed, alike, 1)
    if len(typed) > 2 and typed not in alike:  # a prefix is stronger evidence than similarity
        near = [other for other in alike if other.startswith(typed)] or near
    return alike[near[0]] if near else None


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file of `key: value` options; see `plain_yaml` for what is refused.

    Raises:
        UserError: the file is missing, unreadable, or no mapping.
    """
    values = plain_yaml.load(path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        kind = 'a list' if isinstance(values, list) else f'{_shown(values)} alone'
        raise UserError(f'{path}: must hold `key: value` lines, not {kind}')
    if _has_ros_parameters(values):
        raise UserError(
            f'{path}: is a ROS parameter file; only the `key: value` lines below '
            f'{ROS_PARAMETERS} can be given here, without the names above them'
        )
    return values


def _has_ros_parameters(values: Mapping[str, Any]) -> bool:
    """Return whether this is a file for `--params-file`: node: {ros__parameters: {key: value}}."""
    return ROS_PARAMETERS in values or any(
        _has_ros_parameters(inner) for inner in values.values() if isinstance(inner, dict)
    )

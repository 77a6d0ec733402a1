"""Options as frozen dataclasses: one place for default, meaning, unit and range.

YAML files, ROS parameters, launch arguments and the command line all fill the same dataclasses, and
all refuse an unknown key or a value out of range in the same words.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from neuron_reach.errors import UserError

T = TypeVar('T')


def option(
    default: Any,
    description: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare one option: a dataclass field that knows its meaning and what is allowed."""
    metadata = {'description': description, 'low': low, 'high': high, 'choices': choices}
    return dataclasses.field(default=default, metadata=metadata)


def allowed(field: dataclasses.Field[Any]) -> str:
    """Say in a few words which values a field takes."""
    if field.metadata['choices']:
        return 'one of ' + ', '.join(field.metadata['choices'])
    if isinstance(field.default, bool):
        return 'true or false'
    if isinstance(field.default, str):
        return 'text'
    if isinstance(field.default, tuple) and isinstance(field.default[0], str):
        return 'a list of texts'
    kind = 'a number' if isinstance(field.default, float) else 'a whole number'
    if isinstance(field.default, tuple):
        kind = 'a whole number or a list of whole numbers, each'
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
    if isinstance(value, str) and not isinstance(default, str):
        value = yaml.safe_load(value)
    if isinstance(default, tuple):
        if isinstance(value, str | bytes | Mapping):
            raise ValueError
        items = value if hasattr(value, '__len__') else (value,)
        if isinstance(default[0], str):
            return tuple(map(str, items))
        result: Any = tuple(_read_number(item, int) for item in items)
        in_range = result and all(
            field.metadata['low'] <= item <= field.metadata['high'] for item in result
        )
    elif isinstance(default, bool):
        result, in_range = value, isinstance(value, bool)
    elif isinstance(default, str):
        result, in_range = value, isinstance(value, str)
        if field.metadata['choices']:
            in_range = value in field.metadata['choices']
    else:
        result = _read_number(value, type(default))
        in_range = field.metadata['low'] <= result <= field.metadata['high']
    if not in_range:
        raise ValueError
    return result


def _read_number(value: Any, kind: type) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    number = float(value)  # YAML 1.1 reads 1e-3 as text
    if not math.isfinite(number) or (kind is int and number != int(number)):
        raise ValueError
    return kind(number)


def fill(cls: type[T], values: Mapping[str, Any], source: str) -> T:
    """Build the options `cls` from those of `values` that it knows.

    Keys of other options are left alone; `check_keys` is what finds unknown ones.

    Raises:
        UserError: a value is of the wrong kind or out of range; names `source` and the key.
    """
    known = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # T is always a dataclass
        if field.name not in values:
            continue
        value = values[field.name]
        try:
            known[field.name] = _read(field, value)
        except (ValueError, TypeError, OverflowError, RecursionError, yaml.YAMLError):
            raise UserError(
                f'{source}: {field.name} must be {allowed(field)}, not {value!r}'
            ) from None
    return cls(**known)


def check_keys(values: Mapping[str, Any], allowed_keys: set[str], source: str) -> None:
    """Raise UserError if `values` has a key that is not allowed."""
    unknown = sorted(set(map(str, values)) - allowed_keys)
    if unknown:
        raise UserError(
            f'{source}: unknown key {unknown[0]!r}; allowed: {", ".join(sorted(allowed_keys))}'
        )


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file of `key: value` options; never executes anything from it.

    Raises:
        UserError: the file is missing, unreadable, or no mapping.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:  # a bad date is a ValueError
        line = str(error).splitlines()[0]
        raise UserError(f'{path}: is not a YAML file: {line}') from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f'{path}: must hold `key: value` lines, not {type(values).__name__}')
    return values

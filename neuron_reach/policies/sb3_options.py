# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The options of a policy of stable-baselines3, written again from their readable text.

The library stores options that JSON cannot hold, such as classes, as a pickle with readable text
beside it. The pickle is never loaded; a new one is written that names the same classes.
"""

from __future__ import annotations

import base64
import pickle
import re
from typing import Any

from neuron_reach.errors import UserError
from neuron_reach.policies.sb3_file import Sb3File

_CLASS = re.compile(r"<class '((?:torch\.nn|torch\.optim|stable_baselines3|sb3_contrib)\.[\w.]+)'>")
"""Classes that options may name."""


def with_net_arch(file: Sb3File, net_arch: Any) -> dict[str, Any]:
    """Return the entry `policy_kwargs` of a file with another `net_arch`.

    Raises:
        UserError: the text does not say what an option is.
    """
    pickled = ':serialized:' in file.options
    options = {
        key: value
        for key, value in file.options.items()
        if key not in (':type:', ':serialized:', 'device')  # the library removes the device itself
    }
    if pickled:
        options = {key: _value(file, key, value) for key, value in options.items()}
    options['net_arch'] = net_arch
    classes = {key for key, value in options.items() if _is_class(value)}
    if not classes:
        return options
    content = b''.join(
        [
            b'\x80\x02}(',  # an empty dict, to which are added:
            *(
                _pickled(key) + (_named(value) if key in classes else _pickled(value))
                for key, value in options.items()
            ),
            b'u.',
        ]
    )
    serialized = base64.b64encode(content).decode()
    return {':type:': "<class 'dict'>", ':serialized:': serialized, **options}


def _is_class(value: Any) -> bool:
    return isinstance(value, str) and _CLASS.fullmatch(value) is not None


def _value(file: Sb3File, key: str, value: Any) -> Any:
    """Return what the text of an option stands for, or the text if it names a class."""
    if not isinstance(value, str) or _is_class(value):
        return value
    try:
        return float(value)  # of NumPy
    except ValueError:
        raise file.error(
            f'its option policy_kwargs.{key} cannot be written again: {value[:80]}'
        ) from None


def _pickled(value: Any) -> bytes:
    """Return the instructions by which a pickle makes a plain value."""
    return pickle.dumps(value, 2)[2:-1]  # without protocol and end


def _named(text: str) -> bytes:
    """Return the instruction by which a pickle names a class; it is not imported here."""
    found = _CLASS.fullmatch(text)
    if found is None:
        raise UserError(f'{text} names no class')
    module, _, name = found[1].rpartition('.')
    return f'c{module}\n{name}\n'.encode()

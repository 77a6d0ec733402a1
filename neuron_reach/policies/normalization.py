# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Normalization of observations by statistics that were kept beside a policy.

Libraries keep them in pickles, which run code when they are opened, so that they are never read
here. docs/own_policy.md shows how to write those of a file that you trust to an `.npz` file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach.common import plain_yaml
from neuron_reach.common.arrays import Array
from neuron_reach.common.files import read_bytes
from neuron_reach.errors import UserError
from neuron_reach.networks.functions import Affine, Function, Step

LARGEST_FILE = 2**26
"""Largest file of statistics that is read, bytes."""

EPSILON, CLIP = 1e-8, 10.0
"""Constant that stable-baselines3 adds to the variance, and bound of normalized values."""

_KEYS = ('mean', 'var', 'std', 'epsilon', 'clip')
_YAML = ('.yaml', '.yml')
_ALLOWED = 'statistics are an .npz or YAML file with mean, and var or std; epsilon and clip'


def normalization(source: str | Path | Mapping[str, Any], inputs: int, dtype: Any) -> list[Step]:
    """Return the steps that normalize inputs: clip((x - mean) / sqrt(var + epsilon)).

    Args:
        source: `mean` and `var` (or `std`) of each input; perhaps `epsilon` (1e-8), and `clip`
            (10), the largest absolute value. Or the `.npz` or YAML file with those.
        inputs: of the network.
        dtype: of its parameters.

    Raises:
        UserError: the file cannot be used, or statistics are missing, wrong, or of another number
            of inputs.
    """
    name = 'statistics' if isinstance(source, Mapping) else str(source)
    values = dict(source) if isinstance(source, Mapping) else _read(Path(source))
    if unknown := sorted(set(map(str, values)) - set(_KEYS)):
        raise UserError(f'{name}: unknown key {unknown[0]!r}; {_ALLOWED}')
    if 'mean' not in values or ('var' in values) == ('std' in values):
        raise UserError(f'{name}: must hold mean, and either var or std')
    arrays = {key: _numbers(name, key, value) for key, value in values.items()}
    for key in arrays.keys() & {'mean', 'var', 'std'}:
        if arrays[key].shape != (inputs,):
            raise UserError(
                f'{name}: {key} of shape {arrays[key].shape} does not fit {inputs} inputs'
            )
    for key in arrays.keys() & {'epsilon', 'clip'}:
        if arrays[key].size != 1:
            raise UserError(f'{name}: {key} must be one number')
    epsilon = float(arrays['epsilon'][0]) if 'epsilon' in arrays else EPSILON
    clip = float(arrays['clip'][0]) if 'clip' in arrays else CLIP
    deviation = np.sqrt(arrays['var'] + epsilon) if 'var' in arrays else arrays['std']
    if not (deviation > 0).all() or clip <= 0:
        raise UserError(f'{name}: variances, standard deviations and clip must be positive')
    return _steps(arrays['mean'], 1.0 / deviation, clip, dtype)


def _steps(mean: Array, scale: Array, clip: float, dtype: Any) -> list[Step]:
    """Return the steps; what a mean loses in single precision is subtracted as well.

    Otherwise inputs that hardly vary would be wrong, as they are scaled by a large number.
    """
    center = mean.astype(dtype)
    rest = (mean - center).astype(dtype)
    steps: list[Step] = [Affine(center, np.ones_like(center))] if rest.any() else []
    steps.append(Affine(rest if rest.any() else center, scale.astype(dtype)))
    return [*steps, Function.of('clip', low=-clip, high=clip)]


def _numbers(name: str, key: str, value: Any) -> Array:
    try:
        numbers = np.asarray(value, np.float64).ravel()
    except (TypeError, ValueError):
        raise UserError(f'{name}: {key} must be numbers') from None
    if not np.isfinite(numbers).all():
        raise UserError(f'{name}: {key} holds infinity or NaN')
    return numbers


def _read(path: Path) -> dict[str, Any]:
    content = read_bytes(path, LARGEST_FILE)
    if path.suffix in ('.pkl', '.pickle') or content.startswith(b'\x80'):
        raise UserError(
            f'{path}: is a pickle, which may run code and is never opened; docs/own_policy.md '
            'shows how to write its statistics to an .npz file ("Normalization")'
        )
    if path.suffix in _YAML:
        try:
            values = plain_yaml.parse(content.decode())
        except ValueError as error:  # of the encoding, or of the syntax
            raise UserError(f'{path}: {error}') from None
        if not isinstance(values, dict):
            raise UserError(f'{path}: holds no keys; {_ALLOWED}')
        return values
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            if sum(member.file_size for member in file.infolist()) > LARGEST_FILE:
                raise UserError(f'{path}: is too large when it is unpacked')
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except UserError:
        raise
    except Exception:  # damaged archives raise errors of many kinds
        raise UserError(f'{path}: is damaged, or neither .npz nor YAML; {_ALLOWED}') from None

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Reads the two files of a checkpoint that other programs need, without torch."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach.arm.task import action_table
from neuron_reach.common.arrays import Single
from neuron_reach.common.files import Kind, check_kinds, read_document
from neuron_reach.common.tensors import read_tensors
from neuron_reach.errors import UserError
from neuron_reach.learning.setup import Setup

FORMAT = 1
FLOAT32 = np.dtype(np.float32)

ACCURACY: Kind = {'successes': int, 'episodes': int, 'value': float, 'interval_95': [float]}
"""An `Accuracy` in a JSON file."""

_KINDS: Kind = {
    'options': dict,
    'validation': {
        'history': [[int]],
        'training_duration': int | None,
        'confirmed': int | None,
    },
    'versions': dict,
    'seed': int,
}


@dataclasses.dataclass(frozen=True)
class Metadata:
    """The metadata of a checkpoint.

    Attributes:
        values: content of the file.
        setup: the options that the network was trained with.
        has_digest: whether the file has a digest (which was checked).
    """

    values: dict[str, Any]
    setup: Setup
    has_digest: bool


def facts(setup: Setup) -> dict[str, Any]:
    """Return the explicit facts about arm, task and network in the metadata."""
    return {
        'joints': setup.arm.joints,
        'hidden': list(setup.learning.hidden),
        'link_lengths': setup.arm.link_lengths.tolist(),
        'start_pose': setup.arm.start_pose.tolist(),
        'actions': action_table(setup.arm.joints).tolist(),
        'goals': setup.task.goals,
    }


def read_metadata(file: Path) -> Metadata:
    """Read the metadata of a checkpoint.

    Raises:
        UserError: the file is missing, damaged, of another kind, or inconsistent.
    """
    values, has_digest = read_document(file)
    if values.get('format') != FORMAT:
        raise UserError(f'{file}: is not checkpoint metadata of format {FORMAT}')
    check_kinds(file, values, _KINDS)
    options, validation = values['options'], values['validation']
    kinds = {field.name: _kind(field.default) for field in Setup.fields()}
    check_kinds(file, values, {'options': {key: kinds[key] for key in options if key in kinds}})
    if 'accuracy' in validation:
        check_kinds(file, values, {'validation': {'accuracy': ACCURACY}})
        if len(validation['accuracy']['interval_95']) != 2:
            raise UserError(f'{file}: validation.accuracy.interval_95 must be two numbers')
    if any(len(entry) != 3 for entry in validation['history']):
        raise UserError(f'{file}: validation.history must be lists of three numbers')
    if validation['confirmed'] is not None and not validation['history']:
        raise UserError(f'{file}: validation.history lacks the test that was confirmed')
    setup = Setup.from_saved(options, str(file))
    for key, value in facts(setup).items():
        if values.get(key) != value:
            raise UserError(f'{file}: {key} is missing or contradicts the options')
    return Metadata(values, setup, has_digest)


def _kind(default: Any) -> Kind:
    """Return the `Kind` of an option in JSON, from its default value."""
    return list if isinstance(default, tuple) else type(default)


def read_parameters(file: Path, setup: Setup) -> tuple[dict[str, Single], bool]:
    """Return the parameters of a network by name, and whether the file has a digest.

    Raises:
        UserError: the file is missing, damaged, of another kind, or does not fit the setup.
    """
    arrays, has_digest = read_tensors(file, setup.parameters * FLOAT32.itemsize)
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (fan_in, out) in enumerate(itertools.pairwise(setup.layer_sizes)):
        shapes[f'layers.{layer}.weight'], shapes[f'layers.{layer}.bias'] = (out, fan_in), (out,)
    for name, shape in shapes.items():
        value = arrays.get(name)
        if value is None or value.shape != shape or value.dtype != FLOAT32:
            found = 'missing' if value is None else f'{value.shape} {value.dtype}'
            raise UserError(
                f'{file}: {name} must be {shape} float32, as its metadata says, but is {found}'
            )
        if not np.isfinite(value).all():
            raise UserError(f'{file}: holds numbers that are not finite')
    if len(arrays) > len(shapes):
        raise UserError(f'{file}: unexpected tensor {min(arrays.keys() - shapes)!r}')
    return arrays, has_digest

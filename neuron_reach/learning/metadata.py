"""What `metadata.json` of a checkpoint says; reading it needs no torch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from neuron_reach.arm.task import action_table
from neuron_reach.errors import UserError
from neuron_reach.files import Kind, check_kinds, read_document
from neuron_reach.learning.setup import Setup

FORMAT = 1
METADATA = 'metadata.json'

_ACCURACY: Kind = {'successes': int, 'episodes': int, 'value': float, 'interval_95': [float]}
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
    """What was read.

    Attributes:
        values: what the file says.
        setup: the options that the network was trained with.
        has_digest: whether the file has a digest, which fits.
    """

    values: dict[str, Any]
    setup: Setup
    has_digest: bool


def facts(setup: Setup) -> dict[str, Any]:
    """Return what the metadata says of arm, task and network in so many words."""
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
        UserError: it is missing, damaged or foreign, or contradicts itself.
    """
    values, has_digest = read_document(file)
    if values.get('format') != FORMAT:
        raise UserError(f'{file}: is no checkpoint metadata of format {FORMAT}')
    check_kinds(file, values, _KINDS)
    options, validation = values['options'], values['validation']
    kinds = {field.name: _kind(field.default) for field in Setup.fields()}
    check_kinds(file, values, {'options': {key: kinds[key] for key in options if key in kinds}})
    if 'accuracy' in validation:
        check_kinds(file, values, {'validation': {'accuracy': _ACCURACY}})
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
    """Return the `Kind` of an option in JSON."""
    return [int] if isinstance(default, tuple) else type(default)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Checks that a recording belongs to a network, and that it is complete.

Used by every command that takes both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint, network_digest
from neuron_reach.records.record import ActivityRecord

TOLERANCE = 1e-4
"""Tolerance for arithmetic on other machines, relative to the largest activation of a layer."""


def check_record(checkpoint: Checkpoint, record: ActivityRecord, source: object) -> str | None:
    """Check that a record is of this network.

    Compares the digest in the recording, or, without one, recomputes the activations.

    Args:
        checkpoint: the network.
        record: the record to check.
        source: what the record is called in the message, such as its bag.

    Returns:
        None; or the reason why the check is inconclusive.

    Raises:
        UserError: the record is of another network.
    """
    network = checkpoint.network
    digest = record.network.get('digest')
    if digest is not None:
        if digest != network_digest(network):
            raise UserError(
                f'{source}: is not of {checkpoint.path}, which holds other weights than those '
                'that were recorded'
            )
        return None
    if len(record.layers) != len(network.sizes) or 'input' not in record.layers:
        return (
            f'{source}: cannot be compared with {checkpoint.path}, as it holds only '
            f'{", ".join(record.layers)}'
        )
    if record.sizes != network.sizes:
        raise UserError(
            f'{source}: is of a network with layers {record.sizes}, but {checkpoint.path} has '
            f'{network.sizes}'
        )
    scale, worst = np.zeros(len(network.sizes)), np.zeros(len(network.sizes))
    start = 0
    for block in record.blocks():
        lengths = record.lengths[start : start + len(block)]
        start += len(block)
        rows = np.ascontiguousarray(block[np.arange(block.shape[1]) < lengths[:, None]])
        inputs = np.ascontiguousarray(rows[:, record.columns('input')])
        for layer, values in enumerate(network.activations(torch.from_numpy(inputs)[None])):
            recorded = rows[:, record.columns(record.layers[layer])]
            # In double precision, as the difference of two large numbers may overflow; with
            # `np.maximum`, which propagates NaN.
            difference = abs(values[0].numpy().astype(np.float64) - recorded).max()
            worst[layer] = np.maximum(worst[layer], difference)
            scale[layer] = max(scale[layer], abs(recorded).max(), 1e-6)
    if not (worst <= TOLERANCE * scale).all():
        place = record.layers[int((worst / scale).argmax())]
        raise UserError(
            f'{source}: is not of {checkpoint.path}: from the same inputs, that network computes '
            f'other activations in {place}'
        )
    return None


def check_whole(record: ActivityRecord, source: Path, needed: int | None = None) -> None:
    """Check that a recording holds as many episodes as were asked for.

    Args:
        record: of the complete recording.
        source: the bag, for the message.
        needed: episodes that the caller needs.

    Raises:
        UserError: the recording holds fewer.
    """
    wanted = max(needed or 0, int(record.network.get('episodes', 0)))
    if record.episodes < wanted:
        raise UserError(f'{source}: is not whole: it holds {record.episodes} of {wanted} episodes')

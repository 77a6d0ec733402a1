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

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from neuron_reach import messages
from neuron_reach.common.arrays import Single
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint, network_digest
from neuron_reach.networks.feed_forward import FeedForward
from neuron_reach.records.record import ActivityRecord

TOLERANCE = 1e-4
"""Tolerance for arithmetic on other machines, relative to the largest activation of a layer."""


def check_record(checkpoint: Checkpoint, record: ActivityRecord, source: object) -> str | None:
    """Check that a record is of the network of a checkpoint, see `check_network`."""
    network = checkpoint.network

    def activations(inputs: Single) -> Single:
        layers = network.activations(torch.from_numpy(inputs)[None])
        return torch.cat(layers, dim=2)[0].numpy()

    return _check(
        record, source, checkpoint.path, network_digest(network), network.sizes, activations
    )


def check_network(
    network: FeedForward, record: ActivityRecord, source: object, name: object
) -> str | None:
    """Check that a record is of this network.

    Compares the digest in the recording, or, without one, recomputes the activations.

    Args:
        network: the network.
        record: the record to check.
        source: what the record is called in the message, such as its bag.
        name: what the network is called there, such as its path.

    Returns:
        None; or the reason why the check is inconclusive.

    Raises:
        UserError: the record is of another network.
    """
    return _check(record, source, name, network.digest, network.sizes, network.activations)


def _check(
    record: ActivityRecord,
    source: object,
    name: object,
    expected: str,
    sizes: tuple[int, ...],
    activations: Callable[[Single], Single],
) -> str | None:
    digest = record.network.get('digest')
    if digest is not None:
        if digest != expected:
            raise UserError(
                f'{source}: is not of {name}, which holds other weights than those that were '
                'recorded'
            )
        return None
    if len(record.layers) != len(sizes) or 'input' not in record.layers:
        return (
            f'{source}: cannot be compared with {name}, as it holds only {", ".join(record.layers)}'
        )
    if record.sizes != sizes:
        raise UserError(
            f'{source}: is of a network with layers {record.sizes}, but {name} has {sizes}'
        )
    scale, worst = np.zeros(len(sizes)), np.zeros(len(sizes))
    for rows in record.steps():
        computed = activations(np.ascontiguousarray(rows[:, record.columns('input')]))
        for layer, layer_name in enumerate(record.layers):
            part = record.columns(layer_name)
            # In double precision, as the difference of two large numbers may overflow; with
            # `np.maximum`, which propagates NaN.
            difference = abs(computed[:, part].astype(np.float64) - rows[:, part])
            worst[layer] = np.maximum(worst[layer], difference.max(initial=0.0))
            scale[layer] = max(scale[layer], abs(rows[:, part]).max(initial=0.0), 1e-6)
    if not (worst <= TOLERANCE * scale).all():
        place = record.layers[int((worst / scale).argmax())]
        raise UserError(
            f'{source}: is not of {name}: from the same inputs, that network computes other '
            f'activations in {place}'
        )
    return None


def check_layers(record: ActivityRecord, source: object, layers: int | None = None) -> None:
    """Check that a record holds all layers of a network.

    Args:
        record: the record to check.
        source: what it is called in the message, such as its bag.
        layers: number of the network's layers, input and output included; None: unknown.

    Raises:
        UserError: some are missing.
    """
    count = len(record.layers) if layers is None else layers
    if record.layers != messages.layer_names(count - 2):
        raise UserError(f'{source}: not all layers were recorded, only {", ".join(record.layers)}')


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

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Networks made of others: for an arm with other joints, or with a hidden layer less."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from neuron_reach.arm.task import action_table
from neuron_reach.errors import UserError
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.records.record import ActivityRecord


def adapt_network(source: QNetwork, transform: ArrayLike) -> QNetwork:
    """Return the network for the target's arm that acts as a source network would.

    It sees theta through theta' = J theta (`input_transform`): a source joint that follows a joint
    of the target gets its sine and cosine, one that follows none stays at zero, sin 0 = 0 and
    cos 0 = 1, which goes into the biases of the first layer. So its hidden neurons do exactly what
    those of the source do when it is mapped. The value of a target's action is that of the
    source's action with the same motions of the joints that follow each other; joints of the
    source that follow none do not move, and motions of joints that none follows change nothing.

    Args:
        source: a stack of one member.
        transform: J, (source joints, target joints), at most a single 1 in each row.

    Returns:
        A stack of one member.

    Raises:
        ValueError: a transform with other rows, or for another number of joints.
    """
    matrix = np.asarray(transform, np.float64)
    joints, target_joints = matrix.shape
    if source.sizes[0] != 2 * joints + 2:
        raise ValueError(
            f'a network with {source.sizes[0]} inputs is not for the {joints} source joints'
        )
    if not (np.isin(matrix, (0.0, 1.0)).all() and (matrix.sum(axis=1) <= 1.0).all()):
        raise ValueError('each source joint must follow one joint of the target, or none')
    inputs = np.zeros((2 * joints + 2, 2 * target_joints + 2))
    inputs[0:-2:2, 0:-2:2] = inputs[1:-2:2, 1:-2:2] = matrix
    inputs[-2:, -2:] = np.eye(2)
    constant = np.zeros(2 * joints + 2)
    constant[1:-2:2] = matrix.sum(axis=1) == 0.0
    motions = action_table(target_joints) @ matrix.T  # of the source, for each target action
    actions = np.abs(motions[:, None] - action_table(joints)).sum(axis=2).argmin(axis=1)

    adapted = QNetwork((inputs.shape[1], *source.sizes[1:-1], len(actions)))
    for old, new in zip(source.weights[1:-1], adapted.weights[1:-1], strict=True):
        new.copy_(old)
    for old, new in zip(source.biases[:-1], adapted.biases[:-1], strict=True):
        new.copy_(old)
    first = source.weights[0][0].numpy().astype(np.float64)
    adapted.weights[0][0] = torch.from_numpy(first @ inputs)
    adapted.biases[0][0, 0] += torch.from_numpy(first @ constant).float()
    adapted.weights[-1][0] = source.weights[-1][0][actions]
    adapted.biases[-1][0, 0] = source.biases[-1][0, 0][actions]
    return adapted


def copy_hidden(*, source: QNetwork, start: QNetwork) -> QNetwork:
    """Return a network with the weights between hidden layers of one and all others of another.

    Args:
        source: has the weights and biases from each hidden layer to the next.
        start: has those from the inputs and to the outputs.

    Raises:
        ValueError: their hidden layers are not of the same sizes.
    """
    if source.sizes[1:-1] != start.sizes[1:-1]:
        raise ValueError(
            f'hidden layers {source.sizes[1:-1]} do not fit {start.sizes[1:-1]}: nothing to copy'
        )
    copied = start.copy()
    for layer in range(1, len(source.weights) - 1):
        copied.weights[layer].copy_(source.weights[layer])
        copied.biases[layer].copy_(source.biases[layer])
    return copied


def remove_layer(network: QNetwork, record: ActivityRecord, layer: int) -> tuple[QNetwork, float]:
    """Take out a hidden layer and predict its activations from those of the layer before.

    The layer's activations z are predicted as M y + m from those of the layer before, y, by least
    squares over all steps of the sample episodes. With that, W z + c of the layer behind it
    becomes (W M) y + (W m + c).

    Args:
        network: a stack of one member.
        record: of this network, with all layers.
        layer: which hidden layer, from 1.

    Returns:
        The network, a stack of one member, and the share of the activations' variance that the
        prediction misses (0 for a layer that is always the same).

    Raises:
        UserError: there is no such layer.
        ValueError: the record is of another network.
    """
    if not 1 <= layer <= len(network.sizes) - 2:
        raise UserError(f'no hidden layer {layer}; there are {len(network.sizes) - 2}')
    if record.sizes != network.sizes:
        raise ValueError(f'layers are {network.sizes}, those recorded {record.sizes}')
    steps = np.arange(record.activations.shape[1]) < np.asarray(record.lengths)[:, None]
    before, own = (
        record.layer(record.layers[place])[steps].astype(np.float64) for place in (layer - 1, layer)
    )
    mean_before, mean_own = before.mean(axis=0), own.mean(axis=0)
    spread_before, spread_own = before - mean_before, own - mean_own
    # Dead and proportional neurons leave the equations singular: the solution of least norm.
    slope = np.linalg.lstsq(
        spread_before.T @ spread_before, spread_before.T @ spread_own, rcond=1e-9
    )[0].T
    offset = mean_own - slope @ mean_before
    missed = float(np.square(spread_own - spread_before @ slope.T).sum())
    total = float(np.square(spread_own).sum())

    shorter = QNetwork((*network.sizes[:layer], *network.sizes[layer + 1 :]))
    kept = [place for place in range(len(network.weights)) if place != layer - 1]
    for place, old in enumerate(kept):
        shorter.biases[place].copy_(network.biases[old])
        if old != layer:
            shorter.weights[place].copy_(network.weights[old])
    behind = network.weights[layer][0].numpy().astype(np.float64)
    shorter.weights[layer - 1][0] = torch.from_numpy(behind @ slope)
    shorter.biases[layer - 1][0, 0] += torch.from_numpy(behind @ offset).float()
    return shorter, missed / total if total else 0.0

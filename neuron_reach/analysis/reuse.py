# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Networks derived from others: for another number of joints, or with one hidden layer less."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from neuron_reach.arm.task import action_table
from neuron_reach.errors import UserError
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.records.record import ActivityRecord


def adapt_network(source: QNetwork, transform: ArrayLike) -> QNetwork:
    """Return a network for the target's arm that acts as the source network does.

    The transform theta' = J theta (`input_transform`) becomes part of the first layer. A source
    joint that follows a target joint gets the sine and cosine of that joint. A source joint that
    follows none stays at zero; its constant inputs sin 0 = 0 and cos 0 = 1 are added to the biases.
    The hidden neurons thus have exactly the activations that those of the source have in a mapping
    with this transform.

    The value of an action of the target is that of the source's action with the same motions of
    all joints that follow a target joint; source joints that follow none do not move. Motions of
    target joints that no source joint follows have no effect on the value.

    Args:
        source: a stack of one member.
        transform: J, (source joints, target joints), with at most one 1 per row, else zeros.

    Returns:
        A stack of one member.

    Raises:
        ValueError: a transform with other rows, or for a different number of source joints.
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
    motions = action_table(target_joints) @ matrix.T  # of the source joints, for each target action
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
    """Copy the weights between hidden layers of one network into a copy of another network.

    Args:
        source: provides the weights and biases from each hidden layer to the next.
        start: provides the weights and biases of the first and the last layer.

    Returns:
        A new network with the layer sizes of `start`.

    Raises:
        ValueError: the sizes of the hidden layers differ.
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
    """Remove a hidden layer and replace it with a linear prediction from the previous layer.

    The activations z of the layer are predicted as M y + m from those of the previous layer, y, by
    least squares over all steps of the sample episodes. W z + c of the next layer then becomes
    (W M) y + (W m + c).

    Args:
        network: a stack of one member.
        record: activations of this network, with all layers.
        layer: number of the hidden layer, from 1.

    Returns:
        The shorter network, a stack of one member, and the share of the variance of z that the
        prediction does not explain (0 if z is constant).

    Raises:
        UserError: there is no such layer.
        ValueError: the layers of the record are not those of the network.
    """
    if not 1 <= layer <= len(network.sizes) - 2:
        raise UserError(
            f'no hidden layer {layer}; there are {len(network.sizes) - 2} hidden layers'
        )
    if record.sizes != network.sizes:
        raise ValueError(f'layers are {network.sizes}, those of the record are {record.sizes}')
    steps = np.arange(record.activations.shape[1]) < np.asarray(record.lengths)[:, None]
    before, own = (
        record.layer(record.layers[place])[steps].astype(np.float64) for place in (layer - 1, layer)
    )
    mean_before, mean_own = before.mean(axis=0), own.mean(axis=0)
    spread_before, spread_own = before - mean_before, own - mean_own
    # Dead and proportional neurons make the equations singular: take the minimum-norm solution.
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

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Input sets on which networks are compared, and activations of networks on them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.spatial import KDTree

from neuron_reach.common.arrays import Integers, Single
from neuron_reach.errors import UserError
from neuron_reach.learning.qnetwork import QNetwork

CHUNK = 8192
"""Number of samples in one forward pass."""


def unique_samples(observations: ArrayLike, tolerance: float = 0.0) -> Integers:
    """Return the indices of the samples without duplicates, ascending.

    A sample is a duplicate if an earlier kept sample equals it or, with a tolerance, differs from
    it by at most the tolerance in each component. So every dropped sample is within the
    tolerance of a kept one, and no two kept samples are within the tolerance of each other.

    Args:
        observations: (N, inputs).
        tolerance: largest difference, in the unit of each component; 0: exact duplicates only.

    Raises:
        UserError: a negative tolerance.
        ValueError: `observations` is not a matrix.
    """
    samples = np.ascontiguousarray(observations)
    if samples.ndim != 2:
        raise ValueError(f'observations must be (samples, inputs), not {samples.shape}')
    if not tolerance >= 0.0:
        raise UserError(f'tolerance must be at least 0, not {tolerance:g}')
    first = np.sort(np.unique(samples + 0.0, axis=0, return_index=True)[1])  # -0.0 equals 0.0
    if tolerance == 0.0:
        return first
    samples = samples[first].astype(np.float64)
    tree = KDTree(samples)
    kept = np.ones(len(samples), bool)
    for number, sample in enumerate(samples):
        if kept[number]:
            near = np.array(tree.query_ball_point(sample, tolerance, p=np.inf))
            kept[near[near > number]] = False
    return first[kept]


def network_activations(network: QNetwork, observations: ArrayLike) -> Single:
    """Run a network on observations.

    Args:
        network: a stack of one member.
        observations: (..., inputs).

    Returns:
        Activations of all layers, concatenated from input to output, (..., neurons).

    Raises:
        ValueError: the network has a different number of inputs.
    """
    values = np.asarray(observations, np.float32)
    if values.shape[-1:] != network.sizes[:1]:
        raise ValueError(
            f'a network with {network.sizes[0]} inputs cannot be run on observations of shape '
            f'{values.shape}'
        )
    rows = np.ascontiguousarray(values.reshape(1, math.prod(values.shape[:-1]), values.shape[-1]))
    samples = torch.from_numpy(rows)
    result = np.empty((samples.shape[1], sum(network.sizes)), np.float32)
    for start in range(0, len(result), CHUNK):
        part = slice(start, start + CHUNK)
        layers = network.activations(samples[:, part])
        np.concatenate([layer[0].numpy() for layer in layers], axis=1, out=result[part])
    return result.reshape(*values.shape[:-1], sum(network.sizes))


def random_network(sizes: Sequence[int], generator: torch.Generator) -> QNetwork:
    """Return an untrained network: Glorot-uniform weights (Xavier), biases zero (paper, section 4).

    Args:
        sizes: number of neurons of every layer, including input and output.
        generator: source of randomness.
    """
    network = QNetwork(sizes)
    for weight in network.weights:
        bound = (6.0 / (weight.shape[1] + weight.shape[2])) ** 0.5
        weight.uniform_(-bound, bound, generator=generator)
    return network

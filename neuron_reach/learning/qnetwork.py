# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The Q-network: fully connected ReLU layers, for one network or a stack of independent ones.

The members of a stack have inputs, outputs and the number of layers in common; hidden layers may be
of different widths, as they are after pruning. Their parameters lie in one flat array, so that an
optimiser step is a handful of operations whatever the number of layers and members.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from neuron_reach.common.arrays import AnyArray, Integers, Single
from neuron_reach.learning import kernels

ALIGNMENT = 16
"""Every member's parameters begin at a multiple of this many numbers.

That is a cache line. How a matrix product rounds may depend on where in one an array begins, so
only thus does a member of a stack learn bit by bit what it would learn alone.
"""


class QNetwork:
    """A stack of `members` multilayer perceptrons x -> Q(x, .); a single network has one member.

    Attributes:
        shapes: of every member, the neurons per layer, input and output included.
        layer_sizes: the same as an array, (members, layers).
        flat: every parameter, (members, parameters, padded with zeros), float32.
        parameters: the same memory as an array.
    """

    def __init__(self, *shapes: Sequence[int]) -> None:
        """Make one member for each shape, with all parameters zero.

        Raises:
            ValueError: they differ in more than the widths of hidden layers, or a layer is empty.
        """
        self.shapes = tuple(map(tuple, shapes))
        for shape in self.shapes:
            if len(shape) < 2 or min(shape) < 1:
                raise ValueError(f'{shape} are no neurons per layer, from the input to the output')
        if len({(len(shape), shape[0], shape[-1]) for shape in self.shapes}) > 1:
            raise ValueError('only the widths of hidden layers may differ in a stack')
        self.layer_sizes = np.array(self.shapes)
        fan_in, out = self.layer_sizes[:, :-1], self.layer_sizes[:, 1:]
        parameters = int(((fan_in + 1) * out).sum(axis=1).max())
        self.flat = torch.zeros(len(shapes), -(-parameters // ALIGNMENT) * ALIGNMENT)
        self.parameters = self.flat.numpy()

    @classmethod
    def stack(cls, networks: Sequence[QNetwork]) -> QNetwork:
        """Return a stack of copies of all members of some networks; errors as for their shapes."""
        stack = cls(*(shape for network in networks for shape in network.shapes))
        row = 0
        for network in networks:
            stack.flat[row : row + network.members, : network.flat.shape[1]] = network.flat
            row += network.members
        return stack

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons per layer, which have to be the same for all members."""
        (sizes,) = set(self.shapes)
        return sizes

    @property
    def weights(self) -> list[Tensor]:
        """Per layer, a view into `flat`, (members, out, in); of members of the same sizes."""
        return [weight for weight, _ in self._views()]

    @property
    def biases(self) -> list[Tensor]:
        """Per layer, a view into `flat`, (members, 1, out); of members of the same sizes."""
        return [bias for _, bias in self._views()]

    def _views(self) -> Iterator[tuple[Tensor, Tensor]]:
        start = 0
        for fan_in, out in itertools.pairwise(self.sizes):
            end = start + out * fan_in
            weight = self.flat[:, start:end].view(self.members, out, fan_in)
            start = end + out
            yield weight, self.flat[:, end:start].view(self.members, 1, out)

    @property
    def members(self) -> int:
        """Number of networks in the stack."""
        return self.flat.shape[0]

    def empty_like(self) -> QNetwork:
        """Return a stack of the same shapes with all parameters zero."""
        return QNetwork(*self.shapes)

    def copy(self) -> QNetwork:
        """Return a stack with the same parameters that shares no memory with this one."""
        other = self.empty_like()
        other.flat.copy_(self.flat)
        return other

    def select(self, members: Sequence[int] | Integers) -> QNetwork:
        """Return a stack of copies of these members only."""
        part = QNetwork(*(self.shapes[member] for member in members))
        part.flat.copy_(self.flat[members, : part.flat.shape[1]])  # beyond that is padding
        return part

    def initialize(self, generators: Sequence[torch.Generator], output_bias: float) -> None:
        """Draw normal weights of variance 2 / fan-in (He et al. 2015), one generator a member.

        The first layer's is half of that, as inputs are not rectified. The output layer's weights
        are a tenth: with a bias at the typical return, all actions start with about equal values.
        """
        self.flat.zero_()
        last = len(self.weights) - 1
        for member, generator in enumerate(generators):
            for layer, weight in enumerate(self.weights):
                scale = math.sqrt((2.0 if layer else 1.0) / weight.shape[2])
                scale *= 0.1 if layer == last else 1.0
                draw = torch.randn(weight.shape[1:], generator=generator)
                weight[member] = scale * draw
        self.biases[-1].fill_(output_bias)

    def activations(self, observations: Tensor) -> list[Tensor]:
        """Return the activation of every layer: input, hidden (after ReLU), output.

        Args:
            observations: (members, batch, inputs), float32; members of the same sizes.

        Returns:
            One tensor a layer, (members, batch, neurons).

        Raises:
            ValueError: observations of another shape.
        """
        self._check(observations.shape)
        sizes, batch = self.sizes, observations.shape[1]
        buffer = np.empty((self.members, batch * sum(sizes)), self.parameters.dtype)
        buffer[:, : batch * sizes[0]] = observations.reshape(self.members, -1).numpy()
        for member, layers in enumerate(buffer):
            kernels.forward(
                self.parameters[member], self.layer_sizes[member], batch, layers, len(sizes) - 1
            )
        parts = np.split(buffer, batch * np.cumsum(sizes)[:-1], axis=1)
        return [
            torch.from_numpy(part).view(self.members, batch, size)
            for part, size in zip(parts, sizes, strict=True)
        ]

    def q_values(self, observations: AnyArray) -> AnyArray:
        """Return Q for every action, (members, batch, actions), for (members, batch, inputs).

        Raises:
            ValueError: observations of another shape.
        """
        self._check(np.shape(observations))
        observations = np.ascontiguousarray(observations, self.parameters.dtype)
        values: AnyArray = kernels.outputs(self.parameters, self.layer_sizes, observations)
        return values

    def _check(self, shape: Sequence[int]) -> None:
        """Make sure that compiled code reads no further than the observations go."""
        members, inputs = self.members, self.shapes[0][0]
        if len(shape) != 3 or shape[0] != members or shape[2] != inputs:
            raise ValueError(
                f'observations of shape {tuple(shape)} do not fit a network that takes '
                f'({members}, batch, {inputs})'
            )


def greedy(network: QNetwork, observations: Single) -> Integers:
    """Return the actions of greatest Q, (members, arms), for (members, arms, inputs)."""
    best: Integers = network.q_values(observations).argmax(-1)
    return best

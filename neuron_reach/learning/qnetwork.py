"""The Q-network: fully connected ReLU layers, for one network or a stack of independent ones.

All members of a stack have the same layer sizes. Their parameters lie in one flat array, so that an
optimiser step is a handful of operations whatever the number of layers and members.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuron_reach.learning import kernels

Array = NDArray[Any]

ALIGNMENT = 16
"""Every member's parameters begin at a multiple of this many numbers.

That is a cache line. How a matrix product rounds may depend on where in one an array begins, so
only thus does a member of a stack learn bit by bit what it would learn alone.
"""


class QNetwork:
    """A stack of `members` multilayer perceptrons x -> Q(x, .); a single network has one member.

    Attributes:
        sizes: neurons per layer, input and output included.
        flat: every parameter, (members, parameters, padded with zeros), float32.
        weights: per layer, a view into `flat`, (members, out, in).
        biases: per layer, a view into `flat`, (members, 1, out).
    """

    def __init__(self, sizes: Sequence[int], members: int = 1) -> None:
        self.sizes = tuple(sizes)
        shapes = list(zip(self.sizes[1:], self.sizes[:-1], strict=True))
        parameters = sum(out * (fan_in + 1) for out, fan_in in shapes)
        self.flat = torch.zeros(members, -(-parameters // ALIGNMENT) * ALIGNMENT)
        self.weights: list[Tensor] = []
        self.biases: list[Tensor] = []
        start = 0
        for out, fan_in in shapes:
            end = start + out * fan_in
            self.weights.append(self.flat[:, start:end].view(members, out, fan_in))
            self.biases.append(self.flat[:, end : end + out].view(members, 1, out))
            start = end + out
        self._parameters = self.flat.numpy()  # the same memory
        self._sizes = np.array(self.sizes)

    @property
    def members(self) -> int:
        """Number of networks in the stack."""
        return self.flat.shape[0]

    def empty_like(self) -> QNetwork:
        """Return a stack of the same shape with all parameters zero."""
        return QNetwork(self.sizes, self.members)

    def copy(self) -> QNetwork:
        """Return a stack with the same parameters that shares no memory with this one."""
        other = self.empty_like()
        other.flat.copy_(self.flat)
        return other

    def select(self, members: Sequence[int] | NDArray[np.int64]) -> QNetwork:
        """Return a stack of these members only, a copy."""
        other = QNetwork(self.sizes, len(members))
        other.flat.copy_(self.flat[members])
        return other

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

    def forward(self, observations: Array, *, outputs: bool = True) -> Array:
        """Run the networks on observations (members, batch, inputs), if need be to the outputs.

        Returns:
            The activations of all layers in one flat buffer, for `layer` and `backward`.
        """
        members, batch, inputs = observations.shape
        buffer = np.empty(members * batch * sum(self.sizes), self._parameters.dtype)
        buffer[: members * batch * inputs] = observations.reshape(-1)
        depth = len(self.sizes) - (1 if outputs else 2)
        kernels.forward(self._parameters, self._sizes, batch, buffer, depth)
        return buffer

    def layer(self, buffer: Array, index: int) -> Array:
        """Return a layer's activations, (members, batch, neurons), a view of `forward`'s buffer.

        Args:
            buffer: what `forward` returned.
            index: 0 is the input, hidden layers are taken after ReLU, -1 is the output.
        """
        index %= len(self.sizes)
        rows = buffer.size // sum(self.sizes)
        start = rows * sum(self.sizes[:index])
        part = buffer[start : start + rows * self.sizes[index]]
        return part.reshape(self.members, -1, self.sizes[index])

    def activations(self, observations: Tensor) -> list[Tensor]:
        """Return the activation of every layer: input, hidden (after ReLU), output.

        Args:
            observations: (members, batch, inputs), float32.

        Returns:
            One tensor a layer, (members, batch, neurons).
        """
        buffer = self.forward(observations.numpy())
        return [torch.from_numpy(self.layer(buffer, i)) for i in range(len(self.sizes))]

    def q_values(self, observations: Tensor) -> Tensor:
        """Return Q for every action, (members, batch, actions)."""
        return torch.from_numpy(self.layer(self.forward(observations.numpy()), -1))

    def backward(self, buffer: Array, actions: Array, targets: Array, gradient: QNetwork) -> None:
        """Write the gradient of mean((Q(x, a) - target)^2), by the chain rule, layer by layer.

        Args:
            buffer: what `forward` returned, with or without outputs.
            actions: (members, batch).
            targets: (members, batch).
            gradient: a stack of the same shape; overwritten.
        """
        kernels.backward(
            self._parameters, self._sizes, buffer, actions, targets, gradient._parameters
        )


def greedy(network: QNetwork, observations: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the actions of greatest Q, (members, arms), for (members, arms, inputs)."""
    values = network.layer(network.forward(observations), -1)
    best: NDArray[np.int64] = values.argmax(-1)
    return best

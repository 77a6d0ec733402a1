# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Finding the chain of layers in a network of another library.

A reader creates a `Signal` for the inputs and passes it through all operations of the network.
Operations on constants give constants; those on signals give signals, which remember the linear
map that they come from, the neurons that were selected of it, and the elementwise steps since.
`neuron_reach.networks.chains` then makes layers of the last signal. The number of samples counts
as 1 in all shapes. Operations on several signals are in `branches` and `elementwise`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import torch

from neuron_reach.common.arrays import AnyArray, Array, Integers
from neuron_reach.networks.functions import LARGEST, Affine, Function, select
from neuron_reach.networks.recognition import Operation, recognized

WIDEST = 1 << 20
"""Most neurons of a layer."""

LARGEST_CONSTANT = 1 << 28
"""Most numbers of a constant."""

SUPPORTED = 'supported are chains of linear layers and elementwise functions'

MOST_STEPS = 100
"""Elementwise operations between two layers at most."""


class UnfitError(ValueError):
    """An operation that a chain of layers cannot have; says why."""


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """The inputs of a network, or a linear map of a signal.

    Attributes:
        width: its neurons.
        below: the signal that it maps; None: these are the inputs.
        weight: (neurons, neurons of the signal below).
        bias: (neurons,).
    """

    width: int
    below: Signal | None = None
    weight: AnyArray | None = None
    bias: AnyArray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Signal:
    """A tensor that depends on the inputs.

    Attributes:
        source: what it was computed from.
        rows: which neuron of the source each element is, in the shape of the tensor.
        steps: what was applied to the elements, counted in the order of `rows.ravel()`.
    """

    source: Source
    rows: Integers
    steps: tuple[Operation, ...] = ()

    @classmethod
    def whole(cls, source: Source, shape: Sequence[int] | None = None) -> Signal:
        """Return all neurons of a source, by default in the shape (1, neurons)."""
        return cls(source, np.arange(source.width).reshape(shape or (1, -1)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor, for one sample."""
        return self.rows.shape

    def then(self, *steps: Operation) -> Signal:
        """Return the signal after more elementwise steps.

        Raises:
            UnfitError: there are more than `MOST_STEPS`.
        """
        if len(self.steps) + len(steps) > MOST_STEPS:
            raise UnfitError(f'more than {MOST_STEPS} elementwise functions follow each other')
        return dataclasses.replace(self, steps=recognized((*self.steps, *steps)))

    def affine(self, center: Any, scale: Any) -> Signal:
        """Return (signal - center) scale, whose shape may be larger by broadcasting."""
        shape = broadcast(self.shape, np.shape(center), np.shape(scale))
        wide = rearranged(self, lambda values: np.broadcast_to(values, shape))
        parts = (
            np.broadcast_to(np.asarray(part, float), shape).ravel() for part in (center, scale)
        )
        return cast(Signal, wide).then(Affine(*parts))


Value: TypeAlias = 'Signal | AnyArray'
"""What an operation takes and returns: a signal, or a constant."""


def inputs(shapes: Sequence[Sequence[int]]) -> list[Signal]:
    """Return the signals of the inputs of a network, concatenated in this order.

    Args:
        shapes: of each input, for one sample.
    """
    widths = [math.prod(shape) for shape in shapes]
    if not 0 < sum(widths) <= WIDEST or min(widths) < 1:
        raise UnfitError(f'there are inputs of the shapes {", ".join(map(str, shapes))}')
    source = Source(sum(widths))
    parts = np.split(np.arange(source.width), np.cumsum(widths)[:-1])
    return [Signal(source, part.reshape(shape)) for part, shape in zip(parts, shapes, strict=True)]


def rearranged(value: Value, function: Callable[[AnyArray], AnyArray]) -> Value:
    """Return a value whose elements were selected or brought into another shape.

    Args:
        value: a signal or a constant.
        function: does so with an array.
    """
    if not isinstance(value, Signal):
        return checked(function(value))
    order = function(np.arange(value.rows.size).reshape(value.shape))
    if not 0 < order.size <= WIDEST:
        raise UnfitError(f'it has {order.size} neurons')
    steps = _selected(value.steps, order.ravel())
    return Signal(value.source, value.rows.ravel()[order], steps)


def matmul(left: Value, right: Value) -> Value:
    """Return the matrix product."""
    if isinstance(left, Signal) and isinstance(right, Signal):
        raise UnfitError('it multiplies two signals, as attention does')
    if isinstance(right, Signal):
        return _transposed(matmul(_transposed(right), _transposed(left)))
    if not isinstance(left, Signal):
        broadcast((*left.shape[:-1], 1), (*right.shape[:-2], 1, right.shape[-1]))
        return checked(np.matmul(left, right))
    if right.ndim == 1:
        return rearranged(matmul(left, right[:, None]), lambda values: values[..., 0])
    if math.prod(right.shape[:-2]) != 1 or left.shape[-1:] != right.shape[-2:-1]:
        raise UnfitError(f'it multiplies {left.shape} by {right.shape}')
    return linear(left, right.reshape(right.shape[-2:]).T)


def linear(signal: Signal, weight: AnyArray, bias: AnyArray | None = None) -> Signal:
    """Return the linear map of a signal, of the shape (..., outputs).

    Args:
        signal: (..., inputs); all other dimensions are 1.
        weight: (outputs, inputs).
        bias: (outputs,).
    """
    if weight.ndim != 2 or signal.shape[-1:] != weight.shape[1:]:
        raise UnfitError(f'its weight is {weight.shape}, but it receives {signal.shape}')
    if signal.rows.size != weight.shape[1]:
        raise UnfitError(f'it maps each of {signal.rows.size // weight.shape[1]} rows by itself')
    if not 0 < len(weight) <= WIDEST:
        raise UnfitError(f'it has {len(weight)} neurons')
    bias = np.zeros(len(weight)) if bias is None else bias
    if bias.shape != (len(weight),):
        raise UnfitError(f'its bias is {bias.shape}, but it has {len(weight)} neurons')
    source = Source(len(weight), signal, weight, bias)
    return Signal.whole(source, (*signal.shape[:-1], len(weight)))


def apply(function: Function, value: Value) -> Value:
    """Return the function of all elements."""
    if isinstance(value, Signal):
        return value.then(function)
    return function.compute(torch.from_numpy(np.asarray(value, float))).numpy()


def clipped(signal: Signal, low: float | None = None, high: float | None = None) -> Signal:
    """Return a signal within bounds."""
    low = -LARGEST if low is None else max(low, -LARGEST)
    high = LARGEST if high is None else min(high, LARGEST)
    relu = low == 0.0 and high == LARGEST
    return signal.then(Function.of('relu') if relu else Function.of('clip', low=low, high=high))


# --- parts ----------------------------------------------------------------------------------------


def checked(constant: AnyArray) -> AnyArray:
    """Return a constant.

    Raises:
        UnfitError: it is too large.
    """
    if constant.size > LARGEST_CONSTANT:
        raise UnfitError(f'it computes {constant.size} constants')
    return constant


def broadcast(*shapes: Sequence[int]) -> tuple[int, ...]:
    """Return the shape that arrays of these shapes have together.

    Raises:
        UnfitError: there is none, or it is too large.
    """
    try:
        shape = np.broadcast_shapes(*map(tuple, shapes))
    except ValueError:
        raise UnfitError(f'it combines shapes {" and ".join(map(str, shapes))}') from None
    if math.prod(shape) > LARGEST_CONSTANT:
        raise UnfitError(f'it computes values of shape {shape}')
    return shape


def zeros(outputs: int, inputs: int) -> Array:
    """Return a weight of zeros."""
    if outputs * inputs > LARGEST_CONSTANT:
        raise UnfitError(f'it has a weight of {outputs} x {inputs}')
    return np.zeros((outputs, inputs))


def _selected(steps: Sequence[Operation], order: Integers) -> tuple[Operation, ...]:
    return select(cast('Sequence[Any]', steps), order)


def _transposed(value: Value) -> Value:
    return rearranged(
        value, lambda values: np.swapaxes(values, -1, -2) if values.ndim > 1 else values
    )

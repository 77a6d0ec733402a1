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
as 1 in all shapes.
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
from neuron_reach.networks.recognition import (
    Operation,
    Pointwise,
    composed,
    is_uniform,
    recognized,
)

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
        shape = _broadcast(self.shape, np.shape(center), np.shape(scale))
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
        return _checked(function(value))
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
        _broadcast((*left.shape[:-1], 1), (*right.shape[:-2], 1, right.shape[-1]))
        return _checked(np.matmul(left, right))
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


_OPERATIONS: dict[str, Callable[..., torch.Tensor]] = {
    'abs': torch.abs,
    'add': torch.add,
    'div': torch.div,
    'erf': torch.erf,
    'exp': torch.exp,
    'greater': torch.gt,
    'greater_equal': torch.ge,
    'less': torch.lt,
    'less_equal': torch.le,
    'log': torch.log,
    'max': torch.maximum,
    'min': torch.minimum,
    'mul': torch.mul,
    'pow': torch.pow,
    'reciprocal': torch.reciprocal,
    'sqrt': torch.sqrt,
    'sub': torch.sub,
    'where': torch.where,
}
ELEMENTWISE = frozenset(_OPERATIONS)
"""Names of the operations of `elementwise`."""


def elementwise(name: str, *values: Value) -> Value:
    """Return an operation on the elements of several values, broadcast to the same shape.

    Args:
        name: one of `ELEMENTWISE`.
        values: its operands.
    """
    shape = _broadcast(*(value.shape for value in values))
    signals = [value for value in values if isinstance(value, Signal)]
    if not signals:
        return _constant(name, cast('Sequence[AnyArray]', values))
    if len(signals) == 1 and len(values) == 2:
        simple = _with_constant(name, *values)
        if simple is not None:
            return simple
    if len(signals) == 2 == len(values) and name in ('add', 'sub') and not _alike(*signals):
        return _sum(signals[0], signals[1], 1.0 if name == 'add' else -1.0)
    wide = [
        cast(Signal, rearranged(signal, lambda values: np.broadcast_to(values, shape)))
        for signal in signals
    ]
    if not all(_alike(wide[0], other) for other in wide):
        raise UnfitError('it combines two branches of the network')
    constants = [np.asarray(value) for value in values if not isinstance(value, Signal)]
    if not all(constant.size and (constant == constant.flat[0]).all() for constant in constants):
        raise UnfitError('it treats each neuron differently')
    shared = 0
    for steps in zip(*(signal.steps for signal in wide), strict=False):
        if not all(_equal(steps[0], step) for step in steps):
            break
        shared += 1
    tails = iter([signal.steps[shared:] for signal in wide])
    if not all(is_uniform(step) for signal in wide for step in signal.steps[shared:]):
        raise UnfitError('it treats each neuron differently')
    functions = [
        composed(next(tails)) if isinstance(value, Signal) else _fixed(np.asarray(value).flat[0])
        for value in values
    ]

    def compute(numbers: torch.Tensor) -> torch.Tensor:
        return _OPERATIONS[name](*(function(numbers) for function in functions))

    before = dataclasses.replace(wide[0], steps=wide[0].steps[:shared])
    return before.then(Pointwise(compute, name))


def concatenate(values: Sequence[Value], axis: int) -> Value:
    """Return values side by side."""
    if not any(isinstance(value, Signal) for value in values):
        return _checked(np.concatenate(cast('Sequence[AnyArray]', values), axis))
    signals = [value for value in values if isinstance(value, Signal)]
    if len(signals) < len(values):
        raise UnfitError('it concatenates a signal with constants')
    ends = np.cumsum([signal.rows.size for signal in signals])
    places = np.concatenate(
        [
            np.arange(end - signal.rows.size, end).reshape(signal.shape)
            for signal, end in zip(signals, ends, strict=True)
        ],
        axis,
    )
    return rearranged(_side_by_side(signals), lambda _: places)


# --- parts ----------------------------------------------------------------------------------------


def _checked(constant: AnyArray) -> AnyArray:
    if constant.size > LARGEST_CONSTANT:
        raise UnfitError(f'it computes {constant.size} constants')
    return constant


def _broadcast(*shapes: Sequence[int]) -> tuple[int, ...]:
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


def _constant(name: str, values: Sequence[AnyArray]) -> AnyArray:
    if name == 'div' and all(value.dtype.kind in 'iu' for value in values):
        return np.asarray(values[0] // np.where(values[1] == 0, 1, values[1]))
    tensors = [torch.from_numpy(np.array(value)) for value in values]
    return _OPERATIONS[name](*tensors).numpy()


def _fixed(number: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda values: torch.full_like(values, float(number))


def _with_constant(name: str, left: Value, right: Value) -> Signal | None:
    """Return an operation on a signal and a constant, None if it is not affine or a bound."""
    with np.errstate(divide='ignore'):
        if isinstance(left, Signal):
            number = np.asarray(right, float)
            if name == 'add':
                return left.affine(-number, 1.0)
            if name == 'sub':
                return left.affine(number, 1.0)
            if name == 'mul':
                return left.affine(0.0, number)
            if name == 'div':
                return left.affine(0.0, 1.0 / number)
            if name in ('min', 'max') and number.size == 1:
                return clipped(left, **{'high' if name == 'min' else 'low': number.item()})
            return None
    assert isinstance(right, Signal)
    if name in ('add', 'mul', 'min', 'max'):
        return _with_constant(name, right, left)
    return right.affine(np.asarray(left, float), -1.0) if name == 'sub' else None


def clipped(signal: Signal, low: float | None = None, high: float | None = None) -> Signal:
    """Return a signal within bounds."""
    low = -LARGEST if low is None else max(low, -LARGEST)
    high = LARGEST if high is None else min(high, LARGEST)
    relu = low == 0.0 and high == LARGEST
    return signal.then(Function.of('relu') if relu else Function.of('clip', low=low, high=high))


def _alike(left: Signal, right: Signal) -> bool:
    """Tell whether two signals differ by their elementwise steps only."""
    return left.source is right.source and np.array_equal(left.rows.ravel(), right.rows.ravel())


def _equal(left: Operation, right: Operation) -> bool:
    if isinstance(left, Affine) and isinstance(right, Affine):
        return np.array_equal(left.center, right.center) and np.array_equal(left.scale, right.scale)
    return left is right or (isinstance(left, Function) and left == right)


def compact(steps: Sequence[Operation], width: int) -> list[Operation]:
    """Return affine steps and others in turn, an affine one first and last; neighbors are merged.

    Args:
        steps: of a signal.
        width: its neurons.
    """
    none = Affine(np.zeros(width), np.ones(width))
    merged: list[Operation] = [none]
    for step in steps:
        before = merged[-1]
        if not isinstance(step, Affine):
            merged += [step, none]
        elif isinstance(before, Affine):
            if (before.scale == 0.0).any() and step.center.any():
                raise UnfitError('it scales neurons by zero')
            moved = step.center / np.where(before.scale == 0.0, 1.0, before.scale)
            merged[-1] = Affine(before.center + moved, before.scale * step.scale)
    return merged


def _side_by_side(signals: Sequence[Signal]) -> Signal:
    """Return the elements of several signals, one signal after the other, as one."""
    parts = [compact(signal.steps, signal.rows.size) for signal in signals]
    functions = [part[1::2] for part in parts]
    if any(
        len(other) != len(functions[0]) or not all(map(_equal, functions[0], other))
        for other in functions
    ):
        raise UnfitError('it concatenates neurons with different functions')
    merged = [_joined(place) for place in zip(*parts, strict=True)]
    steps = tuple(step for step in merged if not is_nothing(step))
    if all(signal.source is signals[0].source for signal in signals):
        rows = np.concatenate([signal.rows.ravel() for signal in signals])
        return Signal(signals[0].source, rows, steps)
    below, maps = _common(signals)
    weight = np.concatenate([each for each, _ in maps])
    bias = np.concatenate([each for _, each in maps])
    first, *others = steps or (None,)
    if isinstance(first, Affine):
        weight, bias = folded(weight, bias, first)
        steps = tuple(others)
    source = Source(len(weight), below, weight, bias)
    return Signal(source, np.arange(len(weight)), steps)


def _joined(steps: Sequence[Operation]) -> Operation:
    """Return the steps that parts of a layer are at, as one: all affine, or all the same."""
    affine = [step for step in steps if isinstance(step, Affine)]
    if not affine:
        return steps[0]
    return Affine(
        np.concatenate([step.center for step in affine]),
        np.concatenate([step.scale for step in affine]),
    )


def is_nothing(step: Operation) -> bool:
    """Tell whether a step changes no neuron."""
    return isinstance(step, Affine) and not step.center.any() and bool((step.scale == 1.0).all())


def folded(weight: AnyArray, bias: AnyArray, step: Affine) -> tuple[Array, Array]:
    """Return a linear map with a step after it as one linear map."""
    scale = np.asarray(step.scale, float)
    return weight * scale[:, None], (bias - step.center) * scale


def _sum(left: Signal, right: Signal, sign: float) -> Signal:
    """Return the sum of two linear maps of the same neurons."""
    shape = _broadcast(left.shape, right.shape)
    if left.rows.size != right.rows.size:
        raise UnfitError('it combines two branches of the network')
    below, maps = _common([left, right], [1.0, sign])
    weight, bias = (sum(parts[1:], parts[0]) for parts in zip(*maps, strict=True))
    return Signal.whole(Source(len(weight), below, weight, bias), shape)


def _common(
    signals: Sequence[Signal], signs: Sequence[float] = ()
) -> tuple[Signal, list[tuple[Array, Array]]]:
    """Return one signal and the linear maps of it that several signals are.

    Args:
        signals: their steps are ignored, unless there are signs.
        signs: factors of the signals; their steps must then be affine.
    """
    found: list[tuple[Signal, Array, Array]] = []
    for number, signal in enumerate(signals):
        below, weight, bias = _linear_map(signal)
        if signs:
            first, *others = compact(signal.steps, signal.rows.size)
            if others or not isinstance(first, Affine):
                raise UnfitError('it combines two branches of the network')
            weight, bias = folded(weight, bias, Affine(first.center, first.scale * signs[number]))
        if not any(isinstance(step, Affine) for step in below.steps):  # of some neurons: take all
            whole = zeros(len(weight), below.source.width)
            np.add.at(whole.T, below.rows.ravel(), weight.T)
            below, weight = Signal(below.source, np.arange(below.source.width), below.steps), whole
        found.append((below, weight, bias))
    first_below = found[0][0]
    for below, _, _ in found:
        same = _alike(first_below, below) and len(first_below.steps) == len(below.steps)
        if not same or not all(map(_equal, first_below.steps, below.steps)):
            raise UnfitError('it combines two branches of the network')
    return first_below, [(weight, bias) for _, weight, bias in found]


def _linear_map(signal: Signal) -> tuple[Signal, Array, Array]:
    """Return the signal below, weight and bias of a signal before its steps."""
    source, rows = signal.source, signal.rows.ravel()
    if source.below is None or source.weight is None or source.bias is None:
        weight = zeros(rows.size, source.width)
        weight[np.arange(rows.size), rows] = 1.0
        return Signal.whole(source), weight, np.zeros(rows.size)
    return (
        source.below,
        np.asarray(source.weight[rows], float),
        np.asarray(source.bias[rows], float),
    )

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Bringing together signals of a network: side by side, and sums of linear maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from neuron_reach.common.arrays import AnyArray, Array
from neuron_reach.networks.functions import Affine, Function
from neuron_reach.networks.recognition import Operation
from neuron_reach.networks.signals import (
    Signal,
    Source,
    UnfitError,
    Value,
    broadcast,
    checked,
    rearranged,
    zeros,
)


def concatenate(values: Sequence[Value], axis: int) -> Value:
    """Return values side by side."""
    if not any(isinstance(value, Signal) for value in values):
        return checked(np.concatenate(cast('Sequence[AnyArray]', values), axis))
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
        len(other) != len(functions[0]) or not all(map(equal, functions[0], other))
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


def add(left: Signal, right: Signal, sign: float) -> Signal:
    """Return the sum of two linear maps of the same neurons.

    Args:
        left: the first summand.
        right: the other one.
        sign: 1 or -1, by which the other one is multiplied.
    """
    shape = broadcast(left.shape, right.shape)
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
        same = alike(first_below, below) and len(first_below.steps) == len(below.steps)
        if not same or not all(map(equal, first_below.steps, below.steps)):
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


def alike(left: Signal, right: Signal) -> bool:
    """Tell whether two signals differ by their elementwise steps only."""
    return left.source is right.source and np.array_equal(left.rows.ravel(), right.rows.ravel())


def equal(left: Operation, right: Operation) -> bool:
    """Tell whether two elementwise steps are the same."""
    if isinstance(left, Affine) and isinstance(right, Affine):
        return np.array_equal(left.center, right.center) and np.array_equal(left.scale, right.scale)
    return left is right or (isinstance(left, Function) and left == right)

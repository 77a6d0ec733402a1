# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Operations on the elements of signals and constants."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch

from neuron_reach.common.arrays import AnyArray
from neuron_reach.networks.branches import add, alike, equal
from neuron_reach.networks.recognition import Pointwise, composed, is_uniform
from neuron_reach.networks.signals import Signal, UnfitError, Value, broadcast, clipped, rearranged

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


def elementwise(name: str, *values: Value) -> Value:
    """Return an operation on the elements of several values, broadcast to the same shape.

    Args:
        name: a key of `_OPERATIONS`.
        values: its operands.
    """
    shape = broadcast(*(value.shape for value in values))
    signals = [value for value in values if isinstance(value, Signal)]
    if not signals:
        return _constant(name, cast('Sequence[AnyArray]', values))
    if len(signals) == 1 and len(values) == 2:
        simple = _with_constant(name, *values)
        if simple is not None:
            return simple
    if len(signals) == 2 == len(values) and name in ('add', 'sub') and not alike(*signals):
        return add(signals[0], signals[1], 1.0 if name == 'add' else -1.0)
    wide = [
        cast(Signal, rearranged(signal, lambda values: np.broadcast_to(values, shape)))
        for signal in signals
    ]
    if not all(alike(wide[0], other) for other in wide):
        raise UnfitError('it combines two branches of the network')
    constants = [np.asarray(value) for value in values if not isinstance(value, Signal)]
    if not all(constant.size and (constant == constant.flat[0]).all() for constant in constants):
        raise UnfitError('it treats each neuron differently')
    shared = 0
    for steps in zip(*(signal.steps for signal in wide), strict=False):
        if not all(equal(steps[0], step) for step in steps):
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

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Activation functions that other libraries compose of several operations.

SiLU is often saved as x * sigmoid(x), GELU by the error function. Such a composition is compared
with the known functions on a grid of numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from neuron_reach.networks.functions import Affine, Function, Step

GRID = torch.cat([torch.linspace(-30, 30, 241), torch.linspace(-4, 4, 161)]).double()
"""Where functions are compared."""

TOLERANCE = 1e-6
"""Largest difference between equal functions, relative to values above 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pointwise:
    """An elementwise operation that is, by itself, no activation function.

    Attributes:
        compute: the operation.
        name: what error messages call it.
    """

    compute: Callable[[Tensor], Tensor]
    name: str


Operation = Step | Pointwise
"""An elementwise step of a network that is being read."""


def recognized(steps: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the steps, with the last of them as one known function if they compute one."""
    first = next((i for i, step in enumerate(steps) if isinstance(step, Pointwise)), None)
    if first is None:
        return tuple(steps)
    while True:
        tail = steps[first:]
        if not all(map(is_uniform, tail)):
            return tuple(steps)
        for function in _candidates(composed(tail)):
            return (*steps[:first], function)
        if not first or not isinstance(steps[first - 1], Affine):
            return tuple(steps)
        first -= 1


def composed(steps: Sequence[Operation]) -> Callable[[Tensor], Tensor]:
    """Return the function that all steps together compute, the same for all neurons."""

    def compute(values: Tensor) -> Tensor:
        for step in steps:
            if isinstance(step, Affine):
                values = (values - float(step.center.flat[0])) * float(step.scale.flat[0])
            else:
                values = step.compute(values)
        return values

    return compute


def is_uniform(step: Operation) -> bool:
    """Tell whether a step does the same to all neurons."""
    parts = (step.center, step.scale) if isinstance(step, Affine) else ()
    return all(bool((part == part.flat[0]).all()) for part in parts)


def _candidates(compute: Callable[[Tensor], Tensor]) -> Iterator[Function]:
    """Return the known functions with the values of a composition on the grid."""
    values = compute(GRID)
    if values.shape != GRID.shape or not values.is_floating_point():
        return
    below, far = compute(torch.tensor([-1.0, -30.0]).double()).tolist()
    known = [
        *map(Function.of, ('relu', 'tanh', 'sigmoid', 'silu', 'gelu', 'gelu_tanh', 'softplus')),
        *map(Function.of, ('mish', 'hardswish', 'hardsigmoid', 'softsign', 'selu', 'elu')),
        Function.of('elu', alpha=-far),
        Function.of('leaky_relu', slope=-below),
    ]
    for function in known:
        if torch.allclose(function.compute(GRID), values, rtol=TOLERANCE, atol=TOLERANCE):
            yield function

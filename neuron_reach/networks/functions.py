# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What a network applies to each neuron: activation functions, scaling and clipping."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from neuron_reach.common.arrays import AnyArray
from neuron_reach.common.options import meant
from neuron_reach.errors import UserError


@dataclasses.dataclass(frozen=True)
class FunctionKind:
    """A function of one number that networks apply to each neuron.

    Attributes:
        compute: the function of a tensor and of the parameters.
        parameters: default value of each parameter, by name.
        homogeneous: f(c x) = c f(x) for every c > 0 and all parameters.
    """

    compute: Callable[..., Tensor]
    parameters: dict[str, float] = dataclasses.field(default_factory=dict)
    homogeneous: bool = False


def _softplus(values: Tensor, beta: float, threshold: float) -> Tensor:
    return functional.softplus(values, beta, threshold)


LARGEST = float(np.finfo(np.float32).max)
"""Bound of a clip that has none on this side; files cannot hold infinity."""

FUNCTIONS: dict[str, FunctionKind] = {
    'clip': FunctionKind(torch.clamp, {'low': -LARGEST, 'high': LARGEST}),
    'elu': FunctionKind(functional.elu, {'alpha': 1.0}),
    'gelu': FunctionKind(functional.gelu),
    'gelu_tanh': FunctionKind(lambda values: functional.gelu(values, approximate='tanh')),
    'hardsigmoid': FunctionKind(functional.hardsigmoid),
    'hardswish': FunctionKind(functional.hardswish),
    'leaky_relu': FunctionKind(functional.leaky_relu, {'slope': 0.01}, homogeneous=True),
    'mish': FunctionKind(functional.mish),
    'relu': FunctionKind(torch.relu, homogeneous=True),
    'selu': FunctionKind(functional.selu),
    'sigmoid': FunctionKind(torch.sigmoid),
    'silu': FunctionKind(functional.silu),
    'softplus': FunctionKind(_softplus, {'beta': 1.0, 'threshold': 20.0}),
    'softsign': FunctionKind(functional.softsign),
    'tanh': FunctionKind(torch.tanh),
}
"""All functions by name. Definitions and defaults are those of PyTorch."""

IN_PLACE: dict[str, Callable[..., Tensor]] = {
    'clip': torch.clamp_,
    'elu': functional.elu_,
    'leaky_relu': functional.leaky_relu_,
    'relu': torch.relu_,
    'selu': functional.selu_,
    'sigmoid': torch.sigmoid_,
    'silu': functools.partial(functional.silu, inplace=True),
    'tanh': torch.tanh_,
}
"""Functions that can overwrite their argument, with the same result."""


@dataclasses.dataclass(frozen=True)
class Function:
    """A function that is applied to each neuron of a layer.

    Attributes:
        name: a key of `FUNCTIONS`.
        parameters: in the order of its `FunctionKind`.
    """

    name: str
    parameters: tuple[float, ...] = ()

    @classmethod
    def of(cls, name: str, **parameters: float) -> Function:
        """Return the function of a name; parameters that are not given have their defaults.

        Raises:
            UserError: there is no such function, or no such parameter.
        """
        kind = FUNCTIONS.get(name)
        if kind is None:
            raise UserError(
                f'no activation function {name!r}{meant(name, FUNCTIONS)}; '
                f'there are {", ".join(FUNCTIONS)}'
            )
        if unknown := parameters.keys() - kind.parameters.keys():
            raise UserError(f'{name} has no parameter {min(unknown)!r}')
        return cls(name, tuple(float(v) for v in {**kind.parameters, **parameters}.values()))

    @property
    def homogeneous(self) -> bool:
        """Whether f(c x) = c f(x) for every c > 0."""
        return FUNCTIONS[self.name].homogeneous

    def compute(self, values: Tensor) -> Tensor:
        """Return the function of each value, of the same shape."""
        return FUNCTIONS[self.name].compute(values, *self.parameters)

    def overwrite(self, values: Tensor) -> Tensor:
        """Return the function of each value, perhaps in the place of the values."""
        return IN_PLACE.get(self.name, FUNCTIONS[self.name].compute)(values, *self.parameters)

    def __str__(self) -> str:
        """Name, and the parameters that are not the defaults."""
        kind = FUNCTIONS[self.name]
        given = [
            f'{name}={value:g}'
            for (name, default), value in zip(kind.parameters.items(), self.parameters, strict=True)
            if value != default
        ]
        return f'{self.name}({", ".join(given)})' if given else self.name


@dataclasses.dataclass(frozen=True, eq=False)
class Affine:
    """Shift and scale each neuron: (x - center) scale.

    Attributes:
        center: (neurons,).
        scale: (neurons,).
    """

    center: AnyArray
    scale: AnyArray

    homogeneous = False

    def compute(self, values: Tensor) -> Tensor:
        """Return shifted and scaled values, (..., neurons)."""
        center, scale = (torch.from_numpy(part) for part in (self.center, self.scale))
        return (values - center) * scale

    overwrite = compute

    def __str__(self) -> str:
        return 'affine'


Step = Function | Affine
"""An elementwise step."""


def apply(steps: Sequence[Step], values: Tensor) -> Tensor:
    """Return the values after all steps, (..., neurons)."""
    for step in steps:
        values = step.compute(values)
    return values


def overwrite(steps: Sequence[Step], values: Tensor) -> Tensor:
    """Return the same as `apply`, but the values themselves may be overwritten."""
    for step in steps:
        values = step.overwrite(values)
    return values


def select(steps: Sequence[Step], neurons: Any) -> tuple[Step, ...]:
    """Return the steps for some of the neurons only.

    Args:
        steps: of a layer.
        neurons: indices of neurons, (n,).
    """
    return tuple(
        Affine(
            np.ascontiguousarray(step.center[neurons]), np.ascontiguousarray(step.scale[neurons])
        )
        if isinstance(step, Affine)
        else step
        for step in steps
    )


def names(steps: Sequence[Step]) -> str:
    """Return the names of steps in short: `relu`, `clip(low=-1, high=1) tanh`, or `identity`."""
    return ' '.join(map(str, steps)) or 'identity'

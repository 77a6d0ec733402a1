# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Feed-forward networks: chains of linear layers with elementwise functions between them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from torch.nn import functional

from neuron_reach.common.arrays import AnyArray, Single
from neuron_reach.common.tensors import tensors_digest
from neuron_reach.networks.functions import Affine, Function, Step, apply, overwrite

CHUNK = 8192
"""Samples that a network computes at a time."""


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """A linear map and what follows it: its activation function, and perhaps scaling.

    Attributes:
        weight: (neurons, neurons of the layer before), float32 or float64.
        bias: (neurons,), of the same type.
        steps: applied in this order; none is the identity.
    """

    weight: AnyArray
    bias: AnyArray
    steps: tuple[Step, ...] = ()

    @property
    def homogeneous(self) -> bool:
        """Whether all steps are positively homogeneous, as ReLU is: f(c x) = c f(x) for c > 0."""
        return all(step.homogeneous for step in self.steps)


@dataclasses.dataclass(frozen=True, eq=False)
class FeedForward:
    """A chain of layers.

    Attributes:
        layers: the hidden layers and the output layer, at least one.
        preparation: elementwise steps before the first layer, such as normalization.
    """

    layers: tuple[Layer, ...]
    preparation: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        """Check that the shapes fit together.

        Raises:
            ValueError: they do not, or there are values that are not finite.
        """
        if not self.layers:
            raise ValueError('a network needs at least one layer')
        width = self.layers[0].weight.shape[-1]
        _check_steps('the preparation of inputs', self.preparation, width)
        for number, layer in enumerate(self.layers):
            name = f'layer {number}'
            if layer.weight.ndim != 2 or layer.weight.shape[1] != width or not layer.weight.size:
                raise ValueError(
                    f'the weight of {name} is {layer.weight.shape}, '
                    f'but the layer before has {width} neurons'
                )
            width = layer.weight.shape[0]
            if layer.bias.shape != (width,):
                raise ValueError(f'the bias of {name} is {layer.bias.shape}, but there are {width}')
            for what, values in (('weight', layer.weight), ('bias', layer.bias)):
                if not np.isfinite(values).all():
                    raise ValueError(f'the {what} of {name} holds infinity or NaN')
            _check_steps(name, layer.steps, width)
        types = {array.dtype for array in self.arrays().values()}
        if types not in ({np.dtype(np.float32)}, {np.dtype(np.float64)}):
            raise ValueError(f'parameters must all be float32 or all float64, not {types}')

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of every layer, input and output included."""
        return (self.layers[0].weight.shape[1], *(len(layer.weight) for layer in self.layers))

    def activations(self, observations: Single, out: Single | None = None) -> Single:
        """Return the activations of all layers side by side.

        Those of a layer are what the next layer receives; those of the input are the observations
        before any normalization.

        Args:
            observations: (samples, inputs), float32.
            out: where to write them, (samples, neurons); by default a new array.

        Returns:
            (samples, neurons of all layers).
        """
        inputs = observations.shape[1]
        if out is None:
            out = np.empty((len(observations), sum(self.sizes)), np.float32)
        for start in range(0, len(out), CHUNK):
            rows = out[start : start + CHUNK]
            rows[:, :inputs] = observations[start : start + CHUNK]
            end = inputs
            for values in self.forward(np.ascontiguousarray(rows[:, :inputs])):
                begin, end = end, end + values.shape[1]
                rows[:, begin:end] = values.numpy()
        return out

    def forward(self, observations: Single) -> Iterator[torch.Tensor]:
        """Yield the activations of each layer behind the input, (samples, neurons).

        Args:
            observations: (samples, inputs), float32, in C order.
        """
        values = apply(self.preparation, torch.from_numpy(observations).to(self._dtype))
        for layer, (weight, bias) in zip(self.layers, self._tensors, strict=True):
            values = overwrite(layer.steps, functional.linear(values, weight, bias))
            yield values

    @cached_property
    def _tensors(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [
            (torch.from_numpy(layer.weight), torch.from_numpy(layer.bias)) for layer in self.layers
        ]

    @property
    def _dtype(self) -> torch.dtype:
        return self._tensors[0][0].dtype

    def arrays(self) -> dict[str, AnyArray]:
        """Return all parameters by name: `layers.0.weight`, `layers.0.bias`, ..."""
        arrays = {}
        for number, layer in enumerate(self.layers):
            arrays[f'layers.{number}.weight'] = layer.weight
            arrays[f'layers.{number}.bias'] = layer.bias
        for place, steps in self._steps().items():
            for number, step in enumerate(steps):
                if isinstance(step, Affine):
                    arrays[f'{place}.{number}.center'] = step.center
                    arrays[f'{place}.{number}.scale'] = step.scale
        return arrays

    def structure(self) -> dict[str, list[list[str | float]]]:
        """Return the steps as plain values, which JSON can hold; `from_arrays` reads them."""
        return {
            place: [
                ['affine'] if isinstance(step, Affine) else [step.name, *step.parameters]
                for step in steps
            ]
            for place, steps in self._steps().items()
        }

    @classmethod
    def from_arrays(
        cls, arrays: dict[str, AnyArray], structure: dict[str, list[list[str | float]]]
    ) -> FeedForward:
        """Return the network of some `arrays` and `structure`.

        Raises:
            KeyError: a part is missing.
            ValueError: parts that do not fit together.
        """

        def steps(place: str) -> tuple[Step, ...]:
            return tuple(
                Affine(arrays[f'{place}.{number}.center'], arrays[f'{place}.{number}.scale'])
                if name == 'affine'
                else _function(name, parameters)
                for number, (name, *parameters) in enumerate(structure.get(place, []))
            )

        count = sum(name.endswith('.weight') for name in arrays)
        layers = tuple(
            Layer(
                arrays[f'layers.{number}.weight'],
                arrays[f'layers.{number}.bias'],
                steps(f'layers.{number}'),
            )
            for number in range(count)
        )
        return cls(layers, steps('preparation'))

    def _steps(self) -> dict[str, tuple[Step, ...]]:
        places = {f'layers.{number}': layer.steps for number, layer in enumerate(self.layers)}
        places['preparation'] = self.preparation
        return {place: steps for place, steps in places.items() if steps}

    @property
    def digest(self) -> str:
        """SHA-256 of parameters and functions, which identifies the network at any path.

        A plain ReLU network without normalization has the digest of the checkpoint format.
        """
        structure = self.structure()
        arrays = self.arrays()
        if structure != {f'layers.{n}': [['relu']] for n in range(len(self.layers) - 1)}:
            text = json.dumps(structure, sort_keys=True).encode()
            arrays['structure'] = np.frombuffer(text, np.uint8)
        return tensors_digest(arrays)


def _function(name: str | float, parameters: Sequence[str | float]) -> Function:
    function = Function.of(str(name))
    if len(parameters) != len(function.parameters):
        raise ValueError(f'{name} takes {len(function.parameters)} parameters')
    return Function(function.name, tuple(float(value) for value in parameters))


def _check_steps(name: str, steps: Sequence[Step], width: int) -> None:
    for step in steps:
        if isinstance(step, Function) and any(map(math.isnan, step.parameters)):
            raise ValueError(f'{name} has a function with NaN: {step}')
        if isinstance(step, Affine):
            if step.center.shape != (width,) or step.scale.shape != (width,):
                raise ValueError(
                    f'{name} has {width} neurons, but shifts {step.center.shape} and '
                    f'scales {step.scale.shape} of them'
                )
            if not (np.isfinite(step.center).all() and np.isfinite(step.scale).all()):
                raise ValueError(f'{name} is shifted or scaled by infinity or NaN')

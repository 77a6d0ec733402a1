# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The layers of a network that was followed by signals."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from neuron_reach.common.arrays import AnyArray, Array
from neuron_reach.networks.branches import compact, folded, is_nothing
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import Affine, Step
from neuron_reach.networks.recognition import Operation, Pointwise
from neuron_reach.networks.signals import Signal, UnfitError, zeros

MOST_LAYERS, MOST_PARAMETERS = 1000, 1 << 28
"""Of a network."""


def chain(output: Signal, dtype: type[np.floating[Any]]) -> FeedForward:
    """Return the network that computes a signal.

    Args:
        output: of the network.
        dtype: of its parameters, float32 or float64.

    Raises:
        UnfitError: the signal is no chain of layers.
        ValueError: parameters are not finite.
    """
    parts, signal = [output], output
    while signal.source.below is not None:
        signal = signal.source.below
        parts.append(signal)
    if len(parts) == 1:
        raise UnfitError('there is no linear layer')
    size = sum(above.rows.size * below.rows.size for above, below in itertools.pairwise(parts))
    if len(parts) > MOST_LAYERS or size > MOST_PARAMETERS:
        raise UnfitError(f'it has {len(parts) - 1} layers with {size} weights, too many')
    layers = [_layer(part) for part in reversed(parts[:-1])]
    layers[0], preparation = _prepared(layers[0], parts[-1])
    return FeedForward(
        tuple(
            Layer(_as(layer.weight, dtype), _as(layer.bias, dtype), _steps(layer.steps, dtype))
            for layer in layers
        ),
        _steps(preparation, dtype),
    )


def _layer(signal: Signal) -> Layer:
    """Return the selected neurons of a linear map and the steps after it."""
    rows, source = signal.rows.ravel(), signal.source
    assert source.weight is not None and source.bias is not None
    weight, bias = source.weight[rows], source.bias[rows]
    first, *steps = compact(signal.steps, rows.size)
    if isinstance(first, Affine) and not is_nothing(first):
        weight, bias = folded(weight, bias, first)
    return Layer(weight, bias, _known(steps))


def _prepared(layer: Layer, below: Signal) -> tuple[Layer, tuple[Step, ...]]:
    """Return the first layer with weights for all inputs, and the steps before it."""
    rows, width = below.rows.ravel(), below.source.width
    steps = _known(compact(below.steps, rows.size))
    if np.array_equal(rows, np.arange(width)):
        return layer, steps
    weight, bias = np.asarray(layer.weight, float), layer.bias
    if len(np.unique(rows)) < len(rows) and steps:
        (step,) = steps if len(steps) == 1 else (None,)
        if not isinstance(step, Affine):
            raise UnfitError('it uses inputs several times, with functions in front')
        weight, steps = weight * step.scale, ()
        bias = bias - weight @ step.center
    whole = zeros(len(weight), width)
    np.add.at(whole.T, rows, weight.T)
    return Layer(whole, bias, layer.steps), tuple(
        Affine(
            _spread(step.center, rows, np.zeros(width)), _spread(step.scale, rows, np.ones(width))
        )
        if isinstance(step, Affine)
        else step
        for step in steps
    )


def _spread(values: AnyArray, rows: AnyArray, others: Array) -> Array:
    others[rows] = values
    return others


def _known(steps: Sequence[Operation]) -> tuple[Step, ...]:
    for step in steps:
        if isinstance(step, Pointwise):
            raise UnfitError(f'{step.name} does not belong to a known activation function')
    return tuple(step for step in cast('Sequence[Step]', steps) if not is_nothing(step))


def _as(values: AnyArray, dtype: type[np.floating[Any]]) -> AnyArray:
    with np.errstate(over='ignore'):
        return np.array(values, dtype, order='C')


def _steps(steps: Sequence[Step], dtype: type[np.floating[Any]]) -> tuple[Step, ...]:
    return tuple(
        Affine(_as(step.center, dtype), _as(step.scale, dtype))
        if isinstance(step, Affine)
        else step
        for step in steps
    )

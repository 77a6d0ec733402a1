# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The ONNX operators that select and arrange elements."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_reach.common.arrays import AnyArray
from neuron_reach.networks.branches import concatenate
from neuron_reach.networks.signals import Signal, UnfitError, Value, rearranged
from neuron_reach.policies.onnx_node import Node


def _filled(node: Node) -> AnyArray:
    shape = _integers(node.operand(0))
    if np.prod(shape, dtype=float) > 1 << 20:
        raise UnfitError(f'it is of shape {shape}')
    return np.full(shape, np.asarray(node.option('value', np.zeros(1, np.float32))).flat[0])


def _shape(node: Node) -> AnyArray:
    shape = np.array(node.operand(0).shape, np.int64)
    return shape[node.option('start', 0) : node.option('end', None)]


def _integers(value: Any) -> list[int]:
    if isinstance(value, Signal):
        raise UnfitError('its shape depends on the inputs')
    return [int(number) for number in np.asarray(value).ravel()]


def _expand(node: Node) -> Value:
    value, shape = node.operand(0), _integers(node.option('shape', None, 1))
    whole = np.broadcast_shapes(value.shape, tuple(shape))
    return rearranged(value, lambda values: np.broadcast_to(values, whole))


def _reshape(node: Node) -> Value:
    value, shape = node.operand(0), _integers(node.option('shape', None, 1))
    if not node.option('allowzero', 0):
        shape = [value.shape[i] if size == 0 else size for i, size in enumerate(shape)]
    return rearranged(value, lambda values: values.reshape(shape))


def _flatten(node: Node) -> Value:
    value, axis = node.operand(0), node.option('axis', 1)
    before = int(np.prod(value.shape[:axis], dtype=np.int64))
    return rearranged(value, lambda values: values.reshape(before, -1))


def _squeeze(node: Node) -> Value:
    value, axes = node.operand(0), node.option('axes', None, 1)
    chosen = None if axes is None else tuple(_integers(axes))
    return rearranged(value, lambda values: np.squeeze(values, chosen))


def _unsqueeze(node: Node) -> Value:
    axes = _integers(node.option('axes', None, 1))
    return rearranged(node.operand(0), lambda values: np.expand_dims(values, tuple(axes)))


def _transpose(node: Node) -> Value:
    order = node.option('perm', None)
    return rearranged(node.operand(0), lambda values: np.transpose(values, order))


def _slice(node: Node) -> Value:
    value = node.operand(0)
    starts, ends = (_integers(node.option(n, None, p)) for p, n in enumerate(('starts', 'ends'), 1))
    axes = _integers(node.option('axes', range(len(starts)), 3))
    steps = _integers(node.option('steps', [1] * len(starts), 4))
    slices = [slice(None)] * len(value.shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        backwards = step < 0 and end < -value.shape[axis]
        slices[axis] = slice(start, None if backwards else end, step)
    return rearranged(value, lambda values: values[tuple(slices)])


def _gather(node: Node) -> Value:
    chosen = node.option('indices', None, 1)
    if np.asarray(chosen).size > 1 << 20:
        raise UnfitError('it selects too much')
    axis = node.option('axis', 0)
    return rearranged(node.operand(0), lambda values: np.take(values, chosen, axis))


def _split(node: Node) -> list[Value]:
    value, axis = node.operand(0), node.option('axis', 0)
    sizes = node.option('split', None, 1)
    width = value.shape[axis]
    if sizes is None:
        size = -(-width // node.outputs)
        sizes = [min(size, width - size * number) for number in range(node.outputs)]
    ends = np.cumsum(_integers(sizes))
    if ends[-1] != width or (np.asarray(sizes) < 0).any():
        raise UnfitError(f'it splits {width} into {_integers(sizes)}')
    return [
        rearranged(value, functools.partial(np.take, indices=range(end - size, end), axis=axis))
        for size, end in zip(_integers(sizes), ends, strict=True)
    ]


def _concat(node: Node) -> Value:
    values = [node.operand(place) for place in range(len(node.operands))]
    return concatenate(values, node.option('axis', 0))


SHAPE_OPERATORS: dict[str, Callable[[Node], Value | list[Value]]] = {
    'Concat': _concat,
    'ConstantOfShape': _filled,
    'Expand': _expand,
    'Flatten': _flatten,
    'Gather': _gather,
    'Reshape': _reshape,
    'Shape': _shape,
    'Slice': _slice,
    'Split': _split,
    'Squeeze': _squeeze,
    'Transpose': _transpose,
    'Unsqueeze': _unsqueeze,
}
"""Operators that select and arrange elements, by their names."""

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The ONNX operators that can be part of a chain of layers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_reach.common.arrays import AnyArray
from neuron_reach.networks.functions import Function
from neuron_reach.networks.signals import (
    Signal,
    UnfitError,
    Value,
    apply,
    clipped,
    concatenate,
    elementwise,
    matmul,
    rearranged,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """An operator with its operands.

    Attributes:
        kind: name of the operator.
        domain: that defines it; empty: ONNX.
        operands: None: an optional one that is not there.
        options: its attributes.
        outputs: how many there are.
        opset: version of the operators.
    """

    kind: str
    domain: str
    operands: Sequence[Value | None]
    options: dict[str, Any]
    outputs: int
    opset: int

    def operand(self, place: int) -> Value:
        """Return an operand that has to be there."""
        value = self.operands[place] if place < len(self.operands) else None
        if value is None:
            raise UnfitError('an operand is missing')
        return value

    def option(self, name: str, default: Any, place: int | None = None) -> Any:
        """Return an option: an attribute, or in later versions a constant operand."""
        if place is not None and place < len(self.operands):
            value = self.operands[place]
            if isinstance(value, Signal):
                raise UnfitError(f'its {name} depends on the inputs')
            if value is not None:
                return value
        return self.options.get(name, default)


_REASONS = {
    'recurrent networks are not supported': ('GRU', 'LSTM', 'RNN', 'Loop', 'Scan'),
    'convolutions are not supported': ('Conv', 'ConvTranspose', 'MaxPool', 'AveragePool'),
    'normalization over the neurons of a sample is no elementwise function': (
        *('LayerNormalization', 'InstanceNormalization', 'GroupNormalization', 'RMSNormalization'),
        *('LpNormalization', 'MeanVarianceNormalization', 'ReduceMean', 'ReduceSum', 'ReduceL2'),
    ),
    'softmax is no elementwise function; part= can name a tensor before it': (
        *('Softmax', 'LogSoftmax', 'Hardmax'),
    ),
    'attention is not supported': ('Attention', 'MultiHeadAttention'),
    'random numbers are not supported': (
        *('RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Multinomial'),
        'Bernoulli',
    ),
}


def compute(node: Node) -> Sequence[Value]:
    """Return the outputs of an operator.

    Raises:
        UnfitError: it cannot be part of a chain of layers.
        ValueError: its operands or attributes do not fit.
    """
    operator = _OPERATORS.get(node.kind) if node.domain in ('', 'ai.onnx') else None
    if operator is None:
        reasons = [reason for reason, kinds in _REASONS.items() if node.kind in kinds]
        raise UnfitError(reasons[0] if reasons else 'this operator is not supported')
    found = operator(node)
    return found if isinstance(found, list) else [found]


def _function(name: str, **parameters: tuple[str, float]) -> Callable[[Node], Value]:
    """Return an operator that applies a function.

    Args:
        name: of the function.
        parameters: of the function; name and default of the attribute that each is.
    """

    def operator(node: Node) -> Value:
        given = {key: node.option(*attribute) for key, attribute in parameters.items()}
        return apply(Function.of(name, **given), node.operand(0))

    return operator


def _elementwise(name: str) -> Callable[[Node], Value]:
    def operator(node: Node) -> Value:
        return elementwise(name, *map(node.operand, range(len(node.operands))))

    return operator


def _extreme(name: str) -> Callable[[Node], Value]:
    """Return the operator for the least or the greatest of any number of values."""

    def operator(node: Node) -> Value:
        values = map(node.operand, range(len(node.operands)))
        return functools.reduce(functools.partial(elementwise, name), values)

    return operator


def _gemm(node: Node) -> Value:
    left, right = node.operand(0), node.operand(1)
    if node.option('transA', 0):
        left = rearranged(left, np.transpose)
    if node.option('transB', 0):
        right = rearranged(right, np.transpose)
    value = _scaled(matmul(left, right), node.option('alpha', 1.0))
    if len(node.operands) < 3 or node.operands[2] is None:
        return value
    return elementwise('add', value, _scaled(node.operand(2), node.option('beta', 1.0)))


def _matmul(node: Node) -> Value:
    return matmul(node.operand(0), node.operand(1))


def _negative(node: Node) -> Value:
    return _scaled(node.operand(0), -1.0)


def _scaled(value: Value, factor: float) -> Value:
    return value if factor == 1.0 else elementwise('mul', value, np.asarray(factor, np.float32))


def _batch_normalization(node: Node) -> Value:
    if node.option('training_mode', 0):
        raise UnfitError('it is in training mode')
    scale, shift, mean, variance = (
        np.asarray(node.option('', None, n), float) for n in range(1, 5)
    )
    value = node.operand(0)
    if not isinstance(value, Signal):
        raise UnfitError('it normalizes constants')
    factor = scale / np.sqrt(variance + node.option('epsilon', 1e-5))
    return value.affine(mean, factor).affine(-shift, 1.0)


def _hard_sigmoid(node: Node) -> Value:
    slope, shift = node.option('alpha', 0.2), node.option('beta', 0.5)
    value = node.operand(0)
    if not isinstance(value, Signal):
        raise UnfitError('it is applied to constants')
    if np.isclose(slope, 1.0 / 6.0) and shift == 0.5:
        return value.then(Function.of('hardsigmoid'))
    return clipped(value.affine(0.0, slope).affine(-shift, 1.0), 0.0, 1.0)


def _gelu(node: Node) -> Value:
    name = 'gelu_tanh' if node.option('approximate', 'none') == 'tanh' else 'gelu'
    return apply(Function.of(name), node.operand(0))


def _selu(node: Node) -> Value:
    usual = {'alpha': 1.67326319217681884765625, 'gamma': 1.05070102214813232421875}
    if not all(np.isclose(node.option(name, value), value) for name, value in usual.items()):
        raise UnfitError('its parameters are not those of SELU')
    return apply(Function.of('selu'), node.operand(0))


def _celu(node: Node) -> Value:
    if node.option('alpha', 1.0) != 1.0:
        raise UnfitError('CELU is supported for alpha = 1')
    return apply(Function.of('elu'), node.operand(0))


def _prelu(node: Node) -> Value:
    slope = np.asarray(node.option('slope', None, 1), float)
    if not slope.size or not (slope == slope.flat[0]).all():
        raise UnfitError('its slope differs between neurons')
    return apply(Function.of('leaky_relu', slope=float(slope.flat[0])), node.operand(0))


def _swish(node: Node) -> Value:
    if node.option('alpha', 1.0) != 1.0:
        raise UnfitError('Swish is supported for alpha = 1')
    return apply(Function.of('silu'), node.operand(0))


def _clip(node: Node) -> Value:
    bounds = [node.option(name, None, place) for place, name in enumerate(('min', 'max'), 1)]
    low, high = (None if bound is None else float(np.asarray(bound).item()) for bound in bounds)
    value = node.operand(0)
    if isinstance(value, Signal):
        return clipped(value, low, high)
    return np.clip(value, low, high) if (low, high) != (None, None) else value


def _cast(node: Node) -> Value:
    value, kind = node.operand(0), node.option('to', None)
    types: dict[int, type[np.generic]] = {
        1: np.float32,
        10: np.float32,
        11: np.float64,
        16: np.float32,
    }  # of TensorProto
    if isinstance(value, Signal):
        if kind not in types:
            raise UnfitError('it makes whole numbers or flags of a signal')
        return value
    types |= {2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_}
    if kind not in types:
        raise UnfitError(f'type {kind} is not supported')
    return value.astype(types[kind])


def _constant(node: Node) -> AnyArray:
    for name in ('value', 'value_float', 'value_floats', 'value_int', 'value_ints'):
        if name in node.options:
            value = np.asarray(node.options[name])
            return (
                value
                if name == 'value'
                else value.astype(np.float32 if 'float' in name else np.int64)
            )
    raise UnfitError('it has no numbers')


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


def _same(node: Node) -> Value:
    return node.operand(0)


_OPERATORS: dict[str, Callable[[Node], Value | list[Value]]] = {
    'BatchNormalization': _batch_normalization,
    'Cast': _cast,
    'Celu': _celu,
    'Clip': _clip,
    'Concat': _concat,
    'Constant': _constant,
    'ConstantOfShape': _filled,
    'Dropout': _same,
    'Elu': _function('elu', alpha=('alpha', 1.0)),
    'Flatten': _flatten,
    'Gather': _gather,
    'Gelu': _gelu,
    'Gemm': _gemm,
    'HardSigmoid': _hard_sigmoid,
    'HardSwish': _function('hardswish'),
    'Identity': _same,
    'LeakyRelu': _function('leaky_relu', slope=('alpha', 0.01)),
    'MatMul': _matmul,
    'Max': _extreme('max'),
    'Min': _extreme('min'),
    'Mish': _function('mish'),
    'Neg': _negative,
    'PRelu': _prelu,
    'Relu': _function('relu'),
    'Reshape': _reshape,
    'Selu': _selu,
    'Shape': _shape,
    'Sigmoid': _function('sigmoid'),
    'Slice': _slice,
    'Softplus': _function('softplus'),
    'Softsign': _function('softsign'),
    'Split': _split,
    'Squeeze': _squeeze,
    'Swish': _swish,
    'Tanh': _function('tanh'),
    'Transpose': _transpose,
    'Unsqueeze': _unsqueeze,
    **{
        kind: _elementwise(name)
        for kind, name in {
            'Abs': 'abs',
            'Add': 'add',
            'Div': 'div',
            'Erf': 'erf',
            'Exp': 'exp',
            'Greater': 'greater',
            'GreaterOrEqual': 'greater_equal',
            'Less': 'less',
            'LessOrEqual': 'less_equal',
            'Log': 'log',
            'Mul': 'mul',
            'Pow': 'pow',
            'Reciprocal': 'reciprocal',
            'Sqrt': 'sqrt',
            'Sub': 'sub',
            'Where': 'where',
        }.items()
    },
}

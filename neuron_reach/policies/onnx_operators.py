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

import numpy as np

from neuron_reach.common.arrays import AnyArray
from neuron_reach.networks.elementwise import elementwise
from neuron_reach.networks.functions import Function
from neuron_reach.networks.signals import (
    Signal,
    UnfitError,
    Value,
    apply,
    clipped,
    matmul,
    rearranged,
)
from neuron_reach.policies.onnx_node import Node
from neuron_reach.policies.onnx_shapes import SHAPE_OPERATORS

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
    if node.domain == 'com.microsoft':
        operator = _FUSED.get(node.kind)
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


def _cast_like(node: Node) -> Value:
    value, other = node.operand(0), node.operand(1)
    if isinstance(value, Signal):
        if not isinstance(other, Signal) and other.dtype.kind != 'f':
            raise UnfitError('it makes whole numbers or flags of a signal')
        return value
    return value.astype(np.float32 if isinstance(other, Signal) else other.dtype)


def _equal(node: Node) -> Value:
    left, right = node.operand(0), node.operand(1)
    if isinstance(left, Signal) or isinstance(right, Signal):
        raise UnfitError('it compares a signal')
    return np.asarray(left == right)


def _mod(node: Node) -> Value:
    left, right = node.operand(0), node.operand(1)
    if isinstance(left, Signal) or isinstance(right, Signal):
        raise UnfitError('it takes remainders of a signal')
    return np.asarray((np.fmod if node.option('fmod', 0) else np.mod)(left, right))


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


def _same(node: Node) -> Value:
    return node.operand(0)


_OPERATORS: dict[str, Callable[[Node], Value | list[Value]]] = {
    **SHAPE_OPERATORS,
    'BatchNormalization': _batch_normalization,
    'Cast': _cast,
    'CastLike': _cast_like,
    'Celu': _celu,
    'Clip': _clip,
    'Constant': _constant,
    'Dropout': _same,
    'Equal': _equal,
    'Elu': _function('elu', alpha=('alpha', 1.0)),
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
    'Mod': _mod,
    'Neg': _negative,
    'PRelu': _prelu,
    'Relu': _function('relu'),
    'Selu': _selu,
    'Sigmoid': _function('sigmoid'),
    'Softplus': _function('softplus'),
    'Softsign': _function('softsign'),
    'Swish': _swish,
    'Tanh': _function('tanh'),
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


def _fused_gemm(node: Node) -> Value:
    value = _gemm(node)
    kind, *numbers = (
        node.option(name, None)
        for name in ('activation', 'activation_alpha', 'activation_beta', 'activation_gamma')
    )
    if not kind:
        return value
    given = zip(_FUSED_OPTIONS.get(kind, ()), numbers, strict=False)
    options = {name: number for name, number in given if number is not None}
    (after,) = compute(Node(kind, '', [value], options, 1, node.opset))
    return after


def _fused_matmul(node: Node) -> Value:
    if node.option('transBatchA', 0) or node.option('transBatchB', 0):
        raise UnfitError('it transposes batches')
    return _gemm(dataclasses.replace(node, operands=node.operands[:2]))


def _quick_gelu(node: Node) -> Value:
    alpha, value = node.option('alpha', 1.702), node.operand(0)
    return _scaled(apply(Function.of('silu'), _scaled(value, alpha)), 1.0 / alpha)


def _bias_gelu(name: str) -> Callable[[Node], Value]:
    def operator(node: Node) -> Value:
        value, bias = node.operand(0), node.option('bias', None, 1)
        return apply(Function.of(name), value if bias is None else elementwise('add', value, bias))

    return operator


_FUSED_OPTIONS = {
    'Elu': ('alpha',),
    'HardSigmoid': ('alpha', 'beta'),
    'LeakyRelu': ('alpha',),
    'Selu': ('alpha', 'gamma'),
}
"""Names of the attributes of functions that are part of a `FusedGemm`, in its order."""

_FUSED: dict[str, Callable[[Node], Value | list[Value]]] = {
    'BiasGelu': _bias_gelu('gelu'),
    'FastGelu': _bias_gelu('gelu_tanh'),
    'FusedGemm': _fused_gemm,
    'FusedMatMul': _fused_matmul,
    'Gelu': _gelu,
    'QuickGelu': _quick_gelu,
}
"""Operators of onnxruntime's domain `com.microsoft`, into which it joins others."""

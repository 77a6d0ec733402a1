# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The operations of PyTorch that can be part of a chain of layers, by their names."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_reach.networks.branches import concatenate
from neuron_reach.networks.elementwise import elementwise
from neuron_reach.networks.functions import Function
from neuron_reach.networks.signals import (
    Signal,
    UnfitError,
    Value,
    apply,
    linear,
    matmul,
    rearranged,
)


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    """Return the result of an operation.

    Args:
        name: of a function, method or operator of PyTorch, such as `relu`.
        args: its arguments; signals and constants stand for tensors.
        kwargs: its arguments by name.

    Raises:
        UnfitError: it cannot be part of a chain of layers.
        ValueError: arguments do not fit.
        TypeError: there are other arguments than expected.
    """
    operation = _OPERATIONS.get(name.strip('_'))
    if operation is None:
        reasons = [reason for reason, names in _REASONS.items() if name.strip('_') in names]
        raise UnfitError(reasons[0] if reasons else 'this operation is not supported')
    return operation(*args, **kwargs)


_REASONS = {
    'convolutions are not supported': (
        *('conv1d', 'conv2d', 'conv3d', 'convolution', 'conv_transpose2d', 'max_pool2d'),
    ),
    'recurrent networks are not supported': (
        *('gru', 'gru_cell', 'lstm', 'lstm_cell', 'rnn_relu', 'rnn_tanh'),
        *('rnn_relu_cell', 'rnn_tanh_cell'),
    ),
    'attention is not supported': ('scaled_dot_product_attention', 'multi_head_attention_forward'),
    'normalization over the neurons of a sample is no elementwise function': (
        *('layer_norm', 'group_norm', 'instance_norm', 'rms_norm', 'norm'),
    ),
    'softmax is no elementwise function': ('softmax', 'log_softmax'),
    'embeddings are not supported': ('embedding',),
    'random numbers are not supported': ('normal', 'rand', 'rand_like', 'randn', 'randn_like'),
}


def _array(value: Any) -> Value:
    return value if isinstance(value, Signal) else np.asarray(value)


def _function(name: str, *parameters: str) -> Callable[..., Value]:
    """Return an operation that applies a function.

    Args:
        name: of the function.
        parameters: names of its parameters in PyTorch, in our order.
    """
    ours = Function.of(name).parameters

    def operation(input: Value, *args: Any, inplace: bool = False, **kwargs: Any) -> Value:
        given = {**dict(zip(parameters, args, strict=False)), **kwargs}
        if unknown := given.keys() - set(parameters):
            raise UnfitError(f'it has an argument {min(unknown)!r}')
        numbers = [
            float(given.get(key, value)) for key, value in zip(parameters, ours, strict=True)
        ]
        return apply(Function(name, tuple(numbers)), input)

    return operation


def _elementwise(name: str) -> Callable[..., Value]:
    def operation(*args: Any, alpha: float = 1.0, rounding_mode: Any = None) -> Value:
        if rounding_mode is not None:
            raise UnfitError('it rounds')
        *first, last = map(_array, args)
        last = last if alpha == 1.0 else elementwise('mul', last, np.asarray(alpha))
        return elementwise(name, *first, last)

    return operation


def _rsub(input: Value, other: Any, alpha: float = 1.0) -> Value:
    return elementwise('sub', _array(other), input)


def _square(input: Value) -> Value:
    return elementwise('mul', input, input)


def _elu(
    input: Value,
    alpha: float = 1.0,
    scale: float = 1.0,
    input_scale: float = 1.0,
    inplace: bool = False,
) -> Value:
    if scale != 1.0 or input_scale != 1.0:
        raise UnfitError('it has scales')
    return apply(Function.of('elu', alpha=alpha), input)


def _celu(input: Value, alpha: float = 1.0, inplace: bool = False) -> Value:
    if alpha != 1.0:
        raise UnfitError('CELU is supported for alpha = 1')
    return apply(Function.of('elu'), input)


def _gelu(input: Value, approximate: str = 'none') -> Value:
    return apply(Function.of('gelu' if approximate == 'none' else 'gelu_tanh'), input)


def _clamp(input: Value, min: Any = None, max: Any = None) -> Value:
    for bound, name in ((min, 'max'), (max, 'min')):
        if bound is not None:
            input = elementwise(name, input, _array(bound))
    return input


def _hardtanh(
    input: Value, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Value:
    return _clamp(input, min_val, max_val)


def _relu6(input: Value, inplace: bool = False) -> Value:
    return _clamp(input, 0.0, 6.0)


def _linear(input: Value, weight: Any, bias: Any = None) -> Value:
    if not isinstance(input, Signal) or isinstance(weight, Signal) or isinstance(bias, Signal):
        raise UnfitError('its weight depends on the inputs')
    return linear(input, np.asarray(weight), None if bias is None else np.asarray(bias))


def _addmm(input: Any, mat1: Value, mat2: Value, *, beta: float = 1.0, alpha: float = 1.0) -> Value:
    if alpha != 1.0 or beta != 1.0:
        raise UnfitError('it has factors')
    return elementwise('add', matmul(mat1, mat2), _array(input))


def _normalize(
    input: Value,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Value:
    """Normalize as batch normalization does outside of training."""
    if running_mean is None or not isinstance(input, Signal):
        raise UnfitError('batch normalization without running statistics is not elementwise')
    scale = 1.0 / np.sqrt(np.asarray(running_var, float) + eps)
    scaled = input.affine(running_mean, scale if weight is None else scale * weight)
    return scaled if bias is None else scaled.affine(-np.asarray(bias, float), 1.0)


def _cat(tensors: Sequence[Any], dim: int = 0, axis: int | None = None) -> Value:
    return concatenate([_array(each) for each in tensors], dim if axis is None else axis)


def _reshape(input: Value, *shape: Any) -> Value:
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    return rearranged(input, lambda values: values.reshape([int(size) for size in sizes]))


def _flatten(input: Value, start_dim: int = 0, end_dim: int = -1) -> Value:
    shape, count = input.shape, len(input.shape)
    begin, end = start_dim % max(count, 1), end_dim % max(count, 1) + 1
    whole = (*shape[:begin], math.prod(shape[begin:end]), *shape[end:])
    return rearranged(input, lambda values: values.reshape(whole))


def _squeeze(input: Value, dim: int | None = None) -> Value:
    if dim is not None and input.shape[dim] != 1:
        return input
    return rearranged(input, lambda values: np.squeeze(values, dim))


def _unsqueeze(input: Value, dim: int) -> Value:
    return rearranged(input, lambda values: np.expand_dims(values, dim))


def _t(input: Value) -> Value:
    return rearranged(input, np.transpose)


def _transpose(input: Value, dim0: int, dim1: int) -> Value:
    return rearranged(input, lambda values: np.swapaxes(values, dim0, dim1))


def _permute(input: Value, *dims: Any) -> Value:
    order = dims[0] if len(dims) == 1 and isinstance(dims[0], Sequence) else dims
    return rearranged(input, lambda values: np.transpose(values, order))


def _unflatten(input: Value, dim: int, sizes: Sequence[int]) -> Value:
    place = dim % len(input.shape)
    shape = (*input.shape[:place], *sizes, *input.shape[place + 1 :])
    return rearranged(input, lambda values: values.reshape(shape))


def _expand(input: Value, *sizes: Any) -> Value:
    wanted = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], Sequence) else sizes
    old = (1,) * (len(wanted) - len(input.shape)) + tuple(input.shape)
    shape = [before if size == -1 else size for before, size in zip(old, wanted, strict=True)]
    return rearranged(input, lambda values: np.broadcast_to(values, shape))


def _select(input: Value, dim: int, index: int) -> Value:
    return rearranged(input, lambda values: np.take(values, index, dim))


def _narrow(input: Value, dim: int, start: int, length: int) -> Value:
    begin = start % max(input.shape[dim], 1)
    return rearranged(input, lambda values: np.take(values, range(begin, begin + length), dim))


def _slice(
    input: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Value:
    places = range(input.shape[dim])[start:end:step]
    return rearranged(input, lambda values: np.take(values, places, dim))


def _unbind(input: Value, dim: int = 0) -> list[Value]:
    return [_select(input, dim, index) for index in range(input.shape[dim])]


def _chunk(input: Value, chunks: int, dim: int = 0) -> list[Value]:
    return _split(input, -(-input.shape[dim] // chunks), dim)


def _split(input: Value, split_size_or_sections: Any, dim: int = 0) -> list[Value]:
    width, sizes = input.shape[dim], split_size_or_sections
    if isinstance(sizes, int):
        sizes = [min(sizes, width - start) for start in range(0, width, max(sizes, 1))]
    ends = np.cumsum(sizes)
    if not len(ends) or ends[-1] != width:
        raise UnfitError(f'it splits {width} into {list(sizes)}')
    return [
        rearranged(input, functools.partial(np.take, indices=range(end - size, end), axis=dim))
        for size, end in zip(sizes, ends, strict=True)
    ]


def _getitem(values: Any, index: Any) -> Any:
    if not isinstance(values, Signal):
        return values[index]
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, Signal) for part in parts):
        raise UnfitError('what it selects depends on the inputs')
    return rearranged(values, lambda array: np.asarray(array[index]))


def _same(input: Any, *args: Any, **kwargs: Any) -> Any:
    return input


def _size(input: Value, dim: int | None = None) -> Any:
    return input.shape if dim is None else input.shape[dim]


_OPERATIONS: dict[str, Callable[..., Any]] = {
    'addmm': _addmm,
    'batch_norm': _normalize,
    'celu': _celu,
    'chunk': _chunk,
    'dim': lambda input: len(input.shape),
    'elu': _elu,
    'expand': _expand,
    'flatten': _flatten,
    'gelu': _gelu,
    'getitem': _getitem,
    'hardsigmoid': _function('hardsigmoid'),
    'hardswish': _function('hardswish'),
    'hardtanh': _hardtanh,
    'leaky_relu': _function('leaky_relu', 'negative_slope'),
    'linear': _linear,
    'mish': _function('mish'),
    'narrow': _narrow,
    'neg': lambda input: elementwise('mul', input, np.asarray(-1.0)),
    'permute': _permute,
    'relu': _function('relu'),
    'relu6': _relu6,
    'rsub': _rsub,
    'select': _select,
    'selu': _function('selu'),
    'sigmoid': _function('sigmoid'),
    'silu': _function('silu'),
    'size': _size,
    'slice': _slice,
    'softplus': _function('softplus', 'beta', 'threshold'),
    'softsign': _function('softsign'),
    'split': _split,
    'square': _square,
    'squeeze': _squeeze,
    't': _t,
    'tanh': _function('tanh'),
    'transpose': _transpose,
    'unbind': _unbind,
    'unflatten': _unflatten,
    'unsqueeze': _unsqueeze,
    **dict.fromkeys(('cat', 'concat', 'concatenate'), _cat),
    **dict.fromkeys(('clamp', 'clip'), _clamp),
    **dict.fromkeys(('matmul', 'mm'), matmul),
    **dict.fromkeys(('reshape', 'view'), _reshape),
    **dict.fromkeys(
        ('alpha_dropout', 'clone', 'contiguous', 'cpu', 'detach', 'dropout', 'float', 'to'), _same
    ),
    **{
        key: _elementwise(name)
        for name, keys in {
            'abs': 'abs',
            'add': 'add iadd',
            'div': 'div truediv itruediv true_divide',
            'erf': 'erf',
            'exp': 'exp',
            'greater': 'gt',
            'greater_equal': 'ge',
            'less': 'lt',
            'less_equal': 'le',
            'log': 'log',
            'max': 'max maximum',
            'min': 'min minimum',
            'mul': 'mul imul multiply',
            'pow': 'pow',
            'reciprocal': 'reciprocal',
            'sqrt': 'sqrt',
            'sub': 'sub isub',
            'where': 'where',
        }.items()
        for key in keys.split()
    },
}

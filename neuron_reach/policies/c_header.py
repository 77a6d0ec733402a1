# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Networks as C99 headers, for microcontrollers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from neuron_reach.common.arrays import AnyArray
from neuron_reach.common.versions import __version__
from neuron_reach.networks.feed_forward import FeedForward
from neuron_reach.networks.functions import Affine, Step

_FUNCTIONS = {
    'clip': 'x < {0} ? {0} : x > {1} ? {1} : x',
    'elu': 'x > 0 ? x : {0} * expm1f(x)',
    'gelu': '0.5f * x * (1 + erff(x * 0.70710678f))',
    'gelu_tanh': '0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)))',
    'hardsigmoid': 'x < -3 ? 0 : x > 3 ? 1 : x / 6 + 0.5f',
    'hardswish': 'x < -3 ? 0 : x > 3 ? x : x * (x / 6 + 0.5f)',
    'leaky_relu': 'x > 0 ? x : {0} * x',
    'mish': 'x * tanhf(x > 20 ? x : log1pf(expf(x)))',
    'relu': 'x > 0 ? x : 0',
    'selu': 'x > 0 ? 1.05070099f * x : 1.75809934f * expm1f(x)',
    'sigmoid': '1 / (1 + expf(-x))',
    'silu': 'x / (1 + expf(-x))',
    'softplus': 'x * {0} > {1} ? x : log1pf(expf(x * {0})) / {0}',
    'softsign': 'x / (1 + fabsf(x))',
    'tanh': 'tanhf(x)',
}
"""Each function of `x` and its parameters in C."""


def c_header(network: FeedForward, name: str) -> str:
    """Return the text of a C99 header with a network in single precision.

    It defines one function, `<name>_compute(input, output)`, and the parameters as constants.

    Args:
        network: its layers.
        name: that all definitions begin with; other characters than letters and digits become `_`.
    """
    name = re.sub(r'\W', '_', name, flags=re.ASCII)
    name = f'_{name}' if name[:1].isdigit() else name
    constants = _Constants(name)
    body = _body(network, constants)
    guard = f'{name.upper()}_H'
    return '\n'.join(
        [
            f'/* A network of {"-".join(map(str, network.sizes))} neurons; '
            f'written by neuron_reach {__version__}. */',
            *(f'#ifndef {guard}', f'#define {guard}', '#include <math.h>', ''),
            *(*constants.lines, ''),
            f'/* input: {network.sizes[0]} numbers, output: {network.sizes[-1]}. */',
            f'static void {name}_compute(const float *input, float *output)',
            *('{', *body, '}', '', '#endif', ''),
        ]
    )


class _Constants:
    """Definitions of arrays, the names of which are numbered.

    Attributes:
        lines: of the text, one for each array.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.lines: list[str] = []

    def define(self, values: AnyArray) -> str:
        """Define an array, and return its name."""
        name = f'{self._prefix}_{len(self.lines)}'
        numbers = ', '.join(map(_number, values.ravel()))
        self.lines.append(f'static const float {name}[{values.size}] = {{{numbers}}};')
        return name


def _body(network: FeedForward, constants: _Constants) -> list[str]:
    """Return the lines that compute the output from the input."""
    widest = max(network.sizes)
    lines = [
        f'    float a[{widest}], b[{widest}];',
        f'    for (int i = 0; i < {network.sizes[0]}; ++i) {{',
        '        float x = input[i];',
        *_steps(network.preparation, constants),
        '        a[i] = x;',
        '    }',
    ]
    here, there = 'a', 'b'
    for layer in network.layers:
        outputs, inputs = layer.weight.shape
        weight, bias = constants.define(layer.weight), constants.define(layer.bias)
        target = 'output' if layer is network.layers[-1] else there
        lines += [
            f'    for (int i = 0; i < {outputs}; ++i) {{',
            f'        float x = {bias}[i];',
            f'        for (int j = 0; j < {inputs}; ++j)',
            f'            x += {weight}[i * {inputs} + j] * {here}[j];',
            *_steps(layer.steps, constants),
            f'        {target}[i] = x;',
            '    }',
        ]
        here, there = there, here
    return lines


def _steps(steps: Sequence[Step], constants: _Constants) -> list[str]:
    """Return the lines that apply elementwise steps to `x`, neuron `i`."""
    lines = []
    for step in steps:
        if isinstance(step, Affine):
            center, scale = constants.define(step.center), constants.define(step.scale)
            lines.append(f'        x = (x - {center}[i]) * {scale}[i];')
        else:
            formula = _FUNCTIONS[step.name].format(*map(_number, step.parameters))
            lines.append(f'        x = {formula};')
    return lines


def _number(value: float) -> str:
    return np.format_float_scientific(np.float32(value), trim='0') + 'f'

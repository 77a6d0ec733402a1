# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Writing networks for other programs: ONNX, safetensors, and C for microcontrollers."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach.common.files import write_bytes
from neuron_reach.common.resources import pip_install
from neuron_reach.common.results import to_json
from neuron_reach.common.tensors import tensor_bytes
from neuron_reach.common.versions import __version__
from neuron_reach.errors import UserError
from neuron_reach.networks.feed_forward import FeedForward
from neuron_reach.networks.functions import Affine, Step
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.c_header import c_header

DESCRIPTION = 'neuron_reach'
"""Key of our description of a policy in files of other formats."""

IR_VERSION, OPSET = 8, 13
"""Versions of ONNX and of its operators that are written; runtimes since 2021 read them."""


def export_network(network: FeedForward, actions: Actions, path: Path) -> Path:
    """Write a network into a file, whose ending says the format.

    Args:
        network: its layers; ONNX files and C headers hold them in single precision.
        actions: how its outputs become actions; ONNX and safetensors files say so in their notes.
        path: `.onnx`, `.safetensors` or `.h`; an existing file is replaced as a whole.

    Returns:
        The path.

    Raises:
        UserError: the format is unknown or needs a library, or the file cannot be written.
    """
    write = _WRITERS.get(path.suffix)
    if write is None:
        raise UserError(
            f'{path}: cannot be exported to; files can end in {", ".join(_WRITERS)}, or in .zip if '
            'the policy comes from a zip of stable-baselines3'
        )
    content = write(network, actions, path)
    try:
        write_bytes(path, content)
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None
    return path


def _safetensors(network: FeedForward, actions: Actions, path: Path) -> bytes:
    description = {'steps': network.structure(), 'actions': to_json(actions)}
    return tensor_bytes(network.arrays(), {DESCRIPTION: json.dumps(description)})


class _Builder:
    """Nodes and constants of an ONNX graph.

    Attributes:
        nodes: in the order of computation.
        constants: tensors.
    """

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, *inputs: str, output: str = '', **options: Any) -> str:
        """Add a node and return the name of its output."""
        output = output or f'{kind.lower()}_{len(self.nodes)}'
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, [output], output, **options))
        return output

    def constant(self, values: Any, name: str = '') -> str:
        """Add a constant and return its name."""
        name = name or f'constant_{len(self.constants)}'
        array = np.asarray(values, np.float32)
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def step(self, step: Step, values: str) -> str:
        """Add the nodes of an elementwise step and return the name of their output."""
        if isinstance(step, Affine):
            centered = self.node('Sub', values, self.constant(step.center))
            return self.node('Mul', centered, self.constant(step.scale))
        return _FUNCTIONS[step.name](self, values, *step.parameters)


def _gelu(to: _Builder, x: str) -> str:
    error = to.node('Erf', to.node('Mul', x, to.constant(np.sqrt(0.5))))
    half = to.node('Mul', x, to.constant(0.5))
    return to.node('Mul', half, to.node('Add', error, to.constant(1.0)))


def _gelu_tanh(to: _Builder, x: str) -> str:
    cube = to.node('Mul', to.node('Mul', x, x), x)
    inner = to.node('Add', x, to.node('Mul', cube, to.constant(0.044715)))
    bent = to.node('Tanh', to.node('Mul', inner, to.constant(np.sqrt(2.0 / np.pi))))
    half = to.node('Mul', x, to.constant(0.5))
    return to.node('Mul', half, to.node('Add', bent, to.constant(1.0)))


def _softplus(to: _Builder, x: str, beta: float, threshold: float) -> str:
    if beta == 1.0:
        return to.node('Softplus', x)
    inner = to.node('Softplus', to.node('Mul', x, to.constant(beta)))
    return to.node('Div', inner, to.constant(beta))


_FUNCTIONS: dict[str, Callable[..., str]] = {
    'clip': lambda to, x, low, high: to.node('Clip', x, to.constant(low), to.constant(high)),
    'elu': lambda to, x, alpha: to.node('Elu', x, alpha=alpha),
    'gelu': _gelu,
    'gelu_tanh': _gelu_tanh,
    'hardsigmoid': lambda to, x: to.node('HardSigmoid', x, alpha=1.0 / 6.0),
    'hardswish': lambda to, x: to.node('Mul', x, to.node('HardSigmoid', x, alpha=1.0 / 6.0)),
    'leaky_relu': lambda to, x, slope: to.node('LeakyRelu', x, alpha=slope),
    'mish': lambda to, x: to.node('Mul', x, to.node('Tanh', to.node('Softplus', x))),
    'relu': lambda to, x: to.node('Relu', x),
    'selu': lambda to, x: to.node('Selu', x),
    'sigmoid': lambda to, x: to.node('Sigmoid', x),
    'silu': lambda to, x: to.node('Mul', x, to.node('Sigmoid', x)),
    'softplus': _softplus,
    'softsign': lambda to, x: to.node('Softsign', x),
    'tanh': lambda to, x: to.node('Tanh', x),
}
"""What adds the nodes of each function."""


def _onnx(network: FeedForward, actions: Actions, path: Path) -> bytes:
    try:
        onnx = importlib.import_module('onnx')
    except ImportError:
        raise UserError(
            f'{path}: ONNX files need the library onnx: {pip_install("onnx")}'
        ) from None
    to, values = _Builder(onnx), 'observation'
    for step in network.preparation:
        values = to.step(step, values)
    for number, layer in enumerate(network.layers):
        weight = to.constant(layer.weight, f'layers.{number}.weight')
        bias = to.constant(layer.bias, f'layers.{number}.bias')
        values = to.node('Gemm', values, weight, bias, transB=1)
        for step in layer.steps:
            values = to.step(step, values)
    name = 'action' if actions.kind == 'continuous' else 'output'
    to.node('Identity', values, output=name)
    real = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        to.nodes,
        'policy',
        [onnx.helper.make_tensor_value_info('observation', real, ['batch', network.sizes[0]])],
        [onnx.helper.make_tensor_value_info(name, real, ['batch', network.sizes[-1]])],
        to.constants,
    )
    model = onnx.helper.make_model(
        graph,
        producer_name='neuron_reach',
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid('', OPSET)],
    )
    onnx.helper.set_model_props(model, {DESCRIPTION: json.dumps({'actions': to_json(actions)})})
    content: bytes = model.SerializeToString()
    return content


def _header(network: FeedForward, actions: Actions, path: Path) -> bytes:
    return c_header(network, path.stem).encode()


_WRITERS: dict[str, Callable[[FeedForward, Actions, Path], bytes]] = {
    '.onnx': _onnx,
    '.safetensors': _safetensors,
    '.h': _header,
}

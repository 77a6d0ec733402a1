# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Reading policies from ONNX files; the library `onnx` parses them, no runtime is needed."""

from __future__ import annotations

import importlib
import json
import math
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_reach.common.arrays import AnyArray
from neuron_reach.common.files import read_bytes
from neuron_reach.common.resources import pip_install
from neuron_reach.errors import UserError
from neuron_reach.networks.chains import chain
from neuron_reach.networks.feed_forward import FeedForward
from neuron_reach.networks.signals import (
    LARGEST_CONSTANT,
    SUPPORTED,
    Signal,
    UnfitError,
    Value,
    inputs,
)
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.export import DESCRIPTION
from neuron_reach.policies.feed_forward import LARGEST_FILE, FeedForwardPolicy, Origin
from neuron_reach.policies.onnx_node import Node
from neuron_reach.policies.onnx_operators import compute
from neuron_reach.policies.parts import role

if TYPE_CHECKING:
    import onnx

MOST_NODES = 100_000
_PASSING = ('Cast', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten')
"""Operators that can follow the choice of an action."""


def onnx_library(path: Path) -> Any:
    """Return the library.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module('onnx')
    except ImportError:
        raise UserError(
            f'{path}: ONNX files need the library onnx: {pip_install("onnx")}'
        ) from None


def read_onnx(path: Path, part: str | None = None) -> FeedForwardPolicy:
    """Read a policy from an ONNX file.

    Args:
        path: the file.
        part: name of an output, or of another tensor in the graph; by default the first output
            that is no value of a critic.

    Raises:
        UserError: it cannot be read, or holds no chain of layers; names the first node that does
            not fit.
    """
    graph = _Graph(path, _parse(path))
    name, kind = graph.output(part)
    network = graph.network(name)
    actions = Actions(kind) if kind or part else graph.actions()
    origin = Origin(str(path), 'ONNX', graph.library, part=part or 'policy')
    try:
        return FeedForwardPolicy(network, actions, origin)
    except ValueError as error:
        raise UserError(f'{path}: its description is damaged: {error}') from None


def _parse(path: Path) -> onnx.ModelProto:
    library = onnx_library(path)
    content = read_bytes(path, LARGEST_FILE)
    try:
        model: onnx.ModelProto = library.load_model_from_string(content)
        if model.functions:
            model = importlib.import_module('onnx.inliner').inline_local_functions(model)
    except Exception as error:  # of protobuf, which onnx does not always have from Python
        raise UserError(
            f'{path}: is truncated or no ONNX file: {" ".join(str(error).split())}'
        ) from None
    if not model.graph.node or not model.graph.output:
        raise UserError(f'{path}: is truncated or no ONNX file: it has no nodes or no outputs')
    if len(model.graph.node) > MOST_NODES:
        raise UserError(f'{path}: has more than {MOST_NODES} nodes')
    return model


class _Graph:
    """A parsed model.

    Attributes:
        path: of its file.
        library: that wrote it.
    """

    def __init__(self, path: Path, model: onnx.ModelProto) -> None:
        self.path = path
        self.library = f'{model.producer_name} {model.producer_version}'.strip()
        self._notes = {entry.key: entry.value for entry in model.metadata_props}
        self._graph = model.graph
        self._initializers = {tensor.name: tensor for tensor in model.graph.initializer}
        self._inputs = [each for each in model.graph.input if each.name not in self._initializers]
        self._makers = {name: node for node in model.graph.node for name in node.output if name}
        domains = {entry.domain: entry.version for entry in model.opset_import}
        self._opset = domains.get('', domains.get('ai.onnx', 1))

    def actions(self) -> Actions:
        """Return what a model that `Policy.export` wrote says of its actions."""
        if DESCRIPTION not in self._notes:
            return Actions()
        try:
            return Actions.from_json(json.loads(self._notes[DESCRIPTION])['actions'])
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise UserError(f'{self.path}: its description is damaged: {error}') from None

    def output(self, part: str | None) -> tuple[str, str | None]:
        """Return the name of the tensor to compute, and the kind of actions if it is known."""
        names = [each.name for each in self._graph.output]
        if part is not None:
            if part not in self._makers:
                raise UserError(
                    f'{self.path}: has no output {part!r}; there are {", ".join(names)}'
                )
            return part, None
        kinds = importlib.import_module('onnx').TensorProto
        found: list[str] = []
        unread = False  # there are actions that no network computes; what follows is another
        for each in self._graph.output:
            chosen = self._chosen(each.name)
            if chosen is not None:
                return chosen, 'argmax'
            real = each.type.tensor_type.elem_type in (
                *(kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.BFLOAT16, kinds.UNDEFINED),
            )
            purpose = role(each.name)
            if purpose not in ('policy', 'q', None) or (unread and purpose is None):
                continue
            if real:
                found.append(each.name)
            unread = unread or not real
        given = {each.name for each in self._inputs}
        for name in sorted(found, key=lambda name: not self._needed(name) & given):
            return name, None  # constants, such as a version number, come last
        raise UserError(
            f'{self.path}: none of its outputs is that of a policy; choose one by part=: '
            f'{", ".join(names)}'
        )

    def _chosen(self, name: str) -> str | None:
        """Return the tensor whose greatest element an output numbers, None if it does not."""
        for _ in range(len(_PASSING)):
            node = self._makers.get(name)
            if node is None or not node.input:
                return None
            if node.op_type == 'ArgMax':
                return self._logits(str(node.input[0]))
            if node.op_type not in _PASSING:
                return None
            name = node.input[0]
        return None

    def _logits(self, name: str) -> str:
        """Return a tensor whose greatest element is that of another, before a softmax of it."""
        while (node := self._makers.get(name)) is not None and node.input:
            subtracted = self._makers.get(node.input[1]) if node.op_type == 'Sub' else None
            if node.op_type not in ('Softmax', 'LogSoftmax') and (
                subtracted is None
                or subtracted.op_type != 'ReduceLogSumExp'
                or subtracted.input[0] != node.input[0]
            ):
                break
            name = node.input[0]
        return name

    def network(self, name: str) -> FeedForward:
        """Return the network that computes a tensor."""
        kinds = importlib.import_module('onnx').TensorProto
        types = {each.type.tensor_type.elem_type for each in self._inputs}
        problem: UserError | None = None
        for width in self._widths():
            try:
                value = self._follow(name, width)
                if not isinstance(value, Signal):
                    raise UserError(f'{self.path}: {name} does not depend on the inputs')
                try:
                    return chain(value, np.float64 if types == {kinds.DOUBLE} else np.float32)
                except ValueError as error:
                    raise UserError(f'{self.path}: does not fit: {error}; {SUPPORTED}') from None
            except UserError as error:
                problem = problem or error
        raise problem or UserError(f'{self.path}: has no inputs')

    def _widths(self) -> Iterator[int]:
        """Return what the input may have where the file does not say its width."""
        if all(0 not in shape for shape in self._shapes(0)):
            return iter([0])
        sizes = [size for tensor in self._initializers.values() for size in tensor.dims]
        return iter(dict.fromkeys(sizes[:MOST_NODES]))

    def _shapes(self, width: int) -> list[tuple[int, ...]]:
        """Return the shapes of the inputs for one sample; sizes that are not known are `width`."""
        shapes = []
        for each in self._inputs:
            sizes = [size.dim_value for size in each.type.tensor_type.shape.dim]
            if len(sizes) > 1:
                sizes[0] = 1
            shapes.append(tuple(size if size > 0 else width for size in sizes))
        return shapes

    def _follow(self, name: str, width: int) -> Value:
        """Return the value of a tensor."""
        needed = self._needed(name)
        used = [each.name in needed for each in self._inputs]
        shapes = [shape for shape, use in zip(self._shapes(width), used, strict=True) if use]
        names = [each.name for each, use in zip(self._inputs, used, strict=True) if use]
        try:
            values: dict[str, Value] = dict(
                zip(names, inputs(shapes) if shapes else [], strict=True)
            )
        except UnfitError as error:
            raise UserError(f'{self.path}: {error}; {SUPPORTED}') from None
        read = {
            each
            for node in self._graph.node
            if node.op_type != 'Shape' and needed.intersection(node.output)
            for each in node.input
        }
        for node in self._graph.node:
            if not needed.intersection(node.output):
                continue
            missing = [each for each in node.input if each and each not in values]
            for each in missing:
                if each not in self._initializers:
                    raise UserError(
                        f'{self.path}: {_label(node)} needs {each!r}, which no node before it '
                        'computes; the graph has a cycle or is damaged'
                    )
                values[each] = self._array(self._initializers[each])
            if set(node.output).isdisjoint({name, *read}) and node.op_type in ('Add', 'Mul'):
                shape = np.broadcast_shapes(*(values[each].shape for each in node.input))
                values[node.output[0]] = np.broadcast_to(np.zeros(1), shape)
                continue  # only its shape counts, as that of mean + deviation in distributions
            for each, value in zip(node.output, self._computed(node, values), strict=False):
                values[each] = value
        return values[name]

    def _needed(self, name: str) -> set[str]:
        """Return the names of all tensors that one depends on, with itself."""
        needed, open_names = {name}, [name]
        while open_names:
            node = self._makers.get(open_names.pop())
            new = set(node.input) - needed - {''} if node is not None else set()
            needed |= new
            open_names += new
        return needed

    def _computed(self, node: onnx.NodeProto, values: dict[str, Value]) -> Sequence[Value]:
        """Return the outputs of a node."""
        try:
            options = {each.name: self._option(each) for each in node.attribute}
            operands = [values.get(each) if each else None for each in node.input]
            found = compute(
                Node(node.op_type, node.domain, operands, options, len(node.output), self._opset)
            )
            if any(
                not isinstance(value, Signal) and value.size > LARGEST_CONSTANT for value in found
            ):
                raise UnfitError('it computes too many constants')
            return found
        except UserError:
            raise
        except (ValueError, TypeError, IndexError, ArithmeticError, RuntimeError) as error:
            reason = str(error) if isinstance(error, UnfitError) else f'is damaged: {error}'
            reason = ' '.join(reason.split())
            raise UserError(
                f'{self.path}: {_label(node)} does not fit: {reason}; {SUPPORTED}'
            ) from None

    def _option(self, attribute: onnx.AttributeProto) -> Any:
        onnx = importlib.import_module('onnx')
        if attribute.type == onnx.AttributeProto.TENSOR:
            return self._array(attribute.t)
        if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            raise UnfitError('it holds graphs of its own')
        value = onnx.helper.get_attribute_value(attribute)
        return value.decode(errors='replace') if isinstance(value, bytes) else value

    def _array(self, tensor: onnx.TensorProto) -> AnyArray:
        """Return the values of a constant."""
        onnx = importlib.import_module('onnx')
        if math.prod(tensor.dims) > LARGEST_CONSTANT:
            raise UserError(f'{self.path}: {tensor.name} is too large: {list(tensor.dims)}')
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor = self._fetched(tensor)
        try:
            values = np.asarray(onnx.numpy_helper.to_array(tensor))
        except (ValueError, TypeError, KeyError, struct.error) as error:
            reason = ' '.join(str(error).split())
            raise UserError(f'{self.path}: {tensor.name} is damaged: {reason}') from None
        half = values.dtype.kind == 'f' and values.dtype.itemsize < 4
        if half or values.dtype.kind not in 'biuf':  # bfloat16 is of a kind of its own
            try:
                return values.astype(np.float32)
            except (ValueError, TypeError):
                raise UserError(f'{self.path}: {tensor.name} holds no numbers') from None
        return values

    def _fetched(self, tensor: onnx.TensorProto) -> onnx.TensorProto:
        """Return a constant with the values that lie in another file of the same folder."""
        kinds = importlib.import_module('onnx').TensorProto
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get('location', '')
        folder = self.path.parent.resolve()
        file = (folder / location).resolve() if '\0' not in location else folder
        if not location or not file.is_relative_to(folder) or not file.is_file():
            raise UserError(
                f'{self.path}: the values of {tensor.name} are in another file, {location!r}, '
                'which is not beside the model'
            )
        content = read_bytes(file, LARGEST_FILE)
        try:
            start = int(entries.get('offset', 0))
            length = int(entries.get('length', len(content) - start))
        except ValueError:
            start, length = -1, 0
        if start < 0 or length < 0 or start + length > len(content):
            raise UserError(f'{self.path}: {tensor.name} does not fit the file {location}')
        whole: onnx.TensorProto = kinds()
        whole.CopyFrom(tensor)
        whole.ClearField('external_data')
        whole.data_location = kinds.DEFAULT
        whole.raw_data = content[start : start + length]
        return whole


def _label(node: onnx.NodeProto) -> str:
    """Return what error messages call a node."""
    name = node.name or (node.output[0] if node.output else '')
    domain = f'{node.domain}.' if node.domain not in ('', 'ai.onnx') else ''
    return f'node {name!r} ({domain}{node.op_type})'

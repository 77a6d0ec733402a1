# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Policies from modules of PyTorch that exist in this process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from neuron_reach.errors import UserError
from neuron_reach.networks.chains import chain
from neuron_reach.networks.feed_forward import FeedForward
from neuron_reach.networks.signals import SUPPORTED, Signal, UnfitError, inputs
from neuron_reach.policies.feed_forward import FeedForwardPolicy, Origin
from neuron_reach.policies.torch_operations import call

_REASONS: dict[str, tuple[type[nn.Module], ...]] = {
    'convolutions are not supported': (nn.modules.conv._ConvNd,),
    'recurrent networks are not supported': (nn.RNNBase, nn.RNNCellBase),
    'attention is not supported': (nn.MultiheadAttention, nn.Transformer),
    'normalization over the neurons of a sample is no elementwise function': (
        *(nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm),
    ),
    'softmax is no elementwise function': (nn.Softmax, nn.LogSoftmax),
    'embeddings are not supported': (nn.Embedding,),
}
_BATCH_NORM = nn.modules.batchnorm._BatchNorm


def from_torch(module: nn.Module, *, example: Any = None) -> FeedForwardPolicy:
    """Return a policy that computes what a module computes in evaluation mode.

    The module's own `forward` runs once, with symbols for tensors (`torch.fx`). Dropout is left
    out, and batch normalization uses its running statistics. Parameters are copied.

    Args:
        module: a chain of linear layers and elementwise functions, however nested. Of several
            outputs, the first one counts.
        example: observations, (batch, inputs), or a tuple of the arguments of `forward`, whose
            tensors are then concatenated; needed only for several arguments.

    Raises:
        UserError: the module is no such chain; names the first part that does not fit.
    """
    if not isinstance(module, nn.Module):
        raise UserError(f'from_torch takes a torch.nn.Module, not {type(module).__name__}')
    name = type(module).__name__
    try:
        graph = _Tracer().trace(module)
    except Exception as error:  # the module's own code
        reason = ' '.join(str(error).split())[:200]
        raise UserError(f'{name}: cannot be followed: {reason}; {SUPPORTED}') from None
    problem: UserError | None = None
    for shapes in _shapes(module, example):
        try:
            network = _network(name, module, graph, shapes)
        except UserError as error:
            problem = problem or error
            continue
        return FeedForwardPolicy(
            network, origin=Origin('', 'PyTorch', f'torch {torch.__version__}')
        )
    raise problem or UserError(f'{name}: has no linear layer; {SUPPORTED}')


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Tell whether a module is named in errors rather than followed."""
        return isinstance(m, (_BATCH_NORM, *(kind for some in _REASONS.values() for kind in some)))


def _shapes(module: nn.Module, example: Any) -> Iterable[Sequence[tuple[int, ...]]]:
    """Return what the shapes of the arguments can be, for one sample."""
    if example is not None:
        parts = example if isinstance(example, tuple | list) else (example,)
        shapes = [tuple(np.shape(part)) for part in parts]
        return [[(1, *shape[1:]) if len(shape) > 1 else shape for shape in shapes]]
    weights = [tuple(each.shape) for each in module.parameters() if each.ndim == 2]
    widths = [shape[1] for shape in weights] + [shape[0] for shape in weights]
    return [[(1, width)] for width in dict.fromkeys(widths)]


def _network(
    name: str, module: nn.Module, graph: fx.Graph, shapes: Sequence[tuple[int, ...]]
) -> FeedForward:
    places = [node for node in graph.nodes if node.op == 'placeholder']
    needed = [node for node in places if not node.args]
    if not len(needed) <= len(shapes) <= len(places):
        raise UserError(f'{name}: forward takes {len(needed)} arguments; give them as example=')
    given = [] if not shapes else inputs(shapes)
    values: dict[fx.Node, Any] = dict(zip(places, given, strict=False))
    result: Any = None
    for node in graph.nodes:
        if node.op == 'placeholder':
            values.setdefault(node, node.args[0] if node.args else None)
            continue
        try:
            result = values[node] = _value(module, node, values)
        except (ValueError, TypeError, IndexError, AttributeError, RuntimeError) as error:
            reason = ' '.join(str(error).split())
            raise UserError(f'{name}: {_label(node)} does not fit: {reason}; {SUPPORTED}') from None
    while isinstance(result, tuple | list | dict) and result:
        result = next(iter(result.values() if isinstance(result, dict) else result))
    if not isinstance(result, Signal):
        raise UserError(f'{name}: its output does not depend on its inputs; {SUPPORTED}')
    double = all(each.dtype == torch.float64 for each in module.parameters())
    try:
        return chain(result, np.float64 if double else np.float32)
    except ValueError as error:
        raise UserError(f'{name}: does not fit: {error}; {SUPPORTED}') from None


def _value(module: nn.Module, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
    args: Any = fx.node.map_arg(node.args, values.__getitem__)
    kwargs: Any = fx.node.map_arg(node.kwargs, values.__getitem__)
    if node.op == 'output':
        return args[0]
    if node.op == 'get_attr':
        owner, _, name = str(node.target).rpartition('.')
        found = getattr(module.get_submodule(owner), name)
        return _numbers(found)
    if node.op == 'call_module':
        return _module(module.get_submodule(str(node.target)), *args)
    if node.target is getattr:
        if args[1] == 'shape':
            return args[0].shape
        raise UnfitError(f'it uses {args[1]!r} of a tensor')
    target = node.target
    return call(
        target if isinstance(target, str) else getattr(target, '__name__', ''), *args, **kwargs
    )


def _module(module: nn.Module, values: Any) -> Any:
    if isinstance(module, _BATCH_NORM):
        parts = (module.running_mean, module.running_var, module.weight, module.bias)
        return call('batch_norm', values, *map(_numbers, parts), eps=module.eps)
    raise UnfitError(
        next(reason for reason, kinds in _REASONS.items() if isinstance(module, kinds))
    )


def _numbers(value: Any) -> Any:
    """Return the values of a tensor, copied; other values as they are."""
    if not isinstance(value, torch.Tensor):
        return value
    tensor = value.detach().cpu()
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    return np.array((tensor.float() if half else tensor).numpy())


def _label(node: fx.Node) -> str:
    return f'{node.name} ({_target(node)})'


def _target(node: fx.Node) -> str:
    """Return the name of a function, method or module that a node calls."""
    named = isinstance(node.target, str)
    return str(node.target if named else getattr(node.target, '__name__', ''))

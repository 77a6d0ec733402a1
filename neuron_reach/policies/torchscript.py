# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Reading policies from TorchScript archives, without running their code.

The archive holds the code as text that looks like Python. It is parsed, and the few statements that
a chain of layers needs are followed with a `Signal` for the input: assignments, calls, attributes,
and branches on constants. Everything else is refused.
"""

from __future__ import annotations

import ast
import operator
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuron_reach.common.arrays import AnyArray
from neuron_reach.errors import UserError
from neuron_reach.networks.chains import chain
from neuron_reach.networks.feed_forward import FeedForward
from neuron_reach.networks.signals import SUPPORTED, Signal, UnfitError, inputs
from neuron_reach.policies.archives import Archive, open_archive
from neuron_reach.policies.feed_forward import FeedForwardPolicy, Origin
from neuron_reach.policies.pickles import TensorUnpickler
from neuron_reach.policies.torch_operations import call

_LISTS = ('build_boollist', 'build_doublelist', 'build_intlist', 'build_tensorlist')
"""Functions by which archives make lists of numbers and tensors."""

LARGEST_CODE, MOST_STATEMENTS, DEEPEST = 1 << 20, 100_000, 100
"""Bytes of a file of code; statements that are followed; calls inside calls."""


def read_torchscript(path: Path, part: str | None = None) -> FeedForwardPolicy:
    """Read a policy from an archive that `torch.jit.save` wrote.

    Args:
        path: the file.
        part: None; the module is the policy.

    Raises:
        UserError: it is damaged, or what it computes is no chain of layers.
    """
    if part is not None:
        raise UserError(f'{path}: a TorchScript archive has no parts')
    with open_archive(path) as archive:
        network = _Program(archive).network()
    return FeedForwardPolicy(network, origin=Origin(str(path), 'TorchScript'))


class _Object:
    """A module of an archive: fields, and the name of its class as `kind`."""

    kind = ''


class _Unpickler(TensorUnpickler):
    """Reads modules and tensors; it imports and calls nothing else."""

    def __init__(self, archive: Archive, root: str, name: str) -> None:
        super().__init__(
            archive.read(f'{root}{name}.pkl'), lambda key: archive.read(f'{root}{name}/{key}')
        )

    def other_class(self, module: str, name: str) -> Any:
        if module.split('.')[0] == '__torch__':
            return type('Object', (_Object,), {'kind': f'{module}.{name}'})
        if module == 'torch.jit._pickle' and name in _LISTS:
            return list
        if (module, name) == ('torch.jit._pickle', 'restore_type_tag'):
            return lambda value, kind: value
        raise UnfitError(f'it holds {module}.{name}')

    def rebuilt(self, storage: torch.Tensor, *place: Any) -> AnyArray:
        tensor = super().rebuilt(storage, *place)
        half = tensor.dtype in (torch.float16, torch.bfloat16)
        values: AnyArray = (tensor.float() if half else tensor).numpy()
        return values


class _Name(str):
    """A dotted name in the code, such as `torch.linear`."""


class _Program:
    """The code of an archive, and its module."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        (self._root, *_) = [
            name.removesuffix('data.pkl') for name in archive.names if name.endswith('/data.pkl')
        ]
        self._files: dict[str, ast.Module] = {}
        self._left = MOST_STATEMENTS

    def network(self) -> FeedForward:
        try:
            return self._network()
        except UserError:
            raise
        except (UnfitError, *_DAMAGE) as error:
            reason = str(error) if isinstance(error, UnfitError) else f'is damaged: {error}'
            text = ' '.join(reason.split())[:200]
            raise UserError(f'{self._archive.path}: does not fit: {text}; {SUPPORTED}') from None

    def _network(self) -> FeedForward:
        module = _Unpickler(self._archive, self._root, 'data').load()
        constants = f'{self._root}constants.pkl' in self._archive.names
        self._constants = (
            _Unpickler(self._archive, self._root, 'constants').load() if constants else ()
        )
        if not isinstance(module, _Object):
            raise UnfitError('it holds no module')
        weights = [each for each in _tensors((module, self._constants)) if each.ndim == 2]
        problem: ValueError = UnfitError('there is no linear layer')
        widths = dict.fromkeys(
            [each.shape[1] for each in weights] + [each.shape[0] for each in weights]
        )
        for number, width in enumerate(widths):
            try:
                result = self._method(module, 'forward', list(inputs([(1, width)])), 0)
                result = result[0] if isinstance(result, tuple | list) and result else result
                if not isinstance(result, Signal):
                    raise UnfitError('its output does not depend on its input')
                double = all(each.dtype == np.float64 for each in weights)
                return chain(result, np.float64 if double else np.float32)
            except (UnfitError, TypeError, IndexError) as error:
                problem = problem if number else UnfitError(str(error))
        raise problem

    # --- following the code -----------------------------------------------------------------------

    def _defined(self, place: str, name: str) -> Any:
        """Return the class or function of a name in a file of code."""
        if place not in self._files:
            file = f'{self._root}code/{place.replace(".", "/")}.py'
            self._files[place] = ast.parse(self._archive.read(file, LARGEST_CODE))
        for node in self._files[place].body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                return node
        raise UnfitError(f'it has no {place}.{name}')

    def _method(self, owner: _Object, name: str, args: list[Any], depth: int) -> Any:
        place, _, kind = owner.kind.rpartition('.')
        if '.nn.modules.rnn.' in owner.kind:
            raise UnfitError(f'it has a module {kind}; recurrent networks are not supported')
        for node in self._defined(place, kind).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return self._function(node, [owner, *args], {}, depth)
        raise UnfitError(f'{kind} has no method {name}')

    def _function(
        self, node: ast.FunctionDef, args: list[Any], given: dict[str, Any], depth: int
    ) -> Any:
        if depth > DEEPEST:
            raise UnfitError('its calls are nested too deep')
        names = [each.arg for each in node.args.args]
        known = dict(zip(names, args, strict=False)) | given
        for name, default in zip(reversed(names), reversed(node.args.defaults), strict=False):
            known.setdefault(name, ast.literal_eval(default))
        if len(args) > len(names) or set(names) - known.keys():
            raise UnfitError(f'{node.name} takes {len(names)} arguments')
        return self._block(node.body, known, depth)[1]

    def _block(self, body: list[ast.stmt], known: dict[str, Any], depth: int) -> tuple[bool, Any]:
        """Follow statements; return whether they returned, and what."""
        for statement in body:
            self._left -= 1
            if self._left < 0:
                raise UnfitError('it has too many statements')
            if isinstance(statement, ast.Return):
                value = statement.value
                return True, None if value is None else self._value(value, known, depth)
            if isinstance(statement, ast.Assign):
                self._assign(
                    statement.targets[0], self._value(statement.value, known, depth), known
                )
            elif isinstance(statement, ast.If):
                chosen = self._value(statement.test, known, depth)
                if isinstance(chosen, Signal):
                    raise UnfitError('it branches on its input')
                branch = statement.body if chosen else statement.orelse
                returned, value = self._block(branch, known, depth)
                if returned:
                    return True, value
            elif isinstance(statement, ast.Expr):
                self._value(statement.value, known, depth)
            elif not isinstance(statement, ast.Pass):
                raise UnfitError(f'it has a statement {type(statement).__name__}')
        return False, None

    def _assign(self, target: ast.expr, value: Any, known: dict[str, Any]) -> None:
        if isinstance(target, ast.Name):
            known[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            for each, part in zip(target.elts, value, strict=False):
                self._assign(each, part, known)
        else:
            raise UnfitError('it changes its own fields')

    def _value(self, node: ast.expr, known: dict[str, Any], depth: int) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return known[node.id] if node.id in known else _Name(node.id)
        if isinstance(node, ast.Attribute):
            return self._field(self._value(node.value, known, depth), node.attr)
        if isinstance(node, ast.Tuple | ast.List):
            return [self._value(each, known, depth) for each in node.elts]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._value(node.operand, known, depth)
        if isinstance(node, ast.Subscript):
            values = self._value(node.value, known, depth)
            return None if isinstance(values, _Name) else values[ast.literal_eval(node.slice)]
        if isinstance(node, ast.Call):
            return self._call(node, known, depth)
        raise UnfitError(f'it has an expression {type(node).__name__}')

    def _field(self, owner: Any, name: str) -> Any:
        if isinstance(owner, _Object):
            if name not in owner.__dict__:
                raise UnfitError(f'{owner.kind} has no {name}')
            return owner.__dict__[name]
        if owner == 'CONSTANTS' and name[1:].isdigit():
            return self._constants[int(name[1:])]
        if isinstance(owner, _Name):
            return _Name(f'{owner}.{name}')
        raise UnfitError(f'it uses {name} of a value')

    def _call(self, node: ast.Call, known: dict[str, Any], depth: int) -> Any:
        args = [self._value(each, known, depth) for each in node.args]
        given = {str(each.arg): self._value(each.value, known, depth) for each in node.keywords}
        if isinstance(node.func, ast.Attribute):
            owner = self._value(node.func.value, known, depth)
            if isinstance(owner, _Object):
                return self._method(owner, node.func.attr, args, depth + 1)
        name = self._value(node.func, known, depth)
        if name == 'getattr':
            return self._field(args[0], str(args[1]))
        if name in ('annotate', 'unchecked_cast'):
            return args[1]
        if name in ('int', 'torch.Int', 'ops.prim.NumToTensor'):
            return args[0]
        if not isinstance(name, _Name):
            raise UnfitError('it calls a value')
        place, _, last = name.rpartition('.')
        if place.split('.')[0] == '__torch__':
            return self._function(self._defined(place, last), args, given, depth + 1)
        if place != 'torch':
            raise UnfitError(f'{name} is not supported')
        if last in ('__is__', '__isnot__'):
            return (args[0] is args[1]) == (last == '__is__')
        if last == '__not__':
            return not args[0]
        if last in _NUMBERS and all(isinstance(each, int | float) for each in args):
            return _NUMBERS[last](*args)
        if last == 'len':
            return len(args[0].shape if isinstance(args[0], Signal) else args[0])
        if last == 'batch_norm':
            values, weight, bias, mean, variance, _, *rest = args
            return call(last, values, mean, variance, weight, bias, eps=rest[1])
        try:
            return call(last, *args, **given)
        except UnfitError as error:
            raise UnfitError(f'{name}: {error}') from None


_NAMES = ('add', 'sub', 'mul', 'eq', 'ne', 'lt', 'le', 'gt', 'ge')
_NUMBERS = {name: getattr(operator, name) for name in _NAMES}
"""Operations on sizes and other numbers."""

_DAMAGE = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, EOFError),
    *(SyntaxError, RecursionError, MemoryError, ArithmeticError, pickle.UnpicklingError),
)
"""What reading a damaged archive can raise."""


def _tensors(module: Any) -> list[AnyArray]:
    """Return the tensors of modules, tuples and lists, in order."""
    found: list[AnyArray] = []
    seen: set[int] = set()
    left = [module]
    while left:
        each = left.pop()
        if isinstance(each, np.ndarray):
            found.append(each)
        elif isinstance(each, _Object) and id(each) not in seen:
            seen.add(id(each))
            left += reversed(each.__dict__.values())
        elif isinstance(each, tuple | list):
            left += reversed(each)
    return found

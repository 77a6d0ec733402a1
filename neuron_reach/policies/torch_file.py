# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Reading policies from state dicts of PyTorch, and from safetensors files."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from neuron_reach.common.arrays import AnyArray
from neuron_reach.common.files import DIGEST, damaged, read_bytes
from neuron_reach.common.names import METADATA, MODEL
from neuron_reach.common.tensors import tensors_digest
from neuron_reach.errors import UserError, printable
from neuron_reach.networks.feed_forward import FeedForward
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.archives import load_tensors
from neuron_reach.policies.export import DESCRIPTION
from neuron_reach.policies.feed_forward import LARGEST_FILE, FeedForwardPolicy, Origin
from neuron_reach.policies.formats import format_of
from neuron_reach.policies.pickles import Skipped
from neuron_reach.policies.tensor_chains import Chain, choose, find_chains, network_of

SILENT_FORMATS = ('PyTorch', 'safetensors')
"""Formats that do not say the activation functions."""

MOST_TENSORS = 100_000

_ADVICE = 'save module.state_dict() instead, or give the module to from_torch'


def read_state(
    path: Path, part: str | None = None, activation: str | None = None
) -> FeedForwardPolicy:
    """Read a policy from a state dict, however deep it lies in what `torch.save` wrote.

    Args:
        path: the file; nothing in it is executed.
        part: name of a network in it, such as `actor`, `critic` or `model.actor`; see
            `tensor_chains.choose`.
        activation: name of the function of hidden layers, which such files do not say.

    Raises:
        UserError: the file is damaged, holds other objects, or no chain of layers.
    """
    return _policy(path, _state(path), part, activation, 'PyTorch')


def _state(path: Path) -> dict[str, AnyArray]:
    content = read_bytes(path, LARGEST_FILE)
    try:
        saved = load_tensors(path, content)
    except UserError as error:
        raise UserError(f'{error}; {_ADVICE}') from None
    return _flat(path, saved)


def read_safetensors(
    path: Path, part: str | None = None, activation: str | None = None
) -> FeedForwardPolicy:
    """Read a policy from a safetensors file: one that `Policy.export` wrote, or any chain.

    Args:
        path: the file.
        part: see `read_state`.
        activation: see `read_state`; files that `Policy.export` wrote say it.

    Raises:
        UserError: the file is damaged, or holds no chain of layers.
    """
    tensors, notes = _tensors(path)
    if DESCRIPTION in notes:
        return _exported(path, tensors, notes[DESCRIPTION])
    if path.name == MODEL and (path.parent / METADATA).exists() and DIGEST in notes:
        activation = 'relu'  # a checkpoint of ours
    return _policy(path, tensors, part, activation, 'safetensors')


def _tensors(path: Path) -> tuple[dict[str, AnyArray], dict[str, str]]:
    """Return the tensors and the notes of a safetensors file."""
    content = read_bytes(path, LARGEST_FILE)
    try:
        tensors = {name: _array(each) for name, each in safetensors.torch.load(content).items()}
        (length,) = struct.unpack_from('<Q', content)
        notes = json.loads(content[8 : 8 + length]).get('__metadata__') or {}
    except Exception as error:  # safetensors' own error, or others from a damaged header
        raise UserError(f'{path}: is truncated or no safetensors file: {error}') from None
    if notes.get(DIGEST) not in (None, tensors_digest(tensors)):
        raise damaged(path)
    return tensors, notes


def chains_in(path: Path) -> list[Chain]:
    """Return the networks of a file of one of the `SILENT_FORMATS`.

    Raises:
        UserError: it is damaged, or has none.
    """
    tensors = _tensors(path)[0] if format_of(path) == 'safetensors' else _state(path)
    chains = find_chains(tensors)
    if not chains:
        choose(str(path), tensors, None)  # says what is there
    return chains


def _policy(
    path: Path, tensors: dict[str, AnyArray], part: str | None, activation: str | None, kind: str
) -> FeedForwardPolicy:
    chain = choose(str(path), tensors, part)
    network, actions = network_of(str(path), tensors, chain, activation)
    return FeedForwardPolicy(network, actions, Origin(str(path), kind, part=chain.name))


def _exported(path: Path, tensors: dict[str, AnyArray], text: str) -> FeedForwardPolicy:
    """Return the policy that `Policy.export` wrote."""
    try:
        description = json.loads(text)
        network = FeedForward.from_arrays(tensors, description['steps'])
        actions = Actions.from_json(description['actions'])
        return FeedForwardPolicy(network, actions, Origin(str(path), 'safetensors'))
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f'{path}: is damaged: {error}') from None
    except RecursionError:
        raise UserError(f'{path}: is damaged: its description is nested too deeply') from None


def _flat(path: Path, saved: Any) -> dict[str, AnyArray]:
    """Return all tensors in nested dicts, lists and tuples, by their dotted names."""
    tensors: dict[str, AnyArray] = {}
    seen: set[int] = set()
    skipped = ''
    open_items: list[tuple[str, Any]] = [('', saved)]
    while open_items:
        name, value = open_items.pop()
        if isinstance(value, torch.Tensor):
            real = not (value.is_quantized or value.is_complex())
            if value.layout == torch.strided and real and value.numel():
                tensors[name] = _array(value)
        elif isinstance(value, np.ndarray) and value.dtype.kind in 'iuf' and value.size:
            tensors[name] = _array(torch.from_numpy(value.astype(value.dtype.newbyteorder('='))))
        elif isinstance(value, Skipped) and not value:
            skipped = skipped or f'{type(value).__module__}.{type(value).__qualname__}'
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            inner = [(f'{name}.{key}' if name else str(key), item) for key, item in items]
            open_items += reversed(inner)
        if len(tensors) > MOST_TENSORS:
            raise UserError(f'{path}: holds more than {MOST_TENSORS} tensors')
    if skipped and not tensors:
        raise UserError(
            f'{path}: holds no tensors, but an object of {printable(skipped)}, which is not read '
            f'because that could run code; {_ADVICE}'
        )
    return tensors


def _array(tensor: torch.Tensor) -> AnyArray:
    """Return the values of a tensor, in double precision only if they are so saved."""
    values: AnyArray = (
        tensor.detach().to(tensor.dtype if tensor.dtype == torch.float64 else torch.float32).numpy()
    )
    return np.array(values)

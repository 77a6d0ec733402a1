# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Checkpoints: a folder with a network, the data needed to use it, and a state to resume training.

`model.safetensors` and `metadata.json` are all that another program needs; the two
`training_state` files beside them resume training exactly. Each file holds a digest of its content.
Loading never executes anything from a file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuron_reach.common.arrays import Single
from neuron_reach.common.files import Kind, atomic_folder, json_bytes, read_json, write_bytes
from neuron_reach.common.names import METADATA, MODEL, STATE_COUNTERS, STATE_TENSORS
from neuron_reach.common.results import to_json
from neuron_reach.common.tensors import read_tensors, tensor_bytes, tensors_digest
from neuron_reach.common.versions import versions
from neuron_reach.errors import UserError
from neuron_reach.learning.metadata import FLOAT32, FORMAT, facts, read_metadata, read_parameters
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member, Training
from neuron_reach.learning.validation import VALIDATION_EPISODES, Accuracy

_MEMBER: Kind = {
    'seed': int,
    'validations': [[int]],
    'first_pass': int | None,
    'trained': int | None,
}
_COUNTERS: Kind = {
    'episodes': int,
    'updates': int,
    'members': [_MEMBER],
    'streams': [dict],
    'replay_position': int,
    'replay_size': int,
}


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    Attributes:
        path: its folder.
        network: a stack of one member.
        metadata: content of `metadata.json`.
        setup: the options it was trained with.
        has_digest: whether its files have digests (which were checked); older files have none.
    """

    path: Path
    network: QNetwork
    metadata: dict[str, Any]
    setup: Setup
    has_digest: bool


def describe(setup: Setup, member: Member, accuracy: tuple[int, int] | None) -> dict[str, Any]:
    """Return the metadata of a network.

    Args:
        setup: the options it was trained with.
        member: its training history.
        accuracy: successes and episodes of the test after training, if one was played.
    """
    validation: dict[str, Any] = {
        'episodes': VALIDATION_EPISODES,
        'history': [list(entry) for entry in member.validations],
        'training_duration': member.first_pass,
        'confirmed': member.trained,
    }
    if accuracy is not None:
        validation['accuracy'] = to_json(Accuracy.of(*accuracy))
    return {
        'format': FORMAT,
        **facts(setup),
        'seed': member.seed,
        'options': setup.values(),
        'versions': versions(),
        'validation': validation,
    }


def checkpoint_files(network: QNetwork, metadata: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a checkpoint folder by their names, without a training state.

    Args:
        network: a stack of one member.
        metadata: see `describe`.
    """
    return {MODEL: tensor_bytes(_parameters(network)), METADATA: json_bytes(metadata)}


def _parameters(network: QNetwork) -> dict[str, Single]:
    """Return views of the parameters of a stack of one member, by name."""
    parameters = {}
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        parameters[f'layers.{layer}.weight'] = weight[0].numpy()
        parameters[f'layers.{layer}.bias'] = bias[0, 0].numpy()
    return parameters


def network_digest(network: QNetwork) -> str:
    """Return a digest of the parameters, which identifies a network independent of its path.

    Args:
        network: a stack of one member.

    Returns:
        The digest stored in its model file, see `tensors_digest`.
    """
    return tensors_digest(_parameters(network))


def save_checkpoint(
    path: str | Path,
    network: QNetwork,
    metadata: Mapping[str, Any],
    training: Training | None = None,
) -> Path:
    """Write a checkpoint folder atomically.

    Args:
        path: the folder; an existing one is replaced.
        network: a stack of one member.
        metadata: see `describe`.
        training: adds the state for an exact resume.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    try:
        with atomic_folder(path) as folder:
            for name, content in checkpoint_files(network, metadata).items():
                (folder / name).write_bytes(content)
            if training is not None:
                state, counters = training.state()
                arrays = {name: value.numpy() for name, value in state.items()}
                (folder / STATE_TENSORS).write_bytes(tensor_bytes(arrays))
                (folder / STATE_COUNTERS).write_bytes(json_bytes(counters))
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error}') from None
    return path


def write_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Replace the metadata of a checkpoint folder, atomically."""
    try:
        write_bytes(path / METADATA, json_bytes(metadata))
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint folder.

    Raises:
        UserError: a file is missing, truncated or of another kind, or the shapes of the network
            contradict the metadata.
    """
    path = Path(path)
    if not path.is_dir():
        raise UserError(f'{path}: no such checkpoint; expected a folder with {MODEL}')
    metadata = read_metadata(path / METADATA)
    parameters, has_digest = read_parameters(path / MODEL, metadata.setup)
    network = QNetwork(metadata.setup.layer_sizes)
    for name, place in _parameters(network).items():
        place[:] = parameters[name]
    has_digest &= metadata.has_digest
    return Checkpoint(path, network, metadata.values, metadata.setup, has_digest)


def load_training(path: str | Path, setup: Setup) -> Training:
    """Restore a saved training exactly.

    Raises:
        UserError: a file is missing, truncated or of another kind, or was saved with other options.
    """
    path = Path(path)
    training = Training(setup)
    size = training.memory.rows.nbytes
    size += sum(tensor.nbytes for tensor in training.learner.tensors().values())
    arrays, _ = read_tensors(path / STATE_TENSORS, size)
    counters = read_json(path / STATE_COUNTERS, _COUNTERS)
    for name, like in training.state()[0].items():
        value = arrays.get(name)
        shape = tuple(like.shape)
        if value is not None and name == 'replay' and value.ndim == len(shape):
            shape = (shape[0], value.shape[1], shape[2])  # of any length
        if (
            value is None
            or value.shape != shape
            or value.dtype != FLOAT32
            or not np.isfinite(value).all()
        ):
            raise UserError(f'{path / STATE_TENSORS}: {name} does not fit this network')
    tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}
    try:
        training.restore(tensors, counters)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        problem = f'is not a training state of this network: {error!r}'
        raise UserError(f'{path / STATE_COUNTERS}: {problem}') from None
    return training

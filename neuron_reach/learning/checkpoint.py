"""Checkpoints: a folder with the network, what is needed to use it, and the state to train on.

`model.safetensors` and `metadata.json` are all that another program needs; the two
`training_state` files beside them resume training exactly. Loading never executes anything from a
file.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

import neuron_reach
from neuron_reach.arm.task import action_table
from neuron_reach.errors import UserError
from neuron_reach.files import atomic_folder, read_json, write_text
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member, Training
from neuron_reach.learning.validation import TEST_EPISODES, accuracy_interval

FORMAT = 1
MODEL, METADATA = 'model.safetensors', 'metadata.json'
STATE_TENSORS, STATE_COUNTERS = 'training_state.safetensors', 'training_state.json'


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    Attributes:
        path: its folder.
        network: a stack of one member.
        metadata: what `metadata.json` says.
        setup: the options it was trained with.
    """

    path: Path
    network: QNetwork
    metadata: dict[str, Any]
    setup: Setup


@functools.cache
def versions() -> dict[str, str | None]:
    """Return the versions of everything that has a part in the numbers."""
    return {
        'neuron_reach': neuron_reach.__version__,
        'git_revision': _git_revision(),
        'python': platform.python_version(),
        'numpy': np.__version__,
        'torch': torch.__version__,
    }


def _git_revision() -> str | None:
    """Return the commit that is installed, or of the checkout this code runs from, if known."""
    package = Path(neuron_reach.__file__).resolve().parent
    installed = package / 'revision'  # left there by setup.py
    if installed.exists():
        return installed.read_text(encoding='utf-8').strip()
    if not (package.parent / '.git').exists():
        return None
    command = ['git', '-C', str(package), 'describe', '--always', '--dirty', '--abbrev=40']
    try:
        found = subprocess.run(
            [*command, '--exclude=*'], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def _facts(setup: Setup) -> dict[str, Any]:
    """Return what the metadata says of arm, task and network in so many words."""
    return {
        'joints': setup.arm.joints,
        'hidden': list(setup.learning.hidden),
        'link_lengths': setup.arm.link_lengths.tolist(),
        'start_pose': setup.arm.start_pose.tolist(),
        'actions': action_table(setup.arm.joints).tolist(),
        'goals': setup.task.goals,
    }


def describe(setup: Setup, member: Member, accuracy: tuple[int, int] | None) -> dict[str, Any]:
    """Return the metadata of a network.

    Args:
        setup: the options it was trained with.
        member: its course of training.
        accuracy: successes and episodes of the test after training, if there was one.
    """
    validation: dict[str, Any] = {
        'episodes': TEST_EPISODES,
        'history': [list(entry) for entry in member.validations],
        'training_duration': member.first_pass,
        'confirmed': member.trained,
    }
    if accuracy is not None:
        low, high = accuracy_interval(*accuracy)
        validation['accuracy'] = {
            'successes': accuracy[0],
            'episodes': accuracy[1],
            'value': accuracy[0] / accuracy[1],
            'interval_95': [low, high],
        }
    return {
        'format': FORMAT,
        **_facts(setup),
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
    return {
        MODEL: safetensors.torch.save(_tensors(network)),
        METADATA: json.dumps(metadata, indent=1).encode(),
    }


def _tensors(network: QNetwork) -> dict[str, torch.Tensor]:
    """Return the parameters of a stack of one member by their names."""
    tensors = {}
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        tensors[f'layers.{layer}.weight'] = weight[0].contiguous()
        tensors[f'layers.{layer}.bias'] = bias[0, 0].contiguous()
    return tensors


def network_digest(network: QNetwork) -> str:
    """Return what identifies a network wherever its checkpoint lies: a digest of its parameters.

    Args:
        network: a stack of one member.

    Returns:
        SHA-256, as hexadecimal digits, of every parameter's name, shape and float32 values.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(_tensors(network).items()):
        digest.update(f'{name} {tuple(tensor.shape)}\n'.encode())
        digest.update(tensor.numpy().astype('<f4').tobytes())
    return digest.hexdigest()


def save_checkpoint(
    path: str | Path,
    network: QNetwork,
    metadata: Mapping[str, Any],
    training: Training | None = None,
) -> Path:
    """Write a checkpoint folder atomically.

    Args:
        path: the folder; an older one there is replaced.
        network: a stack of one member.
        metadata: see `describe`.
        training: adds the state for an exact resume.

    Raises:
        UserError: the disk is full or the place cannot be written to.
    """
    path = Path(path)
    try:
        with atomic_folder(path) as folder:
            for name, content in checkpoint_files(network, metadata).items():
                (folder / name).write_bytes(content)
            if training is not None:
                state, counters = training.state()
                state = {name: value.contiguous() for name, value in state.items()}
                (folder / STATE_TENSORS).write_bytes(safetensors.torch.save(state))
                (folder / STATE_COUNTERS).write_text(json.dumps(counters), encoding='utf-8')
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f'{path}: cannot be written: {error}') from None
    return path


def write_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Replace the metadata of a checkpoint folder, atomically."""
    try:
        write_text(path / METADATA, json.dumps(metadata, indent=1))
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror or error}') from None
    except Exception as error:  # its own error type, and what a damaged header makes it raise
        raise UserError(f'{path}: is truncated or no safetensors file: {error}') from None


def _read_metadata(file: Path) -> tuple[dict[str, Any], Setup]:
    metadata = read_json(file)
    if not isinstance(metadata, dict) or metadata.get('format') != FORMAT:
        raise UserError(f'{file}: is no checkpoint metadata of format {FORMAT}')
    for key, kind in (('options', dict), ('validation', dict), ('versions', dict), ('seed', int)):
        if not isinstance(metadata.get(key), kind):
            raise UserError(f'{file}: has no {key}')
    missing = {'history', 'training_duration', 'confirmed'} - metadata['validation'].keys()
    if missing:
        raise UserError(f'{file}: validation has no {min(missing)}')
    setup = Setup.from_saved(metadata['options'], str(file))
    for key, value in _facts(setup).items():
        if metadata.get(key) != value:
            raise UserError(f'{file}: {key} is missing or contradicts the options')
    return metadata, setup


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint folder.

    Raises:
        UserError: a file is missing, truncated or foreign, or the network is not of the shape
            that the metadata says.
    """
    path = Path(path)
    if not path.is_dir():
        raise UserError(f'{path}: no such checkpoint; expected a folder with {MODEL}')
    metadata, setup = _read_metadata(path / METADATA)
    network = QNetwork(setup.layer_sizes)
    tensors = _read_tensors(path / MODEL)
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        for name, place in (('weight', weight[0]), ('bias', bias[0, 0])):
            value = tensors.pop(f'layers.{layer}.{name}', None)
            if value is None or value.shape != place.shape or value.dtype != place.dtype:
                found = 'missing' if value is None else f'{tuple(value.shape)} {value.dtype}'
                raise UserError(
                    f'{path / MODEL}: layers.{layer}.{name} must be '
                    f'{tuple(place.shape)} float32, as its metadata says, but is {found}'
                )
            place.copy_(value)
    if tensors:
        raise UserError(f'{path / MODEL}: unexpected tensor {min(tensors)!r}')
    if not network.flat.isfinite().all():
        raise UserError(f'{path / MODEL}: holds numbers that are not finite')
    return Checkpoint(path, network, metadata, setup)


def load_training(path: str | Path, setup: Setup) -> Training:
    """Restore a training exactly as it was saved.

    Raises:
        UserError: a file is missing, truncated or foreign, or it was saved with other options.
    """
    path = Path(path)
    tensors = _read_tensors(path / STATE_TENSORS)
    counters = read_json(path / STATE_COUNTERS)
    training = Training(setup)
    for name, like in training.state()[0].items():
        value = tensors.get(name)
        if value is not None and name == 'replay' and value.ndim == like.ndim:
            like = value.new_empty(like.shape[0], value.shape[1], like.shape[2])  # of any length
        if (
            value is None
            or value.shape != like.shape
            or value.dtype != torch.float32
            or not value.isfinite().all()
        ):
            raise UserError(f'{path / STATE_TENSORS}: {name} is not that of this network')
    try:
        training.restore(tensors, counters)
    except (KeyError, TypeError, ValueError) as error:
        problem = f'is no training state of this network: {error!r}'
        raise UserError(f'{path / STATE_COUNTERS}: {problem}') from None
    return training

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The names of all files and folders that this package writes; no other module spells them.

Imports no libraries, as `ros2 launch` may run it with another Python than the nodes'.
"""

from __future__ import annotations

import re
from pathlib import Path

# --- any folder -----------------------------------------------------------------------------------

LOCK = '.lock'
"""Locked by the process that uses the folder."""

PARTIAL, OLD, DAMAGED = '.partial', '.old', '.damaged'
"""Endings of what is being written, of what is being replaced, and of what was set aside."""

PICTURES = ('.png', '.svg')
"""Endings of the two files of a figure."""

# --- checkpoints, runs and bags -------------------------------------------------------------------

CHECKPOINT, BAG, STATES = 'checkpoint', 'bag', 'checkpoints'
"""In a run folder: the trained network, its sample episodes, and states to resume training from."""

METADATA, MODEL = 'metadata.json', 'model.safetensors'
"""In a checkpoint: the files that other programs need."""

STATE_TENSORS, STATE_COUNTERS = 'training_state.safetensors', 'training_state.json'
"""In a checkpoint: what an exact resume of the training needs."""

BAG_METADATA, SEAL = 'metadata.yaml', 'recording.json'
"""In a bag: the description that rosbag2 writes, and ours, written once the bag was checked."""

SUFFIXES = {'mcap': '.mcap', 'sqlite3': '.db3'}
"""Ending of the files that hold the messages of a bag, by storage format."""

COMPRESSED = '.zstd'
"""Ending of compressed files of a bag."""

# --- policies of other origin ---------------------------------------------------------------------

POLICY, POLICY_TENSORS, ORIGIN = 'policy.json', 'policy.safetensors', 'origin.zip'
"""In the folder of a policy of other origin: its description, its parameters, and, if it comes from
stable-baselines3, the file it was read from."""

POLICY_FOLDER = 'policy'
"""Beside a bag that `record` played in this process: the policy with its normalization."""

PRUNED_FILE, TRAINED_FILE = 'pruned.zip', 'trained.zip'
"""In a step of `prune-train` in a Gymnasium environment: the pruned and the retrained network, as
files of stable-baselines3."""

START_FILE, START_TEST = 'start.zip', 'start.json'
"""In the folder of such a reduction: the network to start from, and how it did in the test."""

RETRAINING, RETRAINED = 'training', 'retraining.json'
"""In a step of such a reduction: the folder of the training's state, and its results."""

STATE_FILE, STATE_PROGRESS, STATE_REPLAY = 'model.zip', 'progress.json', 'replay.safetensors'
"""In the folder of such a state."""

POLICY_FILES = ('.zip', '.onnx', '.pt', '.pth', '.ckpt', '.cleanrl_model', '.safetensors')
"""Endings of the files of other libraries that hold policies."""

# --- results of commands --------------------------------------------------------------------------

RESULTS = {
    'analyze': 'analysis.json',
    'prune': 'pruning.json',
    'map': 'mapping.json',
    'prune-train': 'reduction.json',
}
"""The file by which the results of a command are known, and which is written last."""

NEURON_TABLE, DISTANCES, LINKAGE = 'neurons.csv', 'distances.npz', 'linkage.npz'
"""In the results of `analyze` and of `prune`, which has no distances."""

DENDROGRAMS, SIZES, DENSITY, RASTER = 'dendrograms', 'sizes', 'density', 'raster'
"""Figures in the results of `analyze`; `prune` draws the first two."""

PRUNED = 'pruned'
"""In the results of `prune`: the checkpoint of the pruned network."""

PAIR_TABLE, GROUP_TABLE = 'pairs.csv', 'groups.csv'
"""In the results of `map`."""

METRICS_FIGURE, LAYERS_FIGURE, PROJECTION = 'metrics', 'layers', 'projection'
"""Figures in the results of `map`; the names of the last two continue with what they show."""

MATRIX = '.safetensors'
"""Ending of a file with a projection in the results of `map`."""

REDUCED = 'reduced'
"""Beside a checkpoint: the folder of its reduction by default."""

SUMMARY, SUMMARY_TABLE, SUMMARY_FIGURE = 'summary.json', 'summary.csv', 'summary'
"""In the folder of a reduction."""

# --- studies --------------------------------------------------------------------------------------

STORE = 'results'
"""In the folder of `reproduce`: the results of all jobs."""

VALUES, ARRAYS, NETWORKS = 'result.json', 'arrays.npz', 'checkpoints'
"""In the result of a job: plain values, arrays, and a folder of checkpoints."""

RECORD = 'record.json'
"""In the result of a job: how it came about; written last."""

FAILURE = '.error.txt'
"""Ends the name of the file that says why a job failed."""

REPORT, FIGURES = 'report.html', 'figures'
"""In the folder of a study at a scale: the report, and a folder of its figures."""

PARTS = (
    *(METADATA, MODEL, STATE_TENSORS, STATE_COUNTERS, BAG_METADATA, SEAL),
    *(POLICY, POLICY_TENSORS, ORIGIN),
    *(NEURON_TABLE, DISTANCES, LINKAGE, PAIR_TABLE, GROUP_TABLE, SUMMARY, SUMMARY_TABLE),
    *(VALUES, ARRAYS, RECORD, REPORT, LOCK, *RESULTS.values()),
)
"""Files that belong to the folder in which they are."""

# --- Gazebo ---------------------------------------------------------------------------------------

GAZEBO_TREE, GAZEBO_PLUGINS, GAZEBO_HOME, GAZEBO_APT = 'tree', 'plugins-', 'home', 'apt'
"""In the folder of an installation: Debian's packages unpacked, plugins by the digest of their
sources, the home folder of Gazebo's programs, and downloads while they are needed."""

FILMS = ('.gif', '.png')
"""Endings of an animated picture."""

# --- names that are made --------------------------------------------------------------------------

_STORAGE = re.compile(r'.*\.(mcap|db3)(\.zstd)?', re.DOTALL)
_STATE, _STEP = re.compile(r'episode_(\d+)'), re.compile(r'step_(\d+)')
_PARTIAL_BAG = re.compile(r'.*\.partial(-\d+)?', re.DOTALL)


def beside(path: Path, ending: str) -> Path:
    """Return the path whose name continues that of another one."""
    return path.with_name(path.name + ending)


def is_storage(name: str) -> bool:
    """Tell whether a file of this name holds the messages of a bag."""
    return _STORAGE.fullmatch(name) is not None


def is_partial_bag(name: str) -> bool:
    """Tell whether a bag of this name is being recorded, or was not finished."""
    return _PARTIAL_BAG.fullmatch(name) is not None


def numbered_bag(folder: Path, number: int) -> Path:
    """Return where a bag is recorded in a folder; from 2 on, beside bags that cannot be used."""
    return folder / (BAG if number == 1 else f'{BAG}_{number}')


def state_folder(run_dir: Path, episodes: int) -> Path:
    """Return the folder of a training state in a run folder."""
    return run_dir / STATES / f'episode_{episodes:09d}'


def state_episodes(name: str) -> int | None:
    """Return after how many episodes the training state of this name was saved, None if it is none.

    Args:
        name: of a folder.
    """
    found = _STATE.fullmatch(name)
    return None if found is None else int(found[1])


def step_folder(reduction: Path, step: int) -> Path:
    """Return the folder of a step of a reduction, counted from 1."""
    return reduction / f'step_{step}'


def step_number(name: str) -> int | None:
    """Return which step of a reduction a folder of this name holds, None if it is none."""
    found = _STEP.fullmatch(name)
    return None if found is None else int(found[1])


def result_folder(store: Path, address: str) -> Path:
    """Return the folder of a job's result in a store."""
    return store / address[:2] / address


def is_address(name: str) -> bool:
    """Tell whether a folder of this name in a store holds a job's result."""
    return re.fullmatch('[0-9a-f]{40}', name) is not None


def is_address_group(name: str) -> bool:
    """Tell whether a folder of this name in a store holds those folders."""
    return re.fullmatch('[0-9a-f]{2}', name) is not None

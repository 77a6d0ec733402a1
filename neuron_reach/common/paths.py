# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What lies at a path: one answer for all commands, told by the names of files and folders.

Imports no libraries, as `ros2 launch` may run it with another Python than the nodes'.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Callable
from pathlib import Path

from neuron_reach.common.files import read_json
from neuron_reach.common.names import (
    BAG,
    BAG_METADATA,
    CHECKPOINT,
    FAILURE,
    FIGURES,
    FILMS,
    GAZEBO_PLUGINS,
    GAZEBO_TREE,
    LOCK,
    MATRIX,
    METADATA,
    MODEL,
    NETWORKS,
    PARTIAL,
    PARTS,
    PICTURES,
    POLICY,
    POLICY_FILES,
    POLICY_FOLDER,
    PRUNED,
    RECORD,
    REPORT,
    RESULTS,
    STATES,
    STORE,
    SUMMARY,
    VALUES,
    is_address,
    is_address_group,
    is_partial_bag,
    is_storage,
    state_episodes,
    step_folder,
    step_number,
)
from neuron_reach.errors import UserError

EMPTY_BAG = 2**18
"""Bytes of a bag that are more than descriptions of topics, whatever its metadata say."""


class PathKind(enum.Enum):
    """What can lie at a path; the value is what messages call it."""

    MISSING = 'no file or folder'
    CHECKPOINT = 'a checkpoint'
    POLICY = 'a policy'
    POLICY_FILE = 'a policy file'
    RUN = 'a run folder'
    UNFINISHED_RUN = 'a training that is not finished'
    BAG = 'a bag'
    UNFINISHED_BAG = 'a recording that is not finished'
    RECORDING = 'a folder with a bag'
    UNFINISHED_RECORDING = 'a folder with a recording that is not finished'
    ANALYSIS = 'results of analyze'
    PRUNING = 'results of prune'
    MAPPING = 'results of map'
    STEP = 'a step of prune-train'
    REDUCTION = 'results of prune-train'
    UNFINISHED_REDUCTION = 'a prune-train that is not finished'
    STUDY = 'the output folder of reproduce'
    STORE = 'job results of reproduce'
    JOB_RESULT = 'a job result of reproduce'
    JOB_FAILURE = 'the error of a job of reproduce'
    REPORT = 'a report of reproduce'
    FILM = 'a film'
    GAZEBO = 'an installation of Gazebo'
    NETWORKS = 'a folder of networks'
    OTHER = 'nothing that neuron_reach writes'

    def __str__(self) -> str:
        """What lies there, as the rest of a sentence."""
        single = self.value.startswith(('a ', 'an ', 'the ', 'no'))
        return f'{"is" if single else "holds"} {self.value}'


def kind_of(path: Path) -> PathKind:
    """Return what lies at a path.

    A folder that serves several purposes is called after the network or bag in it.

    Raises:
        UserError: it cannot be read, or the summary of a reduction is damaged.
    """
    try:
        if not path.exists():
            return PathKind.MISSING
        if not path.is_dir():
            return _kind_of_file(path)
        return next((kind for kind, is_there in _FOLDERS if is_there(path)), PathKind.OTHER)
    except OSError as error:
        raise UserError(f'{error.filename or path}: cannot be read: {error.strerror}') from None


def _kind_of_file(path: Path) -> PathKind:
    if is_storage(path.name):
        return PathKind.BAG
    if path.name.endswith(FAILURE):
        return PathKind.JOB_FAILURE
    if path.suffix in POLICY_FILES:
        return PathKind.POLICY_FILE
    return PathKind.FILM if path.suffix in FILMS else PathKind.OTHER


# --- single facts ---------------------------------------------------------------------------------


def is_checkpoint(path: Path) -> bool:
    """Tell whether a checkpoint is there, intact or damaged."""
    return any((path / name).exists() for name in (METADATA, MODEL))


def is_bag(path: Path) -> bool:
    """Tell whether a bag is there: a folder with files of messages, or one of those files."""
    if path.is_dir():
        return any(is_storage(item.name) for item in path.iterdir())
    return is_storage(path.name) and path.exists()


def is_step(path: Path) -> bool:
    """Tell whether a folder is a step of a reduction."""
    whole = Path(os.path.realpath(path))  # `resolve` raises if links form a loop
    return step_number(whole.name) is not None and is_reduction(whole.parent)


def is_reduction(path: Path) -> bool:
    """Tell whether a folder holds a reduction."""
    return (path / RESULTS['prune-train']).exists()


def holds_nothing(bag: Path) -> bool:
    """Tell whether nothing would be lost with a bag: it is not there, or without a message."""
    if not bag.exists():
        return True
    items = list(bag.iterdir()) if bag.is_dir() else [bag]
    if not items:
        return True
    others = [item for item in items if not is_storage(item.name)]
    if [item.name for item in others] != [BAG_METADATA]:
        return False
    text = others[0].read_bytes()
    count = re.search(rb'^  message_count: *([0-9]+)', text, re.MULTILINE)
    small = sum(item.stat().st_size for item in items) < EMPTY_BAG
    return count is not None and int(count[1]) == 0 and small


def results_in(folder: Path, name: str | None = None) -> list[str]:
    """Return the commands whose results a folder holds, or that write the file of this name.

    The command that gives the folder its kind comes first.
    """
    names = {RESULTS[command]: command for command in ('prune-train', 'prune', 'analyze', 'map')}
    return [names[mark] for mark in names if name in (None, mark) and (folder / mark).exists()]


def owner_of(path: Path) -> Path | None:
    """Return the folder that a file belongs to, as part of what lies there; None: to none.

    Files with messages of a bag are bags themselves, and belong to none.

    Raises:
        UserError: see `kind_of`.
    """
    folder = path.parent.parent if path.parent.name == FIGURES else path.parent
    if path.is_dir():
        folder = path.parent if path.name == FIGURES else path
    if folder == path or is_storage(path.name):
        return None
    drawn = path.suffix in (*PICTURES, MATRIX) and (folder != path.parent or results_in(folder))
    part = path.is_dir() or path.name in PARTS or drawn
    return folder if part and kind_of(folder) not in (PathKind.NETWORKS, PathKind.OTHER) else None


def saved_states(run_dir: Path) -> list[Path]:
    """Return the training states saved in a run folder, oldest first."""
    folders = (run_dir / STATES).glob('*')
    return sorted(folder for folder in folders if state_episodes(folder.name) is not None)


def unfinished_bags(folder: Path) -> list[Path]:
    """Return the recordings in a folder that are not finished."""
    partial = [item for item in sorted(folder.iterdir()) if is_partial_bag(item.name)]
    return [item for item in partial if item.name.startswith(BAG + PARTIAL) and is_bag(item)]


def steps_of(reduction: Path) -> list[Path]:
    """Return the folders of the steps of a reduction that have begun, in order."""
    numbers = [step_number(item.name) for item in reduction.iterdir()]
    return [step_folder(reduction, number) for number in sorted(filter(None, numbers))]


def finished_step(reduction: Path) -> Path | None:
    """Return the last step of a reduction, None if the reduction is not finished.

    Raises:
        UserError: its summary is damaged.
    """
    steps, summary = steps_of(reduction), reduction / SUMMARY
    if not steps or not is_checkpoint(steps[-1] / CHECKPOINT) or not summary.exists():
        return None
    saved = read_json(summary, {'finished': bool, 'steps': list})
    return steps[-1] if saved['finished'] and len(saved['steps']) == len(steps) else None


def last_policy(reduction: Path) -> Path | None:
    """Return the last retrained policy of a reduction in an environment that has ended.

    The reduction may have given up the step after it. None: it has not ended, or there is none.

    Raises:
        UserError: its summary is damaged.
    """
    policies = [step / POLICY_FOLDER for step in steps_of(reduction)]
    policies = [folder for folder in policies if (folder / POLICY).exists()]
    summary = reduction / SUMMARY
    if not policies or not summary.exists():
        return None
    return policies[-1] if read_json(summary, {'finished': bool})['finished'] else None


def is_job_result(path: Path) -> bool:
    """Tell whether a folder is the result of a job."""
    return any((path / name).exists() for name in (RECORD, VALUES))


def is_store(path: Path) -> bool:
    """Tell whether a folder is for results of jobs; there may be none yet."""
    return bool(job_results(path)) or (path.name == STORE and (path / LOCK).exists())


def job_results(store: Path) -> list[Path]:
    """Return the folders of all job results in a store, or in one of the folders in it."""
    members = list(store.iterdir()) if store.is_dir() else []
    groups = [path for path in members if is_address_group(path.name) and path.is_dir()]
    members += [path for group in groups for path in group.iterdir()]
    return sorted(path for path in members if is_address(path.name) and path.is_dir())


def reports_in(folder: Path) -> list[Path]:
    """Return the reports in a folder of a study, or in one of its scales."""
    return [
        path for path in (folder / REPORT, *sorted(folder.glob(f'*/{REPORT}'))) if path.exists()
    ]


def holds_gazebo(folder: Path) -> bool:
    """Return whether a folder holds an installation of Gazebo."""
    return (folder / GAZEBO_TREE).is_dir() and any(folder.glob(f'{GAZEBO_PLUGINS}*'))


# --- networks and bags ----------------------------------------------------------------------------


def checkpoint_in(path: Path) -> Path | None:
    """Return the checkpoint of the one network at a path, None if there is none or several.

    It is the folder itself, the trained network of a run or a step, the pruned network of `prune`,
    the last network of a finished `prune-train`, or the only network of a job result.

    Raises:
        UserError: the summary of a reduction is damaged.
    """
    for place in (path, path / CHECKPOINT):
        if is_checkpoint(place):
            return place
    if is_step(path) or saved_states(path):
        return None  # its network is still to be trained
    if is_reduction(path):
        last = finished_step(path)
        return None if last is None else last / CHECKPOINT
    if 'prune' in results_in(path):
        return path / PRUNED if is_checkpoint(path / PRUNED) else None
    networks = networks_in(path) if is_job_result(path) else []
    return networks[0] if len(networks) == 1 else None


def policy_in(path: Path) -> Path | None:
    """Return the file or folder of the policy of other origin at a path, None if there is none.

    It is there, or the pruned policy of `prune`, or the last retrained one of `prune-train`.
    """
    if path.is_file():
        return path if path.suffix in POLICY_FILES else None
    if is_reduction(path):
        return last_policy(path)
    places = [path]
    if is_step(path):
        places = [path / POLICY_FOLDER]
    elif (path / RESULTS['prune']).exists():
        places = [path, path / PRUNED]
    return next((place for place in places if (place / POLICY).exists()), None)


def bag_in(path: Path) -> Path | None:
    """Return the bag at a path: there, or in the folder that it is."""
    return next((at for at in (path, path / BAG) if is_bag(at)), None)


def networks_in(folder: Path) -> list[Path]:
    """Return the members of a folder that hold one network or a bag; of a job result, its networks.

    Files of policies are among them, except safetensors, which hold projections as well.

    Raises:
        UserError: see `checkpoint_in`.
    """
    if is_job_result(folder):
        folder = folder / NETWORKS
    members = sorted(folder.iterdir()) if folder.is_dir() else []
    members = [path for path in members if path.suffix != MATRIX]
    return [path for path in members if checkpoint_in(path) or bag_in(path) or policy_in(path)]


def _holds(command: str) -> Callable[[Path], bool]:
    """Return the test whether a folder holds the results of a command."""
    return lambda path: command in results_in(path)


_FOLDERS: tuple[tuple[PathKind, Callable[[Path], object]], ...] = (
    (PathKind.CHECKPOINT, is_checkpoint),
    (PathKind.POLICY, lambda path: (path / POLICY).exists()),
    (PathKind.UNFINISHED_BAG, lambda path: is_partial_bag(path.name) and is_bag(path)),
    (PathKind.BAG, is_bag),
    (PathKind.STEP, is_step),
    (PathKind.RUN, lambda path: is_checkpoint(path / CHECKPOINT)),
    (PathKind.UNFINISHED_RUN, saved_states),
    (
        PathKind.REDUCTION,
        lambda path: is_reduction(path) and (finished_step(path) or last_policy(path)),
    ),
    (PathKind.UNFINISHED_REDUCTION, is_reduction),
    (PathKind.PRUNING, _holds('prune')),
    (PathKind.RECORDING, lambda path: is_bag(path / BAG)),
    (PathKind.ANALYSIS, _holds('analyze')),
    (PathKind.MAPPING, _holds('map')),
    (PathKind.UNFINISHED_RECORDING, unfinished_bags),
    (PathKind.JOB_RESULT, is_job_result),
    (PathKind.STORE, is_store),
    (PathKind.STUDY, lambda path: is_store(path / STORE)),
    (PathKind.REPORT, reports_in),
    (PathKind.GAZEBO, holds_gazebo),
    (PathKind.NETWORKS, networks_in),
)
"""Kinds of folders, each with a test; the first one whose test succeeds is that of a folder."""

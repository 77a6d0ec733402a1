# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What a command needs at a path, or one line that says what is there instead.

Imports no libraries, as `ros2 launch` may run it with another Python than the nodes'.
"""

from __future__ import annotations

from pathlib import Path

from neuron_reach.common.files import read_json
from neuron_reach.common.names import POLICY_FILES, PRUNED, PRUNED_FILE, RESULTS
from neuron_reach.common.paths import (
    PathKind,
    bag_in,
    checkpoint_in,
    is_bag,
    is_checkpoint,
    kind_of,
    networks_in,
    policy_in,
    results_in,
    saved_states,
    steps_of,
)
from neuron_reach.errors import UserError


def find_checkpoint(path: Path) -> Path:
    """Return the checkpoint of the one network at a path.

    Raises:
        UserError: there is none, or several; says what is there.
    """
    found = checkpoint_in(path)
    if found is None:
        raise UserError(f'{path}: {_without_network(path)}; expected a checkpoint or a run folder')
    return found


def find_members(folder: Path) -> list[Path]:
    """Return the members of a folder of networks, see `networks_in`.

    Raises:
        UserError: there are none; says what is there.
    """
    kind = kind_of(folder)
    alone = kind in (PathKind.STEP, PathKind.UNFINISHED_REDUCTION)
    members = [] if alone else networks_in(folder)
    if not members:
        problem = 'is no checkpoint, run folder or bag, and holds none'
        raise UserError(
            f'{folder}: {problem if kind == PathKind.OTHER else _without_network(folder)}'
        )
    return members


def find_bag(path: Path) -> Path:
    """Return the bag at a path.

    Raises:
        UserError: there is none; says what is there.
    """
    found = bag_in(path)
    if found is None:
        kind = kind_of(path)
        problem = f'{kind}, which has no bag'
        if kind in (PathKind.MISSING, PathKind.OTHER):
            problem = 'does not exist' if kind == PathKind.MISSING else 'is no bag'
        raise UserError(f'{path} {problem}; expected a bag, or a folder that holds one')
    return found


def check_holder(folder: Path) -> None:
    """Make sure that a folder for results is not itself a result.

    Raises:
        UserError: it is a checkpoint, a policy or a bag.
    """
    held = {
        PathKind.CHECKPOINT: is_checkpoint(folder),
        PathKind.POLICY: policy_in(folder) == folder,
        PathKind.BAG: is_bag(folder),
    }
    for what, holds in held.items():
        if holds:
            raise UserError(
                f'{folder}: is {what.value}, and can hold nothing else; name another folder'
            )


def _without_network(path: Path) -> str:
    """Say why there is not one network at a path, and what to name instead."""
    kind = kind_of(path)
    if kind == PathKind.MISSING:
        return f'no such {"file" if path.suffix in POLICY_FILES else "checkpoint"}'
    if states := saved_states(path):
        return f'the training there is not finished (name a state of it, such as {states[-1]})'
    if kind == PathKind.STEP:
        pruned = [path / name for name in (PRUNED, PRUNED_FILE) if (path / name).exists()]
        advice = f' (name its pruned network, {pruned[0]})' if pruned else ''
        return f'the training of this step has not begun{advice}'
    if kind == PathKind.UNFINISHED_REDUCTION:
        trained = [step for step in steps_of(path) if checkpoint_in(step) or policy_in(step)]
        advice = f' (name one of its steps, such as {trained[-1]})' if trained else ''
        return f'{kind}{advice}'
    if kind in (PathKind.ANALYSIS, PathKind.MAPPING):
        return f'{kind}, which has no network (name {_inputs(path)})'
    if kind in (PathKind.JOB_RESULT, PathKind.NETWORKS):
        networks = networks_in(path)
        if networks:
            return f'holds {len(networks)} networks (name one, such as {networks[0]})'
    if kind == PathKind.OTHER:
        return 'is no checkpoint'
    if kind in (PathKind.POLICY, PathKind.POLICY_FILE):
        return f'{kind}, not a network for the reaching task'
    return f'{kind}, which has no network of its own'


def _inputs(path: Path) -> str:
    """Return what the results in a folder were made of, as far as they say."""
    (command, *_) = results_in(path)
    saved = read_json(path / RESULTS[command])
    sources = saved.get('sources', [saved.get('source'), saved.get('target')])
    known = [text for text in sources if isinstance(text, str)] if isinstance(sources, list) else []
    return ' or '.join(known) or f'the network that {command} was given'

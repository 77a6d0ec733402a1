# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Describe in words what lies at a path: everything that a command of this package leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from neuron_reach.bags.summary import BagSummary, summarize
from neuron_reach.common.files import NO_DIGEST
from neuron_reach.common.names import DAMAGED, METADATA, MODEL, PARTIAL, STATES, state_episodes
from neuron_reach.common.paths import (
    PathKind,
    bag_in,
    checkpoint_in,
    kind_of,
    networks_in,
    owner_of,
    policy_in,
    results_in,
    saved_states,
    unfinished_bags,
)
from neuron_reach.errors import UserError
from neuron_reach.learning.metadata import read_metadata, read_parameters
from neuron_reach.workflows.info_env_reduction import (
    describe_env_reduction,
    describe_env_step,
    is_env_reduction,
)
from neuron_reach.workflows.info_policy import describe_policy
from neuron_reach.workflows.info_results import (
    Lines,
    describe_analysis,
    describe_mapping,
    describe_pruning,
    describe_reduction,
    describe_step,
    in_short,
    layout,
    written,
)
from neuron_reach.workflows.info_study import (
    describe_failure,
    describe_job_result,
    describe_report,
    describe_store,
    describe_study,
)

SUPPORTED = (
    'info describes run folders, checkpoints, policies, bags, films, networks in a folder, what '
    'analyze, prune, map, prune-train, reproduce and gazebo install leave, and the files in all of '
    'these'
)
MOST_NAMES = 20
"""Members of a folder that are listed."""


def describe_path(
    path: Path, namespace: str | None = None, summary: BagSummary | None = None
) -> str:
    """Describe whatever is at a path.

    Args:
        path: of anything that a command leaves, or of a file in it.
        namespace: of the topics of a bag to describe; None: all.
        summary: of its bag, if that is known already.

    Raises:
        UserError: there is nothing, nothing that this package writes, or a file is damaged.
    """
    kind = kind_of(path)
    if kind == PathKind.MISSING:
        raise UserError(f'{path}: no such file or folder')
    if path.name.endswith((PARTIAL, DAMAGED)) and kind != PathKind.UNFINISHED_BAG:
        state = 'is not finished' if path.name.endswith(PARTIAL) else 'was damaged and set aside'
        raise UserError(f'{path}: {state}; the command that left it here writes it anew')
    owner = owner_of(path)
    if owner is not None:
        command = results_in(owner, path.name)
        own = layout([('File', f'{path.name}, part of {owner}')])
        if command:
            return f'{own}\n\n{_RESULTS[command[0]](owner)}'
        return f'{own}\n\n{describe_path(owner, namespace)}'
    parts = [_DESCRIPTIONS[kind](path)] if kind in _DESCRIPTIONS else []
    parts += [_also(path, kind)] if _also(path, kind) else []
    parts += _bags(path, kind, namespace, summary)
    if not parts:
        raise UserError(f'{path}: {_found(path)}; {SUPPORTED}')
    return '\n\n'.join(parts)


def _bags(
    path: Path, kind: PathKind, namespace: str | None, summary: BagSummary | None
) -> list[str]:
    """Describe the bag at a path, and recordings that are not finished."""
    parts = []
    if path.is_dir() and kind not in (PathKind.BAG, PathKind.UNFINISHED_BAG):
        for unfinished in unfinished_bags(path):
            parts.append(f'{unfinished}: a recording that was not finished, or is being made')
    bag = bag_in(path)
    if bag is None:
        return parts
    summary = summary or summarize(bag, namespace)
    text = str(summary)
    if kind != PathKind.RECORDING and bag != path and checkpoint_in(path) is not None:
        from neuron_reach.records.networks import tell_origin

        text += f'\n{tell_origin(path, summary)}'
    return [*parts, text]


def _found(path: Path) -> str:
    """Say what is at a path that nothing here has written."""
    if not path.is_dir():
        return 'is a file that neuron_reach did not write'
    names = sorted(item.name for item in path.iterdir())
    if not names:
        return 'is an empty folder'
    shown = ', '.join(names[:3]) + (' and others' if len(names) > 3 else '')
    return f'is a folder that neuron_reach did not write, with {shown}'


def _also(path: Path, kind: PathKind) -> str:
    """Name the results in a folder that is called after something else."""
    described = {
        PathKind.STEP: 'prune',
        PathKind.PRUNING: 'prune',
        PathKind.ANALYSIS: 'analyze',
        PathKind.MAPPING: 'map',
        PathKind.REDUCTION: 'prune-train',
        PathKind.UNFINISHED_REDUCTION: 'prune-train',
    }
    others = results_in(path) if path.is_dir() else []
    others = [command for command in others if command != described.get(kind)]
    return layout([('Results', f'of {", ".join(others)} are here as well')]) if others else ''


# --- networks -------------------------------------------------------------------------------------


def _describe_run(path: Path) -> str:
    checkpoint = checkpoint_in(path)
    assert checkpoint is not None
    when = written(checkpoint / MODEL)
    return layout([('Run', f'{path}: training finished {when}')]) + '\n' + _checkpoint(checkpoint)


def _describe_unfinished_run(path: Path) -> str:
    newest = saved_states(path)[-1]
    lines = [
        ('Run', f'{path}: training not finished, saved after {_episodes(newest)} episodes'),
        ('Resume', 'the same train command resumes it from there'),
    ]
    return f'{layout(lines)}\n{_checkpoint(newest)}'


def _describe_checkpoint(path: Path) -> str:
    whole = path.resolve()
    if whole.parent.name != STATES or state_episodes(whole.name) is None:
        return _checkpoint(path)
    line = 'State', f'to resume the training in {path.parent.parent} from'
    return f'{layout([line])}\n{_checkpoint(path)}'


def _describe_step(path: Path) -> str:
    if is_env_reduction(path.resolve().parent):
        return describe_env_step(path)
    text, checkpoint = describe_step(path), checkpoint_in(path)
    return text if checkpoint is None else f'{text}\n{_checkpoint(checkpoint)}'


def _describe_reduction(path: Path) -> str:
    if is_env_reduction(path):
        return describe_env_reduction(path)
    text, checkpoint = describe_reduction(path), checkpoint_in(path)
    return text if checkpoint is None else f'{text}\n{_checkpoint(checkpoint)}'


def _describe_pruning(path: Path) -> str:
    text, checkpoint = describe_pruning(path), checkpoint_in(path)
    if policy_in(path) is not None:
        return text
    if checkpoint is None:
        raise UserError(f'{path}: is damaged: its pruned network is missing')
    return f'{text}\n{_checkpoint(checkpoint)}'


def _episodes(state: Path) -> int:
    return state_episodes(state.name) or 0


def _describe_networks(path: Path) -> str:
    networks = networks_in(path)
    lines = [('Networks', f'{path}: {len(networks)}')]
    lines += [('', str(network)) for network in networks[:MOST_NAMES]]
    if len(networks) > MOST_NAMES:
        lines.append(('', f'and {len(networks) - MOST_NAMES} more'))
    lines.append(('Next', 'neuron_reach map SOURCE TARGET -o DIR, with this folder as either'))
    return layout(lines)


def _describe_gazebo(path: Path) -> str:
    return layout(
        [
            ('Gazebo', f'{path}: installed {written(path)}'),
            ('Next', 'neuron_reach gazebo validate CHECKPOINT'),
        ]
    )


def _describe_film(path: Path) -> str:
    from neuron_reach.common.animation import read_animation

    size, frames, seconds = read_animation(path)
    return layout(
        [
            ('Film', f'{path}: {frames} frames of {size[0]} x {size[1]} pixels, {seconds:.1f} s'),
            ('Source', 'films do not say which network they show'),
        ]
    )


def _checkpoint(path: Path) -> str:
    metadata = read_metadata(path / METADATA)
    _, has_digest = read_parameters(path / MODEL, metadata.setup)
    lines = _checkpoint_lines(path, metadata.values)
    lines.append(('Next', f'neuron_reach analyze, film, prune or prune-train {path} -o OUTPUT'))
    if not (has_digest and metadata.has_digest):
        lines.append(('Files', f'have {NO_DIGEST}'))
    return layout(lines)


def _checkpoint_lines(path: Path, metadata: dict[str, Any]) -> Lines:
    validation = metadata['validation']
    layers = (2 * metadata['joints'] + 2, in_short(metadata['hidden']), len(metadata['actions']))
    lines = [
        ('Network', str(path)),
        ('Arm', f'{metadata["joints"]} joints, {sum(metadata["link_lengths"]):g} m long'),
        ('Layers', ' | '.join(map(str, layers))),
        ('Seed', str(metadata['seed'])),
    ]
    if validation['training_duration'] is None:
        lines.append(('Trained', f'not yet; {len(validation["history"])} validation tests played'))
        return lines
    passed = f'test first passed after {validation["training_duration"]} episodes'
    if validation['confirmed'] is None:
        lines.append(('Trained', f'not yet; {passed}, but not confirmed by a second one'))
    else:
        lines.append(('Trained', passed))
        episode, successes, played = validation['history'][-1]
        lines.append(
            (
                'Confirmed',
                f'by a second test after {episode} episodes ({successes}/{played} in the first)',
            )
        )
    if 'accuracy' in validation:
        accuracy = validation['accuracy']
        low, high = accuracy['interval_95']
        lines.append(
            (
                'Accuracy',
                f'{accuracy["value"]:.1%} of {accuracy["episodes"]} unseen goals '
                f'(95 % interval {low:.1%} to {high:.1%})',
            )
        )
    return lines


_RESULTS: dict[str, Callable[[Path], str]] = {
    'analyze': describe_analysis,
    'prune': _describe_pruning,
    'map': describe_mapping,
    'prune-train': _describe_reduction,
}

_DESCRIPTIONS: dict[PathKind, Callable[[Path], str]] = {
    PathKind.CHECKPOINT: _describe_checkpoint,
    PathKind.POLICY: describe_policy,
    PathKind.POLICY_FILE: describe_policy,
    PathKind.RUN: _describe_run,
    PathKind.UNFINISHED_RUN: _describe_unfinished_run,
    PathKind.ANALYSIS: describe_analysis,
    PathKind.PRUNING: _describe_pruning,
    PathKind.MAPPING: describe_mapping,
    PathKind.STEP: _describe_step,
    PathKind.REDUCTION: _describe_reduction,
    PathKind.UNFINISHED_REDUCTION: _describe_reduction,
    PathKind.STUDY: describe_study,
    PathKind.STORE: describe_store,
    PathKind.JOB_RESULT: describe_job_result,
    PathKind.JOB_FAILURE: describe_failure,
    PathKind.REPORT: describe_report,
    PathKind.FILM: _describe_film,
    PathKind.GAZEBO: _describe_gazebo,
    PathKind.NETWORKS: _describe_networks,
}

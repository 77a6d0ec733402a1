# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Describe in words the results of analyze, prune, map and prune-train."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neuron_reach.common.files import JSON_LIMIT, Kind, check_kinds, read_json
from neuron_reach.common.names import RESULTS, SUMMARY, step_number
from neuron_reach.common.paths import finished_step, steps_of
from neuron_reach.errors import UserError, printable

Lines = list[tuple[str, str]]
"""Labels, and what is said under each."""

_WIDTH = 11
_ANALYSIS: Kind = {
    'sources': [str],
    'episodes': int,
    'steps': int,
    'options': {'tau': float, 'linkage': str},
    'layers': [{'layer': str, 'neurons': int, 'dead': int}],
}
_PRUNING: Kind = {
    'source': str,
    'bag': str | None,
    'episodes': int,
    'options': {'tau': float, 'linkage': str},
    'hidden_before': [int],
    'hidden': [int],
    'dead': [int],
}
_PRUNING_ACCURACY: Kind = {
    'accuracy': {'value': float, 'interval_95': [float]},
    'initial_accuracy': {'samples': int, 'mean': float, 'minimum': float, 'maximum': float},
}
_PRUNING_POLICY: Kind = {'methods': [str], 'test': dict | None}
_TEST: Kind = {'mean_return': float, 'interval_95': [float], 'success': dict | None}
_POLICY_TEST: Kind = {'env': str, 'episodes': int, 'before': _TEST, 'after': _TEST}
_METRIC: Kind = {'mean': float | None}
_MAPPING: Kind = {
    'groups': [
        {
            'kind': str,
            'source_joints': int | None,
            'target_joints': int | None,
            'transform': str,
            'regularisation': float | None,
            'pairs': int,
            'error': _METRIC,
            'saturation': _METRIC,
            'coverage': _METRIC,
        }
    ],
    'pairs': [{'source': str, 'target': str}],
}
_REDUCTION: Kind = {'source': str, 'hidden': [int], 'pruning': {'tau': float, 'linkage': str}}


def layout(lines: Lines) -> str:
    """Return lines for a terminal, the labels in a column."""
    return '\n'.join(f'{name:<{_WIDTH}}{printable(text)}' for name, text in lines)


def written(file: Path) -> str:
    """Return when a file was written."""
    return time.strftime('%Y-%m-%d %H:%M', time.localtime(file.stat().st_mtime))


def in_short(numbers: Sequence[int]) -> str:
    """Return numbers of neurons by layer."""
    return ' '.join(map(str, numbers))


def count(number: int, what: str) -> str:
    """Return a number of things, `what` being their name in the singular."""
    return f'{number} {what}{"" if number == 1 else "s"}'


def describe_analysis(folder: Path) -> str:
    """Describe results of analyze.

    Raises:
        UserError: their file is damaged, as for the functions below.
    """
    mark = folder / RESULTS['analyze']
    saved = read_json(mark, _ANALYSIS, JSON_LIMIT)
    lines = [('Analysis', f'{folder}: finished {written(mark)}')]
    lines += [('Source' if not index else '', text) for index, text in enumerate(saved['sources'])]
    lines += [
        ('Episodes', f'{saved["episodes"]}, {saved["steps"]} steps'),
        ('Clusters', _clustering(saved['options'])),
    ]
    for layer in saved['layers']:
        found = f', {layer["clusters"]} clusters' if 'clusters' in layer else ''
        text = f'{layer["neurons"]} neurons, {layer["dead"]} never active{found}'
        lines.append((layer['layer'], text))
    lines.append(('Next', 'neuron_reach prune CHECKPOINT -o DIR merges the neurons of a cluster'))
    return layout(lines)


def describe_pruning(folder: Path) -> str:
    """Describe results of prune."""
    mark = folder / RESULTS['prune']
    return layout([('Pruning', f'{folder}: finished {written(mark)}'), *_pruning_lines(mark)])


def _pruning_lines(mark: Path) -> Lines:
    saved = read_json(mark, _PRUNING, JSON_LIMIT)
    before, after = saved['hidden_before'], saved['hidden']
    lines = [
        ('Source', saved['source']),
        ('Samples', f'{saved["episodes"]} episodes{_of_bag(saved["bag"])}'),
        ('Clusters', _clustering(saved['options'])),
        (
            'Neurons',
            f'{sum(before)} ({in_short(before)}) pruned to {sum(after)} ({in_short(after)}); '
            f'{sum(saved["dead"])} were never active',
        ),
    ]
    return lines + (_policy_lines if 'methods' in saved else _accuracy_lines)(mark, saved)


def _accuracy_lines(mark: Path, saved: dict[str, Any]) -> Lines:
    check_kinds(mark, saved, _PRUNING_ACCURACY)
    if len(saved['accuracy']['interval_95']) != 2:
        raise UserError(f'{mark}: accuracy.interval_95 must be two numbers')
    initial, (low, high) = saved['initial_accuracy'], saved['accuracy']['interval_95']
    return [
        (
            'Pruned',
            f'{saved["accuracy"]["value"]:.1%} of the goals reached without retraining '
            f'(95 % interval {low:.1%} to {high:.1%})',
        ),
        (
            '',
            f'over {initial["samples"]} samples of episodes: mean {initial["mean"]:.1%}, from '
            f'{initial["minimum"]:.1%} to {initial["maximum"]:.1%}',
        ),
    ]


def _policy_lines(mark: Path, saved: dict[str, Any]) -> Lines:
    """Describe how a policy of other origin was pruned, and its test, if there was one."""
    check_kinds(mark, saved, _PRUNING_POLICY)
    lines = [('Method', ', '.join(dict.fromkeys(saved['methods'])))]
    test = saved['test']
    if test is None:
        return [*lines, ('Test', 'none, as no environment was given')]
    check_kinds(mark, test, _POLICY_TEST)
    lines.append(('Test', f'{test["episodes"]} episodes of {test["env"]}, without retraining'))
    for name in ('before', 'after'):
        result = test[name]
        low, high = result['interval_95']
        text = f'{name}: return {result["mean_return"]:.1f} (95 % interval {low:.1f} to {high:.1f})'
        if result['success'] is not None:
            low, high = result['success']['interval_95']
            value = result['success']['value']
            text += f', success {value:.1%} (95 % interval {low:.1%} to {high:.1%})'
        lines.append(('', text))
    return lines


def _of_bag(bag: str | None) -> str:
    return ', played for this' if bag is None else f' of {bag}'


def _clustering(options: dict[str, Any]) -> str:
    return f'tau {options["tau"]:g}, linkage {options["linkage"]}'


def describe_mapping(folder: Path) -> str:
    """Describe results of map."""
    mark = folder / RESULTS['map']
    saved = read_json(mark, _MAPPING, JSON_LIMIT)
    sources, targets = (
        list(dict.fromkeys(pair[role] for pair in saved['pairs'])) for role in ('source', 'target')
    )
    lines = [
        ('Mapping', f'{folder}: finished {written(mark)}'),
        ('Source', _several(saved.get('source'), sources)),
        ('Target', _several(saved.get('target'), targets)),
    ]
    for group in saved['groups']:
        lam = group['regularisation']
        method = 'greedy' if lam is None else f'lambda = {lam:g}'
        transform = '' if group['transform'] == 'none' else f' {group["transform"]}'
        joints = group['source_joints']
        arms = 'policies' if joints is None else f'{joints}-{group["target_joints"]}'
        label = f'{arms}{transform}, {group["kind"]}'
        metrics = ', '.join(
            f'{name} {_number(group[name]["mean"])}' for name in ('error', 'saturation', 'coverage')
        )
        lines.append(('', f'{label}, {method}, {count(group["pairs"], "pair")}: {metrics}'))
    lines.append(('Next', f'the figures and tables in {folder} show every pair'))
    return layout(lines)


def _several(path: object, names: Sequence[str]) -> str:
    if isinstance(path, str):
        return path
    return names[0] if len(names) == 1 else f'{len(names)} networks'


def _number(value: float | None) -> str:
    return 'not defined' if value is None else f'{value:.3f}'


def describe_reduction(folder: Path) -> str:
    """Describe a reduction, finished or not."""
    mark = folder / RESULTS['prune-train']
    saved = read_json(mark, _REDUCTION)
    steps, last = steps_of(folder), finished_step(folder)
    state = f'not finished, {count(len(steps), "step")} begun'
    if last is not None:
        state = f'finished {written(folder / SUMMARY)}, {count(len(steps), "step")}'
    lines = [
        ('Reduction', f'{folder}: {state}'),
        ('Source', saved['source']),
        ('Clusters', _clustering(saved['pruning'])),
        ('Before', f'{sum(saved["hidden"])} hidden neurons ({in_short(saved["hidden"])})'),
    ]
    lines += [(f'Step {step_number(step.name)}', _outcome(step)) for step in steps]
    if last is None:
        lines.append(('Next', 'the same prune-train command resumes it'))
    return layout(lines)


def describe_step(folder: Path) -> str:
    """Describe a step of a reduction, as far as it is."""
    whole = folder.resolve()
    number = step_number(whole.name)
    lines = [('Step', f'{number} of {whole.parent}: {_outcome(folder)}')]
    mark = folder / RESULTS['prune']
    return layout(lines + (_pruning_lines(mark) if mark.exists() else []))


def _outcome(folder: Path) -> str:
    """Say in one line how far a step is."""
    from neuron_reach.workflows.reduction_summary import StepStatus, read_step

    if not (folder / RESULTS['prune']).exists():
        return 'not pruned yet'
    step = read_step(folder, 0, 0, max_episodes=2**53)
    text = f'{sum(step.hidden)} hidden neurons ({in_short(step.hidden)}), '
    if step.status != StepStatus.TRAINED:
        return text + f'not retrained yet, saved after {step.episodes} episodes'
    text += f'retrained, test first passed after {step.training_duration} episodes'
    accuracy = step.trained_accuracy
    return text if accuracy is None else f'{text}, then {accuracy.value:.1%}'

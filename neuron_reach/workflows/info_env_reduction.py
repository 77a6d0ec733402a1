# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Describe in words the results of prune-train in a Gymnasium environment."""

from __future__ import annotations

from pathlib import Path

from neuron_reach.common.files import read_json
from neuron_reach.common.names import RESULTS, START_TEST, SUMMARY, step_number
from neuron_reach.common.paths import last_policy, steps_of
from neuron_reach.sb3.retraining import RetrainingStatus
from neuron_reach.workflows.env_reduction_summary import EnvStep, read_step, read_summary
from neuron_reach.workflows.info_results import count, in_short, layout, written


def is_env_reduction(folder: Path) -> bool:
    """Tell whether a reduction is of a policy in an environment.

    Raises:
        UserError: its file is damaged.
    """
    return 'env' in read_json(folder / RESULTS['prune-train'])


def describe_env_reduction(folder: Path) -> str:
    """Describe a reduction, finished or not.

    Raises:
        UserError: a file is damaged.
    """
    steps = steps_of(folder)
    summary = read_summary(folder, len(steps), 0)
    finished = folder / SUMMARY
    ended = finished.exists() and read_json(finished, {'finished': bool})['finished']
    state = f'{"finished " + written(finished) if ended else "not finished"}, '
    success = 'success' if summary.until is None else f'a return of at least {summary.until:g}'
    before = summary.before
    lines = [
        ('Reduction', f'{folder}: {state}{count(len(steps), "step")} begun'),
        ('Source', summary.source),
        (
            'Task',
            f'{summary.env}, {success} in more than {summary.accuracy:.1%} of episodes',
        ),
        ('Clusters', f'tau {summary.pruning["tau"]:g}, linkage {summary.pruning["linkage"]}'),
        ('Before', f'{sum(before.hidden)} hidden neurons ({in_short(before.hidden)})'),
    ]
    if (folder / START_TEST).exists():
        lines.append(('', str(before.score)))
    for entry in summary.steps:
        lines += [(f'Step {entry.step}', _pruned(entry)), ('', _retrained(entry))]
    if not ended:
        lines.append(('Next', 'the same prune-train command resumes it'))
    elif last_policy(folder) is not None:
        lines.append(('Next', f'neuron_reach export {folder} FILE writes the last policy'))
    return layout(lines)


def describe_env_step(folder: Path) -> str:
    """Describe a step of a reduction, as far as it is.

    Raises:
        UserError: a file is damaged.
    """
    whole = folder.resolve()
    number = step_number(whole.name) or 0
    if not (folder / RESULTS['prune']).exists():
        return layout([('Step', f'{number} of {whole.parent}: not pruned yet')])
    entry = read_step(folder, number)
    return layout(
        [
            ('Step', f'{number} of {whole.parent}'),
            ('Pruned', _pruned(entry)),
            ('', _retrained(entry)),
        ]
    )


def _pruned(entry: EnvStep) -> str:
    return f'{sum(entry.hidden)} hidden neurons ({in_short(entry.hidden)}), {entry.pruned}'


def _retrained(entry: EnvStep) -> str:
    done = entry.retraining
    text = f'{done.status.value}, {done.steps} environment steps of training'
    if done.status is RetrainingStatus.UNTRAINED or done.score is None:
        return text
    return f'{text}, then {done.score}'

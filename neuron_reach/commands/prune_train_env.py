# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach prune-train POLICY --env ENV_ID`: prune and retrain in a Gymnasium environment."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from neuron_reach.analysis.options import EnvOptions, PruningOptions, ReductionOptions
from neuron_reach.commands.flags import Parser, add_flags, import_from_here, path, read_flags
from neuron_reach.common.options import from_text
from neuron_reach.errors import UserError, warn

if TYPE_CHECKING:
    from neuron_reach.workflows.env_reduction_summary import EnvReductionSummary, EnvStep

OTHERS = ('samples', 'max_episodes', 'checkpoint_interval', 'backend', 'storage', 'namespace')
"""Flags that take effect only without --env, as do those of Gazebo."""


def add_flags_of_env(parser: Parser) -> None:
    """Add the flags that take effect with --env."""
    group = parser.add_argument_group('policies of stable-baselines3')
    names = [field.name for field in dataclasses.fields(EnvOptions)]
    add_flags(group, EnvOptions, [name for name in names if name != 'test_episodes'])
    group.add_argument(
        '--set',
        action='append',
        metavar='NAME=VALUE',
        help='hyperparameter of the training, such as learning_rate=1e-4; can be given several '
        'times',
    )
    group.add_argument(
        '--normalization',
        type=path,
        metavar='FILE',
        help='statistics by which observations are normalized, which stay fixed',
    )


def refuse_flags_of_env(options: argparse.Namespace) -> None:
    """Raise UserError if a flag is given that takes effect only with --env."""
    names = [field.name for field in dataclasses.fields(EnvOptions)]
    for name in (*names, 'set', 'normalization'):
        if name != 'test_episodes' and getattr(options, name) is not None:
            raise UserError(f'--{name.replace("_", "-")} takes effect only with --env')


def run(options: argparse.Namespace) -> int:
    """Prune and retrain; return the exit code."""
    pruning = read_flags(PruningOptions, options)
    asked = read_flags(EnvOptions, options)
    steps = read_flags(ReductionOptions, options).steps
    if options.until is None:
        raise UserError('--env needs --until: the least return of a success, or success')
    for name in OTHERS:
        if getattr(options, name) is not None:
            raise UserError(f'--{name.replace("_", "-")} takes effect only without --env')
    if options.ros:
        raise UserError('--ros takes effect only without --env')
    from neuron_reach.common.progress import ProgressBars
    from neuron_reach.learning.kernels import use_one_core
    from neuron_reach.policies.loading import load
    from neuron_reach.workflows.prune_train_env import EnvReduction

    use_one_core()
    import_from_here()
    reduction = EnvReduction(
        load(options.checkpoint),
        options.output,
        pruning,
        asked,
        steps=steps,
        episodes=options.episodes,
        chosen=read_values(options.set or []),
        normalization=options.normalization,
    )
    try:
        if not options.summary:
            if note := str(reduction.hyperparameters):
                warn(note)
            with ProgressBars() as bars:
                reduction.run(bars)
        print(_table(reduction.write_summary()))
    except KeyboardInterrupt:
        print(
            f'stopped; {options.output} keeps everything up to the last test, and the same command '
            'resumes from there'
        )
        raise
    finally:
        reduction.close()
    print(f'results: {options.output}')
    return 0


def read_values(words: list[str]) -> dict[str, Any]:
    """Return hyperparameters that were given as NAME=VALUE.

    Raises:
        UserError: one is of another form, or no plain value.
    """
    chosen = {}
    for word in words:
        name, separator, text = word.partition('=')
        value = _number(text)
        if not (name and separator and text) or not isinstance(value, float | int | str | bool):
            raise UserError(f'--set takes NAME=VALUE, such as learning_rate=1e-4, not {word!r}')
        chosen[name] = value
    return chosen


def _number(text: str) -> Any:
    """Return the value of a text; YAML does not read 1e-4 as a number."""
    value = from_text(text)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _table(summary: EnvReductionSummary) -> str:
    before = summary.before
    tested = 'not tested yet' if before.score is None else str(before.score)
    lines = [f'before: {_sizes(before.hidden)}: {tested}']
    for entry in summary.steps:
        lines += _step_lines(entry)
    return '\n'.join(lines)


def _step_lines(entry: EnvStep) -> list[str]:
    done = entry.retraining
    outcome = f'{done.status.value} after {done.steps} environment steps'
    if done.score is not None:
        outcome += f': {done.score}'
    return [
        f'step {entry.step}: {_sizes(entry.hidden)}: {entry.pruned}',
        f'        {outcome}',
    ]


def _sizes(hidden: tuple[int, ...]) -> str:
    return f'{sum(hidden)} hidden neurons ({" ".join(map(str, hidden))})'

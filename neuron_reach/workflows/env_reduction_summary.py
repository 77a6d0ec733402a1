# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The summary of a reduction in an environment: each step as JSON, as a table and as a figure."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from neuron_reach.analysis.options import PruningOptions
from neuron_reach.common.files import Kind, read_json
from neuron_reach.common.names import (
    RESULTS,
    START_TEST,
    SUMMARY,
    SUMMARY_FIGURE,
    SUMMARY_TABLE,
    step_folder,
)
from neuron_reach.common.results import from_json, to_json, write_csv, write_json
from neuron_reach.common.versions import versions
from neuron_reach.policies.criterion import Score
from neuron_reach.sb3.retraining import (
    SCORE,
    Retraining,
    RetrainingStatus,
    read_retraining,
)
from neuron_reach.workflows.reduction_summary import size_columns

_PRUNING: Kind = {
    'source': str,
    'network': str,
    'notes': [str],
    'options': dict,
    'episodes': int,
    'hidden_before': [int],
    'hidden': [int],
    'dead': [int],
    'thresholds': [float],
    'methods': [str],
    'score': SCORE,
    'versions': dict,
}
_REDUCTION: Kind = {
    'source': str,
    'network': str,
    'hidden': [int],
    'pruning': dict,
    'episodes': int,
    'env': str,
    'until': float | None,
    'accuracy': float,
    'test_episodes': int,
    'test_every': int,
    'seed': int,
    'hyperparameters': dict,
}


@dataclasses.dataclass(frozen=True)
class EnvPruning:
    """What `pruning.json` of a step says, by its keys.

    Attributes:
        source: file of the network that was pruned.
        network: its digest.
        notes: of the record of activity, such as episodes that were cut.
        options: of pruning.
        episodes: sample episodes.
        hidden_before: neurons of the hidden layers before pruning.
        hidden: after pruning.
        dead: neurons that were never active, by hidden layer.
        thresholds: d_tau by hidden layer.
        methods: how neurons were merged, by hidden layer.
        score: of the pruned network in the test, before any training.
        versions: see `versions`.
    """

    source: str
    network: str
    notes: tuple[str, ...]
    options: PruningOptions
    episodes: int
    hidden_before: tuple[int, ...]
    hidden: tuple[int, ...]
    dead: tuple[int, ...]
    thresholds: tuple[float, ...]
    methods: tuple[str, ...]
    score: Score
    versions: dict[str, str | None]

    @classmethod
    def read(cls, folder: Path) -> EnvPruning:
        """Read the results of pruning from the folder of a step.

        Raises:
            UserError: they are missing or damaged.
        """
        saved = read_json(folder / RESULTS['prune'], _PRUNING)
        pruning = from_json(cls, saved)
        return dataclasses.replace(
            pruning,
            options=from_json(PruningOptions, saved['options']),
            score=from_json(Score, saved['score']),
        )


@dataclasses.dataclass(frozen=True)
class EnvStep:
    """One step of a reduction.

    Attributes:
        step: counted from 1.
        hidden_before: neurons of the hidden layers before pruning.
        hidden: after pruning.
        dead: neurons that were never active, by hidden layer.
        pruned: the pruned network in the test, before any training.
        retraining: of the pruned network.
    """

    step: int
    hidden_before: tuple[int, ...]
    hidden: tuple[int, ...]
    dead: tuple[int, ...]
    pruned: Score
    retraining: Retraining


@dataclasses.dataclass(frozen=True)
class EnvBefore:
    """The network that a reduction starts from.

    Attributes:
        hidden: neurons of its hidden layers.
        score: its test; None: not tested yet.
    """

    hidden: tuple[int, ...]
    score: Score | None


@dataclasses.dataclass(frozen=True)
class EnvReductionSummary:
    """What `summary.json` says, by its keys.

    Attributes:
        source: file of the policy that the reduction starts from.
        env: name of the environment.
        until: least return of a successful episode; None: success is `info['is_success']`.
        accuracy: success rate that a test has to show to be exceeded.
        seed: of episodes and training.
        pruning: options of pruning.
        episodes: sample episodes by which neurons are clustered.
        budget: environment steps after which a step is given up.
        versions: see `versions`.
        finished: whether all steps are done, or one was given up.
        before: the network to start from.
        steps: those that have begun.
    """

    source: str
    env: str
    until: float | None
    accuracy: float
    seed: int
    pruning: dict[str, Any]
    episodes: int
    budget: int
    versions: dict[str, str | None]
    finished: bool
    before: EnvBefore
    steps: tuple[EnvStep, ...]


def read_step(folder: Path, step: int) -> EnvStep:
    """Return the results of a step that was pruned, as far as its retraining is.

    Raises:
        UserError: a file is damaged.
    """
    pruning = EnvPruning.read(folder)
    return EnvStep(
        step,
        pruning.hidden_before,
        pruning.hidden,
        pruning.dead,
        pruning.score,
        read_retraining(folder),
    )


def read_summary(folder: Path, steps: int, budget: int) -> EnvReductionSummary:
    """Return the results of all steps that have begun.

    Args:
        folder: of the reduction.
        steps: that are asked for.
        budget: environment steps after which a step is given up.

    Raises:
        UserError: a file is damaged.
    """
    saved = read_json(folder / RESULTS['prune-train'], _REDUCTION)
    test = folder / START_TEST
    before = None
    if test.exists():
        before = from_json(Score, read_json(test, {'score': SCORE})['score'])
    begun = []
    for step in range(1, steps + 1):
        if not (step_folder(folder, step) / RESULTS['prune']).exists():
            break
        begun.append(read_step(step_folder(folder, step), step))
    trained = sum(entry.retraining.status is RetrainingStatus.TRAINED for entry in begun)
    last = begun[-1].retraining if begun else None
    given_up = last is not None and last.status is RetrainingStatus.ABANDONED
    return EnvReductionSummary(
        source=saved['source'],
        env=saved['env'],
        until=saved['until'],
        accuracy=saved['accuracy'],
        seed=saved['seed'],
        pruning=saved['pruning'],
        episodes=saved['episodes'],
        budget=budget,
        versions=versions(),
        finished=trained == steps or given_up,
        before=EnvBefore(tuple(saved['hidden']), before),
        steps=tuple(begun),
    )


def write_summary(folder: Path, summary: EnvReductionSummary) -> None:
    """Write the summary into the folder of its reduction.

    Raises:
        UserError: a file cannot be written.
    """
    write_json(folder / SUMMARY, to_json(summary))
    if summary.steps:
        write_csv(folder / SUMMARY_TABLE, [_line(entry) for entry in summary.steps])
        _draw(folder / SUMMARY_FIGURE, summary)


def _line(entry: EnvStep) -> dict[str, Any]:
    """Return a step as a line of a table."""
    retraining = entry.retraining
    return {
        'step': entry.step,
        'status': retraining.status.value,
        **size_columns(entry.hidden_before, entry.dead, entry.hidden),
        **_columns('pruned', entry.pruned),
        'training_steps': retraining.steps,
        'training_updates': retraining.updates,
        **_columns('trained', retraining.score),
    }


def _columns(name: str, score: Score | None) -> dict[str, Any]:
    return {
        f'{name}_accuracy': None if score is None else score.value,
        f'{name}_accuracy_low': None if score is None else score.interval_95[0],
        f'{name}_accuracy_high': None if score is None else score.interval_95[1],
        f'{name}_return': None if score is None else score.mean_return,
        f'{name}_return_low': None if score is None else score.return_interval_95[0],
        f'{name}_return_high': None if score is None else score.return_interval_95[1],
    }


def _draw(path: Path, summary: EnvReductionSummary) -> None:
    from neuron_reach.figures.activity import reduction_figure
    from neuron_reach.figures.style import save

    trained = RetrainingStatus.TRAINED
    figure = reduction_figure(
        [summary.before.hidden, *(entry.hidden for entry in summary.steps)],
        [(entry.pruned.value,) for entry in summary.steps],
        [
            entry.retraining.steps if entry.retraining.status is trained else None
            for entry in summary.steps
        ],
        unit='environment steps',
    )
    save(figure, path)

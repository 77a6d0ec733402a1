# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The summary of a reduction: what is known of each step, as JSON, as a table and as a figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from neuron_reach.analysis.options import PruningOptions
from neuron_reach.common.files import Kind, read_json
from neuron_reach.common.names import (
    CHECKPOINT,
    RESULTS,
    SUMMARY,
    SUMMARY_FIGURE,
    SUMMARY_TABLE,
    state_episodes,
)
from neuron_reach.common.paths import saved_states
from neuron_reach.common.results import from_json, to_json, write_csv, write_json
from neuron_reach.learning.checkpoint import load_checkpoint
from neuron_reach.learning.metadata import ACCURACY
from neuron_reach.learning.validation import Accuracy
from neuron_reach.workflows.prune import InitialAccuracy

_PRUNING: Kind = {
    'hidden_before': [int],
    'hidden': [int],
    'dead': [int],
    'accuracy': ACCURACY,
    'initial_accuracy': {
        'samples': int,
        'episodes': int,
        'mean': float,
        'standard_deviation': float | None,
        'minimum': float,
        'maximum': float,
        'values': [float],
        'hidden': [[int]],
        'hidden_mean': [float],
    },
}
"""What the summary takes from the results of pruning."""


class StepStatus(Enum):
    """How far the retraining of a step is."""

    UNTRAINED = 'not trained yet'
    TRAINED = 'trained'
    ABANDONED = 'not trained within max_episodes'


@dataclasses.dataclass(frozen=True)
class ReductionStep:
    """One step of a reduction.

    Attributes:
        step: counted from 1.
        seed: of the retraining.
        hidden_before: neurons of the hidden layers before pruning.
        hidden: after pruning.
        dead: neurons that were never active, by hidden layer.
        accuracy: of the pruned network.
        initial_accuracy: over other samples of episodes.
        status: of the retraining.
        training_duration: episodes until the validation test was first passed; None: not yet.
        confirmed: episodes until it was confirmed; None: not yet.
        episodes: of retraining so far.
        trained_accuracy: of the retrained network; None: not measured.
    """

    step: int
    seed: int
    hidden_before: tuple[int, ...]
    hidden: tuple[int, ...]
    dead: tuple[int, ...]
    accuracy: Accuracy
    initial_accuracy: InitialAccuracy
    status: StepStatus = StepStatus.UNTRAINED
    training_duration: int | None = None
    confirmed: int | None = None
    episodes: int = 0
    trained_accuracy: Accuracy | None = None


@dataclasses.dataclass(frozen=True)
class Before:
    """The network that a reduction starts from.

    Attributes:
        hidden: neurons of its hidden layers.
        validation: what its metadata says of its training.
    """

    hidden: tuple[int, ...]
    validation: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class ReductionSummary:
    """What `summary.json` says, by its keys.

    Attributes:
        source: checkpoint that the reduction starts from.
        seed: of its network.
        pruning: options of pruning.
        episodes: sample episodes by which neurons are clustered.
        samples: of episodes over which initial accuracies are averaged.
        max_episodes: training episodes after which a step is abandoned.
        versions: see `versions`.
        finished: whether all steps are done.
        before: the network to start from.
        steps: those that have begun.
    """

    source: str
    seed: int
    pruning: PruningOptions
    episodes: int
    samples: int
    max_episodes: int
    versions: dict[str, str | None]
    finished: bool
    before: Before
    steps: tuple[ReductionStep, ...]


def read_step(folder: Path, step: int, seed: int, max_episodes: int) -> ReductionStep:
    """Return the results of a step that was pruned, as far as its retraining is.

    Args:
        folder: of the step.
        step: counted from 1.
        seed: of the retraining.
        max_episodes: training episodes after which a step is abandoned.

    Raises:
        UserError: a file is damaged.
    """
    pruning = read_json(folder / RESULTS['prune'], _PRUNING)
    entry = ReductionStep(
        step=step,
        seed=seed,
        hidden_before=tuple(pruning['hidden_before']),
        hidden=tuple(pruning['hidden']),
        dead=tuple(pruning['dead']),
        accuracy=from_json(Accuracy, pruning['accuracy']),
        initial_accuracy=from_json(InitialAccuracy, pruning['initial_accuracy']),
    )
    if (folder / CHECKPOINT).exists():
        validation = load_checkpoint(folder / CHECKPOINT).metadata['validation']
        accuracy = validation.get('accuracy')
        return dataclasses.replace(
            entry,
            status=StepStatus.TRAINED,
            training_duration=validation['training_duration'],
            confirmed=validation['confirmed'],
            episodes=validation['confirmed'],
            trained_accuracy=None if accuracy is None else from_json(Accuracy, accuracy),
        )
    states = saved_states(folder)
    episodes = state_episodes(states[-1].name) if states else None
    if episodes is None:
        return entry
    status = StepStatus.ABANDONED if episodes >= max_episodes else StepStatus.UNTRAINED
    return dataclasses.replace(entry, status=status, episodes=episodes)


def write_summary(folder: Path, summary: ReductionSummary) -> None:
    """Write the summary into the folder of its reduction.

    Raises:
        UserError: a file cannot be written.
    """
    write_json(folder / SUMMARY, to_json(summary))
    if summary.steps:
        write_csv(folder / SUMMARY_TABLE, [_line(entry) for entry in summary.steps])
        _draw(folder / SUMMARY_FIGURE, summary)


def _line(entry: ReductionStep) -> dict[str, Any]:
    """Return a step as a line of a table."""
    initial, trained = entry.initial_accuracy, entry.trained_accuracy
    return {
        'step': entry.step,
        'seed': entry.seed,
        'status': entry.status.value,
        **size_columns(entry.hidden_before, entry.dead, entry.hidden),
        'pruned_accuracy': entry.accuracy.value,
        'initial_accuracy_mean': initial.mean,
        'initial_accuracy_standard_deviation': initial.standard_deviation,
        'initial_accuracy_samples': initial.samples,
        'training_duration': entry.training_duration,
        'confirmed': entry.confirmed,
        'trained_accuracy': None if trained is None else trained.value,
    }


def size_columns(
    before: Sequence[int], dead: Sequence[int], hidden: Sequence[int]
) -> dict[str, Any]:
    """Return the columns with the neurons of hidden layers: before pruning, dead, after it."""
    return {
        'hidden_before': ' '.join(map(str, before)),
        'dead': ' '.join(map(str, dead)),
        'hidden': ' '.join(map(str, hidden)),
        'hidden_total': sum(hidden),
    }


def _draw(path: Path, summary: ReductionSummary) -> None:
    from neuron_reach.figures.activity import reduction_figure
    from neuron_reach.figures.style import save

    steps = summary.steps
    figure = reduction_figure(
        [summary.before.hidden, *(entry.hidden for entry in steps)],
        [entry.initial_accuracy.values for entry in steps],
        [entry.training_duration for entry in steps],
    )
    save(figure, path)

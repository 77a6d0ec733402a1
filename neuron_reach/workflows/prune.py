# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Prune a checkpoint by its activity in sample episodes, test the outcome, write the results."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach.analysis.merging import Pruned, prune, prune_each
from neuron_reach.analysis.options import SAMPLE_EPISODES, PruningOptions
from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.arm.task import ReachingTask
from neuron_reach.common.names import DENDROGRAMS, LINKAGE, NEURON_TABLE, PRUNED, SIZES
from neuron_reach.common.progress import ShowProgress
from neuron_reach.common.random_streams import pruning_streams
from neuron_reach.common.results import (
    claimed_folder,
    replaced_results,
    to_json,
    write_arrays,
    write_csv,
)
from neuron_reach.common.versions import versions
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import (
    Checkpoint,
    describe,
    network_digest,
    save_checkpoint,
)
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.rollout import greedy_successes
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member
from neuron_reach.learning.validation import VALIDATION_EPISODES, Accuracy
from neuron_reach.records.belonging import check_layers, check_record, check_whole
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import read_records, record_checkpoint


@dataclasses.dataclass(frozen=True)
class Trial:
    """A network pruned by one sample of episodes.

    Attributes:
        hidden: neurons of its hidden layers.
        successes: in `VALIDATION_EPISODES` greedy episodes, without any training.
    """

    hidden: tuple[int, ...]
    successes: int

    @property
    def accuracy(self) -> float:
        """Share of successes."""
        return self.successes / VALIDATION_EPISODES


@dataclasses.dataclass(frozen=True)
class InitialAccuracy:
    """Accuracy right after pruning, over several samples of episodes.

    Attributes:
        samples: number of samples, each of which gives a pruned network.
        episodes: greedy episodes in which each network is tested.
        mean: of the accuracies, as the next three.
        standard_deviation: None for one sample.
        minimum: the smallest.
        maximum: the largest.
        values: accuracy of each network.
        hidden: hidden layer sizes of each network.
        hidden_mean: their mean, by layer.
    """

    samples: int
    episodes: int
    mean: float
    standard_deviation: float | None
    minimum: float
    maximum: float
    values: tuple[float, ...]
    hidden: tuple[tuple[int, ...], ...]
    hidden_mean: tuple[float, ...]

    @classmethod
    def of(cls, tested: Sequence[Trial]) -> InitialAccuracy:
        """Summarize trials, at least one."""
        values = tuple(trial.accuracy for trial in tested)
        hidden = tuple(trial.hidden for trial in tested)
        return cls(
            samples=len(values),
            episodes=VALIDATION_EPISODES,
            mean=float(np.mean(values)),
            standard_deviation=float(np.std(values, ddof=1)) if len(values) > 1 else None,
            minimum=min(values),
            maximum=max(values),
            values=values,
            hidden=hidden,
            hidden_mean=tuple(np.mean(hidden, axis=0).tolist()),
        )


@dataclasses.dataclass(frozen=True)
class PruningResults:
    """What `pruning.json` says, by its keys.

    Attributes:
        source: checkpoint that was pruned.
        network: its digest.
        bag: where the sample episodes were recorded; None: played in process.
        notes: of the record of activity, such as episodes left out.
        seed: of the network.
        options: of pruning.
        versions: see `versions`.
        episodes: sample episodes.
        hidden_before: neurons of the hidden layers before pruning.
        hidden: after pruning.
        dead: neurons that were never active, by hidden layer.
        thresholds: d_tau by hidden layer.
        accuracy: of the pruned network.
        initial_accuracy: over other samples of episodes.
    """

    source: str
    network: str
    bag: str | None
    notes: tuple[str, ...]
    seed: int
    options: PruningOptions
    versions: dict[str, str | None]
    episodes: int
    hidden_before: tuple[int, ...]
    hidden: tuple[int, ...]
    dead: tuple[int, ...]
    thresholds: tuple[float, ...]
    accuracy: Accuracy
    initial_accuracy: InitialAccuracy


# --- measuring ------------------------------------------------------------------------------------


def count_successes(setup: Setup, network: QNetwork, generator: np.random.Generator) -> int:
    """Return the successes of a network in `VALIDATION_EPISODES` greedy episodes."""
    task = ReachingTask(setup.task, setup.arm)
    goals = task.sample_goals(generator, VALIDATION_EPISODES)[None]
    fleet = FleetSimulator(setup.arm, VALIDATION_EPISODES)
    return int(greedy_successes(fleet, task, network, goals)[0].sum())


def sample_streams(checkpoint: Checkpoint, sample: int) -> list[np.random.Generator]:
    """Return generators of goals to record and to test; sample 0 is for the pruned network."""
    return pruning_streams(checkpoint.metadata['seed'], sample)


def trials(
    checkpoint: Checkpoint,
    options: PruningOptions,
    samples: int,
    episodes: int,
    report: Callable[[int], None],
) -> list[Trial]:
    """Prune by several independent samples of episodes, and test every pruned network.

    How good a network is right after pruning depends strongly on the episodes sampled.

    Args:
        checkpoint: the network.
        options: of pruning.
        samples: how many.
        episodes: of each sample.
        report: called with the number of samples that are done.
    """
    tested = []
    for sample in range(1, samples + 1):
        tested += sample_trials(checkpoint, [options], sample, episodes)
        report(sample)
    return tested


def sample_trials(
    checkpoint: Checkpoint, options: Sequence[PruningOptions], sample: int, episodes: int
) -> list[Trial]:
    """Prune in each of these ways by one sample of episodes, and test every pruned network.

    Args:
        checkpoint: the network.
        options: of pruning; all pruned networks play the same test.
        sample: which one, from 1.
        episodes: of the sample.
    """
    record_goals, _ = sample_streams(checkpoint, sample)
    record = record_checkpoint(checkpoint, episodes, record_goals)
    tested = []
    for pruned in prune_each(checkpoint.network, record, options):
        _, test_goals = sample_streams(checkpoint, sample)
        successes = count_successes(checkpoint.setup, pruned.network, test_goals)
        tested.append(Trial(pruned.network.sizes[1:-1], successes))
    return tested


# --- pruning --------------------------------------------------------------------------------------


def run_pruning(
    checkpoint: Checkpoint,
    folder: Path,
    options: PruningOptions,
    *,
    samples: int,
    progress: ShowProgress,
    episodes: int | None = None,
    bag: Path | None = None,
    namespace: str | None = None,
) -> PruningResults:
    """Prune a network by recorded or played sample episodes, and write the results to a folder.

    Args:
        checkpoint: the network.
        folder: of the results, see `prune_checkpoint`; earlier results of the same inputs are
            replaced.
        options: of pruning.
        samples: of episodes over which the initial accuracy is averaged.
        progress: shows how many samples are done.
        episodes: of each sample, and to use of the bag; None: `SAMPLE_EPISODES`, and the whole bag.
        bag: recorded sample episodes of this network; None: they are played.
        namespace: of the topics, needed only where the bag holds several robots.

    Raises:
        UserError: the bag is not whole or of another network, or the folder cannot be used.
    """
    use_one_core()
    inputs = {
        'source': str(checkpoint.path.resolve()),
        'bag': None if bag is None else str(bag.resolve()),
    }
    per_sample = episodes or SAMPLE_EPISODES
    with claimed_folder(folder, 'prune', inputs):
        if bag is None:
            record = record_checkpoint(checkpoint, per_sample)
        else:
            progress('pruning', 0, samples, 'samples', f'reading {bag}')
            record = read_samples(checkpoint, bag, episodes, namespace)

        def report(done: int) -> None:
            progress('pruning', done, samples, 'samples')

        tested = trials(checkpoint, options, samples, per_sample, report)
        return prune_checkpoint(checkpoint, record, options, tested, folder, bag)


def read_samples(
    checkpoint: Checkpoint, bag: Path, episodes: int | None, namespace: str | None
) -> ActivityRecord:
    """Read recorded sample episodes of a network.

    Args:
        checkpoint: the network.
        bag: where they were recorded.
        episodes: how many of them; None: all.
        namespace: of the topics, needed only where the bag holds several robots.

    Raises:
        UserError: the bag is damaged, not whole, lacks layers, or is of another network.
    """
    record = read_records(bag, namespace=namespace)
    check_layers(record, bag, len(checkpoint.network.sizes))
    check_record(checkpoint, record, bag)
    check_whole(record, bag, episodes)
    return record if episodes is None else record.first(episodes)


def prune_checkpoint(
    checkpoint: Checkpoint,
    record: ActivityRecord,
    options: PruningOptions,
    tested: Sequence[Trial],
    folder: Path,
    bag: Path | None = None,
) -> PruningResults:
    """Prune a network, test it, and write the results; `pruning.json` comes last.

    Args:
        checkpoint: the network.
        record: its activity in the sample episodes.
        options: of pruning.
        tested: networks pruned by other samples, of `trials`.
        folder: of the results: a checkpoint `pruned`, `pruning.json`, tables, arrays, figures.
        bag: where the record comes from; None: played for this.

    Raises:
        UserError: the pruned network has infinite weights, or a file cannot be written.
    """
    pruned = prune(checkpoint.network, record, options)
    for values in (*pruned.network.weights, *pruned.network.biases):
        if not values.isfinite().all():
            raise UserError(
                f'{checkpoint.path}: its weights are so large that those of the pruned network '
                'are not finite'
            )
    successes = count_successes(checkpoint.setup, pruned.network, sample_streams(checkpoint, 0)[1])
    results = PruningResults(
        source=str(checkpoint.path.resolve()),
        network=network_digest(checkpoint.network),
        bag=None if bag is None else str(bag.resolve()),
        notes=record.notes,
        seed=checkpoint.metadata['seed'],
        options=options,
        versions=versions(),
        episodes=record.episodes,
        hidden_before=checkpoint.network.sizes[1:-1],
        hidden=pruned.network.sizes[1:-1],
        dead=tuple(pruned.dead.values()),
        thresholds=tuple(pruned.thresholds.values()),
        accuracy=Accuracy.of(successes, VALIDATION_EPISODES),
        initial_accuracy=InitialAccuracy.of(tested),
    )
    _write(folder, checkpoint, record, pruned, results)
    return results


# --- writing --------------------------------------------------------------------------------------


def _write(
    folder: Path,
    checkpoint: Checkpoint,
    record: ActivityRecord,
    pruned: Pruned[QNetwork],
    results: PruningResults,
) -> None:
    plain = to_json(results)
    setup = checkpoint.setup.with_hidden(results.hidden)
    metadata = describe(setup, Member(results.seed), None)
    with replaced_results(folder, 'prune', plain) as new:
        save_checkpoint(new / PRUNED, pruned.network, {**metadata, 'pruning': plain})
        write_clusters(new, record, pruned)


def write_clusters(folder: Path, record: ActivityRecord, pruned: Pruned[Any]) -> None:
    """Write which neurons were merged: a table, the cluster trees and figures.

    Args:
        folder: of the results.
        record: of the network before.
        pruned: the clusters, and the network after.
    """
    write_csv(folder / NEURON_TABLE, _neuron_lines(record, pruned))
    write_arrays(folder / LINKAGE, pruned.trees)
    _draw(folder, record, pruned)


def _neuron_lines(record: ActivityRecord, pruned: Pruned[Any]) -> list[dict[str, Any]]:
    """Return a table row for each hidden neuron of the network before."""
    maxima, dead = record.maxima(), record.dead_neurons()
    lines = []
    for layer, clusters in pruned.clusters.items():
        part = record.columns(layer)
        for neuron, (largest, silent) in enumerate(zip(maxima[part], dead[part], strict=True)):
            line = {'layer': layer, 'neuron': neuron, 'max': largest, 'dead': int(silent)}
            lines.append({**line, 'cluster': int(clusters[neuron])})
    return lines


def _draw(folder: Path, record: ActivityRecord, pruned: Pruned[Any]) -> None:
    """Draw the clusters and the sizes of the hidden layers."""
    from neuron_reach.figures.activity import dendrogram_figure, sizes_figure
    from neuron_reach.figures.style import save

    silent = record.dead_neurons()
    dead = {name: silent[record.columns(name)] for name in pruned.trees}
    counts = {
        'neurons': [len(silent) for silent in dead.values()],
        'alive': [int((~silent).sum()) for silent in dead.values()],
        'pruned': list(pruned.network.sizes[1:-1]),
    }
    save(dendrogram_figure(pruned, dead), folder / DENDROGRAMS)
    save(sizes_figure(counts, list(dead)), folder / SIZES)

"""Pruning a checkpoint: from recorded episodes to a smaller checkpoint, and how good it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach.analysis.merging import Pruned, prune, prune_each
from neuron_reach.analysis.options import PruningOptions
from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.arm.task import ReachingTask
from neuron_reach.common.names import DENDROGRAMS, LINKAGE, NEURON_TABLE, PRUNED, SIZES
from neuron_reach.common.random_streams import pruning_streams
from neuron_reach.common.results import replaced_results, write_arrays, write_csv
from neuron_reach.common.versions import versions
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import (
    Checkpoint,
    describe,
    network_digest,
    save_checkpoint,
)
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.rollout import greedy_successes
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member
from neuron_reach.learning.validation import VALIDATION_EPISODES, accuracy_interval
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import record_checkpoint


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
    """Prune by several independent samples of episodes, and test every outcome.

    How good a network is right after pruning depends strongly on the episodes sampled.

    Args:
        checkpoint: the network.
        options: of pruning.
        samples: how many.
        episodes: of each sample.
        report: told how many are done.
    """
    found = []
    for sample in range(1, samples + 1):
        found += sample_trials(checkpoint, [options], sample, episodes)
        report(sample)
    return found


def sample_trials(
    checkpoint: Checkpoint, options: Sequence[PruningOptions], sample: int, episodes: int
) -> list[Trial]:
    """Prune in each of these ways by one sample of episodes, and test every outcome.

    Args:
        checkpoint: the network.
        options: of pruning; all outcomes play the same test.
        sample: which one, from 1.
        episodes: of the sample.
    """
    record_goals, _ = sample_streams(checkpoint, sample)
    record = record_checkpoint(checkpoint, episodes, record_goals)
    found = []
    for pruned in prune_each(checkpoint.network, record, options):
        _, test_goals = sample_streams(checkpoint, sample)
        successes = count_successes(checkpoint.setup, pruned.network, test_goals)
        found.append(Trial(pruned.network.sizes[1:-1], successes))
    return found


def prune_checkpoint(
    checkpoint: Checkpoint,
    record: ActivityRecord,
    options: PruningOptions,
    found: Sequence[Trial],
    folder: Path,
    bag: Path | None = None,
) -> dict[str, Any]:
    """Prune a network and write what there is to know, the results last.

    Args:
        checkpoint: the network.
        record: its activity in the sample episodes.
        options: of pruning.
        found: what pruning by other samples gave, of `trials`.
        folder: of the results: a checkpoint `pruned`, `pruning.json`, tables, arrays, figures.
        bag: where the record comes from; None: played for this.

    Returns:
        What `pruning.json` says.

    Raises:
        UserError: a file cannot be written.
    """
    pruned = prune(checkpoint.network, record, options)
    for values in (*pruned.network.weights, *pruned.network.biases):
        if not values.isfinite().all():
            raise UserError(
                f'{checkpoint.path}: its weights are so large that those of the pruned network '
                'are no finite numbers'
            )
    results = _results(checkpoint, record, options, found, pruned, bag)
    setup = checkpoint.setup.with_hidden(pruned.network.sizes[1:-1])
    metadata = describe(setup, Member(checkpoint.metadata['seed']), None)
    with replaced_results(folder, 'prune', results) as new:
        save_checkpoint(new / PRUNED, pruned.network, {**metadata, 'pruning': results})
        write_csv(new / NEURON_TABLE, _neuron_lines(record, pruned))
        write_arrays(new / LINKAGE, pruned.trees)
        _draw(new, record, pruned)
    return results


def _results(
    checkpoint: Checkpoint,
    record: ActivityRecord,
    options: PruningOptions,
    found: Sequence[Trial],
    pruned: Pruned,
    bag: Path | None,
) -> dict[str, Any]:
    successes = count_successes(checkpoint.setup, pruned.network, sample_streams(checkpoint, 0)[1])
    accuracies = [trial.accuracy for trial in found]
    sizes = np.array([trial.hidden for trial in found])
    return {
        'source': str(checkpoint.path.resolve()),
        'network': network_digest(checkpoint.network),
        'bag': None if bag is None else str(bag.resolve()),
        'notes': list(record.notes),
        'seed': checkpoint.metadata['seed'],
        'options': dict(vars(options)),
        'versions': versions(),
        'episodes': record.episodes,
        'hidden_before': list(checkpoint.network.sizes[1:-1]),
        'hidden': list(pruned.network.sizes[1:-1]),
        'dead': list(pruned.dead.values()),
        'thresholds': list(pruned.thresholds.values()),
        'accuracy': {
            'successes': successes,
            'episodes': VALIDATION_EPISODES,
            'value': successes / VALIDATION_EPISODES,
            'interval_95': list(accuracy_interval(successes, VALIDATION_EPISODES)),
        },
        'initial_accuracy': {
            'samples': len(found),
            'episodes': VALIDATION_EPISODES,
            'mean': float(np.mean(accuracies)),
            'standard_deviation': float(np.std(accuracies, ddof=1)) if len(found) > 1 else None,
            'minimum': min(accuracies),
            'maximum': max(accuracies),
            'values': accuracies,
            'hidden': sizes.tolist(),
            'hidden_mean': sizes.mean(axis=0).tolist(),
        },
    }


def _neuron_lines(record: ActivityRecord, pruned: Pruned) -> list[dict[str, Any]]:
    maxima = record.maxima()
    lines = []
    for layer, clusters in pruned.clusters.items():
        for neuron, largest in enumerate(maxima[record.columns(layer)]):
            line = {'layer': layer, 'neuron': neuron, 'max': largest, 'dead': int(largest == 0.0)}
            lines.append({**line, 'cluster': int(clusters[neuron])})
    return lines


def _draw(folder: Path, record: ActivityRecord, pruned: Pruned) -> None:
    from neuron_reach.figures.activity import dendrogram_figure, sizes_figure
    from neuron_reach.figures.style import save

    maxima = record.maxima()
    dead = {name: maxima[record.columns(name)] == 0.0 for name in pruned.trees}
    counts = {
        'neurons': [len(silent) for silent in dead.values()],
        'alive': [int((~silent).sum()) for silent in dead.values()],
        'pruned': list(pruned.network.sizes[1:-1]),
    }
    save(dendrogram_figure(pruned, dead), folder / DENDROGRAMS)
    save(sizes_figure(counts, list(dead)), folder / SIZES)

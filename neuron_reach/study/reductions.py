# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Jobs that prune and retrain networks: the reduction steps of the paper's section 5."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

from neuron_reach.analysis.options import PruningOptions
from neuron_reach.common.random_streams import step_seed
from neuron_reach.learning.setup import Setup
from neuron_reach.study import paper
from neuron_reach.study.engine.jobs import AnyJob, Job, function
from neuron_reach.study.engine.results import AnyResult, JobResult
from neuron_reach.study.networks import (
    Options,
    TrainingValues,
    condition,
    network_name,
    training_jobs,
)
from neuron_reach.study.studies import Scale

STEPS = int(paper.number('reduction_steps').single)
TAU = float(paper.number('tau').single)
ANALYSED: Options = {
    'joints': paper.number('analysed_joints').value,
    'hidden': paper.number('analysed_width').value,
}
"""Options of the networks of figures 2 and 3, left."""

RETRAINED_TEST_EPISODES = 600
"""Fresh goals on which the accuracy of a retrained network is measured."""


class PrunedValues(TypedDict):
    """A pruned network: hidden sizes, dead neurons by hidden layer, accuracy in one test."""

    hidden: list[int]
    dead: list[int]
    accuracy: float


class PruneValues(TypedDict):
    """Values of `prune`: pruned networks by `tau_name`; empty if there was no network."""

    pruned: dict[str, PrunedValues]


class SamplesValues(TypedDict):
    """Accuracies and hidden sizes of a network pruned by several samples of episodes."""

    accuracies: list[float]
    hidden: list[list[int]]


class PruneSamplesValues(TypedDict):
    """Values of `prune_samples`, by `tau_name`; empty if there was no network."""

    samples: dict[str, SamplesValues]


# --- estimates --------------------------------------------------------------------------------


def _width(source: AnyJob) -> float:
    """Estimate the neurons per hidden layer of the networks in a job's result."""
    if 'options' in source.arguments:
        hidden = Setup.from_values(source.arguments['options'], 'study').learning.hidden
        return float(sum(hidden) / len(hidden))
    before: AnyJob = source.arguments['source']
    return _width(before) if source.function.name == 'retrain' else _pruned_width(before, TAU)


def _pruned_width(source: AnyJob, tau: float) -> float:
    """Estimate the neurons per hidden layer after pruning: many go in the first step, then few."""
    width = _width(source)
    if source.function.name == 'retrain':
        return 0.8 * width
    return min(width, 1.6 * math.pow(width, 0.75)) * (1.2 - tau)


def _sampling_seconds(width: float, episodes: int) -> float:
    """Estimate the CPU seconds of recording, distances and trees for one sample of episodes."""
    return episodes * (0.4e-3 + 0.9e-7 * width * width)


def _pruning_seconds(source: AnyJob, episodes: int, taus: Sequence[float], **_: object) -> float:
    width = _width(source)
    return _sampling_seconds(width, episodes) + len(taus) * (0.05 + 1e-6 * width * width)


def _accuracy_seconds(
    source: AnyJob, episodes: int, taus: Sequence[float], samples: int, **_: object
) -> float:
    return samples * _pruning_seconds(source, episodes, taus)


def _retraining_seconds(
    source: AnyJob, name: str, step: int, max_episodes: int, **_: object
) -> float:
    """Estimate CPU seconds; fitted to the durations of the studies."""
    tau = float(name.removeprefix('tau_'))
    width = _width(source.arguments['source'])
    updates = (400.0 + 2100.0 * math.pow(tau / TAU, 1.5)) * min(1.0, math.pow(48.0 / width, 1 / 3))
    updates = min(0.6 * max_episodes, updates * (1.0 if step == 1 else 0.5))
    pruned = _pruned_width(source.arguments['source'], tau)
    return 0.2 + updates * (0.75e-3 + 47e-9 * 6.0 * pruned * pruned)


# --- jobs -------------------------------------------------------------------------------------


def tau_name(tau: float) -> str:
    """Return the name of the network pruned with this tau in the result of a `prune` job."""
    return f'tau_{tau:g}'


def _options(taus: Sequence[float], pruning: Mapping[str, str]) -> list[PruningOptions]:
    return [PruningOptions(tau, **pruning) for tau in taus]


@function('prune', version=1, seconds=_pruning_seconds, returns=PruneValues)
def prune(
    source: AnyResult,
    name: str,
    episodes: int,
    taus: Sequence[float],
    pruning: Mapping[str, str],
) -> JobResult[PruneValues]:
    """Prune a network with several tau by the same sample of episodes.

    Args:
        source: holds the network; if it does not, the result is empty.
        name: of the network there.
        episodes: of the sample.
        taus: thresholds.
        pruning: the other fields of `PruningOptions`.

    Returns:
        values: `pruned`, by `tau_name`.
        networks: by `tau_name`.
    """
    from neuron_reach.analysis.merging import prune_each
    from neuron_reach.learning import validation
    from neuron_reach.learning.checkpoint import describe
    from neuron_reach.learning.training import Member
    from neuron_reach.records.recording import record_checkpoint
    from neuron_reach.workflows.prune import count_successes, sample_streams

    checkpoint = source.find_checkpoint(name)
    if checkpoint is None:
        return JobResult({'pruned': {}})
    record = record_checkpoint(checkpoint, episodes)
    values: dict[str, PrunedValues] = {}
    networks = {}
    found = prune_each(checkpoint.network, record, _options(taus, pruning))
    for tau, pruned in zip(taus, found, strict=True):
        setup = checkpoint.setup.with_hidden(pruned.network.sizes[1:-1])
        goals = sample_streams(checkpoint, 0)[1]
        values[tau_name(tau)] = {
            'hidden': list(pruned.network.sizes[1:-1]),
            'dead': list(pruned.dead.values()),
            'accuracy': count_successes(setup, pruned.network, goals)
            / validation.VALIDATION_EPISODES,
        }
        metadata = describe(setup, Member(checkpoint.metadata['seed']), None)
        networks[tau_name(tau)] = (pruned.network, metadata)
    return JobResult({'pruned': values}, networks=networks)


@function('prune samples', version=1, seconds=_accuracy_seconds, returns=PruneSamplesValues)
def prune_samples(
    source: AnyResult,
    name: str,
    episodes: int,
    taus: Sequence[float],
    samples: int,
    pruning: Mapping[str, str],
) -> JobResult[PruneSamplesValues]:
    """Prune a network by several samples of episodes, only to measure the accuracy after it.

    Args:
        source: holds the network; if it does not, the result is empty.
        name: of the network there.
        episodes: of each sample.
        taus: thresholds.
        samples: number of samples.
        pruning: the other fields of `PruningOptions`.

    Returns:
        values: `samples`, by `tau_name`.
    """
    from neuron_reach.workflows.prune import sample_trials

    checkpoint = source.find_checkpoint(name)
    if checkpoint is None:
        return JobResult({'samples': {}})
    trials = [
        sample_trials(checkpoint, _options(taus, pruning), sample, episodes)
        for sample in range(1, samples + 1)
    ]
    values: dict[str, SamplesValues] = {
        tau_name(tau): {
            'accuracies': [trial.accuracy for trial in own],
            'hidden': [list(trial.hidden) for trial in own],
        }
        for tau, own in zip(taus, zip(*trials, strict=True), strict=True)
    }
    return JobResult({'samples': values})


@function('retrain', version=2, seconds=_retraining_seconds, returns=TrainingValues)
def retrain(
    source: AnyResult, name: str, seed: int, step: int, max_episodes: int, test_episodes: int
) -> JobResult[TrainingValues]:
    """Retrain a pruned network until it passes the validation test again, or is given up.

    Args:
        source: holds the network; if it does not, the result is empty.
        name: of the network there.
        seed: of the network before its first reduction step.
        step: number of the reduction step, from 1; with the seed it sets the random streams.
        max_episodes: training episodes after which the network is given up.
        test_episodes: fresh goals for the accuracy.

    Returns:
        values: `members` as those of `train`: one, or none if there was no network.
        networks: the trained one, named by `network_name(step_seed(seed, step))`.
    """
    from neuron_reach.learning.training import Training
    from neuron_reach.study.networks import run_training

    checkpoint = source.find_checkpoint(name)
    if checkpoint is None:
        return JobResult({'members': []})
    own = dataclasses.replace(
        checkpoint.setup.training, seed=step_seed(seed, step), max_episodes=max_episodes
    )
    setup = dataclasses.replace(checkpoint.setup, training=own)
    return run_training(Training(setup, network=checkpoint.network.copy()), test_episodes)


# --- networks and their reductions ------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Source:
    """A network that a job trains.

    Attributes:
        job: the training.
        seed: of the network.
        what: arm and layers, for people.
    """

    job: Job[TrainingValues]
    seed: int
    what: str

    @property
    def name(self) -> str:
        """Name of the network in the job's result."""
        return network_name(self.seed)


@dataclasses.dataclass(frozen=True)
class Step:
    """A reduction step of one network.

    Attributes:
        pruned: the job that prunes, `prune`.
        pruned_name: of the network in its result.
        trained: the job that retrains, `retrain`.
        trained_name: of the network in its result.
    """

    pruned: Job[PruneValues]
    pruned_name: str
    trained: Job[TrainingValues]
    trained_name: str


def sources(options: Options, networks: int, stack: int) -> list[Source]:
    """Return this many networks with these options of a `Setup`, with the seeds 0, 1, ..."""
    what = condition(Setup.from_values(options, 'study'))
    return [
        Source(job, seed, what)
        for job in training_jobs(options, range(networks), stack)
        for seed in job.arguments['seeds']
    ]


def pruning_values(**changes: str) -> dict[str, str]:
    """Return all pruning options but tau, so that changed defaults make other jobs."""
    values = {**vars(PruningOptions()), **changes}
    del values['tau']
    return values


def prune_job(
    source: Source, scale: Scale, taus: Sequence[float] = (TAU,), **pruning: str
) -> Job[PruneValues]:
    """Return the job that prunes a freshly trained network; `pruning` as of `reduction`."""
    return prune.job(
        f'prune {source.what}, seed {source.seed}',
        source=source.job,
        name=source.name,
        episodes=scale.pruning_episodes,
        taus=list(taus),
        pruning=pruning_values(**pruning),
    )


def prune_samples_job(
    source: Source, scale: Scale, taus: Sequence[float], **pruning: str
) -> Job[PruneSamplesValues]:
    """Return the job that measures a freshly trained network after pruning, as `prune_job`."""
    return prune_samples.job(
        f'measure {source.what}, seed {source.seed}, after pruning',
        source=source.job,
        name=source.name,
        episodes=scale.pruning_episodes,
        taus=list(taus),
        samples=scale.samples,
        pruning=pruning_values(**pruning),
    )


def retrain_job(
    source: Source, scale: Scale, pruned: Job[PruneValues], tau: float = TAU, step: int = 1
) -> Job[TrainingValues]:
    """Return the job that retrains a pruned network."""
    return retrain.job(
        f'retrain {source.what}, seed {source.seed}, step {step}, tau {tau:g}',
        source=pruned,
        name=tau_name(tau),
        seed=source.seed,
        step=step,
        max_episodes=scale.retraining_episodes,
        test_episodes=RETRAINED_TEST_EPISODES,
    )


def first_taus(source: Source, scale: Scale) -> tuple[float, ...]:
    """Return the values of tau with which a network is pruned first.

    These are all that are compared if the study of tau prunes the network too, so that the studies
    share their jobs.
    """
    return scale.taus if source.what == condition(Setup.from_values(ANALYSED, '')) else (TAU,)


def reduction(source: Source, scale: Scale, **pruning: str) -> list[Step]:
    """Return the reduction steps of a network, each from the result of the step before.

    Args:
        source: the network.
        scale: numbers of episodes.
        pruning: options of pruning that differ from the defaults.
    """
    steps: list[Step] = []
    for number in range(1, STEPS + 1):
        if not steps:
            taus = (TAU,) if pruning else first_taus(source, scale)
            pruned = prune_job(source, scale, taus, **pruning)
        else:
            pruned = prune.job(
                f'prune {source.what}, seed {source.seed}, step {number}',
                source=steps[-1].trained,
                name=steps[-1].trained_name,
                episodes=scale.pruning_episodes,
                taus=[TAU],
                pruning=pruning_values(**pruning),
            )
        trained = retrain_job(source, scale, pruned, step=number)
        steps.append(
            Step(pruned, tau_name(TAU), trained, network_name(step_seed(source.seed, number)))
        )
    return steps


def jobs_of(steps: Sequence[Step]) -> list[AnyJob]:
    """Return the jobs of reduction steps."""
    return list(itertools.chain.from_iterable((step.pruned, step.trained) for step in steps))

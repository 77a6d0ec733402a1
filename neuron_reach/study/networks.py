# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Jobs that train networks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from neuron_reach.common.random_streams import training_streams
from neuron_reach.learning.setup import Setup
from neuron_reach.study.engine.jobs import Job, function
from neuron_reach.study.engine.results import JobResult, StoredResult

if TYPE_CHECKING:
    from neuron_reach.learning.training import Member, Training

STACKED_WIDTH = 1000
"""Largest total width of a layer in a stack of networks."""

TRAINED_TEST_EPISODES = 3000
"""Number of fresh goals on which the accuracy of a trained network is measured."""

Options = Mapping[str, object]
"""Options of a `Setup` by name."""


class _Member(TypedDict):
    seed: int
    first_pass: int | None
    trained: int | None
    updates: int
    accuracy: float | None


class MemberValues(_Member, total=False):
    """The training of one network.

    Items:
        seed: of the network.
        first_pass: training episodes until the first passed test; None if not within max_episodes.
        trained: training episodes until a second test confirmed it; None likewise.
        updates: of the weights.
        accuracy: share of successes on fresh goals; None if not trained.
        validations: [episodes, successes, tests played] by test; not given by `train_otherwise`.
    """

    validations: list[list[int]]


class TrainingValues(TypedDict):
    """Values of a training job: its networks, in the order of their seeds."""

    members: list[MemberValues]


def _training_seconds(options: Options, seeds: Sequence[int], **_: object) -> float:
    """Estimate CPU seconds; fitted to the table of learning in docs/benchmarks.md."""
    setup = Setup.from_values(options, 'train')
    sizes = setup.layer_sizes
    parameters = sum(a * b for a, b in itertools.pairwise(sizes))
    width = sum(setup.learning.hidden) / len(setup.learning.hidden)
    updates = 2500 * min(1.0, (48 / width) ** (1 / 3)) * (1.5 if setup.arm.joints > 3 else 1.0)
    return float(len(seeds) * updates * (0.75e-3 + 47e-9 * parameters))


@function('train', version=2, seconds=_training_seconds, returns=TrainingValues)
def train(options: Options, seeds: Sequence[int], test_episodes: int) -> JobResult[TrainingValues]:
    """Train a stack of networks, each exactly as it would be alone, and measure their accuracy.

    Args:
        options: of a `Setup`; `seed` is ignored.
        seeds: one per network.
        test_episodes: fresh goals for the accuracy.

    Returns:
        values: `members`, one for each seed.
        networks: `seed_<s>` for every trained one.
    """
    from neuron_reach.learning.training import Training

    setup = Setup.from_values({**options, 'seed': 0}, 'train')
    return run_training(Training(setup, seeds), test_episodes)


def run_training(training: Training, test_episodes: int) -> JobResult[TrainingValues]:
    """Run a training to its end and measure the accuracy of its networks; returns like `train`."""
    from neuron_reach.arm.simulator import FleetSimulator
    from neuron_reach.learning.checkpoint import describe
    from neuron_reach.learning.rollout import greedy_successes

    setup = training.setup
    seeds = [member.seed for member in training.members]
    updates: dict[int, int] = {}

    def after_round(running: Training) -> None:
        for member in running.members:
            updates[member.seed] = running.learner.updates

    training.run(lambda arms: FleetSimulator(setup.arm, arms), after_round)
    members = {member.seed: _describe(member, updates[member.seed]) for member in training.members}
    networks = {}
    fleet = FleetSimulator(setup.arm, min(test_episodes, 300))
    for member, network in training.finished:
        goals = training.task.sample_goals(training_streams(member.seed)['test'], test_episodes)
        won = greedy_successes(fleet, training.task, network, goals[None])[0]
        members[member.seed] = {
            **_describe(member, updates[member.seed]),
            'accuracy': float(won.mean()),
        }
        own = dataclasses.replace(setup.training, seed=member.seed)
        own_setup = dataclasses.replace(setup, training=own).with_hidden(network.sizes[1:-1])
        metadata = describe(own_setup, member, (int(won.sum()), test_episodes))
        networks[network_name(member.seed)] = (network, metadata)
    return JobResult({'members': [members[seed] for seed in seeds]}, networks=networks)


def network_name(seed: int) -> str:
    """Return the name of the network with this seed in the result of a training job."""
    return f'seed_{seed}'


def _describe(member: Member, updates: int) -> MemberValues:
    return {
        'seed': member.seed,
        'first_pass': member.first_pass,
        'trained': member.trained,
        'validations': [list(entry) for entry in member.validations],
        'updates': updates,
        'accuracy': None,
    }


def training_jobs(
    options: Options,
    seeds: Sequence[int],
    stack: int,
    test_episodes: int = TRAINED_TEST_EPISODES,
) -> list[Job[TrainingValues]]:
    """Return the jobs that train networks with these seeds, in stacks of at most this size.

    Stacks of wide networks, which save no time, are smaller, so that no job takes much more than a
    minute. Jobs contain all options, so that changed defaults make other jobs.

    Raises:
        UserError: an option is out of range.
    """
    setup = Setup.from_values(options, 'study')
    stack = max(1, min(stack, STACKED_WIDTH // max(setup.learning.hidden)))
    values = setup.values()
    del values['seed']
    jobs = []
    for first in range(0, len(seeds), stack):
        part = list(seeds[first : first + stack])
        label = f'train {condition(setup)}, seeds {part[0]} to {part[-1]}'
        jobs.append(train.job(label, options=values, seeds=part, test_episodes=test_episodes))
    return jobs


def condition(setup: Setup) -> str:
    """Describe arm and layers in a few words, such as `3 joints, 6 x 48`."""
    hidden = setup.learning.hidden
    layers = ' '.join(map(str, hidden))
    if len(set(hidden)) == 1:
        layers = f'{len(hidden)} x {hidden[0]}'
    joints = setup.arm.joints
    return f'{joints} joint{"" if joints == 1 else "s"}, {layers}'


def member_of(result: StoredResult[TrainingValues], seed: int) -> MemberValues:
    """Return the training of the network with this seed from the result of a training job."""
    return next(member for member in result.values['members'] if member['seed'] == seed)

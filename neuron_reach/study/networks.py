"""Jobs that make networks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neuron_reach.common.files import Kind
from neuron_reach.common.random_streams import training_streams
from neuron_reach.learning.setup import Setup
from neuron_reach.study.engine.jobs import Job, Result, StoredResult, function

if TYPE_CHECKING:
    from neuron_reach.learning.training import Member, Training

STACKED_WIDTH = 1000
"""Largest width of a layer of all networks in a stack."""

TRAINED_TEST_EPISODES = 3000
"""Fresh goals on which the accuracy of a trained network is measured."""

MEMBERS: Kind = {
    'members': [
        {
            'seed': int,
            'first_pass': int | None,
            'trained': int | None,
            'updates': int,
            'accuracy': float | None,
        }
    ]
}
"""What the results of training jobs hold, see `train`."""


def _training_seconds(options: Mapping[str, Any], seeds: Sequence[int], **_: Any) -> float:
    """Estimate CPU seconds; fitted to the table of learning in docs/benchmarks.md."""
    setup = Setup.from_values(options, 'train')
    sizes = setup.layer_sizes
    parameters = sum(a * b for a, b in itertools.pairwise(sizes))
    width = sum(setup.learning.hidden) / len(setup.learning.hidden)
    updates = 2500 * min(1.0, (48 / width) ** (1 / 3)) * (1.5 if setup.arm.joints > 3 else 1.0)
    return float(len(seeds) * updates * (0.75e-3 + 47e-9 * parameters))


@function('train', version=2, seconds=_training_seconds, returns=MEMBERS)
def train(options: Mapping[str, Any], seeds: Sequence[int], test_episodes: int) -> Result:
    """Train a stack of networks, each as it would be alone, and measure their accuracy.

    Args:
        options: those of a `Setup`; `seed` is set aside.
        seeds: one a network.
        test_episodes: fresh goals for the accuracy.

    Returns:
        values: `members`, in the order of the seeds: seed; first_pass and trained (episodes, None
            if not within max_episodes); validations ([episodes, successes, tests played]);
            updates; accuracy (None if not trained).
        networks: `seed_<s>` for every trained one.
    """
    from neuron_reach.learning.training import Training

    setup = Setup.from_values({**options, 'seed': 0}, 'train')
    return run_training(Training(setup, seeds), test_episodes)


def run_training(training: Training, test_episodes: int) -> Result:
    """Run a training to its end and measure the accuracy of its networks; returns as `train`."""
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
    return Result({'members': [members[seed] for seed in seeds]}, networks=networks)


def network_name(seed: int) -> str:
    """Return the name of the network with this seed in the result of a training job."""
    return f'seed_{seed}'


def _describe(member: Member, updates: int) -> dict[str, Any]:
    return {
        'seed': member.seed,
        'first_pass': member.first_pass,
        'trained': member.trained,
        'validations': [list(entry) for entry in member.validations],
        'updates': updates,
        'accuracy': None,
    }


def training_jobs(
    options: Mapping[str, Any],
    seeds: Sequence[int],
    stack: int,
    test_episodes: int = TRAINED_TEST_EPISODES,
) -> list[Job]:
    """Return the jobs that train networks with these seeds, so many as a stack in each.

    Stacks of wide networks, which save no time, are smaller: no job shall take much more than a
    minute.

    All options are written out in them, so that changed defaults are other jobs.

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
    """Say which arm and layers in a few words, such as `3 joints, 6 x 48`."""
    hidden = setup.learning.hidden
    layers = ' '.join(map(str, hidden))
    if len(set(hidden)) == 1:
        layers = f'{len(hidden)} x {hidden[0]}'
    joints = setup.arm.joints
    return f'{joints} joint{"" if joints == 1 else "s"}, {layers}'


def member_of(result: StoredResult, seed: int) -> dict[str, Any]:
    """Return what the result of a training job says of the network with this seed."""
    members: list[dict[str, Any]] = result.values['members']
    return next(member for member in members if member['seed'] == seed)

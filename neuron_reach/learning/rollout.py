# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Playing episodes: the one loop behind training, validation, recording and live runs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from neuron_reach.arm.task import ReachingTask
from neuron_reach.common.arrays import Array, Flags, Integers, Single
from neuron_reach.learning.qnetwork import QNetwork, greedy


class Arms(Protocol):
    """A fleet of arms, simulated in this process or reached over ROS topics."""

    arms: int

    def reset(self) -> Array:
        """Put all arms into the start pose; return the joint angles, (arms, n), rad."""

    def send(self, targets: Array) -> None:
        """Command new target angles, (arms, n), rad; returns at once."""

    def receive(self) -> Array:
        """Wait for the end of the control cycle; return the joint angles, (arms, n), rad."""


class Watcher(Protocol):
    """Somebody who looks on while episodes are played, such as the publisher of a ROS node."""

    def begin(self, goals: Array) -> None:
        """A round of episodes starts, one per arm, with goals (arms, 2)."""

    def observe(self, observations: Single) -> None:
        """The policy acts on observations (arms, inputs)."""

    def end(self, final_rewards: Array) -> None:
        """The round is over, with the reward of each arm's last step, (arms,)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rollout:
    """One round of episodes.

    Attributes:
        observations: (steps + 1, members, arms, inputs).
        actions: (steps, members, arms).
        rewards: of the state each action led to, (steps, members, arms).
    """

    observations: Single
    actions: Integers
    rewards: Array


def play(
    fleet: Arms,
    task: ReachingTask,
    goals: Array,
    choose: Callable[[Single], Integers],
    meanwhile: Callable[[], None] | None = None,
    watcher: Watcher | None = None,
) -> Rollout:
    """Play one round of episodes.

    Args:
        fleet: its arms are shared out to the members in blocks; those beyond that rest.
        task: the reaching task.
        goals: (members, arms of a member, 2), m.
        choose: maps observations (members, arms, inputs) to actions (members, arms).
        meanwhile: called in every control cycle while the arms move.
        watcher: told of every observation.
    """
    members, arms, _ = goals.shape
    steps, joints, playing = task.options.episode_steps, task.arm.joints, members * arms
    observations = np.empty((steps + 1, members, arms, task.observation_size), np.float32)
    actions = np.empty((steps, members, arms), np.int64)
    angles = np.empty((steps + 1, members, arms, joints))
    targets = np.tile(task.arm.start_pose, (fleet.arms, 1))
    own_targets = targets[:playing].reshape(members, arms, joints)  # a view
    if watcher is not None:
        watcher.begin(goals.reshape(-1, 2))
    angles[0] = fleet.reset()[:playing].reshape(own_targets.shape)
    for step in range(steps):
        observations[step] = task.observe(angles[step], goals)
        actions[step] = choose(observations[step])
        own_targets += task.actions[actions[step]]
        fleet.send(targets)
        if watcher is not None:  # only now, as the arms move meanwhile
            watcher.observe(observations[step].reshape(playing, -1))
        if meanwhile is not None:
            meanwhile()
        angles[step + 1] = fleet.receive()[:playing].reshape(own_targets.shape)
    observations[steps] = task.observe(angles[steps], goals)
    rewards = task.reward(angles[1:], goals)
    if watcher is not None:
        watcher.end(rewards[-1].reshape(-1))
    return Rollout(observations, actions, rewards)


def greedy_successes(
    fleet: Arms,
    task: ReachingTask,
    network: QNetwork,
    goals: Array,
    *,
    members: Sequence[int] | None = None,
    stop_after_failures: int | None = None,
    watcher: Watcher | None = None,
) -> list[Flags]:
    """Play greedy episodes, one for each goal, in rounds of as many as the fleet has arms.

    Args:
        fleet: its arms are shared out to the members in blocks.
        task: the reaching task.
        network: acts greedily.
        goals: (members, episodes, 2), m.
        members: of the stack that are tested; all if None.
        stop_after_failures: a member with more failures than this is tested no further; the
            verdict "passed or not" stays that of the whole test (curtailed sampling).
        watcher: told of every observation.

    Returns:
        For each member the successes of the episodes it played, in the order of its goals.
    """
    stack, episodes, _ = goals.shape
    arms = fleet.arms // stack
    tested = np.arange(stack) if members is None else np.array(members)
    won: list[list[Flags]] = [[] for _ in range(stack)]
    for start in range(0, episodes, arms):
        batch = goals[tested, start : start + arms]
        count = batch.shape[1]
        batch = np.pad(batch, ((0, 0), (0, arms - count), (0, 0)), mode='edge')
        part = network.select(tested)
        rollout = play(fleet, task, batch, functools.partial(greedy, part), watcher=watcher)
        for member, row in zip(tested, task.success(rollout.rewards[-1][:, :count]), strict=True):
            won[member].append(row)
        if stop_after_failures is not None:
            failures = [sum((~row).sum() for row in won[member]) for member in tested]
            tested = tested[np.array(failures) <= stop_after_failures]
            if not len(tested):
                break
    return [np.concatenate([np.zeros(0, bool), *rows]) for rows in won]

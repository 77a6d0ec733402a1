"""Playing episodes: the one loop behind training, validation, recording and live runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuron_reach.arm.task import ReachingTask
from neuron_reach.learning.qnetwork import QNetwork, greedy


class Arms(Protocol):
    """A fleet of arms, simulated in this process or reached over ROS topics."""

    arms: int

    def reset(self) -> NDArray[np.float64]:
        """Put all arms into the start pose; return the joint angles, (arms, n), rad."""

    def send(self, targets: NDArray[np.float64]) -> None:
        """Command new target angles, (arms, n), rad; returns at once."""

    def receive(self) -> NDArray[np.float64]:
        """Wait for the end of the control cycle; return the joint angles, (arms, n), rad."""


class Watcher(Protocol):
    """Somebody who looks on while episodes are played, such as the publisher of a ROS node."""

    def begin(self, goals: NDArray[np.float64]) -> None:
        """A round of episodes starts, one per arm, with goals (arms, 2)."""

    def observe(self, observations: NDArray[np.float32]) -> None:
        """The policy acts on observations (arms, inputs)."""

    def end(self, final_rewards: NDArray[np.float64]) -> None:
        """The round is over, with the reward of each arm's last step, (arms,)."""


@dataclasses.dataclass(frozen=True)
class Rollout:
    """One round of episodes.

    Attributes:
        observations: (steps + 1, members, arms, inputs).
        actions: (steps, members, arms).
        rewards: of the state each action led to, (steps, members, arms).
    """

    observations: NDArray[np.float32]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float64]


def play(
    fleet: Arms,
    task: ReachingTask,
    goals: NDArray[np.float64],
    choose: Callable[[NDArray[np.float32]], NDArray[np.int64]],
    meanwhile: Callable[[], None] | None = None,
    watcher: Watcher | None = None,
) -> Rollout:
    """Play one round of episodes with every arm of the fleet.

    Args:
        fleet: its arms are shared out to the members in blocks.
        task: the reaching task.
        goals: (members, arms of a member, 2), m.
        choose: maps observations (members, arms, inputs) to actions (members, arms).
        meanwhile: called in every control cycle while the arms move.
        watcher: told of every observation.
    """
    members, arms, _ = goals.shape
    steps, joints = task.options.episode_steps, task.arm.joints
    observations = np.empty((steps + 1, members, arms, task.observation_size), np.float32)
    actions = np.empty((steps, members, arms), np.int64)
    angles = np.empty((steps + 1, members, arms, joints))
    targets = np.empty((members, arms, joints))
    targets[:] = task.arm.start_pose
    if watcher is not None:
        watcher.begin(goals.reshape(-1, 2))
    angles[0] = fleet.reset().reshape(targets.shape)
    for step in range(steps):
        observations[step] = task.observe(angles[step], goals)
        actions[step] = choose(observations[step])
        targets += task.actions[actions[step]]
        fleet.send(targets.reshape(-1, joints))
        if watcher is not None:  # only now, as the arms move meanwhile
            watcher.observe(observations[step].reshape(members * arms, -1))
        if meanwhile is not None:
            meanwhile()
        angles[step + 1] = fleet.receive().reshape(targets.shape)
    observations[steps] = task.observe(angles[steps], goals)
    rewards = task.reward(angles[1:], goals)
    if watcher is not None:
        watcher.end(rewards[-1].reshape(-1))
    return Rollout(observations, actions, rewards)


def greedy_successes(
    fleet: Arms,
    task: ReachingTask,
    network: QNetwork,
    goals: NDArray[np.float64],
    *,
    stop_after_failures: int | None = None,
    watcher: Watcher | None = None,
) -> list[NDArray[np.bool_]]:
    """Play greedy episodes, one for each goal, in rounds of as many as the fleet has arms.

    Args:
        fleet: its arms are shared out to the members in blocks.
        task: the reaching task.
        network: acts greedily.
        goals: (members, episodes, 2), m.
        stop_after_failures: a member with more failures than this is tested no further; the
            verdict "passed or not" stays that of the whole test (curtailed sampling).
        watcher: told of every observation.

    Returns:
        For each member the successes of the episodes it played, in the order of its goals.
    """
    members, episodes, _ = goals.shape
    arms = fleet.arms // members
    won = np.zeros((members, 0), bool)
    played = np.full(members, episodes)
    for start in range(0, episodes, arms):
        batch = goals[:, start : start + arms]
        count = batch.shape[1]
        batch = np.pad(batch, ((0, 0), (0, arms - count), (0, 0)), mode='edge')
        rollout = play(fleet, task, batch, lambda seen: greedy(network, seen), watcher=watcher)
        won = np.concatenate((won, task.success(rollout.rewards[-1][:, :count])), axis=1)
        if stop_after_failures is not None:
            hopeless = (~won).sum(axis=1) > stop_after_failures
            played = np.where(hopeless, np.minimum(played, won.shape[1]), played)
            if hopeless.all():
                break
    return [row[:count] for row, count in zip(won, played, strict=True)]

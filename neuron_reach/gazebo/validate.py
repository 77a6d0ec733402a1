# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Measure in Gazebo the success rate of a policy trained on the kinematic arm."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.arm.task import ReachingTask
from neuron_reach.common.arrays import Array, Flags, Single
from neuron_reach.common.progress import Progress
from neuron_reach.common.random_streams import training_streams
from neuron_reach.gazebo.arms import GazeboArms
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.learning.rollout import Arms, greedy_successes
from neuron_reach.learning.validation import accuracy_interval
from neuron_reach.records.networks import load_network


@dataclasses.dataclass(frozen=True)
class Result:
    """Greedy episodes of one network.

    Attributes:
        joints: joints of the arm.
        successes: successful episodes.
        episodes: played episodes.
        cycles: control cycles per second of wall time and arm.
        physics_share: fraction of the wall time that Gazebo spent advancing; else 0.
    """

    joints: int
    successes: int
    episodes: int
    cycles: float
    physics_share: float

    def __str__(self) -> str:
        low, high = accuracy_interval(self.successes, self.episodes)
        share = self.successes / self.episodes
        return f'{self.successes}/{self.episodes} = {share:.3f} [{low:.3f}, {high:.3f}]'


def validate(
    checkpoint: str | Path, gazebo: GazeboOptions | None, episodes: int, arms: int
) -> Result:
    """Play greedy episodes with goals not used in training, the same for every simulator.

    Args:
        checkpoint: folder of a trained network.
        gazebo: options of the simulation; None for the kinematic arm.
        episodes: number of episodes.
        arms: number of arms in the fleet.

    Raises:
        UserError: the checkpoint is damaged, or Gazebo is missing or fails.
    """
    loaded = load_network(Path(checkpoint))
    setup = loaded.setup
    task = ReachingTask(setup.task, setup.arm)
    goals = task.sample_goals(training_streams(loaded.metadata['seed'])['test'], episodes)
    arms = min(arms, episodes)

    def play(fleet: Arms) -> tuple[Flags, float]:
        progress = Progress(f'{setup.arm.joints} joints', episodes)
        watcher = _Counter(progress, arms)
        start = time.monotonic()
        won = greedy_successes(fleet, task, loaded.network, goals[None], watcher=watcher)[0]
        progress.close()
        return won, time.monotonic() - start

    if gazebo is None:
        won, duration = play(FleetSimulator(setup.arm, arms))
        busy = 0.0
    else:
        with GazeboArms(setup.arm, arms, gazebo) as fleet:
            before = fleet.busy
            won, duration = play(fleet)
            busy = fleet.busy - before
    cycles = setup.task.episode_steps * -(-episodes // arms) / duration
    return Result(
        joints=setup.arm.joints,
        successes=int(won.sum()),
        episodes=episodes,
        cycles=cycles,
        physics_share=busy / duration,
    )


class _Counter:
    """Shows the progress of a fleet's rounds."""

    def __init__(self, progress: Progress, arms: int) -> None:
        self._progress, self._arms, self._done = progress, arms, 0

    def begin(self, goals: Array) -> None:
        """Do nothing."""

    def observe(self, observations: Single) -> None:
        """Do nothing."""

    def end(self, final_rewards: Array) -> None:
        """Count."""
        self._done += self._arms
        self._progress.update(self._done)

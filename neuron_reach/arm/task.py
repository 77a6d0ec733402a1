# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The reaching task: observations, actions, rewards, and the region of the goals."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.arm.kinematics import forward_kinematics
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.common.arrays import Array, Flags, Single
from neuron_reach.common.options import option

ACTION_STEP = 0.05
"""Change of a joint's target angle by one action, rad (paper, section 3)."""

CELL_SHARE = 0.02
"""Edge length of a cell of the goal region, as a share of the arm's length."""


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """Options of the task; the defaults are those of the paper, or ours where it gives no value."""

    episode_steps: int = option(60, 'control steps in an episode', low=1, high=10000)
    reach_steps: int = option(
        50,
        'goals are reachable within this many control steps',
        low=1,
        high=10000,
    )
    goals: str = option(
        'upper', 'region of the goals: upper half plane or full disc', choices=('upper', 'full')
    )
    reward: str = option(
        'inverse', 'inverse: (1/(1+d))^2, linear: (1-d/d_max)^2', choices=('inverse', 'linear')
    )
    success_reward: float = option(
        0.9, 'an episode succeeds if its last reward is at least this', low=0.0, high=1.0
    )


def action_table(joints: int) -> Array:
    """Return the change of the target angles by each action, (3^n, n), rad.

    The actions are all combinations of -0.05, 0 and +0.05 rad; the last joint changes fastest.
    """
    return ACTION_STEP * np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=joints)))


class ReachingTask:
    """Observation, reward and goals for one kind of arm."""

    def __init__(self, options: TaskOptions, arm: ArmOptions) -> None:
        self.options = options
        self.arm = arm
        self.actions = action_table(arm.joints)
        self.observation_size = 2 * arm.joints + 2
        self._link_lengths = arm.link_lengths

    def observe(self, joint_angles: ArrayLike, goals: ArrayLike) -> Single:
        """Return x = [sin t1, cos t1, ..., sin tn, cos tn, x*, y*] (equation 1 of the paper).

        Args:
            joint_angles: (..., n), measured, rad.
            goals: (..., 2), m.

        Returns:
            (..., 2n + 2).
        """
        angles = np.asarray(joint_angles)
        observation = np.empty((*angles.shape[:-1], self.observation_size), np.float32)
        np.sin(angles, out=observation[..., 0:-2:2], casting='same_kind')
        np.cos(angles, out=observation[..., 1:-2:2], casting='same_kind')
        observation[..., -2:] = goals
        return observation

    def distance(self, joint_angles: ArrayLike, goals: ArrayLike) -> Array:
        """Return the distance of the tip from the goal, (...), m."""
        tip = forward_kinematics(joint_angles, self._link_lengths)
        offset = tip - np.asarray(goals, dtype=np.float64)
        distance: Array = np.hypot(offset[..., 0], offset[..., 1])
        return distance

    def reward(self, joint_angles: ArrayLike, goals: ArrayLike) -> Array:
        """Return r in [0, 1] (paper, section 3) for angles (..., n) and goals (..., 2)."""
        return self.reward_at(self.distance(joint_angles, goals))

    def reward_at(self, distance: Array) -> Array:
        """Return r in [0, 1] for distances of the tip from the goal, (...), m."""
        if self.options.reward == 'inverse':
            return (1.0 / (1.0 + distance)) ** 2
        return np.clip(1.0 - distance / (2.0 * self.arm.arm_length), 0.0, None) ** 2

    def success(self, final_reward: ArrayLike) -> Flags:
        """Return which episodes succeeded, given the reward of their last step, (...)."""
        return np.asarray(final_reward) >= self.options.success_reward

    def sample_goals(self, generator: np.random.Generator, count: int) -> Array:
        """Draw goals uniformly from the area that the arm can reach, (count, 2), m."""
        cells, edge = goal_cells(self.arm, self.options)
        corners = cells[generator.integers(len(cells), size=count)]
        return corners + edge * generator.random((count, 2))


@functools.lru_cache(maxsize=16)
def goal_cells(arm: ArmOptions, task: TaskOptions) -> tuple[Array, float]:
    """Find the square cells of the x-z plane that the tip can reach within `reach_steps`.

    The reachable joint angles form a box around the start pose. The tip positions of a
    low-discrepancy set (Sobol) of these angles mark the cells. The distance of each point of a
    marked cell from a tip position is at most the diagonal of the cell, much less than the radius
    of success.

    Returns:
        Lower left corners, (cells, 2), and the edge length of a cell, both in m.
    """
    from scipy.stats import qmc  # takes 0.5 s to import; only policies draw goals

    span = ACTION_STEP * task.reach_steps
    sobol = qmc.Sobol(arm.joints, scramble=False)
    angles = arm.start_pose + span * (2.0 * sobol.random_base2(19 if arm.joints > 2 else 16) - 1.0)
    edge = CELL_SHARE * arm.arm_length
    index = np.floor(forward_kinematics(angles, arm.link_lengths) / edge).astype(np.int64)
    if task.goals == 'upper':
        index = index[index[:, 1] >= 0]
    width = int(4.0 / CELL_SHARE)
    flat = np.unique((index[:, 0] + width // 2) * width + index[:, 1] + width // 2)
    return np.stack((flat // width, flat % width), axis=-1) * edge - width // 2 * edge, edge

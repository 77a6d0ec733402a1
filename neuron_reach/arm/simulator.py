# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Fleets of kinematic arms: velocity-limited joints with PID position controllers.

All arms of a fleet are advanced together as one array; the motion of an arm does not depend on the
number of other arms.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.common.arrays import Array, Flags
from neuron_reach.common.options import option

CONTROL_PERIOD = 0.05
"""Length of one control cycle, s (paper, section 3)."""


@dataclasses.dataclass(frozen=True)
class ArmOptions:
    """The arm and its joint controllers."""

    joints: int = option(3, 'number of revolute joints', low=1, high=6)
    arm_length: float = option(1.0, 'total length of all links, m', low=0.1, high=1.8)
    bend: float = option(
        0.3, 'angle of all joints except the first in the start pose, rad', low=-3.0, high=3.0
    )
    inner_steps: int = option(10, 'PID steps in one 50 ms control cycle', low=10, high=1000)
    pid_p: float = option(80.0, 'proportional gain, 1/s', low=0.0, high=200.0)
    pid_i: float = option(10.0, 'integral gain, 1/s^2', low=0.0, high=10000.0)
    pid_d: float = option(0.05, 'derivative gain (on the measured velocity)', low=0.0, high=0.9)
    integral_limit: float = option(
        0.2, 'largest integral term of the output, rad/s (anti-windup)', low=0.0, high=10.0
    )
    velocity_limit: float = option(3.0, 'largest joint velocity, rad/s', low=0.1, high=100.0)

    @property
    def link_lengths(self) -> Array:
        """Lengths of the links, (n,), m; all links have the same length."""
        return np.full(self.joints, self.arm_length / self.joints)

    @property
    def start_pose(self) -> Array:
        """Joint angles at the start of an episode, (n,), rad.

        The arm is bent, so that the Jacobian has full rank, symmetrically about the upright.
        """
        pose = np.full(self.joints, self.bend)
        pose[0] = math.pi / 2 - self.bend * (self.joints - 1) / 2
        return pose


class FleetSimulator:
    """A fleet of identical arms, advanced together by whole control cycles.

    Each joint is an integrator with a velocity limit. Its controller is a PID in parallel form,
    v = clip(p e + I - d v_measured). The integral term I is clamped (anti-windup), and the
    derivative is that of the measurement, so that a step of the target causes no derivative kick.
    """

    def __init__(self, options: ArmOptions, arms: int) -> None:
        """Make a fleet of `arms` arms in the start pose."""
        from neuron_reach.arm.pid import pid_steps

        self._pid_steps = pid_steps
        self.options = options
        self.arms = arms
        shape = (arms, options.joints)
        self._angles = np.empty(shape)
        self._velocities = np.empty(shape)
        self._integral = np.empty(shape)
        self._targets = np.empty(shape)
        self.reset()
        self._advance(0)  # compile now, so that the first cycle is as fast as the others

    @property
    def joint_angles(self) -> Array:
        """Measured joint angles, a copy, (arms, n), rad."""
        angles: Array = self._angles.copy()
        return angles

    @property
    def joint_velocities(self) -> Array:
        """Measured joint velocities, a copy, (arms, n), rad/s."""
        velocities: Array = self._velocities.copy()
        return velocities

    def reset(self, chosen: Flags | None = None) -> Array:
        """Put all arms, or the `chosen` ones, (arms,), into the start pose, at rest.

        Returns:
            The joint angles, (arms, n).
        """
        where = slice(None) if chosen is None else chosen
        self._angles[where] = self.options.start_pose
        self._targets[where] = self.options.start_pose
        self._velocities[where] = 0.0
        self._integral[where] = 0.0
        return self.joint_angles

    def send(self, targets: ArrayLike) -> None:
        """Set new target angles of the controllers, (arms, n), rad."""
        self._targets[:] = targets

    def receive(self) -> Array:
        """Advance one control cycle (50 ms) and return the joint angles, (arms, n), rad."""
        self._advance(self.options.inner_steps)
        return self.joint_angles

    def _advance(self, steps: int) -> None:
        options = self.options
        self._pid_steps(
            self._angles.reshape(-1),
            self._velocities.reshape(-1),
            self._integral.reshape(-1),
            self._targets.reshape(-1),
            steps,
            CONTROL_PERIOD / options.inner_steps,
            (options.pid_p, options.pid_i, options.pid_d),
            options.integral_limit,
            options.velocity_limit,
        )

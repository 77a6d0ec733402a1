# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Arms in Gazebo, controlled from this process; the same interface as the kinematic fleet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.common.arrays import Array
from neuron_reach.gazebo import server, world
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.gazebo.server import Server


class GazeboArms:
    """A fleet of equal arms in Gazebo's physics, advanced together by whole control cycles.

    Each joint is moved by the position PID of Gazebo's own joint controller, with the gains of the
    robot description. Time stands still between control cycles. See `learning.rollout.Arms`.

    Attributes:
        options: the arm; the options of its kinematic controller are not used.
        gains: of the joints' position PID.
        time: simulated time, s.
        busy: wall time that Gazebo has spent advancing, s.
    """

    def __init__(
        self,
        arm: ArmOptions,
        arms: int,
        gazebo: GazeboOptions | None = None,
        *,
        extra: str = '',
        arguments: Sequence[str] = (),
    ) -> None:
        """Start Gazebo with `arms` arms in the start pose.

        Args:
            arm: the arm.
            arms: number of arms, side by side.
            gazebo: physics steps, payload, factor of the gains.
            extra: additional XML elements of the world.
            arguments: additional arguments of gzserver.

        Raises:
            UserError: Gazebo is not installed or does not start.
        """
        self.options = arm
        self.arms = arms
        self._gazebo = gazebo or GazeboOptions()
        self._shape = (arms, arm.joints)
        text, self.gains = world.build(arm, arms, self._gazebo, extra)
        self._server = Server(text, arms * arm.joints, *arguments)
        try:
            self.set_gains(self.gains)
            self.reset()
            # The first steps after the start initialize state that later episodes find initialized.
            self.receive()
            self.reset()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> GazeboArms:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop Gazebo."""
        self._server.close()

    @property
    def pid(self) -> int:
        """Process id of gzserver."""
        return self._server.pid

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

    def reset(self) -> Array:
        """Put every arm at rest into the start pose and return the joint angles, (arms, n)."""
        return self.place(np.broadcast_to(self.options.start_pose, self._shape))

    def place(self, joint_angles: ArrayLike) -> Array:
        """Put every arm at rest into a pose, (arms, n), rad; return the joint angles."""
        self._targets = self._flat(joint_angles)
        return self._take(self._server.request(server.RESET, self._targets))

    def send(self, targets: ArrayLike) -> None:
        """Set the target angles of the controllers, (arms, n), rad."""
        self._targets = self._flat(targets)

    def receive(self, physics_steps: int | None = None) -> Array:
        """Advance one control cycle (50 ms) or some physics steps; return angles, (arms, n), rad.

        Raises:
            UserError: Gazebo has exited or does not answer.
        """
        steps = self._gazebo.physics_steps if physics_steps is None else physics_steps
        request = np.concatenate(([float(steps)], self._targets))
        return self._take(self._server.request(server.ADVANCE, request))

    def show_goals(self, goals: ArrayLike) -> None:
        """Move the goal spheres to (arms, 2), m."""
        values = np.asarray(goals, np.float64).reshape(self.arms * 2)
        self._server.request(server.GOALS, values)

    def set_gains(self, gains: list[world.Gains]) -> None:
        """Set the gains of the controllers, one for each joint of an arm."""
        values = [value for joint in gains for value in dataclasses.astuple(joint)]
        self._server.request(server.GAINS, values)

    def _flat(self, values: ArrayLike) -> Array:
        return np.asarray(values, np.float64).reshape(self._shape).reshape(-1)

    def _take(self, answer: Array) -> Array:
        self.time, self.busy = float(answer[0]), float(answer[1])
        angles, velocities = answer[2:].reshape(2, *self._shape)
        self._angles, self._velocities = angles, velocities
        return self.joint_angles

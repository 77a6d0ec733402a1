# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Step responses of the joints, to assess the position controllers."""

from __future__ import annotations

import dataclasses

import numpy as np

from neuron_reach.arm.simulator import CONTROL_PERIOD
from neuron_reach.common.arrays import Array
from neuron_reach.gazebo.arms import GazeboArms


@dataclasses.dataclass(frozen=True)
class Response:
    """One joint's response to a step of its target; the other joints hold their pose.

    Attributes:
        time: (samples,), s from the step.
        angle: (samples,), fraction of the step.
        others: largest motion of any other joint, fraction of the step.
    """

    time: Array
    angle: Array
    others: float

    @property
    def rise_time(self) -> float:
        """Time from a tenth to nine tenths of the step, s; infinite if not reached."""
        first, last = (np.argmax(self.angle >= share) for share in (0.1, 0.9))
        if self.angle[last] < 0.9:
            return float('inf')
        return float(self.time[last] - self.time[first])

    @property
    def overshoot(self) -> float:
        """Largest excess over the target, fraction of the step."""
        return max(0.0, float(self.angle.max()) - 1.0)

    @property
    def settling_time(self) -> float:
        """Time after which the angle stays within a twentieth of the step, s."""
        outside = np.flatnonzero(np.abs(self.angle - 1.0) > 0.05)
        return float(self.time[outside[-1] + 1]) if outside[-1] + 1 < self.time.size else np.inf

    @property
    def steady_error(self) -> float:
        """Mean distance from the target over the last 10 %, fraction of the step."""
        return float(np.abs(self.angle[-self.angle.size // 10 :] - 1.0).mean())


def step_response(
    arms: GazeboArms, joint: int, step: float, duration: float, physics_steps: int
) -> Response:
    """Measure the response of a joint of the first arm, from rest in the start pose.

    Args:
        arms: of which the first is measured.
        joint: counted from 0.
        step: of the joint's target, rad.
        duration: of the measurement, s.
        physics_steps: in one control cycle.
    """
    target = np.tile(arms.options.start_pose, (arms.arms, 1))
    arms.reset()
    for _ in range(round(2.0 / CONTROL_PERIOD)):  # until the integral term carries the weight
        arms.receive()
    start = arms.joint_angles[0]
    target[:, joint] += step
    arms.send(target)
    begin, times, angles = arms.time, [0.0], [start]
    for _ in range(round(duration / CONTROL_PERIOD * physics_steps)):
        angles.append(arms.receive(1)[0])
        times.append(arms.time - begin)
    moved = (np.array(angles) - start) / step
    others = np.delete(moved, joint, axis=1)
    return Response(np.array(times), moved[:, joint], float(np.abs(others).max(initial=0.0)))

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Compiled PID control of joint positions."""

from __future__ import annotations

import numba

from neuron_reach.common.arrays import Array


@numba.njit(cache=True)
def pid_steps(
    angles: Array,
    velocities: Array,
    integral: Array,
    targets: Array,
    steps: int,
    period: float,
    gains: tuple[float, float, float],
    integral_limit: float,
    velocity_limit: float,
) -> None:
    """Advance all joints by PID steps, in place (see `FleetSimulator`).

    Args:
        angles: measured angles, (joints of all arms,), rad.
        velocities: measured velocities, (joints of all arms,), rad/s.
        integral: integral terms, (joints of all arms,), rad/s.
        targets: target angles, (joints of all arms,), rad.
        steps: number of steps.
        period: length of a step, s.
        gains: proportional (1/s), integral (1/s^2), derivative.
        integral_limit: largest integral term, rad/s.
        velocity_limit: largest velocity, rad/s.
    """
    p, i, d = gains
    for _ in range(steps):
        for joint in range(angles.size):  # the inner loop, so that it is vectorized over joints
            error = targets[joint] - angles[joint]
            velocity = p * error + integral[joint] - d * velocities[joint]
            velocity = min(max(velocity, -velocity_limit), velocity_limit)
            term = integral[joint] + i * period * error
            integral[joint] = min(max(term, -integral_limit), integral_limit)
            velocities[joint] = velocity
            angles[joint] += period * velocity

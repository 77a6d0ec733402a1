# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Node `arm_simulator`: a fleet of kinematic arms, in lockstep or in real time.

The node's topics are the same for any fleet; node `gazebo_simulator` runs it with another one.
"""

from __future__ import annotations

import array
import dataclasses
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from numpy.typing import ArrayLike, NDArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.arm.simulator import CONTROL_PERIOD, ArmOptions, FleetSimulator
from neuron_reach.common.options import option
from neuron_reach.nodes.diagnostics import Diagnostics, Problem, ThrottledWarning, problems
from neuron_reach.nodes.duplicates import (
    GRACE_PERIOD,
    POLICY,
    SIMULATOR,
    DuplicateDetector,
    WatchedTopic,
)
from neuron_reach.nodes.entry_point import run_node
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.parameters import declare
from neuron_reach.nodes.publishing import CYCLES_DEPTH, has_subscribers, reliable
from neuron_reach.nodes.topic_arms import CONTROL_PERIOD_NS, LARGEST_ANGLE, MAX_LOST

SILENCE = 0.4
"""Seconds without a command after which one of another sender is accepted if it is repeated."""

MAX_OUT_OF_ORDER = 30
"""Successive commands out of order from which on a second sender is assumed."""

HIGHEST_RATE = 1.5 / CONTROL_PERIOD
"""Commands per second in real time above which a second sender is assumed."""


@dataclasses.dataclass(frozen=True)
class SimulatorOptions:
    """Parameters beside those of the arm."""

    arms: int = option(1, 'arms in the fleet', low=1, high=100_000)
    clock: str = option(
        'lockstep',
        'realtime: a cycle every 50 ms; lockstep: one for every command',
        choices=('realtime', 'lockstep'),
    )


class Fleet(Protocol):
    """Arms of one kind that are advanced together, such as `FleetSimulator`."""

    options: ArmOptions

    @property
    def joint_angles(self) -> NDArray[np.float64]:
        """Measured joint angles, (arms, n), rad."""

    @property
    def joint_velocities(self) -> NDArray[np.float64]:
        """Measured joint velocities, (arms, n), rad/s."""

    def reset(self) -> NDArray[np.float64]:
        """Put every arm at rest into the start pose; return the joint angles."""

    def send(self, targets: ArrayLike) -> None:
        """Give the controllers new target angles, (arms, n), rad."""

    def receive(self) -> NDArray[np.float64]:
        """Advance by one control cycle; return the joint angles."""


class RateMeter:
    """Measures the rate of events.

    Attributes:
        rate: events in the last complete second.
    """

    def __init__(self) -> None:
        self.rate = 0
        self._count = 0
        self._end = 0.0

    def add(self) -> None:
        """Count one event."""
        now = time.monotonic()
        if now >= self._end:
            self.rate = self._count if now < self._end + 1.0 else 0
            self._count, self._end = 0, now + 1.0
        self._count += 1


class ArmSimulator:
    """Turns commands into motion and publishes the joint states.

    In lockstep every new command advances the fleet by exactly one control cycle. Commands carry a
    sequence number: a repeated command is answered again without advancing, and a gap is reported.
    """

    def __init__(
        self, node: Node, make_fleet: Callable[[ArmOptions, int], Fleet] = FleetSimulator
    ) -> None:
        """Declare the parameters and create the fleet with `make_fleet(arm, arms)`."""
        self.node = node
        self.options = declare(node, SimulatorOptions)
        arm = declare(node, ArmOptions)
        self.lockstep = self.options.clock == 'lockstep'
        watched = [
            WatchedTopic(messages.JOINT_STATES, SIMULATOR),
            WatchedTopic(messages.COMMANDS, POLICY, self.has_mixed_commands),
        ]
        self.duplicates = DuplicateDetector(node, SIMULATOR, watched)
        self.duplicates.check_at_start()
        self.fleet = make_fleet(arm, self.options.arms)
        self.cycles = 0
        self.sequence: int | None = None
        self.accepted_at = 0.0  # s
        self.last_rejected: int | None = None  # sequence number
        self.out_of_order = 0
        self.out_of_order_since = 0.0  # s
        self.command_rate = RateMeter()
        self.rejected = ThrottledWarning(node, 'command ignored')
        self.lost = ThrottledWarning(node, 'commands lost')
        self.repeated = 0
        self.duplicates.check_at_start()  # again, because starting the arms may have taken long
        self.loop = Loop(node, self.duplicates.check)
        self.commands = self.loop.subscribe(Float64MultiArray, messages.COMMANDS, reliable(10))
        self.publisher = node.create_publisher(
            JointState,
            messages.JOINT_STATES,
            reliable(CYCLES_DEPTH) if self.lockstep else qos_profile_sensor_data,
        )
        self.clock = node.create_publisher(Clock, 'clock', 10) if self.lockstep else None
        self.state = JointState()
        if self.options.arms == 1:  # the joints of a fleet have no names
            self.state.name = [f'joint_{joint + 1}' for joint in range(arm.joints)]
        self.service = node.create_service(Trigger, 'reset', self.reset)
        self.diagnostics = Diagnostics(node, self.diagnostic_values, self.problems)

    def diagnostic_values(self) -> dict[str, object]:
        """Return the values for /diagnostics."""
        return {
            'control_cycles': self.cycles,
            'arms': self.options.arms,
            'clock': self.options.clock,
            'commands_ignored': self.rejected.count,
            'commands_lost': self.lost.count,
            'commands_repeated': self.repeated,
        }

    def problems(self) -> list[Problem]:
        """Return the problems for /diagnostics."""
        duplicate = problems(self.duplicates.problem, level=DiagnosticStatus.ERROR)
        return duplicate + problems(self.rejected, self.lost)

    def has_mixed_commands(self) -> bool:
        """Tell whether several senders' commands arrive."""
        return self.out_of_order > 2 if self.lockstep else self.command_rate.rate > HIGHEST_RATE

    def reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Service `reset`: put every arm into the start pose and publish its joint state."""
        self.fleet.reset()
        self.publish()
        response.success = True
        response.message = f'{self.options.arms} arms in the start pose'
        return response

    def publish(self) -> None:
        """Publish the joint states; their time stamp is simulated time in lockstep."""
        if self.lockstep:
            seconds, nanoseconds = divmod(self.cycles * CONTROL_PERIOD_NS, 10**9)
            stamp = Time(sec=seconds, nanosec=nanoseconds)
        else:
            stamp = self.node.get_clock().now().to_msg()
        self.state.header.stamp = stamp
        self.state.position = array.array('d', self.fleet.joint_angles.tobytes())
        self.state.velocity = array.array('d', self.fleet.joint_velocities.tobytes())
        self.publisher.publish(self.state)
        if self.clock is not None and has_subscribers(self.clock):
            self.clock.publish(Clock(clock=stamp))

    def accept(self, message: Float64MultiArray) -> bool:
        """Apply the target angles of a command; return whether it requests a new cycle."""
        try:
            sequence, targets = messages.read_commands(message)
        except messages.LayoutError as error:
            self.rejected.add(str(error))
            return False
        shape = (self.options.arms, self.fleet.options.joints)
        if targets.size != shape[0] * shape[1]:
            self.rejected.add(f'{targets.size} joint angles, expected {shape[0]} x {shape[1]}')
            return False
        if not (np.abs(targets) <= LARGEST_ANGLE).all():  # NaN fails this, too
            self.rejected.add(f'joint angles that are not finite or beyond {LARGEST_ANGLE:g} rad')
            return False
        if not self.lockstep:
            self.command_rate.add()
            too_fast = self.command_rate.rate > HIGHEST_RATE
            if too_fast and self.node.count_publishers(messages.COMMANDS) > 1:
                self.duplicates.fail_with_publishers(messages.COMMANDS)
        elif not self.is_next(sequence):
            return False
        self.fleet.send(targets.reshape(shape))
        return True

    def is_next(self, sequence: int | None) -> bool:
        """Tell by its sequence number whether a command in lockstep is the next one.

        With several senders, only commands that continue the sequence of one of them are accepted.
        Another sender takes its place when it is silent.
        """
        if sequence is not None and sequence == self.sequence:
            self.repeated += 1
            self.publish()
            return False
        now = time.monotonic()
        if self.sequence is not None and sequence != self.sequence + 1:
            repeated = sequence is not None and sequence == self.last_rejected
            one_sender = self.node.count_publishers(messages.COMMANDS) <= 1
            if not one_sender and not (repeated and now > self.accepted_at + SILENCE):
                self.reject(sequence)
                return False
            missing = 0 if sequence is None else sequence - self.sequence - 1
            if 0 < missing <= MAX_LOST:
                self.lost.add(f'sequence went from {self.sequence} to {sequence}', missing)
            self.out_of_order = 0
        self.accepted_at = now
        self.last_rejected = None
        if sequence is not None:
            self.sequence = sequence
        return True

    def reject(self, sequence: int | None) -> None:
        """Ignore a command that does not continue the sequence.

        Raises:
            SpoiledError: such commands do not stop.
        """
        self.last_rejected = sequence
        now = time.monotonic()
        if not self.rejected.recent:
            self.out_of_order, self.out_of_order_since = 0, now
        self.out_of_order += 1
        number = 'none' if sequence is None else sequence
        self.rejected.add(f'sequence number {number} does not follow {self.sequence}')
        lasting = now > self.out_of_order_since + GRACE_PERIOD
        if self.out_of_order >= MAX_OUT_OF_ORDER and lasting:
            self.duplicates.fail_with_publishers(messages.COMMANDS)

    def advance(self) -> None:
        """Advance all arms by one control cycle and publish."""
        self.fleet.receive()
        self.cycles += 1
        self.publish()

    def spin(self) -> int:
        """Work until interrupted."""
        if not self.lockstep:
            return self.spin_realtime()
        while True:
            self.loop.wait(1.0)
            while (message := self.commands.take()) is not None:
                if self.accept(message):
                    self.advance()
                self.loop.run_due()

    def spin_realtime(self) -> int:
        """Advance by the wall clock, with the newest command."""
        tick = time.monotonic()
        while True:
            tick = max(tick + CONTROL_PERIOD, time.monotonic())
            while (left := tick - time.monotonic()) > 0:
                self.loop.wait(left)
                while (message := self.commands.take()) is not None:
                    self.accept(message)
                    self.loop.run_due()
            self.advance()


def main() -> int:
    """Run the node."""
    return run_node('arm_simulator', lambda node: ArmSimulator(node).spin())


if __name__ == '__main__':
    raise SystemExit(main())

"""Node `arm_simulator`: a fleet of kinematic arms, in lockstep or in real time.

What the node does on topics is the same for any fleet; node `gazebo_simulator` puts another in.
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
from neuron_reach.nodes.common import (
    CYCLES_DEPTH,
    Diagnostics,
    Problem,
    Throttle,
    declare,
    problems,
    reliable,
    run_node,
)
from neuron_reach.nodes.duplicates import GRACE, POLICY, SIMULATOR, Company, Pace, Watch
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.topic_arms import CONTROL_PERIOD_NS, LARGEST_ANGLE, MOST_LOST

SILENCE = 0.4
"""Seconds without a command after which another sender may take over; it must ask twice."""

STRANGE_COMMANDS = 30
"""Commands out of order, one soon after the other, that are no accident any more if they go on."""

HIGHEST_RATE = 1.5 / CONTROL_PERIOD
"""Commands a second that one sender alone does not send in real time."""


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
    joint_angles: NDArray[np.float64]
    joint_velocities: NDArray[np.float64]

    def reset(self) -> NDArray[np.float64]:
        """Put every arm at rest into the start pose."""

    def send(self, targets: ArrayLike) -> None:
        """Give the controllers new target angles, (arms, n), rad."""

    def receive(self) -> NDArray[np.float64]:
        """Advance by one control cycle."""


class ArmSimulator:
    """Turns commands into motion and publishes the joint states.

    In lockstep every new command advances the fleet by exactly one control cycle. Commands carry a
    sequence number: a repeated one is answered again without advancing, a gap is reported.
    """

    def __init__(
        self, node: Node, make_fleet: Callable[[ArmOptions, int], Fleet] = FleetSimulator
    ) -> None:
        """Declare the parameters and make so many arms of that kind."""
        self.node = node
        self.options = declare(node, SimulatorOptions)
        arm = declare(node, ArmOptions)
        self.lockstep = self.options.clock == 'lockstep'
        watches = [
            Watch(messages.JOINT_STATES, SIMULATOR),
            Watch(messages.COMMANDS, POLICY, self.is_mixed),
        ]
        self.company = Company(node, SIMULATOR, watches)
        self.company.look()
        self.fleet = make_fleet(arm, self.options.arms)
        self.cycles = 0
        self.sequence: int | None = None
        self.obeyed = 0.0  # when
        self.refused: int | None = None  # the sequence number
        self.strange = 0
        self.strange_since = 0.0  # when
        self.pace = Pace()
        self.rejected = Throttle(node, 'command ignored')
        self.lost = Throttle(node, 'commands lost')
        self.repeated = 0
        self.company.look()  # starting the arms may have taken long
        self.loop = Loop(node, self.company.check)
        self.commands = self.loop.subscribe(Float64MultiArray, messages.COMMANDS, reliable(10))
        self.publisher = node.create_publisher(
            JointState,
            messages.JOINT_STATES,
            reliable(CYCLES_DEPTH) if self.lockstep else qos_profile_sensor_data,
        )
        self.clock = node.create_publisher(Clock, 'clock', 10) if self.lockstep else None
        self.state = JointState()
        if self.options.arms == 1:  # a fleet's joints have no names of their own
            self.state.name = [f'joint_{joint + 1}' for joint in range(arm.joints)]
        self.service = node.create_service(Trigger, 'reset', self.reset)
        self.diagnostics = Diagnostics(node, self.figures, self.problems)

    def figures(self) -> dict[str, object]:
        """Return the counts for /diagnostics."""
        return {
            'control_cycles': self.cycles,
            'arms': self.options.arms,
            'clock': self.options.clock,
            'commands_ignored': self.rejected.count,
            'commands_lost': self.lost.count,
            'commands_repeated': self.repeated,
        }

    def problems(self) -> list[Problem]:
        """Return what is wrong, for /diagnostics."""
        second = problems(self.company.problem, level=DiagnosticStatus.ERROR)
        return second + problems(self.rejected, self.lost)

    def is_mixed(self) -> bool:
        """Tell whether commands of several senders come in."""
        return self.strange > 2 if self.lockstep else self.pace.rate > HIGHEST_RATE

    def reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Service `reset`: put every arm into the start pose and publish where it is."""
        self.fleet.reset()
        self.publish()
        response.success = True
        response.message = f'{self.options.arms} arms in the start pose'
        return response

    def publish(self) -> None:
        """Publish where the joints are; time is simulated time in lockstep."""
        if self.lockstep:
            seconds, nanoseconds = divmod(self.cycles * CONTROL_PERIOD_NS, 10**9)
            stamp = Time(sec=seconds, nanosec=nanoseconds)
        else:
            stamp = self.node.get_clock().now().to_msg()
        self.state.header.stamp = stamp
        self.state.position = array.array('d', self.fleet.joint_angles.tobytes())
        self.state.velocity = array.array('d', self.fleet.joint_velocities.tobytes())
        self.publisher.publish(self.state)
        if self.clock is not None and self.clock.get_subscription_count():
            self.clock.publish(Clock(clock=stamp))

    def accept(self, message: Float64MultiArray) -> bool:
        """Take over the target angles of a command; return whether it asks for a new cycle."""
        try:
            sequence, targets = messages.read_commands(message)
        except messages.LayoutError as error:
            self.rejected.add(str(error))
            return False
        shape = (self.options.arms, self.fleet.options.joints)
        if targets.size != shape[0] * shape[1]:
            self.rejected.add(f'{targets.size} joint angles, expected {shape[0]} x {shape[1]}')
            return False
        if not (np.abs(targets) <= LARGEST_ANGLE).all():  # NaN is not
            self.rejected.add(f'joint angles that are not finite or beyond {LARGEST_ANGLE:g} rad')
            return False
        if not self.lockstep:
            self.pace.add()
            if self.pace.rate > HIGHEST_RATE and self.node.count_publishers(messages.COMMANDS) > 1:
                self.company.refuse_crowd(messages.COMMANDS)
        elif not self.is_next(sequence):
            return False
        self.fleet.send(targets.reshape(shape))
        return True

    def is_next(self, sequence: int | None) -> bool:
        """Tell whether a command in lockstep is to be obeyed, by its sequence number.

        While there are several senders, only the commands of one of them follow each other. Another
        may take its place when it is silent.
        """
        if sequence is not None and sequence == self.sequence:
            self.repeated += 1
            self.publish()
            return False
        now = time.monotonic()
        if self.sequence is not None and sequence != self.sequence + 1:
            again = sequence is not None and sequence == self.refused
            alone = self.node.count_publishers(messages.COMMANDS) <= 1
            if not alone and not (again and now > self.obeyed + SILENCE):
                self.refuse(sequence)
                return False
            missing = 0 if sequence is None else sequence - self.sequence - 1
            if 0 < missing <= MOST_LOST:
                self.lost.add(f'sequence went from {self.sequence} to {sequence}', missing)
            self.strange = 0
        self.obeyed = now
        self.refused = None
        if sequence is not None:
            self.sequence = sequence
        return True

    def refuse(self, sequence: int | None) -> None:
        """Ignore a command that is not the next one of the sender that is obeyed.

        Raises:
            SpoiledError: somebody does not stop sending such commands.
        """
        self.refused = sequence
        now = time.monotonic()
        if not self.rejected.recent:
            self.strange, self.strange_since = 0, now
        self.strange += 1
        number = 'none' if sequence is None else sequence
        self.rejected.add(f'sequence number {number} does not follow {self.sequence}')
        if self.strange >= STRANGE_COMMANDS and now > self.strange_since + GRACE:
            self.company.refuse_crowd(messages.COMMANDS)

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
            while (message := self.loop.take(self.commands)) is not None:
                if self.accept(message):
                    self.advance()
                self.loop.attend()

    def spin_realtime(self) -> int:
        """Advance by the wall clock, with whatever command came last."""
        tick = time.monotonic()
        while True:
            tick = max(tick + CONTROL_PERIOD, time.monotonic())
            while (left := tick - time.monotonic()) > 0:
                self.loop.wait(left)
                while (message := self.loop.take(self.commands)) is not None:
                    self.accept(message)
                    self.loop.attend()
            self.advance()


def main() -> int:
    """Run the node."""
    return run_node('arm_simulator', lambda node: ArmSimulator(node).spin())


if __name__ == '__main__':
    raise SystemExit(main())

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
from numpy.typing import ArrayLike, NDArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from neuron_reach.arm.simulator import CONTROL_PERIOD, ArmOptions, FleetSimulator
from neuron_reach.bags import layout
from neuron_reach.nodes.common import Diagnostics, Throttle, declare, reliable, run_node
from neuron_reach.nodes.loop import Loop
from neuron_reach.options import option

CONTROL_PERIOD_NS = round(CONTROL_PERIOD * 1e9)


@dataclasses.dataclass(frozen=True)
class SimulatorOptions:
    """Parameters beside those of the arm."""

    arms: int = option(1, 'arms in the fleet', low=1, high=100_000)
    clock: str = option(
        'realtime',
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
        self.fleet = make_fleet(arm, self.options.arms)
        self.cycles = 0
        self.sequence: int | None = None
        self.rejected = Throttle(node, 'command ignored')
        self.lost = Throttle(node, 'commands lost')
        self.repeated = 0
        self.loop = Loop(node)
        self.commands = self.loop.subscribe(Float64MultiArray, layout.COMMANDS, reliable(10))
        self.publisher = node.create_publisher(
            JointState,
            layout.JOINT_STATES,
            reliable(10) if self.lockstep else qos_profile_sensor_data,
        )
        self.clock = node.create_publisher(Clock, 'clock', 10) if self.lockstep else None
        self.state = JointState()
        if self.options.arms == 1:  # a fleet's joints have no names of their own
            self.state.name = [f'joint_{joint + 1}' for joint in range(arm.joints)]
        self.service = node.create_service(Trigger, 'reset', self.reset)
        self.diagnostics = Diagnostics(node, self.figures)

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
            sequence, targets = layout.read_commands(message)
        except layout.LayoutError as error:
            self.rejected.add(str(error))
            return False
        shape = (self.options.arms, self.fleet.options.joints)
        if targets.size != shape[0] * shape[1]:
            self.rejected.add(f'{targets.size} joint angles, expected {shape[0]} x {shape[1]}')
            return False
        if not np.isfinite(targets).all():
            self.rejected.add('joint angles that are not finite')
            return False
        if sequence is not None:
            if sequence == self.sequence:
                self.repeated += 1
                self.publish()
                return False
            if self.sequence is not None and sequence > self.sequence + 1:
                missing = sequence - self.sequence - 1
                self.lost.add(f'sequence went from {self.sequence} to {sequence}', missing)
            self.sequence = sequence
        self.fleet.send(targets.reshape(shape))
        return True

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

    def spin_realtime(self) -> int:
        """Advance by the wall clock, with whatever command came last."""
        tick = time.monotonic()
        while True:
            tick = max(tick + CONTROL_PERIOD, time.monotonic())
            while (left := tick - time.monotonic()) > 0:
                self.loop.wait(left)
                while (message := self.loop.take(self.commands)) is not None:
                    self.accept(message)
            self.advance()


def main() -> int:
    """Run the node."""
    return run_node('arm_simulator', lambda node: ArmSimulator(node).spin())


if __name__ == '__main__':
    raise SystemExit(main())

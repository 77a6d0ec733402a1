"""The policy's two ends of the topics: arms to move, and whoever looks on."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension
from std_srvs.srv import Trigger

from neuron_reach.arm.simulator import CONTROL_PERIOD
from neuron_reach.bags import layout
from neuron_reach.errors import UserError
from neuron_reach.nodes.common import Throttle, reliable
from neuron_reach.nodes.loop import Loop

ANSWER_PERIOD = 0.5
"""Seconds without an answer after which a lockstep command is sent again."""

RESET_PERIOD = 2.0
"""Seconds without an answer after which a reset is asked for again."""

CONTROL_PERIOD_NS = round(CONTROL_PERIOD * 1e9)


def joint_order(names: Sequence[str], joints: int) -> list[int] | None:
    """Return where joint_1, joint_2, ... are among names, None unless all and only they are.

    A joint_state_broadcaster names the joints in an order of its own.
    """
    wanted = [f'joint_{joint + 1}' for joint in range(joints)]
    return [names.index(name) for name in wanted] if sorted(names) == sorted(wanted) else None


class TopicArms:
    """Arms that speak the project's topics, whatever moves them.

    The same interface as `FleetSimulator` (see `learning.rollout.Arms`). In lockstep the time
    stamp of the joint states tells which command they answer; a command that stays without an
    answer is sent again under the same sequence number, so that no step is lost silently.
    """

    def __init__(
        self, loop: Loop, arms: int, joints: int, *, realtime: bool, timeout: float
    ) -> None:
        """Connect to the arms; waits for nobody yet.

        Args:
            loop: of the node that this belongs to.
            arms: how many there are.
            joints: of each arm.
            realtime: the arms move by the wall clock, not one cycle per command.
            timeout: seconds without an answer after which to give up.
        """
        node: Node = loop.node
        self.arms = arms
        self._shape = (arms, joints)
        self._loop = loop
        self._node = node
        self._realtime = realtime
        self._timeout = timeout
        self._states = loop.subscribe(
            JointState,
            layout.JOINT_STATES,
            qos_profile_sensor_data if realtime else reliable(10),
        )
        self._publisher = node.create_publisher(Float64MultiArray, layout.COMMANDS, reliable(10))
        self._reset = node.create_client(Trigger, 'reset')
        self._command = Float64MultiArray()
        self._sequence = 0
        self._stamp = 0
        self.rejected = Throttle(node, 'joint states ignored')
        self.lost = Throttle(node, 'joint states lost')
        self.joint_angles = np.zeros(self._shape)

    def connect(self, timeout: float) -> None:
        """Wait until the arms are there.

        Args:
            timeout: seconds to wait; whoever moves them may have much to start first.

        Raises:
            UserError: they are not within the timeout.
        """

        def matched() -> bool:
            return (
                self._publisher.get_subscription_count() > 0
                and self._node.count_publishers(self._states.topic_name) > 0
                and self._reset.service_is_ready()
            )

        if not self._loop.wait_until(matched, timeout):
            raise UserError(
                f'no simulator answered within {timeout:g} s: nothing serves '
                f'{self._reset.srv_name!r} and listens on {self._publisher.topic_name!r}'
            )

    def reset(self) -> NDArray[np.float64]:
        """Put all arms into the start pose; return the joint angles, (arms, n), rad."""
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            while self._loop.take(self._states) is not None:
                pass
            future = self._reset.call_async(Trigger.Request())
            if not self._loop.wait_until(future.done, RESET_PERIOD):
                self._reset.remove_pending_request(future)
                continue
            answer = future.result()
            if not answer.success:
                raise UserError(f'the arms refused to reset: {answer.message}')
            self._stamp = self._node.get_clock().now().nanoseconds if self._realtime else -1
            # Right after the start the simulator may not know of this subscription yet.
            if self._wait_for_state(RESET_PERIOD):
                return self.joint_angles
        raise self._silent('joint states after a reset')

    def send(self, targets: NDArray[np.float64]) -> None:
        """Command new target angles, (arms, n), rad."""
        self._sequence += 1
        layout.fill_commands(
            self._command,
            MultiArrayDimension,
            targets,
            None if self._realtime else self._sequence,
        )
        self._publisher.publish(self._command)

    def receive(self) -> NDArray[np.float64]:
        """Wait for the joint states after the command; return the angles, (arms, n), rad."""
        deadline = time.monotonic() + self._timeout
        while not self._wait_for_state(ANSWER_PERIOD):
            if time.monotonic() >= deadline:
                raise self._silent('joint states')
            if not self._realtime:
                self._publisher.publish(self._command)
        return self.joint_angles

    def _wait_for_state(self, timeout: float) -> bool:
        """Wait for joint states that are new; return whether they came."""
        deadline = time.monotonic() + timeout
        while True:
            while (message := self._loop.take(self._states)) is not None:
                if self._accept(message):
                    return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._loop.wait(left)

    def _silent(self, what: str) -> UserError:
        return UserError(f'no simulator answered within {self._timeout:g} s: waited for {what}')

    def _accept(self, message: JointState) -> bool:
        """Take over joint angles that are new and make sense; return whether they were."""
        positions = np.frombuffer(message.position, np.float64)
        if positions.size != self.joint_angles.size:
            arms, joints = self._shape
            self.rejected.add(f'{positions.size} positions, expected {arms} x {joints}')
            return False
        if not np.isfinite(positions).all():
            self.rejected.add('positions that are not finite')
            return False
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        if stamp <= self._stamp:
            return False  # from before the reset, or an answer given twice
        skipped = (stamp - self._stamp) // CONTROL_PERIOD_NS - 1
        if not self._realtime and self._stamp >= 0 and skipped > 0:
            self.lost.add('simulated time went on by more than one cycle', skipped)
        self._stamp = stamp
        order = joint_order(message.name, positions.size)
        if order is not None:
            positions = positions[order]
        self.joint_angles = positions.reshape(self._shape)
        return True

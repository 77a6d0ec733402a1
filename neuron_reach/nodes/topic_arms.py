"""The policy's two ends of the topics: arms to move, and whoever looks on."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.arm.simulator import CONTROL_PERIOD
from neuron_reach.errors import UserError
from neuron_reach.nodes.common import CYCLES_DEPTH, Throttle, reliable
from neuron_reach.nodes.loop import Loop

ANSWER_PERIOD = 0.5
"""Seconds without an answer after which a lockstep command is sent again."""

RESET_PERIOD = 2.0
"""Seconds without an answer after which a reset is asked for again."""

LARGEST_ANGLE = 1e4
"""Angles beyond it, rad, are no joint's."""

FARTHEST_GOAL = 10.0
"""Coordinates beyond it, m, are no goal's."""

MOST_LOST = 1000
"""Cycles missing at a time; if it seems to be more, others count."""

CONTROL_PERIOD_NS = round(CONTROL_PERIOD * 1e9)


def joint_order(names: Sequence[str], joints: int) -> list[int] | None:
    """Return where joint_1, joint_2, ... are among names, None unless all and only they are.

    A joint_state_broadcaster names the joints in an order of its own.
    """
    wanted = [f'joint_{joint + 1}' for joint in range(joints)]
    return [names.index(name) for name in wanted] if sorted(names) == sorted(wanted) else None


class TopicArms:
    """Arms that speak the project's topics, whatever moves them.

    The same interface as `FleetSimulator` (see `learning.rollout.Arms`).

    In lockstep the arm's own time tells which command joint states answer: it stands still but for
    one cycle per command. A command that stays without an answer is sent again under the same
    sequence number, so that no step is lost silently; joint states of another time are taken only
    if they come twice, in answer to two questions. In real time what arrives is new. The time of
    another host's clock counts in neither.
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
            messages.JOINT_STATES,
            qos_profile_sensor_data if realtime else reliable(10),
        )
        self._publisher = node.create_publisher(
            Float64MultiArray, messages.COMMANDS, reliable(CYCLES_DEPTH)
        )
        self._reset = node.create_client(Trigger, 'reset')
        self._command = Float64MultiArray()
        self._sequence = 0
        self._stamp: int | None = None  # of the joint states taken last, ns
        self._owed = 0  # by which the next must be later, ns
        self._refused: int | None = None  # stamp of joint states that were not expected
        self.rejected = Throttle(node, 'joint states ignored')
        self.lost = Throttle(node, 'joint states lost')
        self.silent = Throttle(node, 'no answer of the simulator')
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
            self._drain()
            future = self._reset.call_async(Trigger.Request())
            if not self._loop.wait_until(future.done, RESET_PERIOD):
                self._reset.remove_pending_request(future)
                continue
            answer = future.result()
            if not answer.success:
                raise UserError(f'the arms refused to reset: {answer.message}')
            self._owed = 0
            if self._realtime:
                self._drain()
                # The next may have been under way before the reset, the one after it was not.
                if self._wait_for_state(RESET_PERIOD):
                    self._wait_for_state(2 * CONTROL_PERIOD)
                    return self.joint_angles
            # Right after the start the simulator may not know of this subscription yet.
            elif self._wait_for_state(RESET_PERIOD, resetting=True):
                return self.joint_angles
        raise self._no_answer('joint states after a reset')

    def _drain(self) -> None:
        while self._loop.take(self._states) is not None:
            self._loop.attend()

    def send(self, targets: NDArray[np.float64]) -> None:
        """Command new target angles, (arms, n), rad."""
        self._sequence += 1
        self._owed = CONTROL_PERIOD_NS
        messages.fill_commands(
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
                raise self._no_answer('joint states')
            self.silent.add(f'waiting for joint states on {self._states.topic_name}')
            if not self._realtime:
                self._publisher.publish(self._command)
        return self.joint_angles

    def _wait_for_state(self, timeout: float, *, resetting: bool = False) -> bool:
        """Wait for joint states that are new; return whether they came.

        After a reset it is the last of those that have come, and the wait is over as soon as any
        that make sense have.
        """
        deadline = time.monotonic() + timeout
        while True:
            taken = heard = False
            while (
                not (taken and not resetting)
                and (message := self._loop.take(self._states)) is not None
            ):
                positions = self._read(message)
                if positions is not None:
                    heard = True
                    if self._realtime or self._is_expected(message, resetting):
                        self.joint_angles = positions.reshape(self._shape)
                        taken = True
                self._loop.attend()
            if taken or (resetting and heard):
                return taken
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._loop.wait(left)

    def _no_answer(self, what: str) -> UserError:
        said = f'no simulator answered within {self._timeout:g} s: waited for {what}'
        ends = self._node.get_publishers_info_by_topic(self._states.topic_name)
        if not self._realtime and any(
            end.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for end in ends
        ):
            said += (
                f'; {self._states.topic_name} is offered best effort, as in real time, but '
                'lockstep asks for reliable: use clock:=lockstep there or realtime:=true here'
            )
        elif self.rejected.count:
            said += f'; {self.rejected.summary}'
        return UserError(said)

    def _read(self, message: JointState) -> NDArray[np.float64] | None:
        """Return the joint angles of a message in our order, None if they make no sense."""
        positions = np.frombuffer(message.position, np.float64)
        arms, joints = self._shape
        if positions.size != arms * joints:
            self.rejected.add(
                f'{positions.size} positions, expected {arms} x {joints} '
                '(parameters arms and joints must be the same on both sides)'
            )
            return None
        if not (np.abs(positions) <= LARGEST_ANGLE).all():  # NaN is not
            self.rejected.add(f'positions that are not finite or beyond {LARGEST_ANGLE:g} rad')
            return None
        if not message.name:
            return positions
        order = joint_order(message.name, positions.size) if arms == 1 else None
        if order is None:
            self.rejected.add(f'joints of other names, such as {message.name[0]!r}')
            return None
        return positions[order]

    def _is_expected(self, message: JointState, resetting: bool) -> bool:
        """Tell whether joint states in lockstep are those that the arm owes."""
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        ahead = None if self._stamp is None else stamp - self._stamp - self._owed
        if ahead != 0:
            if ahead is not None and ahead < 0 and not resetting:
                return False  # an answer given twice, or not this arm's
            if stamp != self._refused:
                if ahead is not None:
                    self.rejected.add('their time is not that of the answer')
                self._refused = stamp
                return False
            if ahead is not None and ahead > 0:
                lost = min(ahead // CONTROL_PERIOD_NS, MOST_LOST)
                self.lost.add('simulated time went on by more than one cycle', lost)
        self._stamp, self._owed, self._refused = stamp, 0, None
        return True

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Arms that are moved over topics, for the policy."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.client import Client
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.arm.simulator import CONTROL_PERIOD
from neuron_reach.errors import UserError
from neuron_reach.nodes.diagnostics import ThrottledWarning
from neuron_reach.nodes.endpoints import publishers_of
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.publishing import CYCLES_DEPTH, has_subscribers, reliable

ANSWER_PERIOD = 0.5
"""Seconds without an answer after which a lockstep command is sent again."""

RESET_PERIOD = 2.0
"""Seconds without an answer after which a reset is requested again."""

LARGEST_ANGLE = 1e4
"""Absolute joint angles above this, rad, are rejected."""

FARTHEST_GOAL = 10.0
"""Absolute goal coordinates above this, m, are rejected."""

MAX_LOST = 1000
"""Cycles that can be lost at once; a larger gap means that another node counts them."""

CONTROL_PERIOD_NS = round(CONTROL_PERIOD * 1e9)


def joint_order(names: Sequence[str], joints: int) -> list[int] | None:
    """Return the indices of joint_1, joint_2, ... in `names`; None for any other set of names.

    A joint_state_broadcaster lists the joints in an arbitrary order.
    """
    wanted = [f'joint_{joint + 1}' for joint in range(joints)]
    return [names.index(name) for name in wanted] if sorted(names) == sorted(wanted) else None


class TopicArms:
    """Arms behind the project's topics, whatever simulates or moves them.

    The same interface as `FleetSimulator` (see `learning.rollout.Arms`).

    In lockstep simulated time advances by one cycle per command, so the time stamp of joint states
    shows which command they answer. An unanswered command is sent again with the same sequence
    number, so that no step is lost silently. Joint states with an unexpected time stamp are taken
    only if they are received twice, in answer to two commands. In real time all joint states are
    new. Neither mode depends on the clock of another host.
    """

    def __init__(
        self, loop: Loop, arms: int, joints: int, *, realtime: bool, timeout: float
    ) -> None:
        """Create the publishers and subscriptions; does not wait for the arms.

        Args:
            loop: of the policy's node.
            arms: number of arms.
            joints: number of joints per arm.
            realtime: the arms move by the wall clock, not by one cycle per command.
            timeout: seconds without an answer after which an error is raised.
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
        self._reset: Client[Trigger.Request, Trigger.Response] = node.create_client(
            Trigger, 'reset'
        )
        self._command = Float64MultiArray()
        self._sequence = 0
        self._stamp: int | None = None  # of the last accepted joint states, ns
        self._expected_advance = 0  # of the next stamp, ns
        self._unexpected_stamp: int | None = None  # of the last unexpected joint states, ns
        self.rejected = ThrottledWarning(node, 'joint states ignored')
        self.lost = ThrottledWarning(node, 'joint states lost')
        self.silent = ThrottledWarning(node, 'no answer from the simulator')
        self.joint_angles: NDArray[np.float64] = np.zeros(self._shape)

    def connect(self, timeout: float) -> None:
        """Wait until a simulator is connected.

        Args:
            timeout: seconds to wait; a simulator may take long to start.

        Raises:
            UserError: no simulator is connected within the timeout.
        """

        def matched() -> bool:
            return (
                has_subscribers(self._publisher)
                and self._node.count_publishers(self._states.topic_name) > 0
                and self._reset.service_is_ready()
            )

        if not self._loop.wait_until(matched, timeout):
            raise UserError(
                f'no simulator answered within {timeout:g} s: no node serves '
                f'{self._reset.srv_name!r} and subscribes to {self._publisher.topic_name!r}'
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
            answer: Trigger.Response = future.result()
            if not answer.success:
                raise UserError(f'the arms refused to reset: {answer.message}')
            self._expected_advance = 0
            if self._realtime:
                self._drain()
                # The next one may have been sent before the reset, the one after it was not.
                if self._wait_for_state(RESET_PERIOD):
                    self._wait_for_state(2 * CONTROL_PERIOD)
                    return self.joint_angles
            # Right after the start the simulator may not have discovered this subscription yet.
            elif self._wait_for_state(RESET_PERIOD, resetting=True):
                return self.joint_angles
        raise self._no_answer('joint states after a reset')

    def _drain(self) -> None:
        while self._states.take() is not None:
            self._loop.run_due()

    def send(self, targets: NDArray[np.float64]) -> None:
        """Command new target angles, (arms, n), rad."""
        self._sequence += 1
        self._expected_advance = CONTROL_PERIOD_NS
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
        """Wait for new joint states; return whether they were received.

        After a reset the newest of the received ones are taken, and the wait ends as soon as any
        valid ones are received.
        """
        deadline = time.monotonic() + timeout
        while True:
            taken = valid = False
            while not (taken and not resetting) and (message := self._states.take()) is not None:
                positions = self._read(message)
                if positions is not None:
                    valid = True
                    if self._realtime or self._is_expected(message, resetting):
                        self.joint_angles = positions.reshape(self._shape)
                        taken = True
                self._loop.run_due()
            if taken or (resetting and valid):
                return taken
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            self._loop.wait(remaining)

    def _no_answer(self, what: str) -> UserError:
        text = f'no simulator answered within {self._timeout:g} s: waited for {what}'
        topic = self._states.topic_name
        publishers = publishers_of(self._node, topic)
        if not self._realtime and not all(publisher.reliable for publisher in publishers):
            text += (
                f'; {topic} is published best effort, as in real time, but lockstep needs reliable '
                'messages: use clock:=lockstep there or realtime:=true here'
            )
        elif self.rejected.count:
            text += f'; {self.rejected.summary}'
        return UserError(text)

    def _read(self, message: JointState) -> NDArray[np.float64] | None:
        """Return the joint angles of a message, (arms n,), in order; None if it is invalid."""
        positions = np.frombuffer(message.position, np.float64)
        arms, joints = self._shape
        if positions.size != arms * joints:
            self.rejected.add(
                f'{positions.size} positions, expected {arms} x {joints} '
                '(parameters arms and joints must be the same on both sides)'
            )
            return None
        if not (np.abs(positions) <= LARGEST_ANGLE).all():  # NaN fails this, too
            self.rejected.add(f'positions that are not finite or beyond {LARGEST_ANGLE:g} rad')
            return None
        if not message.name:
            return positions
        order = joint_order(message.name, positions.size) if arms == 1 else None
        if order is None:
            self.rejected.add(f'joints with other names, such as {message.name[0]!r}')
            return None
        return positions[order]

    def _is_expected(self, message: JointState, resetting: bool) -> bool:
        """Tell by the time stamp whether joint states answer the last command, in lockstep."""
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        ahead = None if self._stamp is None else stamp - self._stamp - self._expected_advance
        if ahead != 0:
            if ahead is not None and ahead < 0 and not resetting:
                return False  # a repeated answer, or another arm's
            if stamp != self._unexpected_stamp:
                if ahead is not None:
                    self.rejected.add('their time stamp is not that of the answer')
                self._unexpected_stamp = stamp
                return False
            if ahead is not None and ahead > 0:
                lost = min(ahead // CONTROL_PERIOD_NS, MAX_LOST)
                self.lost.add('simulated time advanced by more than one cycle', lost)
        self._stamp, self._expected_advance, self._unexpected_stamp = stamp, 0, None
        return True

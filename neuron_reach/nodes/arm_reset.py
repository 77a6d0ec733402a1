# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Node `arm_reset`: what a ROS 2 installation's Gazebo does not do, unlike `arm_simulator`.

Serves `reset` by driving the arm back into its start pose with the joints' own controllers, as one
would with a real machine, and moves Gazebo's green sphere to the goal.
"""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
from geometry_msgs.msg import PointStamped
from numpy.typing import NDArray
from rclpy.client import Client
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from neuron_reach import messages
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.common.options import option
from neuron_reach.nodes.deferred_trigger import DeferredTrigger
from neuron_reach.nodes.diagnostics import ThrottledWarning
from neuron_reach.nodes.entry_point import run_node
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.parameters import declare
from neuron_reach.nodes.publishing import latched, reliable
from neuron_reach.nodes.topic_arms import FARTHEST_GOAL, LARGEST_ANGLE, joint_order


@dataclasses.dataclass(frozen=True)
class ResetOptions:
    """Parameters beside those of the arm."""

    step: float = option(
        0.1, 'change of a target angle from one joint state to the next, rad', low=0.001, high=1.0
    )
    tolerance: float = option(
        0.01, 'largest accepted distance from the start pose, rad', low=1e-6, high=0.5
    )
    rest: float = option(0.05, 'velocity that counts as rest, rad/s', low=1e-6, high=1.0)
    patience: int = option(
        200, 'joint states (20 a second) after which to give up', low=1, high=100_000
    )


class ArmReset:
    """Drives the arm into the start pose when the service `reset` is called."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.options = declare(node, ResetOptions)
        arm = declare(node, ArmOptions)
        self.start = arm.start_pose
        self.targets: NDArray[np.float64] | None = None
        self.states = 0
        self.rejected = ThrottledWarning(node, 'joint states ignored')
        self.commands = node.create_publisher(Float64MultiArray, messages.COMMANDS, reliable(10))
        node.create_subscription(
            JointState, messages.JOINT_STATES, self.on_state, qos_profile_sensor_data
        )
        self.service = DeferredTrigger(node, 'reset', self.on_request)
        self.follow_goal()

    def on_request(self) -> None:
        """Begin to drive the arm; the request is answered when it rests in the start pose."""
        self.states = 0
        self.targets = None

    def on_state(self, message: JointState) -> None:
        """Command the next step towards the start pose, or answer if the arm has reached it."""
        order = joint_order(message.name, self.start.size)
        if not self.service.is_pending or order is None:
            return
        if not len(message.position) == len(message.velocity) == len(order):
            self.rejected.add('joint states without a position and a velocity for every joint')
            return
        angles = np.array(message.position)[order]
        velocities = np.array(message.velocity)[order]
        if not (np.abs([angles, velocities]) <= LARGEST_ANGLE).all():  # NaN fails this, too
            self.rejected.add('joint states that are not finite, or too large')
            return
        self.states += 1
        away = np.abs(angles - self.start).max()
        if away <= self.options.tolerance and np.abs(velocities).max() <= self.options.rest:
            self._answer(True, 'the arm is in the start pose')
        elif self.states >= self.options.patience:
            self._answer(False, f'the arm stays {away:.3f} rad away from the start pose')
        else:
            if self.targets is None:
                self.targets = angles
            step = self.options.step
            self.targets = self.targets + np.clip(self.start - self.targets, -step, step)
            self.commands.publish(Float64MultiArray(data=self.targets.tolist()))

    def _answer(self, success: bool, message: str) -> None:
        for request in self.service.take():
            request.answer(success, message)

    def follow_goal(self) -> None:
        """Move Gazebo's sphere to every goal, where Gazebo's messages are installed."""
        if importlib.util.find_spec('gazebo_msgs') is None:
            return
        from gazebo_msgs.srv import SetEntityState

        client: Client[SetEntityState.Request, SetEntityState.Response] = self.node.create_client(
            SetEntityState, 'set_entity_state'
        )

        def move(goal: PointStamped) -> None:
            point = goal.point
            inside = all(abs(value) <= FARTHEST_GOAL for value in (point.x, point.y, point.z))
            if inside and client.service_is_ready():
                request = SetEntityState.Request()
                request.state.name = 'goal_0'
                request.state.pose.position = goal.point
                request.state.pose.orientation.w = 1.0
                client.call_async(request)

        self.node.create_subscription(PointStamped, messages.GOAL, move, latched())

    def spin(self) -> int:
        """Work until interrupted."""
        loop = Loop(self.node)
        while True:
            loop.wait(1.0)


def main() -> int:
    """Run the node."""
    return run_node('arm_reset', lambda node: ArmReset(node).spin())


if __name__ == '__main__':
    raise SystemExit(main())

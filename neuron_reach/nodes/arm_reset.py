"""Node `arm_reset`: what the Gazebo of a ROS 2 installation lacks of `arm_simulator`'s part.

Serves `reset` by driving the arm back into its start pose with the joints' own controllers, as one
would on a machine, and moves Gazebo's green sphere to where the goal is.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import Any

import numpy as np
from geometry_msgs.msg import PointStamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.common.options import option
from neuron_reach.nodes.common import Throttle, declare, latched, reliable, run_node
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.topic_arms import FARTHEST_GOAL, LARGEST_ANGLE, joint_order


@dataclasses.dataclass(frozen=True)
class ResetOptions:
    """Parameters beside those of the arm."""

    step: float = option(
        0.1, 'change of a target angle from one joint state to the next, rad', low=0.001, high=1.0
    )
    tolerance: float = option(
        0.01, 'distance from the start pose that will do, rad', low=1e-6, high=0.5
    )
    rest: float = option(0.05, 'velocity that counts as rest, rad/s', low=1e-6, high=1.0)
    patience: int = option(
        200, 'joint states (20 a second) after which to give up', low=1, high=100_000
    )


class ArmReset:
    """Drives the arm home while a reset is asked for."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.options = declare(node, ResetOptions)
        arm = declare(node, ArmOptions)
        self.start = arm.start_pose
        self.targets: np.ndarray | None = None
        self.states = 0
        self.rejected = Throttle(node, 'joint states ignored')
        self.waiting: list[Future] = []
        self.commands = node.create_publisher(Float64MultiArray, messages.COMMANDS, reliable(10))
        node.create_subscription(
            JointState, messages.JOINT_STATES, self.on_state, qos_profile_sensor_data
        )
        self.service = node.create_service(
            Trigger, 'reset', self.reset, callback_group=ReentrantCallbackGroup()
        )
        self.sphere = self._sphere_client()

    async def reset(self, _request: Trigger.Request, response: Trigger.Response) -> Any:
        """Service `reset`: answer when the arm rests in the start pose."""
        future: Future = Future()
        self.waiting.append(future)
        self.states = 0
        self.targets = None
        response.success, response.message = await future
        return response

    def on_state(self, message: JointState) -> None:
        """Take one more step home, or be there."""
        order = joint_order(message.name, self.start.size)
        if not self.waiting or order is None:
            return
        if not len(message.position) == len(message.velocity) == len(order):
            self.rejected.add('joint states without a position and a velocity for every joint')
            return
        angles = np.array(message.position)[order]
        velocities = np.array(message.velocity)[order]
        if not (np.abs([angles, velocities]) <= LARGEST_ANGLE).all():  # NaN is not
            self.rejected.add('joint states that are not finite, or huge')
            return
        self.states += 1
        away = np.abs(angles - self.start).max()
        if away <= self.options.tolerance and np.abs(velocities).max() <= self.options.rest:
            self._answer(True, 'the arm is in the start pose')
        elif self.states >= self.options.patience:
            self._answer(False, f'the arm is {away:.3f} rad away from the start pose and stays so')
        else:
            if self.targets is None:
                self.targets = angles
            step = self.options.step
            self.targets = self.targets + np.clip(self.start - self.targets, -step, step)
            self.commands.publish(Float64MultiArray(data=self.targets.tolist()))

    def _answer(self, success: bool, message: str) -> None:
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            future.set_result((success, message))

    def _sphere_client(self) -> Any:
        """Return the client that moves the sphere, None where Gazebo's messages are missing."""
        if importlib.util.find_spec('gazebo_msgs') is None:
            return None
        from gazebo_msgs.srv import SetEntityState

        client = self.node.create_client(SetEntityState, 'set_entity_state')

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
        return client

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

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Node `gazebo_simulator`: the same topics as `arm_simulator`, with arms in Gazebo.

Starts its own Gazebo process; see `neuron_reach.gazebo`. For every command Gazebo advances by
exactly 50 ms of simulated time; between commands its time stands still.
"""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PointStamped, PoseArray
from rclpy.node import Node

from neuron_reach import messages
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.gazebo.arms import GazeboArms
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.nodes.arm_simulator import ArmSimulator
from neuron_reach.nodes.entry_point import run_node
from neuron_reach.nodes.parameters import declare
from neuron_reach.nodes.publishing import latched
from neuron_reach.nodes.shutdown import Interrupt
from neuron_reach.nodes.topic_arms import FARTHEST_GOAL


class GazeboSimulator:
    """Arms in Gazebo, with green spheres at their goals."""

    def __init__(self, node: Node) -> None:
        options = declare(node, GazeboOptions)
        self.started: list[GazeboArms] = []

        def make_fleet(arm: ArmOptions, arms: int) -> GazeboArms:
            self.started.append(GazeboArms(arm, arms, options))
            Interrupt.check()
            return self.started[0]

        try:
            self.simulator = ArmSimulator(node, make_fleet)
            kind = PoseArray if self.simulator.options.arms > 1 else PointStamped
            node.create_subscription(kind, messages.GOAL, self.show_goals, latched())
        except BaseException:
            self.close()
            raise

    def show_goals(self, message: PointStamped | PoseArray) -> None:
        """Move the spheres to the goals."""
        if isinstance(message, PointStamped):
            points = [message.point]
        else:
            points = [pose.position for pose in message.poses]
        goals = np.array([(point.x, point.z) for point in points])
        if goals.shape == (self.simulator.options.arms, 2) and (abs(goals) <= FARTHEST_GOAL).all():
            self.started[0].show_goals(goals)

    def close(self) -> None:
        """Stop Gazebo."""
        for arms in self.started:
            arms.close()


def _run(node: Node) -> int:
    gazebo = GazeboSimulator(node)
    try:
        return gazebo.simulator.spin()
    finally:
        gazebo.close()


def main() -> int:
    """Run the node."""
    return run_node('gazebo_simulator', _run)


if __name__ == '__main__':
    raise SystemExit(main())

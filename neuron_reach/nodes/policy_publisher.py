# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What the policy publishes: goals, observations, results, and markers for RViz."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from geometry_msgs.msg import Point, PointStamped, Pose, PoseArray
from numpy.typing import NDArray
from rclpy.node import Node
from std_msgs.msg import (
    ColorRGBA,
    Float32MultiArray,
    Float64MultiArray,
    MultiArrayDimension,
    String,
)
from visualization_msgs.msg import Marker, MarkerArray

from neuron_reach import messages
from neuron_reach.arm.kinematics import forward_kinematics
from neuron_reach.arm.task import ReachingTask
from neuron_reach.learning.checkpoint import load_checkpoint, network_digest
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.publishing import (
    OBSERVATION_DEPTH,
    flush,
    has_subscribers,
    latched,
    reliable,
)
from neuron_reach.nodes.topic_arms import TopicArms

FRAME = 'base_link'
GREEN = ColorRGBA(r=0.0, g=0.7, b=0.2, a=1.0)
GRAY = ColorRGBA(r=0.5, g=0.5, b=0.5, a=1.0)
GOAL_DEPTH = 100
"""Rounds that a recorder may lag behind before any goal is lost."""


class PolicyPublisher:
    """Publishes every round of episodes while it is played (see `learning.rollout.Watcher`).

    Attributes:
        episode: number of the first arm's episode in the current round.
        step: control cycle within the round.
    """

    def __init__(
        self, loop: Loop, task: ReachingTask, arms: TopicArms, on_round_end: Callable[[], None]
    ) -> None:
        """Create the publishers.

        Args:
            loop: of the policy's node.
            task: that the policy learns or performs.
            arms: that it moves.
            on_round_end: called after every round.
        """
        node: Node = loop.node
        self._node = node
        self._loop = loop
        self._task = task
        self._arms = arms
        self._on_round_end = on_round_end
        self.episode = 0
        self.step = 0
        self._version = 0
        self._points = [Point() for _ in range(arms.arms)]  # of the goal message, reused
        if arms.arms > 1:
            self._goal_message = PoseArray(poses=[Pose(position=point) for point in self._points])
        else:
            self._goal_message = PointStamped(point=self._points[0])
        self._goal_message.header.frame_id = FRAME
        self._goal = node.create_publisher(
            type(self._goal_message), messages.GOAL, latched(GOAL_DEPTH)
        )
        self._marker = node.create_publisher(MarkerArray, messages.GOAL_MARKER, latched())
        self._observation = node.create_publisher(
            Float32MultiArray, messages.OBSERVATION, reliable(OBSERVATION_DEPTH)
        )
        self._observation_message = Float32MultiArray()
        self._episode = node.create_publisher(Float64MultiArray, messages.EPISODE, reliable(1000))
        self._checkpoint = node.create_publisher(String, messages.CHECKPOINT, latched())
        self._trail: list[Point] = []

    def checkpoint(self, path: Path, episodes: int | None = None) -> None:
        """Announce the weights that are used from the next round on.

        Args:
            path: their checkpoint folder.
            episodes: number of episodes to be played, if known.
        """
        self._version += 1
        digest = network_digest(load_checkpoint(path).network)
        newest = messages.CheckpointMessage(
            path=str(path.resolve()),
            version=self._version,
            first_episode=self.episode,
            network=digest,
            episodes=episodes,
        )
        self._checkpoint.publish(String(data=messages.encode_checkpoint(newest)))

    def wait_for_observers(self, count: int, timeout: float) -> bool:
        """Wait until the observations have `count` subscribers; return whether they have."""
        return self._loop.wait_until(
            lambda: self._observation.get_subscription_count() >= count, timeout
        )

    def flush(self) -> None:
        """Wait until the recorders have received everything that was published."""
        flush((self._observation, self._episode))

    def begin(self, goals: NDArray[np.float64]) -> None:
        """Publish the goals of a round, (arms, 2), m."""
        self.step = 0
        self._goals = goals
        for point, (x, z) in zip(self._points, goals.tolist(), strict=True):
            point.x, point.z = x, z
        self._goal_message.header.stamp = self._node.get_clock().now().to_msg()
        self._goal.publish(self._goal_message)
        if has_subscribers(self._marker):
            self._trail = []
            spheres = self._new_marker('goals', Marker.SPHERE_LIST, 0.05, GREEN)
            spheres.points = self._points
            self._marker.publish(MarkerArray(markers=[spheres]))

    def observe(self, observations: NDArray[np.float32]) -> None:
        """Publish the observations that the policy acts on next, (arms, inputs)."""
        if has_subscribers(self._observation):
            messages.fill_fleet_step(
                self._observation_message,
                MultiArrayDimension,
                observations,
                self.episode,
                self.step,
                'feature',
            )
            self._observation.publish(self._observation_message)
        self.step += 1
        if has_subscribers(self._marker):
            self._extend_trail()

    def end(self, final_rewards: NDArray[np.float64]) -> None:
        """Publish the results of a round, (arms,); one row per arm."""
        arms = len(final_rewards)
        results = np.empty((arms, len(messages.EPISODE_FIELDS)))
        results[:, 0] = np.arange(self.episode, self.episode + arms)
        results[:, 1:3] = self._goals
        results[:, 3] = self.step
        results[:, 4] = final_rewards
        results[:, 5] = self._task.success(final_rewards)
        message = Float64MultiArray()
        messages.fill_episodes(message, MultiArrayDimension, results)
        self._episode.publish(message)
        self.episode += arms
        self._on_round_end()

    def _extend_trail(self) -> None:
        lengths = self._task.arm.link_lengths
        x, z = forward_kinematics(self._arms.joint_angles[0], lengths)
        self._trail.append(Point(x=float(x), y=0.0, z=float(z)))
        trail = self._new_marker('tip', Marker.LINE_STRIP, 0.01, GRAY)
        trail.points = self._trail
        self._marker.publish(MarkerArray(markers=[trail]))

    def _new_marker(self, namespace: str, kind: int, size: float, color: ColorRGBA) -> Marker:
        marker = Marker(ns=namespace, type=kind, action=Marker.ADD, color=color)
        marker.header.frame_id = FRAME
        marker.pose.orientation.w = 1.0
        marker.scale.x = marker.scale.y = marker.scale.z = size
        return marker

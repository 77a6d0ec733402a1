"""What the policy tells the world: goals, observations, results, and markers for RViz."""

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
from neuron_reach.nodes.common import OBSERVATION_DEPTH, flush, latched, reliable
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.topic_arms import TopicArms

FRAME = 'base_link'
GREEN = ColorRGBA(r=0.0, g=0.7, b=0.2, a=1.0)
GREY = ColorRGBA(r=0.5, g=0.5, b=0.5, a=1.0)
GOAL_DEPTH = 100
"""Rounds that a recorder may lag behind before their goals are lost."""


class Broadcast:
    """Publishes every round of episodes as it is played (see `learning.rollout.Watcher`)."""

    def __init__(
        self, loop: Loop, task: ReachingTask, arms: TopicArms, on_end: Callable[[], None]
    ) -> None:
        node: Node = loop.node
        self._node = node
        self._loop = loop
        self._task = task
        self._arms = arms
        self._on_end = on_end
        self.episode = 0
        self.step = 0
        self._version = 0
        self._points = [Point() for _ in range(arms.arms)]  # of the goal message, used again
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
        """Announce the weights that are in use from the next round on.

        Args:
            path: their checkpoint folder.
            episodes: how many will be played, where that is known.
        """
        self._version += 1
        digest = network_digest(load_checkpoint(path).network)
        place = str(path.resolve())
        newest = messages.CheckpointMessage(place, self._version, self.episode, digest, episodes)
        self._checkpoint.publish(String(data=messages.encode_checkpoint(newest)))

    def wait_for_observers(self, count: int, timeout: float) -> bool:
        """Wait until so many subscribers hear the observations; return whether they do."""
        return self._loop.wait_until(
            lambda: self._observation.get_subscription_count() >= count, timeout
        )

    def flush(self) -> None:
        """Wait until all that was published has reached those who record."""
        flush((self._observation, self._episode))

    def begin(self, goals: NDArray[np.float64]) -> None:
        """Publish the goals of a round, (arms, 2), m."""
        self.step = 0
        self._goals = goals
        for point, (x, z) in zip(self._points, goals.tolist(), strict=True):
            point.x, point.z = x, z
        self._goal_message.header.stamp = self._node.get_clock().now().to_msg()
        self._goal.publish(self._goal_message)
        if self._marker.get_subscription_count():
            self._trail = []
            spheres = self._new_marker('goals', Marker.SPHERE_LIST, 0.05, GREEN)
            spheres.points = self._points
            self._marker.publish(MarkerArray(markers=[spheres]))

    def observe(self, observations: NDArray[np.float32]) -> None:
        """Publish what the policy is about to act on, (arms, inputs)."""
        if self._observation.get_subscription_count():
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
        if self._marker.get_subscription_count():
            self._extend_trail()

    def end(self, final_rewards: NDArray[np.float64]) -> None:
        """Publish the results of a round, one row per arm."""
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
        self._on_end()

    def _extend_trail(self) -> None:
        lengths = self._task.arm.link_lengths
        x, z = forward_kinematics(self._arms.joint_angles[0], lengths)
        self._trail.append(Point(x=float(x), y=0.0, z=float(z)))
        trail = self._new_marker('tip', Marker.LINE_STRIP, 0.01, GREY)
        trail.points = self._trail
        self._marker.publish(MarkerArray(markers=[trail]))

    def _new_marker(self, namespace: str, kind: int, size: float, color: ColorRGBA) -> Marker:
        marker = Marker(ns=namespace, type=kind, action=Marker.ADD, color=color)
        marker.header.frame_id = FRAME
        marker.pose.orientation.w = 1.0
        marker.scale.x = marker.scale.y = marker.scale.z = size
        return marker

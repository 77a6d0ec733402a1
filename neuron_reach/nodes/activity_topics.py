# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Publishes what a network computes, step by step, cut into episodes."""

from __future__ import annotations

import array
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import (
    Float32MultiArray,
    Float64MultiArray,
    Header,
    MultiArrayDimension,
    String,
)

from neuron_reach import messages
from neuron_reach.common.arrays import Single
from neuron_reach.nodes.publishing import (
    OBSERVATION_DEPTH,
    RECORDED_DEPTH,
    flush,
    has_subscribers,
    latched,
    reliable,
)

IMAGE_DEPTH = 5
"""Images that are kept for a slow viewer."""


class ActivityTopics:
    """The topics of the activation recorder and of the policy, for a network of any task.

    An episode ends after a number of steps, when `end_episode` is called, and whenever inputs
    become stale or fresh again. Episodes with stale inputs have no result, so that readers of bags
    leave them out.

    Attributes:
        episode: number of the current episode; with several rows, of the first one.
        step: steps of it so far.
        finished: episodes that ended and had fresh inputs.
    """

    def __init__(self, node: Node, layers: Sequence[str], episode_steps: int) -> None:
        """Create the publishers.

        Args:
            node: that publishes.
            layers: their names, input and output included.
            episode_steps: steps of an episode at most.
        """
        self._node = node
        self._episode_steps = episode_steps
        self.episode = self.step = self.finished = 0
        self._rows = 1
        self._stale = False
        topics = [messages.activation_topic(layer) for layer in layers]
        self._activations = [
            node.create_publisher(Float32MultiArray, topic, reliable(RECORDED_DEPTH))
            for topic in topics
        ]
        self._images = [
            node.create_publisher(Image, f'{topic}/image', reliable(IMAGE_DEPTH))
            for topic in topics
        ]
        self._observation = node.create_publisher(
            Float32MultiArray, messages.OBSERVATION, reliable(OBSERVATION_DEPTH)
        )
        self._steps = node.create_publisher(Header, messages.STEPS, reliable(RECORDED_DEPTH))
        self._episode = node.create_publisher(Float64MultiArray, messages.EPISODE, reliable(1000))
        self._checkpoint = node.create_publisher(String, messages.CHECKPOINT, latched())
        self._message = Float32MultiArray()
        self._features = Float32MultiArray()

    @property
    def publishers(self) -> list[Any]:
        """The publishers of all topics that are recorded."""
        return [*self._activations, self._observation, self._steps, self._episode, self._checkpoint]

    @property
    def watched(self) -> bool:
        """Whether a topic that is published in every step has subscribers."""
        return any(
            map(
                has_subscribers, (*self._activations, *self._images, self._observation, self._steps)
            )
        )

    def not_subscribed(self) -> str:
        """Return a topic to be recorded that has no subscriber; empty: there is none."""
        names = (each.topic_name for each in self.publishers if not has_subscribers(each))
        return next(names, '')

    def announce(self, path: str, digest: str) -> None:
        """Publish which network it is.

        Args:
            path: of its file or folder.
            digest: of its content.
        """
        newest = messages.CheckpointMessage(path, version=1, first_episode=0, network=digest)
        self._checkpoint.publish(String(data=messages.encode_checkpoint(newest)))

    def publish(self, layers: Sequence[Single], stamp: Time, *, stale: bool = False) -> None:
        """Publish one step.

        Args:
            layers: activations of all layers, each (rows, neurons).
            stamp: time of the observation.
            stale: whether inputs were too old.
        """
        rows = len(layers[0])
        if stale != self._stale or rows != self._rows:
            self.end_episode()
        self._stale, self._rows = stale, rows
        position = f'{self.episode}:{self.step}'
        header = Header(stamp=stamp, frame_id=f'{position}:stale' if stale else position)
        if has_subscribers(self._steps):
            self._steps.publish(header)
        if has_subscribers(self._observation):
            self._fill(self._features, layers[0], 'feature')
            self._observation.publish(self._features)
        for publisher, image, values in zip(self._activations, self._images, layers, strict=True):
            if has_subscribers(publisher):
                self._fill(self._message, values, 'neuron')
                publisher.publish(self._message)
            if has_subscribers(image):
                image.publish(_image(values, header))
        self.step += 1
        if self.step >= self._episode_steps:
            self.end_episode()

    def _fill(self, message: Float32MultiArray, values: Single, label: str) -> None:
        messages.fill_fleet_step(
            message, MultiArrayDimension, values, self.episode, self.step, label
        )

    def end_episode(self) -> None:
        """End the current episode, if it has begun."""
        if not self.step:
            return
        if not self._stale:
            results = np.full((self._rows, len(messages.EPISODE_FIELDS)), np.nan)
            fields = messages.EPISODE_FIELDS
            results[:, fields.index('number')] = np.arange(self.episode, self.episode + self._rows)
            results[:, fields.index('steps')] = self.step
            message = Float64MultiArray()
            messages.fill_episodes(message, MultiArrayDimension, results)
            self._episode.publish(message)
            self.finished += self._rows
        self.episode += self._rows
        self.step = 0

    def flush(self) -> None:
        """Wait until the subscribers have received everything."""
        flush(self.publishers)

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in (*self.publishers, *self._images):
            self._node.destroy_publisher(publisher)


def _image(values: Single, header: Header) -> Image:
    """Return activations, (rows, neurons), as a picture with a pixel for each."""
    height, width = values.shape
    values = np.ascontiguousarray(values, np.float32)
    return Image(
        header=header,
        height=height,
        width=width,
        encoding='32FC1',
        is_bigendian=sys.byteorder == 'big',
        step=4 * width,
        data=array.array('B', values.tobytes()),
    )

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Publishers and subscriptions of a topic as the ROS graph reports them, typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

UNKNOWN_NODE = '_NODE_NAME_UNKNOWN_'
"""Node name of an endpoint that was discovered before its node."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A publisher or subscription of a topic.

    Attributes:
        gid: globally unique id, 16 bytes; distributions with longer ids fill the rest with zeros.
        node: name and namespace of its node.
        message_type: such as `std_msgs/msg/String`.
        reliable: whether it is reliable, else best effort.
        transient_local: whether late subscribers receive the last messages.
    """

    gid: bytes
    node: tuple[str, str]
    message_type: str
    reliable: bool
    transient_local: bool

    @property
    def full_node_name(self) -> str:
        """Name of its node with the namespace."""
        name, namespace = self.node
        return f'{namespace.rstrip("/")}/{name}'


def publishers_of(node: Node, topic: str) -> list[Endpoint]:
    """Return the publishers of a topic that a node has discovered, its own included."""
    return _endpoints(node.get_publishers_info_by_topic(topic))


def subscriptions_of(node: Node, topic: str) -> list[Endpoint]:
    """Return the subscriptions of a topic that a node has discovered, its own included."""
    return _endpoints(node.get_subscriptions_info_by_topic(topic))


def _endpoints(found: Iterable[TopicEndpointInfo]) -> list[Endpoint]:
    return [
        Endpoint(
            gid=bytes(info.endpoint_gid[:16]),
            node=(info.node_name, info.node_namespace),
            message_type=info.topic_type,
            reliable=info.qos_profile.reliability == ReliabilityPolicy.RELIABLE,
            transient_local=info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
        )
        for info in found
    ]

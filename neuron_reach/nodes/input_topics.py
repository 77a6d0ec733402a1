# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Subscriptions to the inputs of a policy, with the quality of service of the publishers."""

from __future__ import annotations

from typing import Any

from rclpy.qos import QoSProfile, ReliabilityPolicy

from neuron_reach.inspection.fields import message_class
from neuron_reach.nodes.endpoints import publishers_of
from neuron_reach.nodes.loop import Inbox, Loop
from neuron_reach.nodes.publishing import latched

DEPTH = 100
"""Messages of a topic that are kept while the node is busy."""


class InputTopics:
    """Subscriptions to topics of any type.

    Best effort, which fits every publisher; latched where all publishers are, so that a message
    from before the start is received.

    Attributes:
        inboxes: by topic, as given.
    """

    def __init__(self, loop: Loop, types: dict[str, str]) -> None:
        """Subscribe.

        Args:
            loop: of the node.
            types: message type of each topic.
        """
        self._loop = loop
        self._types = types
        self._latched: dict[str, bool] = {}
        self.inboxes: dict[str, Inbox[Any]] = {}
        self.update()

    def update(self) -> None:
        """Renew subscriptions to topics whose publishers are no longer latched, or are so now."""
        for topic, type_name in self._types.items():
            publishers = publishers_of(self._loop.node, topic)
            if not publishers and topic in self.inboxes:
                continue
            now_latched = bool(publishers) and all(
                publisher.transient_local and publisher.reliable for publisher in publishers
            )
            if self._latched.get(topic) == now_latched:
                continue
            if topic in self.inboxes:
                self._loop.unsubscribe(self.inboxes[topic])
            self._latched[topic] = now_latched
            qos = QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
            self.inboxes[topic] = self._loop.subscribe(
                message_class(type_name), topic, latched(DEPTH) if now_latched else qos
            )

    def describe(self, topic: str, problem: str) -> str:
        """Return a line about a topic with a problem, and what its publishers explain of it."""
        expected = self._types[topic]
        publishers = publishers_of(self._loop.node, topic)
        other = [each.message_type for each in publishers if each.message_type != expected]
        line = f'{self._loop.node.resolve_topic_name(topic)}: {problem}'
        if not publishers:
            return f'{line}, and no publisher'
        return f'{line}; published as {other[0]}, not {expected}' if other else line

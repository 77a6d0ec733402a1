# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Detects duplicate nodes: two simulators, policies or recorders on the same topics.

The ROS graph is queried, not the messages, so a duplicate is found before it publishes anything.
A query for the publishers of a topic takes 50 us. Nodes query several times a second, so that of
two duplicates the one that started later is known.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from rclpy.node import Node

from neuron_reach import messages
from neuron_reach.errors import SpoiledError, UserError
from neuron_reach.nodes.endpoints import UNKNOWN_NODE, Endpoint, publishers_of, subscriptions_of
from neuron_reach.nodes.shutdown import Interrupt

START_CHECK_DURATION = 0.6
"""Seconds that a new node watches the graph before it publishes anything."""

NEWCOMER_DURATION = 3.0
"""Seconds after its start in which a node ends itself when it finds a duplicate."""

GRACE_PERIOD = 1.5
"""Seconds that an older node gives a newcomer to end itself."""

SILENCE = 1.0
"""Seconds without a message after which another publisher is accepted in place of the last one."""


@dataclasses.dataclass(frozen=True)
class Role:
    """What a node does; on the same topics, only one node may have a given role.

    Attributes:
        name: for messages to the user.
        service: by which nodes with this role are recognized; `~` stands for the node's name.
        subscribes_to: topic by whose subscribers nodes with this role are recognized.
    """

    name: str
    service: str = ''
    subscribes_to: str = ''


SIMULATOR = Role('simulator', service='reset')
POLICY = Role('policy', service='~/save_checkpoint')
ACTIVATION_RECORDER = Role('activation recorder', subscribes_to=messages.CHECKPOINT)
POLICY_INSPECTOR = Role('policy inspector', service='~/end_episode')
BAG_RECORDER = Role('bag recorder')


def publisher_role(topic: str) -> Role:
    """Return the role of the node that publishes a recorded topic."""
    if messages.layer_of(topic) is not None:
        return ACTIVATION_RECORDER
    return SIMULATOR if topic == messages.JOINT_STATES else POLICY


@dataclasses.dataclass(frozen=True)
class WatchedTopic:
    """A topic on which only one node with a role may publish.

    Attributes:
        topic: its relative name.
        role: of the publisher.
        is_disturbed: whether a second publisher has done harm; by default its presence is enough.
    """

    topic: str
    role: Role
    is_disturbed: Callable[[], bool] = lambda: True


class _Duplicate(NamedTuple):
    watched: WatchedTopic
    endpoint: Endpoint


class DuplicateDetector:
    """Finds a second node with the same role and raises an error that names it.

    Attributes:
        problem: description in one line; empty if there is no duplicate.
    """

    def __init__(
        self,
        node: Node,
        role: Role,
        watched: Iterable[WatchedTopic],
        *,
        subscribes_to: str = '',
        grace_period: float = GRACE_PERIOD,
    ) -> None:
        """Store what to watch; queries nothing yet.

        Args:
            node: that checks for duplicates of itself and of the nodes it communicates with.
            role: of this node.
            watched: topics that the node publishes or subscribes to.
            subscribes_to: a topic that a second node with the same name and role subscribes to.
            grace_period: seconds for a newcomer to end itself before this node ends.
        """
        self._node = node
        self._role = role
        self._watched = list(watched)
        self._subscribes_to = subscribes_to
        self._grace_period = grace_period
        self._started = self._created = time.monotonic()
        self._duplicate_since: float | None = None
        self._warned_about: set[bytes] = set()
        self._known: dict[str, set[bytes]] = {}  # ids of the publishers that were first, by topic
        self.problem = ''

    def check_at_start(self) -> None:
        """Check whether another node has this node's role; call it before publishing.

        Raises:
            UserError: another node has it.
        """
        while time.monotonic() < self._created + START_CHECK_DURATION:
            Interrupt.check()
            time.sleep(0.02)
        self._started = time.monotonic()
        if (duplicate := self._find(starting=True)) is not None:
            watched, endpoint = duplicate
            topic = self._node.resolve_topic_name(watched.topic)
            raise UserError(
                f'{endpoint.full_node_name} is the {watched.role.name} on {topic} already; '
                'end it first, or use another namespace or ROS_DOMAIN_ID'
            )

    def check(self) -> None:
        """Check whether there is a duplicate now.

        Raises:
            SpoiledError: there is one, and it has not ended within the grace period.
        """
        duplicate = self._find()
        if duplicate is None:
            self._duplicate_since, self.problem = None, ''
            return
        now = time.monotonic()
        if self._duplicate_since is None:
            self._duplicate_since = now
        watched, endpoint = duplicate
        topic = self._node.resolve_topic_name(watched.topic)
        problem = f'there is a second {watched.role.name} on {topic}: {endpoint.full_node_name}'
        is_newcomer = now <= self._started + NEWCOMER_DURATION
        if now < self._duplicate_since + self._grace_period and not is_newcomer:
            return
        if watched.is_disturbed():
            raise SpoiledError(problem)
        if problem != self.problem:
            self._node.get_logger().error(problem)
        self.problem = problem

    @property
    def has_duplicate(self) -> bool:
        """Whether the last check found a duplicate."""
        return self._duplicate_since is not None

    def publisher_ids(self, topic: str, role: Role) -> tuple[set[bytes], set[bytes]]:
        """Return the ids of all publishers of a topic, and of those that have a role."""
        publishers = publishers_of(self._node, topic)
        with_role = {endpoint.gid for endpoint in publishers if self.has_role(endpoint, role)}
        return {endpoint.gid for endpoint in publishers}, with_role

    def resets_arm(self, topic: str, gid: bytes) -> bool:
        """Tell whether a publisher is one that sends commands in order to reset the arm."""
        return topic == messages.COMMANDS and any(
            endpoint.gid == gid and self.has_role(endpoint, SIMULATOR)
            for endpoint in publishers_of(self._node, topic)
        )

    def require_one_publisher(self, topic: str) -> None:
        """Check that a topic has one publisher, where messages do not show who sent them.

        Raises:
            SpoiledError: it has several.
        """
        if self._node.count_publishers(topic) > 1:
            publishers = publishers_of(self._node, topic)
            if (
                topic != messages.COMMANDS
                or sum(not self.has_role(endpoint, SIMULATOR) for endpoint in publishers) > 1
            ):
                self.fail_with_publishers(topic)

    def fail_with_publishers(self, topic: str) -> None:
        """Raise an error because several nodes publish on a topic, whatever their roles.

        Raises:
            SpoiledError: always; names the publishers.
        """
        others = self._without_own(topic, publishers_of(self._node, topic))
        names = ', '.join(sorted(endpoint.full_node_name for endpoint in others))
        raise SpoiledError(
            f'several nodes publish on {self._node.resolve_topic_name(topic)}: {names}'
        )

    def has_role(self, endpoint: Endpoint, role: Role) -> bool:
        """Tell whether the node of an endpoint has a role."""
        if role == self._role and self._has_own_name(endpoint):
            return True
        try:
            if role.subscribes_to:
                wanted = self._node.resolve_topic_name(role.subscribes_to)
                found = self._node.get_subscriber_names_and_types_by_node(*endpoint.node)
            else:
                service = role.service.replace('~', endpoint.full_node_name)
                wanted = self._node.resolve_service_name(service)
                found = self._node.get_service_names_and_types_by_node(*endpoint.node)
        except (RuntimeError, ValueError):  # the node is not discovered yet, or has just ended
            return False
        return wanted in (name for name, _ in found)

    def _find(self, starting: bool = False) -> _Duplicate | None:
        """Return the first watched topic with a duplicate, and an endpoint of the duplicate."""
        for watched in self._watched:
            # At the start this node does not publish yet: one other node with its role is enough.
            allowed = 0 if starting and watched.role == self._role else 1
            publishers = publishers_of(self._node, watched.topic)
            if len(publishers) <= allowed:
                self._known[watched.topic] = {endpoint.gid for endpoint in publishers}
                continue
            with_role = [each for each in publishers if self.has_role(each, watched.role)]
            self._warn_about_others(watched, publishers, with_role)
            known = self._known.setdefault(watched.topic, set())
            others = self._without_own(watched.topic, with_role)
            if len(with_role) <= allowed or not others:
                known.update(endpoint.gid for endpoint in with_role)
                continue
            newcomer = min(others, key=lambda endpoint: endpoint.gid in known)
            return _Duplicate(watched, newcomer)
        return self._find_subscriber()

    def _find_subscriber(self) -> _Duplicate | None:
        """Return a second node with this node's name that subscribes to the same topic."""
        if not self._subscribes_to:
            return None
        own_name = (self._node.get_name(), self._node.get_namespace())
        if self._node.get_node_names_and_namespaces().count(own_name) < 2:
            return None
        same_name = [
            endpoint
            for endpoint in subscriptions_of(self._node, self._subscribes_to)
            if self._has_own_name(endpoint)
        ]
        topic = self._node.resolve_topic_name(self._subscribes_to)
        own = sum(each.topic_name == topic for each in self._node.subscriptions)
        if len(same_name) <= own:
            return None
        return _Duplicate(WatchedTopic(self._subscribes_to, self._role), same_name[0])

    def _without_own(self, topic: str, publishers: Iterable[Endpoint]) -> list[Endpoint]:
        """Remove this node's own publishers; those of a node with the same name look alike."""
        resolved = self._node.resolve_topic_name(topic)
        own = sum(each.topic_name == resolved for each in self._node.publishers)
        others = []
        for endpoint in publishers:
            if self._has_own_name(endpoint) and own:
                own -= 1
            else:
                others.append(endpoint)
        return others

    def _warn_about_others(
        self, watched: WatchedTopic, publishers: list[Endpoint], with_role: list[Endpoint]
    ) -> None:
        """Warn once about each publisher beside those with the role; its messages are checked."""
        for endpoint in publishers if with_role else ():
            resets = watched.role == POLICY and self.has_role(endpoint, SIMULATOR)
            known = endpoint.node[0] != UNKNOWN_NODE
            if endpoint in with_role or resets or not known or endpoint.gid in self._warned_about:
                continue
            self._warned_about.add(endpoint.gid)
            self._node.get_logger().warning(
                f'{endpoint.full_node_name}, which is not the {watched.role.name}, publishes on '
                f'{self._node.resolve_topic_name(watched.topic)}; messages that do not fit are '
                'ignored'
            )

    def _has_own_name(self, endpoint: Endpoint) -> bool:
        return endpoint.node == (self._node.get_name(), self._node.get_namespace())


class PublisherFilter:
    """Accepts the messages of one publisher of a topic and rejects those of others.

    This needs an rclpy that reports the publisher of a message; Humble's and Jazzy's do not.
    """

    def __init__(
        self, detector: DuplicateDetector, topic: str, role: Role, *, exclusive: bool
    ) -> None:
        """Accept no publisher yet.

        Args:
            detector: of the node that receives the messages.
            topic: its relative name.
            role: of the publisher; one without it is accepted only if it is the only publisher.
            exclusive: raise an error if there is a second publisher and rclpy does not report the
                publisher of a message.
        """
        self._exclusive = exclusive
        self._detector = detector
        self._topic = topic
        self._role = role
        self._accepted: bytes | None = None
        self._last_message = 0.0
        # Checkpoints are rare: a long silence does not mean that their publisher has ended.
        self._silence = math.inf if topic == messages.CHECKPOINT else SILENCE

    def accepts(self, gid: bytes | None) -> bool:
        """Tell whether to accept a message.

        Args:
            gid: id of its publisher, None if rclpy does not report it.

        Raises:
            SpoiledError: the id is unknown, there are several publishers, and the filter is
                exclusive.
        """
        if gid is None:
            if self._exclusive:
                self._detector.require_one_publisher(self._topic)
            return True
        now = time.monotonic()
        if gid != self._accepted:
            publishers, with_role = self._detector.publisher_ids(self._topic, self._role)
            silent = now > self._last_message + self._silence
            if gid in with_role:
                accepted = self._accepted not in with_role or silent
            else:
                accepted = not with_role and len(publishers) == 1
            if not accepted:
                return self._detector.resets_arm(self._topic, gid)
            self._accepted = gid
        self._last_message = now
        return True

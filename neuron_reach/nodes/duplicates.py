"""Who else is on a node's topics: a second of a kind is noticed, at the start and later.

The graph is asked, not the messages: a second node is there before it says anything. To ask who
publishes on a topic takes 50 us, a few times a second, so that of two the one that came later is
known.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from rclpy.node import Node

from neuron_reach import messages
from neuron_reach.errors import SpoiledError, UserError
from neuron_reach.nodes.common import Interrupt

LOOK_DURATION = 0.6
"""Seconds that a new node looks around before it publishes anything."""

NEW_DURATION = 3.0
"""Seconds for which a node is the newcomer, who leaves when there are two."""

GRACE = 1.5
"""Seconds that a newcomer is given to leave again."""

SILENCE = 1.0
"""Seconds without a message after which another node may take a speaker's place."""

UNKNOWN = '_NODE_NAME_UNKNOWN_'
"""What the graph calls a node whose endpoints are known before its name is."""


@dataclasses.dataclass(frozen=True)
class Role:
    """A part that only one node may play on the same topics.

    Attributes:
        name: what to call it.
        service: what a node with this part serves; `~` stands for its name.
        hears: what a node with this part subscribes to.
    """

    name: str
    service: str = ''
    hears: str = ''


SIMULATOR = Role('simulator', service='reset')
POLICY = Role('policy', service='~/save_checkpoint')
ACTIVATION_RECORDER = Role('activation recorder', hears=messages.CHECKPOINT)
BAG_RECORDER = Role('bag recorder')


def role_of(topic: str) -> Role:
    """Return who publishes one of the topics that are recorded."""
    if messages.layer_of(topic) is not None:
        return ACTIVATION_RECORDER
    return SIMULATOR if topic == messages.JOINT_STATES else POLICY


@dataclasses.dataclass(frozen=True)
class Watch:
    """A topic that one node only may publish.

    Attributes:
        topic: its relative name.
        role: of the publisher.
        mixed: whether two of them have done harm; by default their presence is enough.
    """

    topic: str
    role: Role
    mixed: Callable[[], bool] = lambda: True


class _Second(NamedTuple):
    watch: Watch
    end: Any


class Company:
    """Looks for a second of a kind; raises when there is one, and names it.

    Attributes:
        problem: what is wrong, in a line; empty if nothing is.
    """

    def __init__(
        self,
        node: Node,
        role: Role,
        watches: Iterable[Watch],
        *,
        hears: str = '',
        grace: float = GRACE,
    ) -> None:
        """Note what to look for; looks for nothing yet.

        Args:
            node: whose company is meant.
            role: that it plays itself.
            watches: topics that it publishes or hears.
            hears: a topic that a second node of this name, with this part, hears as well.
            grace: seconds for a newcomer to leave again, before its presence ends this node.
        """
        self._node = node
        self._role = role
        self._watches = list(watches)
        self._hears = hears
        self._grace = grace
        self._began = self._made = time.monotonic()
        self._since: float | None = None
        self._told: set[bytes] = set()
        self._known: dict[str, set[bytes]] = {}
        self.problem = ''

    def look(self) -> None:
        """See whether somebody plays this node's part already; to be done before publishing.

        Raises:
            UserError: somebody does.
        """
        while time.monotonic() < self._made + LOOK_DURATION:
            Interrupt.check()
            time.sleep(0.02)
        self._began = time.monotonic()
        if (second := self._find(newcomer=True)) is not None:
            role, topic = second.watch.role, self._node.resolve_topic_name(second.watch.topic)
            raise UserError(
                f'{_full(second.end)} is the {role.name} on {topic} already; '
                'end it first, or use another namespace or ROS_DOMAIN_ID'
            )

    def check(self) -> None:
        """See whether there is a second of a kind by now.

        Raises:
            SpoiledError: there is, and it does not leave.
        """
        second = self._find()
        if second is None:
            self._since, self.problem = None, ''
            return
        now = time.monotonic()
        if self._since is None:
            self._since = now
        topic = self._node.resolve_topic_name(second.watch.topic)
        problem = f'there is a second {second.watch.role.name} on {topic}: {_full(second.end)}'
        if now < self._since + self._grace and now > self._began + NEW_DURATION:
            return
        if second.watch.mixed():
            raise SpoiledError(problem)
        if problem != self.problem:
            self._node.get_logger().error(problem)
        self.problem = problem

    def publishers(self, topic: str, role: Role) -> tuple[set[bytes], set[bytes]]:
        """Return the ids of a topic's publishers, and of those of them that play a part."""
        ends = self._node.get_publishers_info_by_topic(topic)
        return set(map(_gid, ends)), {_gid(end) for end in ends if self.plays(end, role)}

    def helps(self, topic: str, gid: bytes) -> bool:
        """Tell whether a publisher is one that commands the arm to reset it."""
        ends = self._node.get_publishers_info_by_topic(topic)
        found = [end for end in ends if _gid(end) == gid]
        return topic == messages.COMMANDS and any(self.plays(end, SIMULATOR) for end in found)

    def refuse_several(self, topic: str) -> None:
        """End if a topic has several publishers, for those who cannot tell messages apart.

        Raises:
            SpoiledError: it has.
        """
        if self._node.count_publishers(topic) > 1:
            ends = self._node.get_publishers_info_by_topic(topic)
            if (
                topic != messages.COMMANDS
                or sum(not self.plays(end, SIMULATOR) for end in ends) > 1
            ):
                self.refuse_crowd(topic)

    def refuse_crowd(self, topic: str) -> None:
        """End because several nodes publish on a topic, whatever they are.

        Raises:
            SpoiledError: always; names them.
        """
        ends = self._without_own(topic, self._node.get_publishers_info_by_topic(topic))
        names = ', '.join(sorted(map(_full, ends)))
        raise SpoiledError(
            f'several nodes publish on {self._node.resolve_topic_name(topic)}: {names}'
        )

    @property
    def suspect(self) -> bool:
        """Whether a second of a kind was there at the last check."""
        return self._since is not None

    # --- who they are ------------------------------------------------------------------------

    def _find(self, newcomer: bool = False) -> _Second | None:
        """Return the first topic that has one too many, and an endpoint of that one."""
        for watch in self._watches:
            # Whoever plays this node's own part is one too many even before it publishes itself.
            allowed = 0 if newcomer and watch.role == self._role else 1
            ends = self._node.get_publishers_info_by_topic(watch.topic)
            if len(ends) <= allowed:
                self._known[watch.topic] = set(map(_gid, ends))
                continue
            playing = [end for end in ends if self.plays(end, watch.role)]
            self._tell_of_others(watch, ends, playing)
            known = self._known.setdefault(watch.topic, set())
            others = self._without_own(watch.topic, playing)
            if len(playing) <= allowed or not others:
                known.update(map(_gid, playing))
                continue
            return _Second(watch, min(others, key=lambda end: _gid(end) in known))
        return self._find_listener()

    def _find_listener(self) -> _Second | None:
        me = (self._node.get_name(), self._node.get_namespace())
        if not self._hears or self._node.get_node_names_and_namespaces().count(me) < 2:
            return None
        ends = self._node.get_subscriptions_info_by_topic(self._hears)
        mine = [end for end in ends if self._is_namesake(end)]
        topic = self._node.resolve_topic_name(self._hears)
        own = sum(each.topic_name == topic for each in self._node.subscriptions)
        return _Second(Watch(self._hears, self._role), mine[0]) if len(mine) > own else None

    def plays(self, end: Any, role: Role) -> bool:
        """Tell whether the node of an endpoint plays a part."""
        if role == self._role and self._is_namesake(end):
            return True
        name = (end.node_name, end.node_namespace)
        try:
            if role.hears:
                wanted = self._node.resolve_topic_name(role.hears)
                found = self._node.get_subscriber_names_and_types_by_node(*name)
            else:
                service = role.service.replace('~', _full(end))
                wanted = self._node.resolve_service_name(service)
                found = self._node.get_service_names_and_types_by_node(*name)
        except (RuntimeError, ValueError):  # its name is not known yet, or it has just gone
            return False
        return wanted in (topic for topic, _ in found)

    def _without_own(self, topic: str, ends: list[Any]) -> list[Any]:
        """Return endpoints without this node's own; a namesake's look the same as those."""
        resolved = self._node.resolve_topic_name(topic)
        own = sum(each.topic_name == resolved for each in self._node.publishers)
        others = []
        for end in ends:
            if self._is_namesake(end) and own:
                own -= 1
            else:
                others.append(end)
        return others

    def _tell_of_others(self, watch: Watch, ends: list[Any], playing: list[Any]) -> None:
        """Warn once of a publisher that plays no such part; its messages are looked at."""
        for end in ends if playing else ():
            helps = watch.role == POLICY and self.plays(end, SIMULATOR)  # it resets the arm
            if end in playing or helps or end.node_name == UNKNOWN or _gid(end) in self._told:
                continue
            self._told.add(_gid(end))
            self._node.get_logger().warning(
                f'{_full(end)}, which is no {watch.role.name}, publishes on '
                f'{self._node.resolve_topic_name(watch.topic)}; what does not fit is ignored'
            )

    def _is_namesake(self, end: Any) -> bool:
        me = (self._node.get_name(), self._node.get_namespace())
        return (end.node_name, end.node_namespace) == me


def _full(end: Any) -> str:
    return f'{end.node_namespace.rstrip("/")}/{end.node_name}'


def _gid(end: Any) -> bytes:
    return bytes(end.endpoint_gid[:16])  # the rest is zero, where there is more


class Pace:
    """How many events there were in the last whole second."""

    def __init__(self) -> None:
        self.rate = 0
        self._count = 0
        self._end = 0.0

    def add(self) -> None:
        """Count one."""
        now = time.monotonic()
        if now >= self._end:
            self.rate = self._count if now < self._end + 1.0 else 0
            self._count, self._end = 0, now + 1.0
        self._count += 1


class Speaker:
    """The one publisher of a topic that is listened to; messages of others are ignored.

    This takes an rclpy that tells who sent a message, which those of Humble and Jazzy do not.
    """

    def __init__(self, company: Company, topic: str, role: Role, *, alone: bool) -> None:
        """Listen to nobody yet.

        Args:
            company: that it belongs to.
            topic: its relative name.
            role: of whom to listen to; whoever else publishes is heard only if no such one does.
            alone: where rclpy does not tell who sent a message, a second publisher is an error.
        """
        self._alone = alone
        self._company = company
        self._topic = topic
        self._role = role
        self._gid: bytes | None = None
        self._heard = 0.0
        # Checkpoints are rare: that there was none for long says nothing about its sender.
        self._silence = math.inf if topic == messages.CHECKPOINT else SILENCE

    def is_from(self, gid: bytes | None) -> bool:
        """Tell whether a message comes from whom it should.

        Raises:
            SpoiledError: nobody can tell, and there are several.
        """
        if gid is None:
            if self._alone:
                self._company.refuse_several(self._topic)
            return True
        now = time.monotonic()
        if gid != self._gid:
            ends, entitled = self._company.publishers(self._topic, self._role)
            silent = now > self._heard + self._silence
            if gid in entitled:
                mine = self._gid not in ends or self._gid not in entitled or silent
            else:
                mine = not entitled and len(ends) == 1
            if not mine:
                return self._company.helps(self._topic, gid)
            self._gid = gid
        self._heard = now
        return True

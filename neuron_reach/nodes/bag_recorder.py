"""Node `bag_recorder`: records topics into a bag, with rosbag2's recorder where it is installed.

A topic is recorded from when its first publisher appears, with the message type and the quality of
service that the publisher offers; so it works for one arm and for a fleet, reliable or not. In the
bag the topics have their own names, also where they are remapped: by these it is read.
"""

from __future__ import annotations

import dataclasses
import importlib
import time
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from neuron_reach import messages
from neuron_reach.bags.writer import STORAGES, BagWriter
from neuron_reach.common.options import option
from neuron_reach.errors import SpoiledError, UserError
from neuron_reach.nodes import rosbag2
from neuron_reach.nodes.common import (
    RECORDED_DEPTH,
    Diagnostics,
    Problem,
    Throttle,
    declare,
    full_disk,
    problems,
    reliable,
    run_node,
)
from neuron_reach.nodes.duplicates import BAG_RECORDER, SIMULATOR, Company, Speaker, Watch, role_of
from neuron_reach.nodes.loop import Loop

DISCOVERY_PERIOD = 0.05
"""Seconds between two looks for publishers of topics that had none yet."""

DRAIN_TIMEOUT = 2.0
"""Seconds after the signal to end in which messages on their way are still taken."""

DRAIN_SILENCE = 0.1
"""Seconds without a message after which nothing more is thought to be on its way."""


@dataclasses.dataclass(frozen=True)
class BagOptions:
    """Parameters of the node."""

    bag: str = option('', 'folder of the new bag; must not exist', path=True)
    keep_partial: bool = option(
        False, 'leave the bag in <bag>.partial, for somebody to check it and give it its name'
    )
    storage: str = option('mcap', 'format of the bag', choices=tuple(STORAGES))
    topics: tuple[str, ...] = option(
        messages.recorded_topics(hidden_layers=6), 'relative names of the topics to record'
    )


def read_options(node: Node) -> BagOptions:
    """Return the parameters.

    Raises:
        UserError: one is missing or bad.
    """
    options = declare(node, BagOptions)
    if not options.topics:
        raise UserError('parameter topics is empty; name at least one topic')
    if not options.bag:
        raise UserError('parameter bag is missing; give the path of the new bag')
    for topic in options.topics:
        if not messages.message_types(topic):
            allowed = ', '.join(messages.recorded_topics(hidden_layers=1))
            raise UserError(f'parameter topics: cannot record {topic!r}; allowed: {allowed}')
    return options


class BagRecorder:
    """Writes what arrives, serialized as it came, with the wall time of receipt.

    Not the node's time: where that is simulated it may stand still or start again.
    """

    def __init__(self, node: Node, options: BagOptions) -> None:
        self.node = node
        watches = [Watch(topic, role_of(topic)) for topic in options.topics]
        self.company = Company(node, BAG_RECORDER, watches, hears=options.topics[0])
        self.company.look()
        self.loop = Loop(node, self.company.check)
        self.bag = options.bag
        self.rejected = Throttle(node, 'messages not recorded')
        self.speakers: dict[str, Speaker] = {}
        self.awaited = set(options.topics)
        self.subscriptions: dict[str, Any] = {}
        self.last_time = 0
        self.writer = BagWriter(options.bag, options.storage, keep_partial=options.keep_partial)
        if self.writer.set_aside:
            node.get_logger().warning(f'an unfinished bag was moved to {self.writer.set_aside}')
        self.diagnostics = Diagnostics(node, lambda: self.writer.counts, self.problems)
        # On a clock of its own: simulated time may stand still, or nobody may tell it.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.discovery = node.create_timer(DISCOVERY_PERIOD, self.subscribe_to_new, clock=steady)

    def problems(self) -> list[Problem]:
        """Return what is wrong, for /diagnostics."""
        second = problems(self.company.problem, level=DiagnosticStatus.ERROR)
        return second + problems(self.rejected) + full_disk(self.bag)

    def subscribe_to_new(self) -> None:
        """Subscribe to the awaited topics that have a publisher by now."""
        for name in sorted(self.awaited):
            publishers = self.node.get_publishers_info_by_topic(name)
            if not publishers:
                continue
            self.awaited.remove(name)
            kind = publishers[0].topic_type
            if kind not in messages.message_types(name):
                self.node.get_logger().error(f'{name} is not recorded: it carries {kind}')
                continue
            offered = [publisher.qos_profile for publisher in publishers]
            qos = reliable(RECORDED_DEPTH)
            if any(one.reliability != ReliabilityPolicy.RELIABLE for one in offered):
                qos.reliability = ReliabilityPolicy.BEST_EFFORT
            if all(one.durability == DurabilityPolicy.TRANSIENT_LOCAL for one in offered):
                qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
            topic = self.node.resolve_topic_name(name, only_expand=True)
            self.writer.add_topic(
                topic,
                kind,
                depth=RECORDED_DEPTH,
                reliable=qos.reliability == ReliabilityPolicy.RELIABLE,
                transient_local=qos.durability == DurabilityPolicy.TRANSIENT_LOCAL,
            )
            package, _, message = kind.split('/')
            message_type = getattr(importlib.import_module(f'{package}.msg'), message)
            self.subscriptions[topic] = self.loop.subscribe(message_type, name, qos, raw=True)
            role = role_of(name)
            # Joint states of other robots may be on the same topic.
            self.speakers[topic] = Speaker(self.company, name, role, alone=role != SIMULATOR)

    def take_all(self) -> bool:
        """Write all that has arrived; return whether that was anything."""
        busy = False
        for topic, subscription in list(self.subscriptions.items()):
            # Not more than the history holds, else one busy topic would starve the others.
            for _ in range(RECORDED_DEPTH):
                taken = self.loop.take_from(subscription)
                if taken is None:
                    break
                data, gid = taken
                if not self.speakers[topic].is_from(gid):
                    self.rejected.add(f'somebody else publishes on {topic} as well')
                    continue
                # A clock that is set back must not put messages out of order.
                self.last_time = max(self.last_time, time.time_ns())
                self.writer.write(topic, self.last_time, data)
                busy = True
                self.loop.attend()
        self.writer.flush_if_due()
        return busy

    def record(self) -> None:
        """Write what arrives until interrupted, then what is on its way."""
        try:
            while True:
                self.take_all()
                self.loop.wait(DISCOVERY_PERIOD)
        except KeyboardInterrupt:
            self.loop.watch = lambda: None  # nobody comes any more who matters
            end = time.monotonic() + DRAIN_TIMEOUT
            heard = time.monotonic()
            while time.monotonic() < min(end, heard + DRAIN_SILENCE):
                if self.take_all():
                    heard = time.monotonic()
                self.loop.wait(DRAIN_SILENCE)

    def spin(self) -> int:
        """Record until interrupted, then what is on its way; close the bag."""
        with self.writer:
            try:
                self.record()
            except SpoiledError:
                self.writer.finished = self.writer.partial  # what is mixed is not called whole
                raise
        counts = self.writer.counts
        topics = ', '.join(f'{topic} {count}' for topic, count in counts.items())
        total = sum(counts.values())
        print(f'{self.writer.finished}: {total} messages ({topics or "no topic seen"})', flush=True)
        return 0


def _body(node: Node) -> int:
    options = read_options(node)
    names = {topic: node.resolve_topic_name(topic) for topic in options.topics}
    remapped = any(
        name != node.resolve_topic_name(topic, only_expand=True) for topic, name in names.items()
    )
    if rosbag2.is_installed() and not remapped:
        bag = Path(options.bag).absolute()
        return rosbag2.record(node, bag, options.storage, names, keep_partial=options.keep_partial)
    return BagRecorder(node, options).spin()


def main() -> int:
    """Run the node."""
    return run_node('bag_recorder', _body)


if __name__ == '__main__':
    raise SystemExit(main())

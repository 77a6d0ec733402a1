# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Node `bag_recorder`: records topics into a bag, with rosbag2's recorder where it is installed.

A topic is recorded as soon as its first publisher appears, with the message type and the quality of
service that the publisher offers; so it works for one arm and for a fleet, reliable or not. The bag
contains the topics' original names, even if they are remapped, because the readers expect these.
"""

from __future__ import annotations

import dataclasses
import importlib
import time
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from neuron_reach import messages
from neuron_reach.bags.writer import STORAGES, BagWriter
from neuron_reach.common.options import option
from neuron_reach.errors import SpoiledError, UserError
from neuron_reach.nodes import rosbag2
from neuron_reach.nodes.diagnostics import (
    Diagnostics,
    Problem,
    ThrottledWarning,
    low_disk_space,
    problems,
)
from neuron_reach.nodes.duplicates import (
    BAG_RECORDER,
    SIMULATOR,
    DuplicateDetector,
    PublisherFilter,
    WatchedTopic,
    publisher_role,
)
from neuron_reach.nodes.endpoints import publishers_of
from neuron_reach.nodes.entry_point import run_node
from neuron_reach.nodes.loop import Inbox, Loop
from neuron_reach.nodes.parameters import declare
from neuron_reach.nodes.publishing import RECORDED_DEPTH, reliable

DISCOVERY_PERIOD = 0.05
"""Seconds between two searches for publishers of topics that had none yet."""

DRAIN_TIMEOUT = 2.0
"""Seconds after an interrupt in which messages in transit are still recorded."""

DRAIN_SILENCE = 0.1
"""Seconds without a message after which none is assumed to be in transit."""


@dataclasses.dataclass(frozen=True)
class BagOptions:
    """Parameters of the node."""

    bag: str = option('', 'folder of the new bag; must not exist', path=True)
    keep_partial: bool = option(
        False, 'leave the bag in <bag>.partial, to be checked and renamed by the caller'
    )
    storage: str = option('mcap', 'format of the bag', choices=tuple(STORAGES))
    topics: tuple[str, ...] = option(
        messages.recorded_topics(hidden_layers=6), 'relative names of the topics to record'
    )


def read_options(node: Node) -> BagOptions:
    """Return the parameters.

    Raises:
        UserError: a parameter is missing or invalid.
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
    """Writes messages as they are received, still serialized, with the wall time of receipt.

    The node's time is not used because simulated time may stand still or restart.
    """

    def __init__(self, node: Node, options: BagOptions) -> None:
        self.node = node
        watched = [WatchedTopic(topic, publisher_role(topic)) for topic in options.topics]
        self.duplicates = DuplicateDetector(
            node, BAG_RECORDER, watched, subscribes_to=options.topics[0]
        )
        self.duplicates.check_at_start()
        self.loop = Loop(node, self.duplicates.check)
        self.bag = options.bag
        self.rejected = ThrottledWarning(node, 'messages not recorded')
        self.filters: dict[str, PublisherFilter] = {}
        self.awaited = set(options.topics)
        self.inboxes: dict[str, Inbox[bytes]] = {}
        self.last_time = 0
        self.writer = BagWriter(options.bag, options.storage, keep_partial=options.keep_partial)
        if self.writer.set_aside:
            node.get_logger().warning(f'an unfinished bag was moved to {self.writer.set_aside}')
        self.diagnostics = Diagnostics(node, lambda: self.writer.counts, self.problems)
        # Steady time, because simulated time may stand still or not be published.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.discovery = node.create_timer(DISCOVERY_PERIOD, self.subscribe_to_new, clock=steady)

    def problems(self) -> list[Problem]:
        """Return the problems for /diagnostics."""
        duplicate = problems(self.duplicates.problem, level=DiagnosticStatus.ERROR)
        return duplicate + problems(self.rejected) + low_disk_space(self.bag)

    def subscribe_to_new(self) -> None:
        """Subscribe to the awaited topics that have a publisher now."""
        for name in sorted(self.awaited):
            publishers = publishers_of(self.node, name)
            if not publishers:
                continue
            self.awaited.remove(name)
            type_name = publishers[0].message_type
            if type_name not in messages.message_types(name):
                self.node.get_logger().error(f'{name} is not recorded: its type is {type_name}')
                continue
            all_reliable = all(publisher.reliable for publisher in publishers)
            transient_local = all(publisher.transient_local for publisher in publishers)
            qos = reliable(RECORDED_DEPTH)
            if not all_reliable:
                qos.reliability = ReliabilityPolicy.BEST_EFFORT
            if transient_local:
                qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
            topic = self.node.resolve_topic_name(name, only_expand=True)
            self.writer.add_topic(
                topic,
                type_name,
                depth=RECORDED_DEPTH,
                reliable=all_reliable,
                transient_local=transient_local,
            )
            package, _, message = type_name.split('/')
            message_type = getattr(importlib.import_module(f'{package}.msg'), message)
            self.inboxes[topic] = self.loop.subscribe_raw(message_type, name, qos)
            role = publisher_role(name)
            # Other robots' joint states may be on the same topic.
            self.filters[topic] = PublisherFilter(
                self.duplicates, name, role, exclusive=role != SIMULATOR
            )

    def take_all(self) -> bool:
        """Write all received messages; return whether there were any."""
        busy = False
        for topic, inbox in list(self.inboxes.items()):
            # Not more than the history holds, or else one busy topic would starve the others.
            for _ in range(RECORDED_DEPTH):
                taken = inbox.take_with_gid()
                if taken is None:
                    break
                data, gid = taken
                if not self.filters[topic].accepts(gid):
                    self.rejected.add(f'another node publishes on {topic}, too')
                    continue
                # Messages stay in order even if the clock is set back.
                self.last_time = max(self.last_time, time.time_ns())
                self.writer.write(topic, self.last_time, data)
                busy = True
                self.loop.run_due()
        self.writer.flush_if_due()
        return busy

    def record(self) -> None:
        """Record until interrupted, then record the messages in transit."""
        try:
            while True:
                self.take_all()
                self.loop.wait(DISCOVERY_PERIOD)
        except KeyboardInterrupt:
            self.loop.periodic_check = lambda: None  # duplicates do not matter any more
            end = time.monotonic() + DRAIN_TIMEOUT
            last_message = time.monotonic()
            while time.monotonic() < min(end, last_message + DRAIN_SILENCE):
                if self.take_all():
                    last_message = time.monotonic()
                self.loop.wait(DRAIN_SILENCE)

    def spin(self) -> int:
        """Record until interrupted, then close the bag and print what it contains."""
        with self.writer:
            try:
                self.record()
            except SpoiledError:
                self.writer.finished = self.writer.partial  # a mixed recording stays unfinished
                raise
        counts = self.writer.counts
        topics = ', '.join(f'{topic} {count}' for topic, count in counts.items())
        total = sum(counts.values())
        print(f'{self.writer.finished}: {total} messages ({topics or "no topics"})', flush=True)
        return 0


def _run(node: Node) -> int:
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
    return run_node('bag_recorder', _run)


if __name__ == '__main__':
    raise SystemExit(main())

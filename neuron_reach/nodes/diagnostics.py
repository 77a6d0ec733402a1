# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What nodes report about themselves: `/rosout`, `/diagnostics`, and throttled warnings."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import Log
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from neuron_reach.nodes.publishing import DISCOVERY_DURATION, Publisher, flush, latched

RECENT_DURATION = 5.0
"""Seconds for which `/diagnostics` reports an event."""

MIN_FREE_SPACE = 500_000_000
"""Bytes of free disk space below which a node that writes files warns."""


class RosoutLogger:
    """Publishes on `/rosout` what the terminal shows already; a logger would print it again.

    Attributes:
        publisher: of `/rosout`.
    """

    INFO, ERROR = 20, 40

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(Log, '/rosout', latched(1000))
        self.publisher: Publisher = self._publisher

    def log(self, text: str, level: int = INFO) -> None:
        """Publish one line."""
        stamp = self._node.get_clock().now().to_msg()
        name = self._node.get_logger().name
        self._publisher.publish(Log(stamp=stamp, level=level, name=name, msg=text))

    def flush(self) -> None:
        """Wait, for a short time at most, until subscribers have received all lines."""
        flush([self.publisher], DISCOVERY_DURATION)


class ThrottledWarning:
    """Counts events and logs a warning about them, at most once a second.

    Attributes:
        count: events so far.
    """

    def __init__(self, node: Node, what: str) -> None:
        self.count = 0
        self._node = node
        self._what = what
        self._next_log = 0.0
        self._last_event = -math.inf
        self._reason = ''

    def add(self, reason: str, events: int = 1) -> None:
        """Count events; log a warning unless one was logged within the last second."""
        self.count += events
        self._last_event = now = time.monotonic()
        self._reason = reason
        if now >= self._next_log:
            self._next_log = now + 1.0
            self._node.get_logger().warning(self.summary)

    @property
    def recent(self) -> str:
        """Summary in one line if there were events in the last seconds, else empty."""
        return self.summary if time.monotonic() < self._last_event + RECENT_DURATION else ''

    @property
    def summary(self) -> str:
        """Number of events, and the reason for the last one."""
        return f'{self._what} ({self.count} so far): {self._reason}'


Problem = tuple[bytes, str]
"""A level of `DiagnosticStatus`, and a description in one line."""


def problems(
    *sources: ThrottledWarning | str, level: bytes = DiagnosticStatus.WARN
) -> list[Problem]:
    """Return the problems of the sources that have one: a description, or recent warnings."""
    texts = [source if isinstance(source, str) else source.recent for source in sources]
    return [(level, text) for text in texts if text]


def low_disk_space(folder: str | Path) -> list[Problem]:
    """Return a warning if little disk space is left for a folder, which need not exist yet."""
    existing = Path(folder).absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free >= MIN_FREE_SPACE:
        return []
    return [(DiagnosticStatus.WARN, f'{existing}: only {free / 1e6:.0f} MB of disk space left')]


def diagnostic_array(
    node: Node, values: Mapping[str, object], problems: Sequence[Problem]
) -> DiagnosticArray:
    """Return a node's values and problems as a message; the worst problem gives the level."""
    message = DiagnosticArray()
    message.header.stamp = node.get_clock().now().to_msg()
    message.status = [
        DiagnosticStatus(
            level=max((level for level, _ in problems), default=DiagnosticStatus.OK),
            name=node.get_fully_qualified_name(),
            message='; '.join(text for _, text in problems) or 'running',
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
    ]
    return message


class Diagnostics:
    """Publishes a node's values and problems on `/diagnostics` once a second."""

    def __init__(
        self,
        node: Node,
        get_values: Callable[[], Mapping[str, object]],
        get_problems: Callable[[], Sequence[Problem]],
    ) -> None:
        self._node = node
        self._get_values = get_values
        self._get_problems = get_problems
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # Steady time, because simulated time may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(1.0, self.publish, clock=steady)

    def publish(self) -> None:
        """Publish now."""
        message = diagnostic_array(self._node, self._get_values(), self._get_problems())
        self._publisher.publish(message)

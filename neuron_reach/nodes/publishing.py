# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Quality of service of the package's topics, and waiting until messages are delivered."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from neuron_reach.nodes.shutdown import urgent_shutdown

DISCOVERY_DURATION = 0.3
"""Seconds within which publishers and subscriptions usually have found each other."""

FLUSH_TIMEOUT = 10.0
"""Seconds for published messages to reach their subscribers before a node ends."""

URGENT_FLUSH_TIMEOUT = 0.3
"""The same in seconds for an urgent shutdown, when the subscribers have most likely ended too."""

CYCLES_DEPTH = 1000
"""Control cycles that a recorder may lag behind arm and policy before any is lost."""

OBSERVATION_DEPTH = 20_000
"""Observations that the activation recorder may lag behind the policy before any is lost."""

RECORDED_DEPTH = 10_000
"""Messages of each topic that are kept for a bag recorder while the disk is slow."""


class Publisher(Protocol):
    """What is needed of a publisher, whatever its message type."""

    def get_subscription_count(self) -> int:
        """Return the number of matched subscriptions."""

    def wait_for_all_acked(self, timeout: Duration) -> bool:
        """Wait until all reliable subscriptions have acknowledged all messages."""


def reliable(depth: int) -> QoSProfile:
    """Return a reliable profile that keeps the last `depth` messages."""
    return QoSProfile(
        depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE
    )


def latched(depth: int = 1) -> QoSProfile:
    """Return a profile whose last `depth` messages also reach subscribers that join later."""
    profile = reliable(depth)
    profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
    return profile


def has_subscribers(publisher: Publisher) -> bool:
    """Tell whether anybody subscribes to a publisher's topic."""
    return publisher.get_subscription_count() > 0


def flush(publishers: Iterable[Publisher], timeout: float = FLUSH_TIMEOUT) -> None:
    """Wait until reliable subscribers have received everything that was published.

    Args:
        publishers: of reliable topics.
        timeout: seconds for all of them together; a killed subscriber never acknowledges.
    """
    if urgent_shutdown.is_set():
        timeout = min(timeout, URGENT_FLUSH_TIMEOUT)
    end = time.monotonic() + timeout
    for publisher in publishers:
        publisher.wait_for_all_acked(Duration(seconds=max(0.0, end - time.monotonic())))

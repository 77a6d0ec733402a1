# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Time as the policy inspector measures it: of this host, or simulated."""

from __future__ import annotations

import time

from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from neuron_reach.nodes.loop import Inbox, Loop


class InspectionClock:
    """Tells the time: with `use_sim_time` that of `/clock`, else a steady one.

    The clock of rclpy would lag behind, as an executor serves it; and the clock of a host may jump.
    """

    def __init__(self, loop: Loop) -> None:
        self._node: Node = loop.node
        self._simulated: Inbox[Clock] | None = None
        self._latest: Time | None = None
        if self._node.get_parameter('use_sim_time').value:
            newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._simulated = loop.subscribe(Clock, '/clock', newest)

    def update(self) -> bool:
        """Take the newest simulated time; return whether it was set back."""
        if self._simulated is None:
            return False
        before = self.now()
        while (message := self._simulated.take()) is not None:
            self._latest = message.clock
        now = self.now()
        return before is not None and now is not None and now < before

    def now(self) -> float | None:
        """Return the time in seconds; None before the first simulated time."""
        if self._simulated is None:
            return time.monotonic()
        latest = self._latest
        return None if latest is None else latest.sec + 1e-9 * latest.nanosec

    def stamp(self) -> Time:
        """Return the time of ROS, for headers."""
        if self._simulated is not None and self._latest is not None:
            return self._latest
        return self._node.get_clock().now().to_msg()

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Waiting until messages are delivered."""

import signal
import time

from std_msgs.msg import Float64MultiArray

from neuron_reach import messages
from neuron_reach.nodes.publishing import flush, reliable
from neuron_reach.nodes.shutdown import urgent_shutdown


def test_flush_waits_once_for_killed_subscribers_and_briefly_in_an_urgent_shutdown(
    peer, start_node
):
    simulator = start_node('arm_simulator')
    made = [
        peer.node.create_publisher(Float64MultiArray, messages.COMMANDS, reliable(10))
        for _ in range(4)
    ]
    peer.wait(lambda: all(each.get_subscription_count() for each in made), 'simulator')
    simulator.finish(signal.SIGKILL)
    for publisher in made:
        publisher.publish(Float64MultiArray())
    began = time.monotonic()
    flush(made, 0.5)
    took = time.monotonic() - began
    assert 0.4 < took < 1.0
    urgent_shutdown.set()
    try:
        began = time.monotonic()
        flush(made, 10.0)
        assert time.monotonic() - began < 1.0
    finally:
        urgent_shutdown.clear()

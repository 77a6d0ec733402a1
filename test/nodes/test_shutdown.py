# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How nodes learn that they have to end."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from std_msgs.msg import Float32MultiArray, MultiArrayDimension, String

from neuron_reach import messages
from neuron_reach.common.ros_environment import LAUNCHER
from neuron_reach.nodes.activation_recorder import ActivationRecorder
from neuron_reach.nodes.bag_recorder import BagOptions, BagRecorder
from neuron_reach.nodes.publishing import latched
from neuron_reach.nodes.shutdown import Interrupt, urgent_shutdown
from nodes.policies import SMALL


def test_sigterm_makes_the_shutdown_urgent_and_sigint_does_not(handlers):
    try:
        for number, urgent in ((signal.SIGINT, False), (signal.SIGTERM, True)):
            Interrupt.install()
            os.kill(os.getpid(), number)
            with pytest.raises(KeyboardInterrupt):
                Interrupt.check()
            assert urgent_shutdown.is_set() == urgent
    finally:
        urgent_shutdown.clear()


def test_recorders_with_a_backlog_notice_an_interrupt(
    peer, default_node, make_checkpoint, handlers, tmp_path
):
    latest = messages.CheckpointMessage(str(make_checkpoint(**SMALL)), 1, 0)
    checkpoint = peer.node.create_publisher(String, messages.CHECKPOINT, latched())
    checkpoint.publish(String(data=messages.encode_checkpoint(latest)))
    observations = peer.node.create_publisher(Float32MultiArray, messages.OBSERVATION, 1000)
    peer.listen(Float32MultiArray, messages.activation_topic('output'))
    recorder = ActivationRecorder(default_node('activation_recorder'))
    recorder.loop.wait_until(lambda: recorder.take_all() or recorder.observations, 5.0)
    options = BagOptions(str(tmp_path / 'bag'), topics=(messages.OBSERVATION,))
    bag_recorder = BagRecorder(default_node('bag_recorder'), options)
    bag_recorder.subscribe_to_new()
    peer.wait(lambda: observations.get_subscription_count() == 2, 'recorders')
    message = Float32MultiArray()
    size = recorder.networks[0][1].sizes[0]
    for step in range(50):
        values = np.zeros((1, size), np.float32)
        messages.fill_fleet_step(message, MultiArrayDimension, values, 0, step, 'feature')
        observations.publish(message)
    peer.spin_for(0.3)
    urgent_shutdown.set()
    recorder.take_all()
    urgent_shutdown.clear()
    assert recorder.published == 0
    with bag_recorder.writer:
        for recording, count in (
            (recorder, lambda: recorder.published),
            (bag_recorder, lambda: sum(bag_recorder.writer.counts.values())),
        ):
            Interrupt.pending = True
            with pytest.raises(KeyboardInterrupt):
                recording.take_all()
            assert count() == 1
            assert recording.take_all()
            assert count() == 50


def test_a_node_ends_with_its_launcher_but_not_with_its_shell(start, monkeypatch):
    shell = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
    try:
        free = start('neuron_reach.nodes', 'arm_simulator', '--ros-args', '-r', '__ns:=/free')
        monkeypatch.setenv(LAUNCHER, str(shell.pid))
        launched = start('neuron_reach.nodes', 'arm_simulator')
        time.sleep(4.0)
        assert launched.process.poll() is None
    finally:
        shell.kill()
        shell.wait()
    start_time = time.monotonic()
    assert launched.finish(timeout=10.0) == 0
    assert time.monotonic() - start_time < 2.0
    assert free.process.poll() is None
    late = start('neuron_reach.nodes', 'arm_simulator')
    assert late.finish(timeout=10.0) == 0, 'its launcher had ended before it started'
    os.kill(free.process.pid, signal.SIGINT)
    assert free.finish() == 0

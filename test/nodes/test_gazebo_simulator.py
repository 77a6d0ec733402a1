# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The bridge node against the real Gazebo: the topics of `arm_simulator`, another body behind."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest
from geometry_msgs.msg import PointStamped
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.nodes.publishing import latched

pytestmark = pytest.mark.usefixtures('gazebo')


@pytest.fixture
def simulator(start_node, peer):
    """Start the node; return it, the states received and what sends it a command."""

    def begin(**parameters):
        running = start_node('gazebo_simulator', **parameters)
        qos = qos_profile_sensor_data if parameters['clock'] == 'realtime' else 1000
        states = peer.listen(JointState, messages.JOINT_STATES, qos)
        publisher = peer.node.create_publisher(Float64MultiArray, messages.COMMANDS, 10)
        peer.wait(lambda: publisher.get_subscription_count() or running.text, 'simulator')
        peer.wait(lambda: peer.node.count_publishers('/joint_states'), 'joint states')

        def send(targets, sequence=None):
            message = Float64MultiArray()
            messages.fill_commands(message, MultiArrayDimension, np.array([targets]), sequence)
            publisher.publish(message)

        return running, states, send

    return begin


def stamp(state):
    return state.header.stamp.sec + 1e-9 * state.header.stamp.nanosec


def test_every_command_is_one_cycle_of_50_ms(simulator, peer):
    running, states, send = simulator(joints=2, clock='lockstep')
    clock = peer.listen(Clock, '/clock')
    assert peer.call(Trigger, 'reset').success
    start = ArmOptions(joints=2).start_pose
    state = peer.wait(lambda: states and states[-1], 'joint states')
    assert np.array(state.position) == pytest.approx(start)
    assert list(state.name) == ['joint_1', 'joint_2']
    for sequence in range(1, 11):
        states.clear()
        send(start + 0.02 * sequence, sequence)
        state = peer.wait(lambda: states and states[-1], 'joint states')
        assert stamp(state) == pytest.approx(0.05 * sequence)
    assert np.array(state.position) == pytest.approx(start + 0.2, abs=0.1)
    states.clear()
    send(start, 10)  # once more: answered, but not obeyed
    again = peer.wait(lambda: states and states[-1], 'joint states')
    assert (stamp(again), list(again.position)) == (stamp(state), list(state.position))
    peer.wait(lambda: clock, 'clock')
    goal = PointStamped()
    goal.point.x, goal.point.z = 0.3, 0.5
    peer.node.create_publisher(PointStamped, messages.GOAL, latched()).publish(goal)
    send(start, 11)
    peer.wait(lambda: stamp(states[-1]) == pytest.approx(0.55), 'joint states')
    assert running.interrupt() == 0
    assert running.text == ''


def test_in_real_time_the_arm_holds_its_pose_without_commands(simulator, peer):
    running, states, _ = simulator(joints=1, clock='realtime')
    peer.wait(lambda: len(states) >= 20, 'joint states')
    assert states[-1].position[0] == pytest.approx(np.pi / 2, abs=0.01)
    assert running.interrupt() == 0


def gazebo_of(process):
    text = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(process.pid)], capture_output=True)
    (pid,) = map(int, text.stdout.split())
    return pid


def test_a_killed_gazebo_ends_the_node_with_one_line(simulator, peer):
    running, states, send = simulator(joints=1, clock='lockstep')
    send([1.5], 1)
    peer.wait(lambda: states, 'joint states')
    os.kill(gazebo_of(running.process), signal.SIGKILL)
    start = time.monotonic()
    send([1.5], 2)
    assert running.finish(timeout=2.0) == 2
    assert time.monotonic() - start < 2.0
    assert running.text.count('\n') == 1
    assert 'gazebo_simulator: error: Gazebo has ended (signal 9)' in running.text


def test_a_missing_gazebo_is_reported_in_one_line(start, monkeypatch, tmp_path):
    monkeypatch.setenv('NEURON_REACH_GAZEBO', str(tmp_path))
    running = start('neuron_reach.nodes', 'gazebo_simulator')
    assert running.finish() == 2
    assert running.text.count('\n') == 1
    assert 'neuron_reach gazebo install' in running.text

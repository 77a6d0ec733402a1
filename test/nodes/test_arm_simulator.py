# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The simulator as a process of its own, commanded over real DDS."""

import math
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.arm.simulator import ArmOptions, FleetSimulator


class Commander:
    """Commands a lockstep simulator and keeps what it answers."""

    def __init__(self, peer):
        self.peer = peer
        self.states = peer.listen(JointState, messages.JOINT_STATES)
        self.publisher = peer.node.create_publisher(Float64MultiArray, messages.COMMANDS, 10)
        peer.wait(self.publisher.get_subscription_count, 'simulator')
        assert peer.call(Trigger, 'reset').success
        peer.wait(lambda: self.states, 'state after the reset')

    def send(self, targets, sequence=None):
        message = Float64MultiArray()
        messages.fill_commands(message, MultiArrayDimension, np.asarray(targets, float), sequence)
        self.publisher.publish(message)

    def step(self, targets, sequence=None):
        count = len(self.states)
        self.send(targets, sequence)
        self.peer.wait(lambda: len(self.states) > count, 'joint state')
        return np.array(self.states[-1].position)


def seconds(stamp):
    return stamp.sec + stamp.nanosec * 1e-9


def figures(peer):
    """Return the simulator's own counts, as it publishes them now."""
    sent = peer.listen(DiagnosticArray, '/diagnostics')

    def newest():
        for message in reversed(sent[1:]):  # the first may be older than the question
            for status in message.status:
                if status.name == '/arm_simulator':
                    return {value.key: value.value for value in status.values}
        return None

    return peer.wait(newest, 'diagnostics')


@pytest.mark.parametrize('arms', [1, 7])
def test_lockstep_moves_exactly_like_the_fleet_in_process(peer, start_node, arms):
    simulator = start_node('arm_simulator', joints=2, arms=arms, clock='lockstep')
    clock = peer.listen(Clock, '/clock')
    commander = Commander(peer)
    fleet = FleetSimulator(ArmOptions(joints=2), arms)
    targets = fleet.joint_angles
    start = seconds(commander.states[-1].header.stamp)
    for sequence in range(1, 21):
        targets = targets + 0.05 * np.random.default_rng(sequence).integers(-1, 2, targets.shape)
        fleet.send(targets)
        expected = fleet.receive()
        measured = commander.step(targets, sequence)
        assert (measured.reshape(arms, 2) == expected).all()
        assert seconds(commander.states[-1].header.stamp) == pytest.approx(start + 0.05 * sequence)
    assert commander.states[-1].name == (['joint_1', 'joint_2'] if arms == 1 else [])
    assert np.array_equal(commander.states[-1].velocity, fleet.joint_velocities.ravel())
    peer.wait(lambda: clock and seconds(clock[-1].clock) >= start + 1.0, '/clock')
    assert simulator.interrupt() == 0


def test_a_repeated_command_is_answered_without_a_step_and_a_gap_is_reported(peer, start_node):
    simulator = start_node('arm_simulator', joints=2, clock='lockstep')
    commander = Commander(peer)
    target = [[1.5, 0.4]]
    first = commander.step(target, 1)
    stamp = commander.states[-1].header.stamp
    assert (commander.step(target, 1) == first).all()
    assert commander.states[-1].header.stamp == stamp
    assert (commander.step(target, 5) != first).any()
    counts = figures(peer)
    assert counts['commands_repeated'] == '1'
    assert counts['commands_lost'] == '3'
    assert simulator.interrupt() == 0
    assert 'commands lost (3 so far): sequence went from 1 to 5' in simulator.text


def test_invalid_commands_are_ignored_counted_and_logged_once_a_second(peer, start_node):
    simulator = start_node('arm_simulator', joints=2, clock='lockstep')
    commander = Commander(peer)
    for _ in range(2):
        commander.send([[math.nan, 0.0]])
        commander.send([[1.0, 2.0, 3.0]])
        commander.publisher.publish(Float64MultiArray())
        bad = Float64MultiArray()
        bad.layout.data_offset = 9
        bad.data = [1.0, 2.0]
        commander.publisher.publish(bad)
    before = len(commander.states)
    assert np.isfinite(commander.step([[1.5, 0.4]])).all()
    assert len(commander.states) == before + 1, 'a bad command moved the arm'
    assert figures(peer)['commands_ignored'] == '8'
    assert simulator.interrupt() == 0
    assert 1 <= simulator.text.count('command ignored') <= 3


def test_commands_without_a_layout_are_accepted(peer, start_node):
    start_node('arm_simulator', joints=2, clock='lockstep')
    commander = Commander(peer)
    count = len(commander.states)
    commander.publisher.publish(Float64MultiArray(data=[1.5, 0.4]))
    peer.wait(lambda: len(commander.states) > count, 'joint state')


def test_a_reset_returns_the_arm_to_the_start_pose(peer, start_node):
    start_node('arm_simulator', joints=3, clock='lockstep')
    commander = Commander(peer)
    start = np.array(commander.states[-1].position)
    assert np.allclose(start, ArmOptions(joints=3).start_pose)
    assert (commander.step([start + 0.05]) != start).any()
    count = len(commander.states)
    assert peer.call(Trigger, 'reset').success
    peer.wait(lambda: len(commander.states) > count, 'joint state')
    assert np.array_equal(commander.states[-1].position, start)
    assert not np.any(commander.states[-1].velocity)


def test_realtime_keeps_the_period_and_the_last_command(peer, start_node):
    simulator = start_node('arm_simulator', joints=1, clock='realtime')
    states = peer.listen(JointState, messages.JOINT_STATES, qos_profile_sensor_data)
    publisher = peer.node.create_publisher(Float64MultiArray, messages.COMMANDS, 10)
    peer.wait(publisher.get_subscription_count, 'simulator')
    publisher.publish(Float64MultiArray(data=[1.0]))
    peer.wait(lambda: states and abs(states[-1].position[0] - 1.0) < 0.01, 'motion')
    states.clear()
    began = time.monotonic()
    peer.wait(lambda: len(states) >= 40, 'joint states')
    assert time.monotonic() - began > 1.5, 'faster than the wall clock'
    stamps = [seconds(state.header.stamp) for state in states]
    assert np.median(np.diff(stamps)) == pytest.approx(0.05, abs=0.02)
    assert simulator.interrupt() == 0


@pytest.mark.parametrize(
    ('parameter', 'value', 'allowed'),
    [
        ('joints', 0, 'from 1 to 6'),
        ('joints', 2.5, 'a whole number'),
        ('arms', -3, 'from 1'),
        ('clock', 'sundial', 'realtime, lockstep'),
        ('pid_p', -1.0, 'from 0 to 200'),
    ],
)
def test_a_parameter_out_of_range_ends_in_one_line(start_node, parameter, value, allowed):
    simulator = start_node('arm_simulator', **{parameter: value})
    assert simulator.finish() == 2
    lines = [line for line in simulator.text.splitlines() if 'error' in line]
    assert len(lines) == 1
    assert parameter in lines[0]
    assert allowed in lines[0]
    assert 'Traceback' not in simulator.text

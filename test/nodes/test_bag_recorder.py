# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The recorder as a process of its own, over real DDS."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped, PoseArray
from rcl_interfaces.srv import DescribeParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Float32MultiArray, MultiArrayDimension, String

from neuron_reach import messages
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.summary import summarize

DEADLINE = 30.0
CYCLES = 1000
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
DEEP = QoSProfile(depth=2 * CYCLES)


def wait_for(condition, what):
    end = time.monotonic() + DEADLINE
    while not (result := condition()):
        assert time.monotonic() < end, f'no {what} within {DEADLINE} s'
        time.sleep(0.01)
    return result


@pytest.fixture
def node(domain):
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node = rclpy.create_node('robot', namespace='/left', context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def start():
    """Starts recorders; what a failed test leaves running is killed."""
    started = []

    def begin(*parameters):
        command = [sys.executable, '-m', 'neuron_reach.nodes', 'bag_recorder', '--ros-args']
        command += ['-r', '__ns:=/left']
        for parameter in parameters:
            command += ['-p', parameter]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def end(process, number):
    process.send_signal(number)
    output, errors = process.communicate(timeout=DEADLINE)
    assert 'Traceback' not in errors
    return process.returncode, output


def wait_for_start(process, bag):
    wait_for(lambda: process.poll() is not None or bag.with_name('bag.partial').exists(), 'bag')
    assert process.poll() is None, process.communicate()


def test_all_messages_of_the_topics_are_recorded(tmp_path, node, start):
    goal = node.create_publisher(PoseArray, messages.GOAL, LATCHED)
    checkpoint = node.create_publisher(String, messages.CHECKPOINT, LATCHED)
    joints = node.create_publisher(JointState, messages.JOINT_STATES, BEST_EFFORT)
    steps = [
        node.create_publisher(Float32MultiArray, topic, DEEP)
        for topic in (messages.OBSERVATION, messages.activation_topic('input'))
    ]
    # Before the recorder is there: it must get what is kept for late joiners.
    goal.publish(PoseArray())
    checkpoint.publish(String(data='where'))
    recorder = start(f'bag:={tmp_path / "bag"}', 'storage:=mcap')
    publishers = (goal, checkpoint, joints, *steps)
    wait_for(lambda: all(each.get_subscription_count() for each in publishers), 'recorder')

    message = Float32MultiArray()
    for cycle in range(CYCLES):
        values = np.full((2, 3), cycle)
        messages.fill_fleet_step(message, MultiArrayDimension, values, cycle // 50 * 2, cycle % 50)
        for publisher in steps:
            publisher.publish(message)
        time.sleep(0.0005)
    state = JointState(name=['joint_1'], position=[0.5])
    state_time = time.monotonic() + 0.5
    while time.monotonic() < state_time:
        joints.publish(state)
        time.sleep(0.01)

    code, output = end(recorder, signal.SIGINT)
    assert code == 0
    assert f'/left/observation {CYCLES}' in output
    assert len(output.splitlines()) == 1
    summary = summarize(tmp_path / 'bag')
    assert 'no episode' in summary.incomplete
    assert summary.storage == 'mcap'
    assert summary.messages['/left/observation'] == CYCLES
    assert summary.messages['/left/activations/input'] == CYCLES
    assert all(topic.unbroken for topic in summary.continuity.values())
    assert summary.messages['/left/goal'] == 1
    reader = BagReader(tmp_path / 'bag')
    assert reader.topics['/left/goal'] == 'geometry_msgs/msg/PoseArray'
    recorded = list(reader.messages([messages.OBSERVATION]))
    values = [messages.read_fleet_step(each).values for _, _, each in recorded]
    assert np.array_equal(values, np.arange(CYCLES)[:, None, None] * np.ones((2, 3)))
    times = [each for _, each, _ in recorded]
    assert times == sorted(times)
    assert abs(times[-1] / 1e9 - time.time()) < 3600
    assert [each.data for _, _, each in reader.messages([messages.CHECKPOINT])] == ['where']
    states = [each for _, _, each in reader.messages([messages.JOINT_STATES])]
    assert states[0].name == ['joint_1']
    assert states[0].position.tolist() == [0.5]


def test_diagnostics_and_parameters_describe_the_recorder(tmp_path, node, start):
    goal = node.create_publisher(PointStamped, messages.GOAL, LATCHED)
    goal.publish(PointStamped())
    diagnosed = []

    def diagnose(message):
        diagnosed.extend(
            (status.name, value.key, value.value)
            for status in message.status
            for value in status.values
        )

    node.create_subscription(DiagnosticArray, '/diagnostics', diagnose, 10)
    client = node.create_client(DescribeParameters, 'bag_recorder/describe_parameters')
    recorder = start(f'bag:={tmp_path / "bag"}', 'storage:=sqlite3')
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)

    def spin_until(condition, what):
        wait_for(lambda: executor.spin_once(timeout_sec=0.05) or condition(), what)

    spin_until(lambda: ('/left/bag_recorder', '/left/goal', '1') in diagnosed, 'diagnostics')
    spin_until(client.service_is_ready, 'service')
    names = ['bag', 'storage', 'topics']
    answer = client.call_async(DescribeParameters.Request(names=names))
    spin_until(answer.done, 'answer')
    assert all(each.description and each.read_only for each in answer.result().descriptors)
    executor.shutdown()

    assert end(recorder, signal.SIGTERM)[0] == 0
    reader = BagReader(tmp_path / 'bag')
    assert reader.storage == 'sqlite3'
    assert reader.topics == {'/left/goal': 'geometry_msgs/msg/PointStamped'}
    assert len(list(reader.messages())) == 1


def test_only_the_requested_topics_are_recorded(tmp_path, node, start):
    publishers = [
        node.create_publisher(String, messages.CHECKPOINT, LATCHED),
        node.create_publisher(PoseArray, messages.GOAL, LATCHED),
        # Not the type that this topic has in this project.
        node.create_publisher(String, messages.OBSERVATION, LATCHED),
    ]
    bag = tmp_path / 'bag'
    recorder = start(f'bag:={bag}', 'topics:=[checkpoint, observation]')
    wait_for(publishers[0].get_subscription_count, 'recorder')
    publishers[0].publish(String(data='one'))
    code, output = end(recorder, signal.SIGINT)
    assert code == 0
    assert '1 messages (/left/checkpoint 1)' in output
    assert list(BagReader(bag).topics) == ['/left/checkpoint']


def test_recording_works_without_a_publisher_of_simulated_time(tmp_path, node, start):
    publisher = node.create_publisher(String, messages.CHECKPOINT, LATCHED)
    publisher.publish(String(data='one'))
    bag = tmp_path / 'bag'
    recorder = start(f'bag:={bag}', 'use_sim_time:=true', 'keep_partial:=true')
    wait_for(publisher.get_subscription_count, 'recorder')
    code, output = end(recorder, signal.SIGINT)
    assert code == 0
    assert '1 messages (/left/checkpoint 1)' in output
    assert not bag.exists()  # somebody is to check it first
    ((_, recorded, message),) = BagReader(tmp_path / 'bag.partial').messages()
    assert message.data == 'one'
    assert abs(recorded / 1e9 - time.time()) < 3600


def test_a_recording_without_messages_is_an_empty_bag(tmp_path, node, start):
    recorder = start(f'bag:={tmp_path / "bag"}')
    wait_for_start(recorder, tmp_path / 'bag')
    code, output = end(recorder, signal.SIGINT)
    assert code == 0
    assert '0 messages (no topics)' in output
    assert list(BagReader(tmp_path / 'bag').messages()) == []


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        (['bag:={path}/there'], 'exists already'),
        ([], 'parameter bag is missing'),
        (['bag:={path}/bag', 'storage:=rosbag1'], 'mcap, sqlite3'),
        (['bag:={path}/bag', 'topics:=[rosout]'], "'rosout'"),
        (['bag:={path}/bag', 'topics:=3'], 'parameter topics must be a list'),
        (['bag:=3'], 'parameter bag must be a path'),
    ],
)
def test_invalid_parameters_end_the_recorder_at_once(tmp_path, node, start, parameters, words):
    (tmp_path / 'there').mkdir()
    recorder = start(*(parameter.format(path=tmp_path) for parameter in parameters))
    _, errors = recorder.communicate(timeout=DEADLINE)
    assert recorder.returncode == 2
    assert errors.startswith('bag_recorder: ')
    assert words in errors
    assert len(errors.splitlines()) == 1
    assert [item.name for item in tmp_path.iterdir()] == ['there']

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Well-formed but wrong messages of a foreign node on any topic do not change a run."""

import json
import math
import os

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseArray
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float32MultiArray, Float64MultiArray, MultiArrayDimension, String

from neuron_reach import messages
from neuron_reach.bags.reader import BagReader
from neuron_reach.learning.setup import Setup
from neuron_reach.nodes.publishing import latched

ARMS, EPISODES = 4, 80
HUGE = (2.0**53, 2.0**63, 1e30, 1e308)


def array_message(kind, prefix, values, shape=None):
    """Return a multi-array with any layout, however wrong."""
    message = kind()
    message.data = [*prefix, *values]
    message.layout.data_offset = len(prefix)
    message.layout.dim = [MultiArrayDimension(label='x', size=size) for size in shape or ()]
    return message


def odd_commands():
    whole = (ARMS, 1)
    for number in (*HUGE, 2.0**40, 7777.0, -1.0, math.nan, math.inf, 0.5):
        yield array_message(Float64MultiArray, [number], [1.0] * ARMS, whole)
    yield array_message(Float64MultiArray, [], [1.0] * ARMS, whole)
    yield array_message(Float64MultiArray, [5e6], [math.nan] * ARMS, whole)
    yield array_message(Float64MultiArray, [5e6], [1e300] * ARMS, whole)
    yield array_message(Float64MultiArray, [5e6], [1.0] * ARMS, (2**32 - 1, 2**32 - 1, 0))
    yield array_message(Float64MultiArray, [1.0] * 9, [], ())
    yield array_message(Float64MultiArray, [], [0.0] * 200_000, ())
    yield Float64MultiArray()


def odd_states():
    for seconds in (2**31 - 1, -(2**31), 10**9, 0):
        message = JointState(position=[3.0] * ARMS, velocity=[0.0] * ARMS)
        message.header.stamp.sec, message.header.stamp.nanosec = seconds, 2**32 - 1
        yield message
    for positions in ([], [math.nan] * ARMS, [1e300] * ARMS, [1.0] * 200_000):
        yield JointState(position=positions)
    yield JointState(name=['joint_1'] * ARMS, position=[1.0] * ARMS)
    yield JointState(name=['a', 'b\0c', '', 'ä' * 10_000], position=[1.0] * ARMS)


def odd_observations(like):
    for episode, step in ((1e30, 0), (2.0**53, 3), (-1, 0), (math.nan, 1), (4e6, 1e30), (0, 0)):
        yield array_message(Float32MultiArray, [episode, step], [0.1] * like.size, like.shape)
    yield array_message(Float32MultiArray, [0, 1], [math.nan] * like.size, like.shape)
    yield array_message(Float32MultiArray, [0, 1], [0.5] * 7, (1, 7))
    yield array_message(Float32MultiArray, [0, 1], [0.5] * like.size, like.shape[::-1])
    yield Float32MultiArray()


def odd_checkpoints(folder):
    pipe = folder / 'pipe'
    if not pipe.exists():
        os.mkfifo(pipe)
    for path in ('/dev/zero', str(pipe), str(folder), 'a\0b', '', '/' * 5000, 3, None):
        yield String(data=json.dumps({'path': path, 'version': 2, 'first_episode': 0}))
    for text in ('', '{', '[' * 10_000, 'null', json.dumps({'path': 'x', 'version': -1})):
        yield String(data=text)


class ForeignNode:
    """Publishes one odd message of every kind at each call."""

    def __init__(self, node, folder, inputs):
        topics = [
            (Float64MultiArray, messages.COMMANDS, 10, odd_commands()),
            (JointState, messages.JOINT_STATES, 10, odd_states()),
            (Float32MultiArray, messages.OBSERVATION, 10, odd_observations(inputs)),
            (Float32MultiArray, messages.activation_topic('output'), 10, odd_observations(inputs)),
            (Float64MultiArray, messages.EPISODE, 10, odd_commands()),
            (String, messages.CHECKPOINT, latched(), odd_checkpoints(folder)),
            (PoseArray, messages.GOAL, latched(), [PoseArray()]),
            (DiagnosticArray, '/diagnostics', 10, [DiagnosticArray()]),
            (Clock, 'clock', 10, [Clock()]),
        ]
        self.publishers = [
            (node.create_publisher(kind, topic, qos), [*sent]) for kind, topic, qos, sent in topics
        ]
        self.sent = 0

    def publish_next(self):
        for publisher, sent in self.publishers:
            if self.sent < len(sent):
                publisher.publish(sent[self.sent])
        self.sent += 1


@pytest.fixture
def play(peer, start_node, tmp_path, make_checkpoint):
    """Play and record episodes, disturbed or not; return the content of the bag."""
    setup = {'joints': 1, 'hidden': [16, 16], 'arms': ARMS}
    checkpoint = make_checkpoint(**setup)

    def begin(name, disturbed):
        bag = tmp_path / name
        activations = start_node('activation_recorder', recorded=True)
        topics = [*messages.recorded_topics(hidden_layers=2)]
        recorder = start_node('bag_recorder', bag=bag, topics=topics)
        simulator = start_node('arm_simulator', joints=1, arms=ARMS)
        given = {**setup, 'checkpoint': checkpoint, 'episodes': EPISODES, 'observers': 2}
        policy = start_node('dqn_policy', **given)
        peer.wait(lambda: peer.node.count_publishers(messages.OBSERVATION), 'policy')
        inputs = np.zeros((ARMS, Setup.from_values(setup, 'test').layer_sizes[0]))
        foreign = ForeignNode(peer.node, tmp_path, inputs) if disturbed else None
        while policy.process.poll() is None:
            if foreign is not None:
                foreign.publish_next()
            peer.spin_for(0.02)
        text = policy.text + recorder.text + simulator.text
        assert policy.finish() == 0, text
        assert simulator.process.poll() is None, text
        assert activations.interrupt() == 0, text  # first, so that all of its messages are recorded
        assert recorder.interrupt() == 0, text
        assert simulator.interrupt() == 0, text
        return content(bag), text

    return begin


def content(bag):
    """Return what was recorded, by topic and by what identifies a message."""
    steps, commands, episodes = {}, {}, []
    for topic, _, message in BagReader(bag).messages():
        name = topic.lstrip('/')
        if name == messages.OBSERVATION or messages.layer_of(name):
            episode, step, values = messages.read_fleet_step(message)
            assert steps.setdefault((name, episode, step), values.tobytes()) == values.tobytes()
        elif name == messages.COMMANDS:
            sequence, targets = messages.read_commands(message)
            commands[sequence] = targets.tobytes()
        elif name == messages.EPISODE:
            episodes.append(messages.read_episodes(message).tobytes())
    return steps, commands, episodes


def test_messages_of_a_foreign_node_do_not_change_a_bit_of_a_run(play):
    alone, _ = play('alone', disturbed=False)
    disturbed, text = play('disturbed', disturbed=True)
    assert len(alone[0]) == EPISODES // ARMS * 60 * 5
    assert len(alone[2]) == EPISODES // ARMS
    assert alone[0] == disturbed[0]
    assert alone[2] == disturbed[2]
    # Of commands, the last few only are kept for a recorder that is behind.
    for sequence in alone[1].keys() & disturbed[1].keys():
        assert alone[1][sequence] == disturbed[1][sequence]
    assert max(disturbed[1]) <= EPISODES // ARMS * 60
    assert '/peer, which is no' in text
    assert 'ignored' in text
    assert 'Traceback' not in text

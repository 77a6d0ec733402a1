# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The policy and its arms, connected by topics."""

import time

import pytest
from rcl_interfaces.msg import Log
from sensor_msgs.msg import JointState

from neuron_reach import messages
from neuron_reach.nodes.dqn_policy import DqnPolicy
from neuron_reach.nodes.publishing import latched
from neuron_reach.nodes.topic_arms import joint_order
from nodes.policies import SMALL


@pytest.mark.parametrize(
    ('names', 'order'),
    [
        (['joint_1', 'joint_2'], [0, 1]),
        (['joint_2', 'joint_1'], [1, 0]),
        ([], None),  # a fleet's
        (['joint_1', 'joint_1'], None),
        (['joint_1', 'joint_3'], None),
        (['joint_2', 'joint_1', 'wheel'], None),
    ],
)
def test_joints_are_identified_by_their_names(names, order):
    assert joint_order(names, 2) == order


def test_an_incompatible_quality_of_service_is_reported(start_node, ending, make_checkpoint):
    start_node('arm_simulator', joints=1, arms=20, clock='realtime')
    timeouts = {'simulator_timeout': 1.0, 'start_timeout': 30.0}
    given = {**SMALL, **timeouts, 'checkpoint': make_checkpoint(**SMALL)}
    words = (word for key, value in given.items() for word in ('-p', f'{key}:={value}'))
    text = ending(lambda node: (policy := DqnPolicy(node)).run(policy.trained), *words)
    assert "joint_states', offering incompatible QoS" in text
    assert 'RELIABILITY' in text
    assert 'use clock:=lockstep there or realtime:=true here' in text


def test_defaults_of_simulator_and_policy_are_compatible(peer, start_node, make_checkpoint):
    said = peer.listen(Log, '/rosout', latched())
    simulator = start_node('arm_simulator')
    policy = start_node('dqn_policy', checkpoint=make_checkpoint(), episodes=3)
    peer.wait(lambda: policy.process.poll() is not None, 'end')
    assert policy.finish() == 0, policy.text
    assert any('recording: 3 of 3 episodes' in each.msg for each in said)
    assert simulator.interrupt() == 0
    assert 'ignored' not in policy.text + simulator.text
    assert 'incompatible' not in policy.text + simulator.text


def test_a_state_with_another_clock_or_of_another_robot_does_not_end_a_realtime_policy(
    peer, start_node, make_checkpoint
):
    start_node('arm_simulator', joints=1, clock='realtime')
    given = {**SMALL, 'arms': 1}
    checkpoint = make_checkpoint(**given)
    policy = start_node(
        'dqn_policy', checkpoint=checkpoint, realtime=True, simulator_timeout=3.0, **given
    )
    publisher = peer.node.create_publisher(JointState, messages.JOINT_STATES, 10)
    peer.wait(publisher.get_subscription_count, 'policy')
    peer.wait(lambda: peer.node.count_publishers('/joint_states') == 2, 'simulator')
    peer.spin_for(1.0)
    for seconds in (2**31 - 1, -1):
        state = JointState(position=[1.0], velocity=[0.0], name=['joint_1'])
        state.header.stamp.sec = seconds
        publisher.publish(state)
    end = time.monotonic() + 4.0
    while time.monotonic() < end:
        publisher.publish(JointState(position=[1.0], velocity=[0.0], name=['gripper']))
        peer.spin_for(0.1)
    assert policy.process.poll() is None, policy.text
    assert "joints with other names, such as 'gripper'" in policy.text, policy.text
    assert policy.interrupt() == 130

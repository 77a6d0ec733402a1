# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`reset` by driving the arm into the start pose, here the kinematic arm in real time."""

import signal

import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.arm.simulator import ArmOptions


@pytest.fixture
def arm(start, peer):
    """Start an arm, whose own `reset` nobody uses, and the node that drives it home."""
    common = ['--ros-args', '-p', 'joints:=2']
    simulator = start(
        'neuron_reach.nodes', 'arm_simulator', *common, '-p', 'clock:=realtime', '-r', 'reset:=own'
    )
    peer.wait(lambda: peer.node.count_publishers('/joint_states'), 'joint states')

    def begin(*more):
        return simulator, start('neuron_reach.nodes', 'arm_reset', *common, *more)

    return begin


def test_the_arm_is_in_the_start_pose_when_a_reset_is_answered(arm, peer):
    simulator, reset = arm()
    states = peer.listen(JointState, messages.JOINT_STATES, qos_profile_sensor_data)
    commands = peer.node.create_publisher(Float64MultiArray, messages.COMMANDS, 10)
    peer.wait(lambda: commands.get_subscription_count() and states, 'arm')
    for _ in range(2):
        away = [0.5, 1.0]
        commands.publish(Float64MultiArray(data=away))
        peer.wait(
            lambda away=away: np.abs(np.array(states[-1].position) - away).max() < 0.01, 'motion'
        )
        answer = peer.call(Trigger, 'reset')
        assert answer.success, answer.message
        start = ArmOptions(joints=2).start_pose
        assert np.array(states[-1].position) == pytest.approx(start, abs=0.05)
    for running in (simulator, reset):
        assert running.interrupt() == 0


def test_an_arm_that_does_not_reach_the_start_pose_is_reported(arm, peer):
    simulator, _ = arm('-p', 'bend:=2.0', '-p', 'patience:=5', '-p', 'step:=0.001')
    answer = peer.call(Trigger, 'reset')
    assert not answer.success
    assert 'away from the start pose' in answer.message
    assert simulator.finish(signal.SIGINT) == 0

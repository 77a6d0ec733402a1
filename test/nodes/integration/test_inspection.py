# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Policies on robots that are already running: ones of other origin, and our own arm."""

import threading
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import Float32MultiArray

import neuron_reach
from neuron_reach import cli, messages
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import Function
from neuron_reach.policies.feed_forward import FeedForwardPolicy
from neuron_reach.records.recording import read_records

GO1 = Path(__file__).resolve().parents[3] / '../shared/policies/go1_policy.onnx'
LEGS = [f'{leg}_{joint}' for leg in ('FR', 'FL', 'RR', 'RL') for joint in ('hip', 'thigh', 'calf')]
POSE = [0.1, 0.9, -1.8] * 4
QUADRUPED = f"""
rate: 50
inputs:
  - topic: imu/data
    type: sensor_msgs/msg/Imu
    field: [linear_acceleration, angular_velocity]
    scale: 0.1
  - topic: imu/data
    type: sensor_msgs/msg/Imu
    field: [orientation.x, orientation.y, orientation.z]
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    field: position
    names: {LEGS}
    offset: {POSE}
  - {{topic: joint_states, type: sensor_msgs/msg/JointState, field: velocity, names: {LEGS}}}
  - {{previous_action: true}}
  - topic: cmd_vel
    type: geometry_msgs/msg/Twist
    field: [linear.x, linear.y, angular.z]
    default: 0.0
stale_after: 0.5
outputs:
  topic: joint_position_controller/commands
  type: std_msgs/msg/Float64MultiArray
  scale: 0.5
  offset: {POSE}
  limits: [-3.0, 3.0]
"""


class Quadruped(threading.Thread):
    """Publishes what a robot with twelve joints measures, at 50 Hz."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.imu = node.create_publisher(Imu, 'imu/data', qos_profile_sensor_data)
        self.joints = node.create_publisher(JointState, 'joint_states', qos_profile_sensor_data)
        self.velocity = node.create_publisher(Twist, 'cmd_vel', 10)
        self.ended = threading.Event()

    def run(self):
        generator = np.random.default_rng(0)
        while not self.ended.wait(0.02):
            message = Imu()
            message.linear_acceleration.z = 9.8 + generator.normal()
            message.angular_velocity.x = generator.normal()
            message.orientation.z = generator.normal()
            self.imu.publish(message)
            order = generator.permutation(12)
            state = JointState(name=[LEGS[joint] for joint in order])
            # The values tell the joints apart, whatever the order.
            state.position = (order + 0.1 * generator.random(12)).tolist()
            state.velocity = (-order + 0.1 * generator.random(12)).tolist()
            self.joints.publish(state)
            self.velocity.publish(Twist())


@pytest.fixture
def quadruped(make_node):
    robot = Quadruped(make_node('quadruped'))
    robot.start()
    yield robot
    robot.ended.set()
    robot.join()


@pytest.fixture(params=['made here', 'go1'])
def policy_path(request, tmp_path):
    if request.param == 'go1':
        if not GO1.exists():
            pytest.skip('../shared/policies is not here')
        pytest.importorskip('onnx')
        return GO1
    generator = np.random.default_rng(0)
    shapes = [(20, 48), (10, 20), (12, 10)]
    layers = [
        Layer(
            generator.normal(0.0, 0.1, shape).astype(np.float32),
            np.zeros(shape[0], np.float32),
            (Function.of('silu' if shape[0] > 12 else 'tanh'),),
        )
        for shape in shapes
    ]
    return FeedForwardPolicy(FeedForward(tuple(layers))).save(tmp_path / 'policy')


def test_a_policy_on_a_robot_leaves_a_bag_that_every_command_reads(
    start, quadruped, policy_path, tmp_path
):
    (tmp_path / 'inputs.yaml').write_text(QUADRUPED)
    bag, results = tmp_path / 'bag', tmp_path / 'analysis'
    files = [f'policy:={policy_path}', f'inputs:={tmp_path / "inputs.yaml"}', f'record:={bag}']
    running = start('neuron_reach', 'inspect', *files, 'episodes:=2', 'episode_steps:=25')
    assert running.finish() == 0, running.text
    record, policy = read_records(bag), neuron_reach.load(policy_path)
    assert record.notes == ()
    assert record.lengths.tolist() == [25, 25]
    assert record.network['digest'] == policy.network.digest
    inputs = np.ascontiguousarray(record.layer('input'))
    for step, row in enumerate(inputs.reshape(50, 1, 48)):
        for layer, expected in policy.activations(row).items():
            np.testing.assert_array_equal(record.layer(layer).reshape(50, -1)[step], expected[0])
    joint = np.arange(12)
    assert (abs(inputs[..., 9:21] + POSE - joint) < 0.11).all()
    assert (abs(inputs[..., 21:33] + joint) < 0.11).all()
    previous, actions = inputs[..., 33:45].reshape(50, 12), record.layer('output').reshape(50, 12)
    np.testing.assert_array_equal(previous[1:], actions[:-1])  # from one episode to the next, too
    assert cli.main(['analyze', str(bag), '-o', str(results)]) == 0
    assert (results / 'analysis.json').exists()


ARM = """
trigger: /joint_states
inputs:
  - topic: /joint_states
    type: sensor_msgs/msg/JointState
    field: position
    names: [joint_1, joint_2]
    features: [sin, cos]
  - {topic: /goal, type: geometry_msgs/msg/PointStamped, field: [point.x, point.z], latched: true}
"""

TASK = {'hidden': [32, 16], 'episode_steps': 10, 'reach_steps': 10}


def test_in_the_shadow_of_our_own_arm_activations_are_the_recorders_to_the_bit(
    peer, start, start_node, make_checkpoint, tmp_path
):
    (tmp_path / 'arm.yaml').write_text(ARM)
    checkpoint = make_checkpoint(joints=2, **TASK)
    heard = {}
    for place in ('', 'shadow/'):
        for layer in messages.layer_names(2):
            topic = place + messages.activation_topic(layer)
            heard[place, layer] = peer.listen(Float32MultiArray, topic)
    shared = {'joints': 2, 'arms': 1}
    start_node('arm_simulator', **shared, clock='realtime')
    start_node('activation_recorder', recorded=True)
    files = ['-p', f'policy:={checkpoint}', '-p', f'inputs:={tmp_path / "arm.yaml"}']
    start(
        'neuron_reach.nodes',
        'policy_inspector',
        *('--ros-args', '-r', '__ns:=/shadow', *files),
    )
    peer.wait(lambda: peer.node.count_publishers('shadow/checkpoint'), 'inspector')
    arguments = {'mode': 'run', 'checkpoint': checkpoint, 'realtime': True, 'episodes': 6}
    policy = start_node('dqn_policy', **shared, **arguments, **TASK, observers=1)
    assert policy.finish() == 0, policy.text

    def steps(place):
        """Return the activations of the other layers, by those of the input."""
        by_step = {}
        for layer in messages.layer_names(2):
            for message in heard[place, layer]:
                episode, step, values = messages.read_fleet_step(message)
                by_step.setdefault((episode, step), []).append(values)
        # While the subscriptions are made, only some layers are published.
        return {parts[0].tobytes(): parts[1:] for parts in by_step.values() if len(parts) == 4}

    peer.wait(lambda: len(heard['', 'output']) == 60, 'activations of the recorder')
    peer.spin_for(0.5)
    recorded, inspected = steps(''), steps('shadow/')
    common = recorded.keys() & inspected.keys()
    # The first steps of an episode may be taken before the new goal has arrived.
    assert len(common) > 0.8 * len(recorded) > 40
    for key in common:
        for theirs, ours in zip(recorded[key], inspected[key], strict=True):
            np.testing.assert_array_equal(theirs, ours)

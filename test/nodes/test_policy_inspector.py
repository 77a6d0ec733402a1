# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The policy inspector as a process of its own, beside a node that plays a robot."""

import itertools

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Twist
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import Float32MultiArray, Float64MultiArray, Header, String
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import Function
from neuron_reach.nodes.policy_inspector import PolicyInspector
from neuron_reach.policies.feed_forward import FeedForwardPolicy

JOINTS = ('hip', 'knee', 'ankle')
POSE = (0.1, -1.5, 0.3)
FILE = """
trigger: joint_states
inputs:
  - {topic: imu/data, type: sensor_msgs/msg/Imu, field: angular_velocity, scale: 0.25}
  - topic: cmd_vel
    type: geometry_msgs/msg/Twist
    field: [linear.x, linear.y, angular.z]
    default: 0.0
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    field: position
    names: [hip, knee, ankle]
    offset: [0.1, -1.5, 0.3]
    features: [sin, cos]
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    field: velocity
    names: [hip, knee, ankle]
  - {previous_action: true}
stale_after: 0.4
outputs:
  topic: commands
  type: std_msgs/msg/Float64MultiArray
  scale: 0.25
  offset: [0.1, -1.5, 0.3]
  limits: [[0.5, 0.6], [-1.42, -1.39], [-9.0, 9.0]]
"""
INPUTS, ACTIONS = 18, 3


@pytest.fixture
def policy():
    generator = np.random.default_rng(0)
    sizes = (INPUTS, 16, 8, ACTIONS)
    layers = [
        Layer(
            generator.normal(0.0, before**-0.5, (after, before)).astype(np.float32),
            generator.normal(size=after).astype(np.float32),
            (Function.of('elu'),) if after > ACTIONS else (),
        )
        for before, after in itertools.pairwise(sizes)
    ]
    return FeedForwardPolicy(FeedForward(tuple(layers)))


@pytest.fixture
def files(policy, tmp_path):
    """The policy and its inputs on disk, as parameters."""
    policy.save(tmp_path / 'policy')
    (tmp_path / 'inputs.yaml').write_text(FILE)
    return {'policy': tmp_path / 'policy', 'inputs': tmp_path / 'inputs.yaml'}


class Robot:
    """Plays a robot: publishes what its sensors measure, and hears what the inspector says."""

    def __init__(self, peer, layers):
        self.peer = peer
        node = peer.node
        self.imu = node.create_publisher(Imu, 'imu/data', qos_profile_sensor_data)
        self.velocity = node.create_publisher(Twist, 'cmd_vel', 10)
        self.joints = node.create_publisher(JointState, 'joint_states', qos_profile_sensor_data)
        self.generator = np.random.default_rng(1)
        self.activations = {
            layer: peer.listen(Float32MultiArray, messages.activation_topic(layer))
            for layer in layers
        }
        self.observations = peer.listen(Float32MultiArray, messages.OBSERVATION)
        self.steps = peer.listen(Header, messages.STEPS)
        self.episodes = peer.listen(Float64MultiArray, messages.EPISODE)
        self.actions = peer.listen(Float64MultiArray, 'commands')
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.announced = peer.listen(String, messages.CHECKPOINT, latched)
        self.diagnostics = peer.listen(DiagnosticArray, '/diagnostics')
        self.sent = 0

    def connect(self):
        publishers = (self.imu, self.velocity, self.joints)
        self.peer.wait(
            lambda: all(each.get_subscription_count() for each in publishers), 'inspector'
        )
        for each in self.peer.node.subscriptions:
            if each.topic_name != '/commands':
                self.peer.wait(
                    lambda name=each.topic_name: self.peer.node.count_publishers(name), 'publisher'
                )
        self.peer.spin_for(0.3)  # the inspector has found the subscriptions as well

    def tick(self, *, imu=None, joints=None, velocity=None):
        """Send the messages of one cycle; return the part of the observation that they make."""
        rates = self.generator.normal(size=3) if imu is None else np.array(imu)
        message = Imu()
        message.angular_velocity.x, message.angular_velocity.y, message.angular_velocity.z = rates
        self.imu.publish(message)
        command = np.zeros(3) if velocity is None else np.array(velocity)
        if velocity is not None:
            twist = Twist()
            twist.linear.x, twist.linear.y, twist.angular.z = velocity
            self.velocity.publish(twist)
        self.peer.spin_for(0.02)
        position, speed = self.generator.normal(size=(2, 3))
        state = JointState()
        order = self.generator.permutation(3)
        names = [JOINTS[joint] for joint in order]
        state.name, state.position = ['gripper', *names], [9.0, *position[order]]
        state.velocity = [9.0, *speed[order]]
        self.sent += 1
        state.header.stamp.sec = self.sent
        if joints is not None:
            joints(state)
        self.joints.publish(state)
        angles = position - POSE
        parts = [rates * 0.25, command, np.stack([np.sin(angles), np.cos(angles)], 1).reshape(-1)]
        return np.concatenate([*parts, speed]).astype(np.float32)

    def status(self, level=None, *words):
        """Return the newest diagnostics of the inspector, with a level and words if given."""

        def found():
            for message in reversed(self.diagnostics[-2:]):
                for status in message.status:
                    if status.name == '/policy_inspector' and (
                        level is None
                        or (status.level == level and all(w in status.message for w in words))
                    ):
                        return status
            return None

        return self.peer.wait(found, f'diagnostics with {words}')


@pytest.fixture
def robot(peer, policy):
    return Robot(peer, policy.layers)


def read(received):
    return [messages.read_fleet_step(message) for message in received]


def test_activations_are_those_of_the_policy_for_what_the_robot_measured(
    robot, start_node, files, policy
):
    inspector = start_node('policy_inspector', **files, episode_steps=4)
    robot.connect()
    seen = []
    for number in range(10):
        seen.append(robot.tick(velocity=(0.5, -0.1, 0.2) if number > 4 else None))
        robot.peer.wait(lambda: len(robot.activations['output']) == len(seen), 'activations')
    robot.peer.wait(lambda: len(robot.observations) == len(robot.steps) == 10, 'observations')
    previous = np.zeros(3, np.float32)
    for number, (episode, step, values) in enumerate(read(robot.observations)):
        assert (episode, step) == divmod(number, 4)
        np.testing.assert_array_equal(values[0], np.concatenate([seen[number], previous]))
        expected = policy.activations(values)
        for layer in policy.layers[1:]:
            message = read(robot.activations[layer])[number]
            assert message[:2] == (episode, step)
            np.testing.assert_array_equal(message.values, expected[layer])
        previous = expected['output'][0]
        header = robot.steps[number]
        assert header.frame_id == f'{episode}:{step}'
        assert header.stamp.sec == number + 1  # that of the joint states which asked for the step
    assert robot.actions == []
    (newest,) = (messages.decode_checkpoint(each.data) for each in robot.announced)
    assert (newest.path, newest.network) == (str(files['policy']), policy.network.digest)
    assert inspector.interrupt() == 0
    robot.peer.wait(lambda: len(robot.episodes) == 3, 'results')
    results = np.concatenate([messages.read_episodes(each) for each in robot.episodes])
    assert results[:, 0].tolist() == [0, 1, 2]
    assert results[:, 3].tolist() == [4, 4, 2]
    assert np.isnan(results[:, [1, 2, 4, 5]]).all()


def test_actions_are_limited_and_stop_while_inputs_are_stale(robot, start_node, files, policy):
    inspector = start_node('policy_inspector', **files, act=True)
    robot.connect()
    robot.peer.wait(lambda: robot.peer.node.count_publishers('commands'), 'publisher')
    for number in range(20):
        robot.tick()
        robot.peer.wait(lambda count=number + 1: len(robot.steps) == count, 'step')
    robot.peer.wait(lambda: len(robot.actions) == 20, 'actions')
    robot.peer.wait(lambda: len(robot.activations['output']) == 20, 'activations')
    outputs = np.concatenate([each.values for each in read(robot.activations['output'])])
    wanted = outputs.astype(np.float64) * 0.25 + POSE
    low, high = np.array([[0.5, 0.6], [-1.42, -1.39], [-9.0, 9.0]]).T
    assert (wanted < low).any()
    assert (wanted > high).any()
    sent = np.array([list(message.data) for message in robot.actions])
    np.testing.assert_allclose(sent, np.clip(wanted, low, high), rtol=1e-12)

    robot.peer.spin_for(0.5)  # the IMU has failed, the joints go on
    for _ in range(3):
        state = JointState(name=JOINTS, position=[0.0] * 3, velocity=[0.0] * 3)
        robot.joints.publish(state)
        robot.peer.spin_for(0.05)
    robot.peer.wait(lambda: len(robot.steps) == 23, 'marked steps')
    assert [each.frame_id for each in robot.steps[20:]] == [f'1:{n}:stale' for n in range(3)]
    robot.status(DiagnosticStatus.WARN, '/imu/data: no message for')
    assert len(robot.actions) == 20
    robot.peer.spin_for(0.2)
    robot.tick()
    robot.peer.wait(lambda: len(robot.actions) == 21 and len(robot.steps) == 24, 'action')
    robot.peer.wait(lambda: len(robot.observations) == 24, 'observation')
    assert robot.steps[-1].frame_id == '2:0'
    assert (read(robot.observations)[-1].values[0, -3:] == 0.0).all()  # no previous action
    assert inspector.interrupt() == 0
    robot.peer.wait(lambda: len(robot.episodes) == 2, 'results')
    results = np.concatenate([messages.read_episodes(each) for each in robot.episodes])
    assert results[:, 0].tolist() == [0, 2]  # episode 1 has stale inputs, and no result


def test_topics_without_messages_and_unusable_messages_are_named(robot, start_node, files):
    start_node('policy_inspector', **files)
    robot.connect()
    robot.status(DiagnosticStatus.WARN, '/joint_states: no message yet', '/imu/data: no message')
    robot.tick()
    robot.peer.wait(lambda: len(robot.steps) == 1, 'step')

    def short(state):
        state.position = state.position[:2]

    def unnamed(state):
        state.name = ['gripper', 'hip', 'knee', 'other']

    def broken(state):
        state.velocity[2] = float('nan')

    for change, words in (
        (short, 'holds 2 values for 4 names'),
        (unnamed, "has no joint 'ankle'; it has gripper, hip, knee, other"),
        (broken, 'holds infinity or NaN'),
    ):
        count = len(robot.steps) + 1
        robot.tick(joints=change)
        robot.peer.wait(lambda count=count: len(robot.steps) == count, 'marked step')
        assert robot.steps[-1].frame_id.endswith(':stale')
        robot.status(DiagnosticStatus.WARN, words)
    robot.tick()
    robot.peer.wait(lambda: not robot.steps[-1].frame_id.endswith('stale'), 'fresh step')


def test_a_rate_follows_simulated_time(robot, start_node, files):
    clock = robot.peer.node.create_publisher(Clock, '/clock', 10)
    inspector = start_node('policy_inspector', **files, rate=50.0, use_sim_time=True)
    robot.connect()
    robot.peer.wait(clock.get_subscription_count, 'clock')
    robot.status(DiagnosticStatus.WARN, '/clock: no message yet')

    def at(milliseconds):
        message = Clock()
        message.clock.sec, rest = divmod(milliseconds, 1000)
        message.clock.nanosec = rest * 10**6
        clock.publish(message)
        robot.peer.spin_for(0.05)

    at(5000)
    robot.tick()
    for time in range(5020, 5220, 10):
        at(time)
    robot.peer.wait(lambda: len(robot.steps) >= 10, 'steps')
    stamps = [each.stamp.nanosec // 10**6 for each in robot.steps]
    assert stamps == list(range(stamps[0], stamps[0] + 200, 20))
    robot.peer.spin_for(1.0)  # simulated time stands still, so nothing is stale
    assert len(robot.steps) == 10
    at(1000)  # a new simulation
    robot.tick()
    for time in range(1010, 1100, 10):
        at(time)
    robot.peer.wait(lambda: robot.steps[-1].stamp.sec == 1, 'steps of the new simulation')
    assert robot.steps[-1].frame_id.startswith('1:')
    assert inspector.interrupt() == 0
    assert 'time was set back' in inspector.text


def test_images_show_every_neuron_and_a_service_ends_the_episode(robot, start_node, files):
    start_node('policy_inspector', **files)
    images = robot.peer.listen(Image, 'activations/hidden_2/image')
    robot.connect()
    robot.tick()
    robot.peer.wait(lambda: images and robot.activations['hidden_2'], 'image')
    (image,) = images
    assert (image.encoding, image.height, image.width, image.step) == ('32FC1', 1, 8, 32)
    shown = np.frombuffer(image.data, np.float32)
    np.testing.assert_array_equal(shown, read(robot.activations['hidden_2'])[0].values[0])
    assert image.header.frame_id == '0:0'
    answer = robot.peer.call(Trigger, '/policy_inspector/end_episode')
    assert (answer.success, answer.message) == (True, 'episode 0: 1 steps')
    robot.tick()
    robot.peer.wait(lambda: len(robot.steps) == 2, 'step')
    assert robot.steps[1].frame_id == '1:0'


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('  - {previous_action: true}\n', '', 'gives 15 inputs, but the network has 18'),
        ('sensor_msgs/msg/Imu', 'sensor_msgs/msg/Im', "no message type 'Im' (did you mean Imu?)"),
        ('angular_velocity', 'angular', "no field 'angular' (did you mean angular_velocity?)"),
        ('offset: [0.1, -1.5, 0.3]\n  limits', 'offset: [1, 2]\n  limits', '2 numbers'),
        ('outputs:', 'outpts:', "unknown key 'outpts' (did you mean outputs?)"),
        (
            'topic: imu/data',
            'topic: observation',
            'observation is a topic that this node publishes',
        ),
        (FILE[FILE.index('outputs:') :], '', 'has no outputs, which act:=true needs'),
    ],
)
def test_a_file_that_does_not_fit_ends_the_node_with_one_line(ending, files, old, new, words):
    assert old in FILE
    files['inputs'].write_text(FILE.replace(old, new))
    arguments = [f'{name}:={path}' for name, path in {**files, 'act': True}.items()]
    printed = ending(PolicyInspector, *(word for each in arguments for word in ('-p', each)))
    assert printed.count('\n') == 1
    assert words in printed


def test_another_publisher_of_activations_is_named(make_node, ending, files):
    make_node('policy').create_publisher(Float32MultiArray, messages.OBSERVATION, 1)
    arguments = [f'{name}:={path}' for name, path in files.items()]
    printed = ending(PolicyInspector, *(word for each in arguments for word in ('-p', each)))
    assert '/policy publishes on /observation already; use another namespace' in printed

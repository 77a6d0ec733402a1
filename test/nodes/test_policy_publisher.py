# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What the policy publishes of a round of episodes."""

import numpy as np
import pytest
from geometry_msgs.msg import PointStamped, PoseArray
from std_msgs.msg import Float32MultiArray, Float64MultiArray, String
from visualization_msgs.msg import MarkerArray

from neuron_reach import messages
from neuron_reach.arm.kinematics import forward_kinematics
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.arm.task import ReachingTask, TaskOptions
from neuron_reach.learning.checkpoint import load_checkpoint, network_digest
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.policy_publisher import PolicyPublisher
from neuron_reach.nodes.publishing import latched
from neuron_reach.nodes.topic_arms import TopicArms

ARM = ArmOptions(joints=2)
STEPS = 3


@pytest.fixture
def publisher(default_node):
    """The publisher of a fleet, its arms, and the rounds that have ended."""

    def make(count):
        loop = Loop(default_node('dqn_policy'))
        arms = TopicArms(loop, count, ARM.joints, realtime=False, timeout=1.0)
        ended = []
        task = ReachingTask(TaskOptions(), ARM)
        return PolicyPublisher(loop, task, arms, lambda: ended.append(True)), arms, ended

    return make


@pytest.mark.parametrize('arms', [1, 4])
def test_goals_observations_and_results_of_rounds_are_published(peer, publisher, arms):
    goals_heard = peer.listen(PointStamped if arms == 1 else PoseArray, messages.GOAL, latched(10))
    observed = peer.listen(Float32MultiArray, messages.OBSERVATION)
    episodes = peer.listen(Float64MultiArray, messages.EPISODE)
    policy, _, ended = publisher(arms)
    assert policy.wait_for_observers(1, 10.0)
    peer.spin_for(0.5)  # the other topics are discovered
    draw = np.random.default_rng(0)
    goals = draw.uniform(-0.5, 0.5, (2, arms, 2))
    observations = draw.normal(size=(2, STEPS, arms, 6)).astype(np.float32)
    rewards = np.linspace(0.85, 0.95, 2 * arms).reshape(2, arms)
    for number in range(2):
        policy.begin(goals[number])
        for values in observations[number]:
            policy.observe(values)
        policy.end(rewards[number])
    policy.flush()
    peer.wait(lambda: len(episodes) == len(goals_heard) == 2, 'rounds')
    peer.wait(lambda: len(observed) == 2 * STEPS, 'observations')

    rows = np.concatenate([messages.read_episodes(message) for message in episodes])
    assert rows[:, 0].tolist() == list(range(2 * arms))
    assert np.array_equal(rows[:, 1:3], goals.reshape(-1, 2))
    assert (rows[:, 3] == STEPS).all()
    assert np.array_equal(rows[:, 4], rewards.ravel())
    assert np.array_equal(rows[:, 5], rewards.ravel() >= 0.9)
    steps = [messages.read_fleet_step(message) for message in observed]
    assert [each[:2] for each in steps] == [
        (number * arms, step) for number in range(2) for step in range(STEPS)
    ]
    assert np.array_equal([each.values for each in steps], observations.reshape(-1, arms, 6))
    for message, expected in zip(goals_heard, goals, strict=True):
        assert message.header.frame_id == 'base_link'
        points = [message.point] if arms == 1 else [pose.position for pose in message.poses]
        assert [[point.x, point.y, point.z] for point in points] == [
            [x, 0.0, z] for x, z in expected.tolist()
        ]
    assert policy.episode == 2 * arms
    assert len(ended) == 2


def test_the_newest_weights_are_announced_also_to_late_subscribers(
    peer, publisher, make_checkpoint
):
    path = make_checkpoint(joints=2, hidden=[8])
    policy, _, _ = publisher(4)
    policy.checkpoint(path)
    policy.begin(np.zeros((4, 2)))
    policy.end(np.zeros(4))
    policy.checkpoint(path, episodes=40)
    announced = peer.listen(String, messages.CHECKPOINT, latched())
    peer.wait(lambda: announced, 'announcement')
    assert messages.decode_checkpoint(announced[-1].data) == messages.CheckpointMessage(
        path=str(path.resolve()),
        version=2,
        first_episode=4,
        network=network_digest(load_checkpoint(path).network),
        episodes=40,
    )


def test_markers_show_the_goals_and_the_trail_of_the_first_arm(peer, publisher):
    markers = peer.listen(MarkerArray, messages.GOAL_MARKER, latched(10))
    policy, arms, _ = publisher(2)
    goals = np.array([[0.1, 0.2], [0.3, 0.4]])

    def shown():
        return [marker for message in markers for marker in message.markers]

    def begin():
        policy.begin(goals)
        peer.spin_for(0.1)
        return markers

    peer.wait(begin, 'markers')  # they are published only to subscribers
    spheres = shown()[-1]
    assert spheres.ns == 'goals'
    assert [[point.x, point.z] for point in spheres.points] == goals.tolist()
    markers.clear()
    tips = []
    for step in range(3):
        if step == 2:
            policy.begin(goals)
            tips.clear()
        arms.joint_angles = np.array([[0.1 * step, 0.2], [1.0, 1.0]])
        tips.append(forward_kinematics(arms.joint_angles[0], ARM.link_lengths).tolist())
        policy.observe(np.zeros((2, 6), np.float32))
        count = step + 1 + (step == 2)
        peer.wait(lambda count=count: len(shown()) == count, 'markers')
        trail = shown()[-1]
        assert trail.ns == 'tip'
        assert [[point.x, point.z] for point in trail.points] == pytest.approx(np.array(tips))

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Subscriptions to the topics of a robot."""

import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Imu
from std_msgs.msg import Float32, String

from neuron_reach.nodes.input_topics import InputTopics
from neuron_reach.nodes.loop import Loop
from nodes.policies import wait_until

IMU = 'sensor_msgs/msg/Imu'


@pytest.fixture
def topics(default_node):
    """Subscriptions of the inspector."""
    loop = Loop(default_node('inspector'))
    return InputTopics(loop, {'imu': IMU, 'goal': 'std_msgs/msg/Float32'})


def test_a_publisher_of_another_type_is_named(topics, make_node):
    assert topics.describe('imu', 'no message yet') == '/imu: no message yet, and no publisher'
    other = make_node('other')
    other.create_publisher(String, 'imu', 1)
    expected = f'/imu: no message yet; published as std_msgs/msg/String, not {IMU}'
    wait_until(lambda: topics.describe('imu', 'no message yet') == expected, 'publisher')


def test_a_latched_message_from_before_and_sensor_data_are_received(topics, make_node):
    robot = make_node('robot')
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    goal = robot.create_publisher(Float32, 'goal', latched)
    goal.publish(Float32(data=3.0))
    imu = robot.create_publisher(Imu, 'imu', qos_profile_sensor_data)

    def received(topic):
        topics.update()
        imu.publish(Imu())
        return topics.inboxes[topic].take()

    assert wait_until(lambda: received('goal'), 'latched message').data == 3.0
    wait_until(lambda: received('imu'), 'sensor data')

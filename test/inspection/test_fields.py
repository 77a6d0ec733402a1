# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Which numbers a field of a message stands for."""

import numpy as np
import pytest

from neuron_reach.errors import UserError
from neuron_reach.inspection.fields import InputError, leaves, message_class

pytest.importorskip('sensor_msgs', reason='ROS 2 (sensor_msgs) is not installed')


def values(name, field, fill):
    message = message_class(name)()
    fill(message)
    parts = leaves(type(message), field)
    return np.concatenate([leaf.read(message) for leaf in parts]).tolist()


def set_twist(message):
    message.linear.x, message.linear.z, message.angular.y = 1.0, 3.0, 5.0


@pytest.mark.parametrize(
    ('field', 'expected'),
    [
        ('linear.z', [3.0]),
        ('linear', [1.0, 0.0, 3.0]),
        ('angular', [0.0, 5.0, 0.0]),
    ],
)
def test_a_field_with_fields_is_all_of_them_in_order(field, expected):
    assert values('geometry_msgs/msg/Twist', field, set_twist) == expected


def test_elements_of_arrays_are_chosen_by_index():
    def fill(message):
        message.data = [1.0, 2.0, 3.0, 4.0]

    name = 'std_msgs/msg/Float32MultiArray'
    for field, expected in (('data', [1, 2, 3, 4]), ('data[2]', [3]), ('data[1:3]', [2, 3])):
        assert values(name, field, fill) == expected
    for field, words in (('data[4]', 'only 4 elements'), ('data[2:9]', 'only 4 elements')):
        with pytest.raises(InputError, match=words):
            values(name, field, fill)


def test_widths_are_known_where_the_type_says_them():
    imu = message_class('sensor_msgs/msg/Imu')
    assert [leaf.width for leaf in leaves(imu, 'orientation_covariance')] == [9]
    assert [leaf.width for leaf in leaves(imu, 'orientation')] == [1, 1, 1, 1]
    joints = message_class('sensor_msgs/JointState')  # without /msg/, as ROS itself prints fields
    assert [leaf.width for leaf in leaves(joints, 'position')] == [None]
    poses = message_class('geometry_msgs/msg/PoseArray')
    (leaf,) = leaves(poses, 'poses[1].position.x')
    assert leaf.name == 'poses[1].position.x'


@pytest.mark.parametrize(
    ('name', 'field', 'words'),
    [
        ('Imu', 'angular_velocty', r"no field 'angular_velocty' \(did you mean angular_velocity\?"),
        ('Imu', 'angular_velocity.w', "Vector3 has no field 'w'"),
        ('Imu', 'header', 'string, not numbers'),
        ('Imu', 'angular_velocity.x.y', 'x has no fields'),
        ('Imu', 'orientation_covariance[9]', 'orientation_covariance is 9 elements'),
        ('Imu', 'orientation[0]', 'orientation is one value'),
        ('JointState', 'name', 'string, not numbers'),
        ('JointState', 'position[3:3]', 'is empty'),
        ('JointState', 'position[x]', 'is not written like'),
        ('JointState', f'position[{"9" * 5000}]', 'is not written like'),
        ('MultiDOFJointState', 'twist.linear', r'twist is an array; name an element, twist\[0\]'),
        ('MultiDOFJointState', 'twist', 'not numbers'),
    ],
)
def test_fields_that_hold_no_numbers_are_refused(name, field, words):
    with pytest.raises(UserError, match=words):
        leaves(message_class(f'sensor_msgs/msg/{name}'), field)


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('os/system', 'is no message type'),
        ('Imu', 'is no message type'),
        ('nowhere_msgs/msg/Imu', 'the package nowhere_msgs of .* is not installed'),
        ('sensor_msgs/msg/Imo', r"no message type 'Imo' \(did you mean Imu\?\)"),
    ],
)
def test_types_that_do_not_exist_are_refused(name, words):
    with pytest.raises(UserError, match=words):
        message_class(name)

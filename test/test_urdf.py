# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The robot description, expanded by the real xacro: one tree, and the kinematics of the core."""

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from neuron_reach.arm.kinematics import forward_kinematics
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.gazebo.world import robot_description

DESCRIPTION = Path(__file__).parents[1] / 'urdf' / 'planar_arm.urdf.xacro'


def numbers(element, name):
    return np.array([float(text) for text in element.get(name).split()])


@pytest.fixture(params=range(1, 7))
def arm(request):
    xacro = shutil.which('xacro', path=str(Path(sys.executable).parent)) or shutil.which('xacro')
    if xacro is None:
        pytest.skip('xacro is not installed')
    command = [xacro, str(DESCRIPTION), f'joints:={request.param}']
    expanded = subprocess.run(command, capture_output=True, text=True)
    assert expanded.returncode == 0, expanded.stderr
    return request.param, ElementTree.fromstring(expanded.stdout)


def test_the_tip_is_where_the_core_says(arm):
    joints, robot = arm
    by_child = {joint.find('child').get('link'): joint for joint in robot.findall('joint')}
    generator = np.random.default_rng(joints)
    for _ in range(20):
        angles = generator.uniform(-np.pi, np.pi, joints)
        position, frame = np.zeros(3), 'tip'
        while frame != 'base_link':
            joint = by_child[frame]
            if joint.get('type') == 'revolute':
                angle = angles[int(joint.get('name').split('_')[1]) - 1]
                turn = Rotation.from_rotvec(angle * numbers(joint.find('axis'), 'xyz'))
                position = turn.apply(position)
            position = position + numbers(joint.find('origin'), 'xyz')
            frame = joint.find('parent').get('link')
        x, z = forward_kinematics(angles, ArmOptions(joints=joints).link_lengths)
        assert position == pytest.approx([x, 0.0, z], abs=1e-9)


def test_an_independent_library_finds_the_tip_where_the_core_does(arm, tmp_path):
    yourdfpy = pytest.importorskip('yourdfpy', reason='yourdfpy is not installed')
    joints, robot = arm
    file = tmp_path / 'arm.urdf'
    file.write_bytes(ElementTree.tostring(robot))
    model = yourdfpy.URDF.load(str(file), load_meshes=False, build_scene_graph=True)
    assert list(model.actuated_joint_names) == [f'joint_{i + 1}' for i in range(joints)]
    generator = np.random.default_rng(joints)
    for angles in generator.uniform(-np.pi, np.pi, (20, joints)):
        model.update_cfg(angles)
        x, z = forward_kinematics(angles, ArmOptions(joints=joints).link_lengths)
        position = model.get_transform('tip', 'base_link')[:3, 3]
        assert position == pytest.approx([x, 0.0, z], abs=1e-9)
    assert model.base_link == 'world'


def test_links_are_bodies_that_can_exist(arm):
    joints, robot = arm
    assert len(robot.findall("joint[@type='revolute']")) == joints
    for link in robot.findall('link'):
        if not link.get('name').startswith('link_'):
            continue
        inertia = link.find('inertial/inertia')
        x, y, z = sorted(float(inertia.get(name)) for name in ('ixx', 'iyy', 'izz'))
        assert x > 0
        assert x + y >= z, 'no body has such moments of inertia'
        assert float(link.find('inertial/mass').get('value')) > 0


CONTROLLERS = '/my: #1 log/"a" & \'b\'\t<ü> {c}  ${d}/x.yaml'


@pytest.mark.parametrize('joints', range(1, 7))
def test_rcl_takes_the_description_for_the_value_of_a_parameter(joints):
    """gazebo_ros2_control (0.4.7 and later) hands it to its controllers on a command line."""
    urdf = robot_description(ArmOptions(joints=joints), GazeboOptions(), controllers=CONTROLLERS)
    assert ElementTree.fromstring(urdf).findtext('gazebo/plugin/parameters') == CONTROLLERS
    assert as_parameter(urdf) == urdf


def test_rcl_takes_what_xacro_prints():
    xacro = pytest.importorskip('xacro', reason='xacro is not installed')
    document = xacro.process_file(str(DESCRIPTION), mappings={'controllers': '/log/c.yaml'})
    for urdf in (document.toxml(), document.toprettyxml(indent='  ')):
        assert as_parameter(urdf).split() == urdf.split()


def as_parameter(text):
    """Give a text to a node in a command line; return what the node gets."""
    rclpy = pytest.importorskip('rclpy', reason='ROS 2 (rclpy) is not installed')
    context = rclpy.Context()
    rclpy.init(args=['', '--ros-args', '-p', f'robot_description:={text}'], context=context)
    try:
        node = rclpy.create_node('controller_manager', context=context)
        try:
            return node.declare_parameter('robot_description', '').value
        finally:
            node.destroy_node()
    finally:
        rclpy.shutdown(context=context)

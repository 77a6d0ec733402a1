# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The robot description, read by others: ROS's own checker and Gazebo."""

import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.gazebo import tree, world
from neuron_reach.gazebo.options import GazeboOptions


@pytest.fixture(params=range(1, 7))
def description(request):
    arm = ArmOptions(joints=request.param)
    return request.param, world.robot_description(arm, GazeboOptions(payload=0.1))


def test_check_urdf_finds_one_chain(gazebo, description, tmp_path):
    joints, urdf = description
    file = tmp_path / 'arm.urdf'
    file.write_text(urdf)
    command = [tree.program('check_urdf'), str(file)]
    result = subprocess.run(command, env=tree.environment(), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert 'Successfully Parsed' in result.stdout
    links = [line.split()[1] for line in result.stdout.splitlines() if 'child(1)' in line]
    expected = ['base_link', *(f'link_{joint + 1}' for joint in range(joints)), 'tip']
    assert [link.split(':')[-1] for link in links] == expected


def test_gazebo_reads_all_of_it(gazebo, description):
    joints, urdf = description
    robot, model = ElementTree.fromstring(urdf), world.model(urdf)
    found = {joint.get('name'): joint for joint in model.findall('joint')}
    for number in range(1, joints + 1):
        ours, theirs = robot.find(f"joint[@name='joint_{number}']"), found[f'joint_{number}']
        limit = theirs.find('axis/limit')
        assert float(limit.findtext('upper')) == pytest.approx(
            float(ours.find('limit').get('upper'))
        )
        assert float(limit.findtext('effort')) == pytest.approx(
            float(ours.find('limit').get('effort')), rel=1e-4
        )
        assert float(theirs.findtext('axis/dynamics/damping')) == pytest.approx(
            float(ours.find('dynamics').get('damping')), rel=1e-4
        )
        assert theirs.findtext('physics/ode/implicit_spring_damper') in ('1', 'true')
    fixed = [joint for joint in found.values() if joint.findtext('parent') == 'world']
    assert len(fixed) == 1
    masses = [float(element.text) for element in model.findall('link/inertial/mass')]
    whole = sum(float(element.get('value')) for element in robot.findall('link/inertial/mass'))
    assert sum(masses) == pytest.approx(whole, rel=1e-4)
    assert len(model.findall('link/collision')) == joints + 1

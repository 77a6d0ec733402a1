# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The world that Gazebo loads: the world file with arms from the robot description."""

from __future__ import annotations

import copy
import dataclasses
import functools
import re
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from typing import Any
from xml.dom.minidom import Document, Node

from neuron_reach.arm.simulator import CONTROL_PERIOD, ArmOptions
from neuron_reach.common.resources import pip_install, shared_file
from neuron_reach.errors import UserError
from neuron_reach.gazebo import tree
from neuron_reach.gazebo.options import GazeboOptions

DESCRIPTION, WORLD = 'urdf/planar_arm.urdf.xacro', 'worlds/reach.world'

SPACING = 0.4
"""Distance of two arms of a fleet, along y, m."""

Element = ElementTree.Element


@dataclasses.dataclass(frozen=True)
class Gains:
    """A joint's position PID in parallel form.

    Attributes:
        p: N m/rad.
        i: N m/(rad s).
        d: N m s/rad, on the error.
        integral_limit: limit of the integral term, N m.
        effort_limit: limit of the torque, N m.
    """

    p: float
    i: float
    d: float
    integral_limit: float
    effort_limit: float


def robot_description(arm: ArmOptions, options: GazeboOptions, **more: str) -> str:
    """Return the URDF of an arm, in one line.

    Args:
        arm: joints, length, start pose.
        options: payload and factor of the gains.
        more: additional arguments of the xacro file.

    Raises:
        UserError: xacro is missing.
    """
    try:
        import xacro
    except ImportError:
        raise UserError(f'xacro is not installed; {pip_install("xacro")}') from None
    keys = ('joints', 'arm_length', 'bend', 'velocity_limit')
    mappings = {key: str(getattr(arm, key)) for key in keys}
    mappings.update(payload=str(options.payload), gain_scale=str(options.gain_scale), **more)
    return _one_line(xacro.process_file(str(shared_file(DESCRIPTION)), mappings=mappings))


def _one_line(document: Document) -> str:
    """Return XML in a form that ROS accepts as the value of a parameter.

    gazebo_ros2_control passes the robot description to rcl as `-p robot_description:=TEXT`, and rcl
    parses TEXT as YAML: there ': ' starts a mapping, ' #' a comment, and a line break is a space.
    """

    def strip(node: Any) -> None:
        for child in tuple(node.childNodes):
            if child.nodeType == Node.COMMENT_NODE or (
                child.nodeType == Node.TEXT_NODE and not child.data.strip()
            ):
                node.removeChild(child)
            else:
                strip(child)

    strip(document)
    return re.sub('(?<=:) |(?<= )#|[\t\n\r]', lambda match: f'&#{ord(match[0])};', document.toxml())


def gains(urdf: str) -> list[Gains]:
    """Return the gains of the joints in the robot description."""
    robot = ElementTree.fromstring(urdf)
    result = []
    for joint in robot.findall('ros2_control/joint'):
        values = {
            param.get('name'): float(param.text or '')
            for param in joint.findall('param')
            if param.get('name') != 'pos_antiwindup'
        }
        limit = _find(robot, f"joint[@name='{joint.get('name')}']/limit")
        result.append(
            Gains(
                p=values['pos_kp'],
                i=values['pos_ki'],
                d=values['pos_kd'],
                integral_limit=values['pos_max_integral_error'],
                effort_limit=float(limit.get('effort', '')),
            )
        )
    return result


def _find(element: Element, path: str) -> Element:
    found = element.find(path)
    if found is None:
        raise ValueError(f'no {path}')
    return found


@functools.lru_cache(maxsize=16)
def model(urdf: str) -> Element:
    """Return the arm as an SDF model, converted by Gazebo; shared, so callers must copy it."""
    with tempfile.NamedTemporaryFile('w', suffix='.urdf') as file:
        file.write(urdf)
        file.flush()
        command = [tree.program('gz'), 'sdf', '-p', file.name]
        result = subprocess.run(
            command, capture_output=True, text=True, env=tree.environment(), timeout=60
        )
    start = result.stdout.find('<sdf')
    if result.returncode != 0 or start < 0:
        lines = (result.stderr or result.stdout).strip().splitlines() or ['no message']
        raise UserError(f'Gazebo cannot read the robot description: {lines[-1]}')
    return _find(ElementTree.fromstring(result.stdout[start:]), 'model')


def build(
    arm: ArmOptions, arms: int, options: GazeboOptions, extra: str = ''
) -> tuple[str, list[Gains]]:
    """Return the world file for a fleet, and the gains of an arm's joints.

    Args:
        arm: the arm.
        arms: number of arms, side by side, each with a goal sphere.
        options: physics steps, payload, factor of the gains.
        extra: additional XML elements of the world, such as a model of a camera.
    """
    urdf = robot_description(arm, options)
    root = ElementTree.fromstring(shared_file(WORLD).read_text(encoding='utf-8'))
    world = _find(root, 'world')
    for plugin in world.findall('plugin'):  # ROS plugins
        world.remove(plugin)
    physics = _find(world, 'physics')
    _find(physics, 'max_step_size').text = repr(CONTROL_PERIOD / options.physics_steps)
    _find(physics, 'real_time_update_rate').text = '0'  # as fast as requested
    body = model(urdf)
    goal = _find(world, "model[@name='goal_0']")
    for index in range(arms):
        _place(world, body, f'arm_{index}', index)
        if index > 0:
            _place(world, goal, f'goal_{index}', index)
    ElementTree.SubElement(world, 'plugin', name='arms', filename=tree.ARMS_PLUGIN)
    world.extend(ElementTree.fromstring(f'<extra>{extra}</extra>'))
    return ElementTree.tostring(root, encoding='unicode'), gains(urdf)


def _place(world: Element, model: Element, name: str, index: int) -> None:
    placed = copy.deepcopy(model)
    placed.set('name', name)
    for pose in placed.findall('pose'):
        placed.remove(pose)
    pose = ElementTree.Element('pose')
    pose.text = f'0 {index * SPACING:g} 0 0 0 0'
    placed.insert(0, pose)
    world.append(placed)

"""The world that Gazebo loads: the world file, with arms made from the robot description."""

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
from neuron_reach.common.resources import shared_file
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
        integral_limit: largest share of the integral, N m.
        effort_limit: largest torque, N m.
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
        options: payload and error of the gains.
        more: further arguments of the xacro file.

    Raises:
        UserError: xacro is missing.
    """
    try:
        import xacro
    except ImportError:
        raise UserError('xacro is not installed; pip install xacro') from None
    keys = ('joints', 'arm_length', 'bend', 'velocity_limit')
    mappings = {key: str(getattr(arm, key)) for key in keys}
    mappings.update(payload=str(options.payload), gain_scale=str(options.gain_scale), **more)
    return _one_line(xacro.process_file(str(shared_file(DESCRIPTION)), mappings=mappings))


def _one_line(document: Document) -> str:
    """Return XML that ROS can take for the value of a parameter.

    gazebo_ros2_control hands the robot description to rcl as `-p robot_description:=TEXT`, and rcl
    reads TEXT as YAML, to which ': ' would be a mapping, ' #' a comment, and a line break a space.
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
    return re.sub('(?<=:) |(?<= )#|[\t\n\r]', lambda found: f'&#{ord(found[0])};', document.toxml())


def gains(urdf: str) -> list[Gains]:
    """Return the gains of the joints as the robot description has them."""
    robot = ElementTree.fromstring(urdf)
    found = []
    for joint in robot.findall('ros2_control/joint'):
        values = {
            param.get('name'): float(param.text or '')
            for param in joint.findall('param')
            if param.get('name') != 'pos_antiwindup'
        }
        limit = _find(robot, f"joint[@name='{joint.get('name')}']/limit")
        found.append(
            Gains(
                values['pos_kp'],
                values['pos_ki'],
                values['pos_kd'],
                values['pos_max_integral_error'],
                float(limit.get('effort', '')),
            )
        )
    return found


def _find(element: Element, path: str) -> Element:
    found = element.find(path)
    if found is None:
        raise ValueError(f'no {path}')
    return found


@functools.lru_cache(maxsize=16)
def model(urdf: str) -> Element:
    """Return the arm as a model in Gazebo's own format, converted by Gazebo; not to be changed."""
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
        arms: how many stand side by side, each with a goal sphere.
        options: physics steps, payload, error of the gains.
        extra: further elements of the world, such as a camera's model.
    """
    urdf = robot_description(arm, options)
    root = ElementTree.fromstring(shared_file(WORLD).read_text(encoding='utf-8'))
    world = _find(root, 'world')
    for plugin in world.findall('plugin'):  # those of ROS
        world.remove(plugin)
    physics = _find(world, 'physics')
    _find(physics, 'max_step_size').text = repr(CONTROL_PERIOD / options.physics_steps)
    _find(physics, 'real_time_update_rate').text = '0'  # the driver sets the pace
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
    own = copy.deepcopy(model)
    own.set('name', name)
    for pose in own.findall('pose'):
        own.remove(pose)
    pose = ElementTree.Element('pose')
    pose.text = f'0 {index * SPACING:g} 0 0 0 0'
    own.insert(0, pose)
    world.append(own)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Start the arm in the Gazebo of a ROS 2 Humble installation, with a position PID on each joint.

The other launch files start this one for backend:=gazebo. Start it alone to look at the arm or for
programs of your own; docs/interface.md lists its topics and services.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import launch_config
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from neuron_reach.arm.simulator import CONTROL_PERIOD, ArmOptions
from neuron_reach.common.options import fill
from neuron_reach.common.resources import shared_file
from neuron_reach.errors import UserError
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.gazebo.world import WORLD, robot_description
from neuron_reach.launching.arguments import describe_argument, full_namespace
from neuron_reach.launching.ros2_launch import Scope, check_arguments

ARM = ('joints', 'arm_length', 'bend', 'velocity_limit')
GAZEBO = ('payload', 'gain_scale', 'physics_steps')
CONTROLLERS = ('joint_state_broadcaster', 'joint_position_controller')
SECONDS = '60'


def generate_launch_description() -> LaunchDescription:
    options = [*dataclasses.fields(ArmOptions), *dataclasses.fields(GazeboOptions)]
    fields = {field.name: field for field in options}
    arguments = [
        DeclareLaunchArgument(
            name,
            default_value=str(fields[name].default),
            description=describe_argument(fields[name]),
        )
        for name in (*ARM, *GAZEBO)
    ]
    choices = ['true', 'false']
    arguments += [
        DeclareLaunchArgument(
            'gui', default_value='true', choices=choices, description="show Gazebo's window"
        ),
        DeclareLaunchArgument(
            'rviz', default_value='false', choices=choices, description='show the arm in RViz'
        ),
        DeclareLaunchArgument(
            'namespace',
            default_value='',
            description='ROS namespace of the arm, such as left or /robots/left',
        ),
    ]
    names = [argument.name for argument in arguments]
    return LaunchDescription([*arguments, OpaqueFunction(function=start, args=(names,))])


def start(context: LaunchContext, names: list[str]) -> list[Any]:
    """Start Gazebo, then the arm in it, then its controllers, one after the other.

    Raises:
        UserError: an argument is unknown or bad; launch prints its message and returns 1.
    """
    check_arguments(context, names)
    scope = Scope(context)
    scope.refuse_remaps()
    namespace = full_namespace(context.launch_configurations['namespace'], scope.namespace)
    scope.configurations['ros_namespace'] = namespace
    given = {name: context.launch_configurations[name] for name in (*ARM, *GAZEBO)}
    arm = fill(ArmOptions, given, 'arguments')
    gazebo = fill(GazeboOptions, given, 'arguments')
    folder = Path(launch_config.log_dir)
    parameters = folder / 'controllers.yaml'
    text = yaml.safe_dump(controllers(arm.joints, gazebo, namespace))
    parameters.write_text(text, encoding='utf-8')
    world = folder / 'reach.world'
    world.write_text(world_file(gazebo), encoding='utf-8')
    urdf = robot_description(arm, gazebo, controllers=str(parameters), namespace=namespace)
    actions = [
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(gazebo_ros() / 'launch' / 'gazebo.launch.py')),
            launch_arguments={
                'world': str(world),
                'gui': context.launch_configurations['gui'],
                'params_file': str(parameters),
                'server_required': 'true',
            }.items(),
        ),
        Node(
            package='robot_state_publisher',
            executable='robot_state_publisher',
            parameters=[
                {
                    'robot_description': ParameterValue(urdf, value_type=str),
                    'use_sim_time': True,
                }
            ],
        ),
        Node(
            package='gazebo_ros',
            executable='spawn_entity.py',
            arguments=['-topic', 'robot_description', '-entity', 'arm_0', '-timeout', SECONDS],
            output='screen',
            on_exit=next_step('spawn_entity.py', lambda: spawn_controllers(CONTROLLERS, scope)),
        ),
        Node(
            package='neuron_reach',
            executable='arm_reset',
            name='arm_reset',
            parameters=[vars(arm)],
            remappings=[('set_entity_state', '/set_entity_state')],  # Gazebo's, in no namespace
            output='screen',
        ),
    ]
    if context.launch_configurations['rviz'] == 'true':
        actions.append(
            Node(
                package='rviz2',
                executable='rviz2',
                arguments=['-d', str(shared_file('rviz/reach.rviz'))],
                parameters=[{'use_sim_time': True}],
            )
        )
    return scope.around(actions)


def gazebo_ros() -> Path:
    """Return the shared folder of gazebo_ros."""
    try:
        return Path(get_package_share_directory('gazebo_ros'))
    except PackageNotFoundError:
        raise UserError(
            'gazebo_ros is not installed (rosdep installs it on ROS 2 Humble); elsewhere '
            'backend:=gazebo uses the Gazebo that `neuron_reach gazebo install` brings'
        ) from None


def spawn_controllers(names: tuple[str, ...], scope: Scope) -> list[Any]:
    """Return actions that spawn controllers one after the other, each when the last is active."""
    if not names:
        return []
    name, *later = names
    spawner = Node(
        package='controller_manager',
        executable='spawner',
        arguments=[name, '--controller-manager-timeout', SECONDS],
        output='screen',
        on_exit=next_step(f'spawner of {name}', lambda: spawn_controllers(tuple(later), scope)),
    )
    return scope.around([spawner])


def next_step(name: str, actions: Any) -> Any:
    """Return a handler that continues if a process succeeded, and otherwise ends the launch."""

    def on_exit(event: Any, context: LaunchContext) -> Any:
        if context.is_shutdown:
            return None
        if event.returncode != 0:
            return [Shutdown(reason=f'{name} failed (exit code {event.returncode})')]
        return actions()

    return on_exit


def controllers(joints: int, gazebo: GazeboOptions, namespace: str) -> dict[str, Any]:
    """Return the parameters of the controllers of an arm, and of Gazebo's own node.

    Gazebo's own node is in no namespace; names without a namespace match only such nodes.
    """
    text = shared_file('config/controllers.yaml').read_text(encoding='utf-8')
    values: dict[str, Any] = yaml.safe_load(text)
    del values['joint_position_controller']['ros__parameters']['joints'][joints:]
    rate = round(gazebo.physics_steps / CONTROL_PERIOD)
    values['controller_manager']['ros__parameters']['update_rate'] = rate
    own = values.pop('gazebo')
    inside = {f'{namespace.rstrip("/")}/{node}': keys for node, keys in values.items()}
    return {'/gazebo': own, **inside}


def world_file(gazebo: GazeboOptions) -> str:
    """Return the world, in real time with the chosen number of physics steps."""
    text = shared_file(WORLD).read_text(encoding='utf-8')
    rate = round(gazebo.physics_steps / CONTROL_PERIOD)
    return text.replace('<max_step_size>0.001<', f'<max_step_size>{1 / rate!r}<').replace(
        '<real_time_update_rate>1000<', f'<real_time_update_rate>{rate}<'
    )

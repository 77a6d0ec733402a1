# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""gazebo.launch.py under ROS 2's own launch, with stand-ins for the packages of ROS that it starts.

What it hands to them is checked against what their sources (Humble) expect; whether Gazebo then
moves the arm can only be seen on a ROS 2 installation.
"""

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.gazebo.world import robot_description

ROOT = Path(__file__).parents[1]

FAKE_GAZEBO = """
import json
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction

NAMES = ('world', 'gui', 'params_file', 'server_required')


def start(context):
    given = {{name: context.launch_configurations[name] for name in NAMES}}
    Path({log!r}, 'gazebo.json').write_text(json.dumps(given))
    return [ExecuteProcess(cmd=['sh', '-c', 'exec sleep 600'], name='gzserver')]


def generate_launch_description():
    return LaunchDescription([OpaqueFunction(function=start)])
"""

PROGRAMS = {
    ('gazebo_ros', 'spawn_entity.py'): 0,
    ('controller_manager', 'spawner'): 0,
    ('robot_state_publisher', 'robot_state_publisher'): None,
    ('neuron_reach', 'arm_reset'): None,
}


@pytest.fixture
def launch():
    reason = "ROS 2's launch is not installed (it has no wheels)"
    pytest.importorskip('launch_ros', reason=reason)
    return pytest.importorskip('launch.launch_service', reason=reason).LaunchService


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """Make packages whose programs write down how they were started."""
    prefix = tmp_path / 'prefix'

    def make(codes):
        for (package, program), code in {**PROGRAMS, **codes}.items():
            index = prefix / 'share/ament_index/resource_index/packages'
            index.mkdir(parents=True, exist_ok=True)
            (index / package).touch()
            (prefix / 'share' / package / 'launch').mkdir(parents=True, exist_ok=True)
            folder = prefix / 'lib' / package
            folder.mkdir(parents=True, exist_ok=True)
            end = 'exec sleep 600' if code is None else f'exit {code}'
            lines = ['#!/bin/sh', f'echo {program} "$@" >> {tmp_path}/log', end]
            (folder / program).write_text('\n'.join(lines))
            (folder / program).chmod(0o755)
        fake = prefix / 'share/gazebo_ros/launch/gazebo.launch.py'
        fake.write_text(FAKE_GAZEBO.format(log=str(tmp_path)))
        monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))

    return make


@pytest.fixture
def run(launch, tmp_path, monkeypatch):
    """Run the launch file until the last controller is spawned, or until it ends by itself."""
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'ros_log'))
    from launch.actions import IncludeLaunchDescription, RegisterEventHandler, Shutdown
    from launch.event_handlers import OnProcessExit
    from launch.launch_description import LaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource
    from launch.logging import launch_config

    launch_config.reset()
    monkeypatch.setattr(launch_config, 'log_dir', str(tmp_path))

    def begin(*arguments, around=list):
        source = PythonLaunchDescriptionSource(str(ROOT / 'launch' / 'gazebo.launch.py'))
        pairs = [tuple(argument.split(':=')) for argument in arguments]

        def ended(event, _context):
            if 'joint_position_controller' in event.cmd:
                return [Shutdown(reason='the test is over')]
            return None

        service = launch(argv=arguments)
        handler = RegisterEventHandler(OnProcessExit(on_exit=ended))
        include = IncludeLaunchDescription(source, launch_arguments=pairs)
        service.include_launch_description(LaunchDescription([handler, *around([include])]))
        code = service.run()
        log = tmp_path / 'log'
        return code, log.read_text().splitlines() if log.exists() else []

    return begin


def test_gazebo_arm_and_controllers_start_in_order(run, prefix, tmp_path):
    prefix({})
    _, said = run('joints:=2', 'gui:=false', 'physics_steps:=25')
    ordered = [line.split()[:2] for line in said if line.startswith('spawn')]
    assert [words[0] for words in ordered] == ['spawn_entity.py', 'spawner', 'spawner']
    assert [words[1] for words in ordered[1:]] == [
        'joint_state_broadcaster',
        'joint_position_controller',
    ]
    assert any(line.startswith('robot_state_publisher') for line in said)
    assert any(line.startswith('arm_reset') for line in said)
    given = yaml.safe_load((tmp_path / 'gazebo.json').read_text())
    assert (given['gui'], given['server_required']) == ('false', 'true')
    physics = ElementTree.parse(given['world']).getroot().find('world/physics')
    assert float(physics.findtext('max_step_size')) == pytest.approx(0.002)
    assert float(physics.findtext('real_time_update_rate')) == 500
    parameters = yaml.safe_load(Path(given['params_file']).read_text())
    joints = parameters['/joint_position_controller']['ros__parameters']['joints']
    assert joints == ['joint_1', 'joint_2']
    assert parameters['/controller_manager']['ros__parameters']['update_rate'] == 500
    assert parameters['/gazebo']['ros__parameters']['publish_rate'] == 1000.0


def test_all_of_it_is_in_the_namespace_of_whoever_includes_it(run, prefix, tmp_path):
    from launch.actions import GroupAction
    from launch_ros.actions import PushRosNamespace

    prefix({})
    _, said = run(
        'namespace:=left', around=lambda actions: [GroupAction([PushRosNamespace('a'), *actions])]
    )
    started = [line for line in said if not line.startswith('gzserver')]
    assert len(started) == 5
    assert all('__ns:=/a/left' in line for line in started)
    parameters = yaml.safe_load((tmp_path / 'controllers.yaml').read_text())
    assert {'/gazebo', '/a/left/controller_manager', '/a/left/joint_state_broadcaster'} <= set(
        parameters
    )
    (arm_reset,) = [line for line in started if line.startswith('arm_reset')]
    assert 'set_entity_state:=/set_entity_state' in arm_reset
    (publisher,) = [line for line in started if line.startswith('robot_state_publisher')]
    values = yaml.safe_load(Path(publisher.split('--params-file ')[1].split()[0]).read_text())
    (node,) = values.values()
    robot = ElementTree.fromstring(node['ros__parameters']['robot_description'])
    assert robot.findtext('gazebo/plugin/ros/namespace') == '/a/left'


def test_remaps_that_the_controllers_would_not_know_are_refused(run, prefix, caplog):
    from launch_ros.actions import SetRemap

    prefix({})
    code, said = run(around=lambda actions: [SetRemap('joint_states', 'states'), *actions])
    assert (code, said) == (1, [])
    assert 'remaps' in errors_of(caplog)


def test_unknown_arguments_are_refused(run, prefix, caplog, monkeypatch):
    prefix({})
    monkeypatch.setattr('sys.argv', ['ros2', 'launch', 'neuron_reach', 'gazebo.launch.py'])
    code, said = run('jonts:=2')
    assert (code, said) == (1, [])
    assert "unknown key 'jonts'" in errors_of(caplog)


def errors_of(caplog):
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == 'ERROR']
    assert '\n' not in error
    return error


def test_an_arm_that_cannot_be_spawned_ends_it(run, prefix):
    prefix({('gazebo_ros', 'spawn_entity.py'): 1})
    _, said = run()
    assert not [line for line in said if line.startswith('spawner')]


def test_without_gazebo_ros_one_line_says_what_to_do(run, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    code, _ = run()
    assert code == 1
    assert 'gazebo_ros is not installed' in errors_of(caplog)


def load_launch_file():
    spec = importlib.util.spec_from_file_location('gazebo', ROOT / 'launch' / 'gazebo.launch.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_argument_is_described(launch):
    arguments = load_launch_file().generate_launch_description().get_launch_arguments()
    assert {'joints', 'payload', 'gain_scale', 'gui', 'rviz', 'namespace'} <= {
        a.name for a in arguments
    }
    assert all(argument.description for argument in arguments)


def test_the_namespace_of_a_parameter_file_is_that_of_its_nodes(tmp_path):
    """By rcl itself: a key without the namespace would not hold for a node in it."""
    rclpy = pytest.importorskip('rclpy', reason='ROS 2 (rclpy) is not installed')
    pytest.importorskip('launch_ros', reason="ROS 2's launch is not installed (it has no wheels)")
    for namespace in ('/', '/a/left'):
        file = tmp_path / 'controllers.yaml'
        values = load_launch_file().controllers(2, GazeboOptions(physics_steps=25), namespace)
        file.write_text(yaml.safe_dump(values))
        context = rclpy.Context()
        rclpy.init(args=['', '--ros-args', '--params-file', str(file)], context=context)
        manager = rclpy.create_node('controller_manager', namespace=namespace, context=context)
        assert manager.declare_parameter('update_rate', 0).value == 500
        gazebo = rclpy.create_node('gazebo', context=context)
        assert gazebo.declare_parameter('publish_rate', 0.0).value == 1000.0
        rclpy.shutdown(context=context)


# --- what gazebo_ros2_control (0.4.8 and later) reads ------------------------------------------


@pytest.fixture(params=range(1, 7))
def urdf(request):
    text = robot_description(
        ArmOptions(joints=request.param), GazeboOptions(), controllers='/some/controllers.yaml'
    )
    return request.param, ElementTree.fromstring(text)


def test_each_joint_has_a_position_pid_and_never_a_plain_position(urdf):
    joints, robot = urdf
    controlled = robot.findall('ros2_control/joint')
    assert [joint.get('name') for joint in controlled] == [f'joint_{i + 1}' for i in range(joints)]
    for joint in controlled:
        commands = [interface.get('name') for interface in joint.findall('command_interface')]
        assert commands == ['position_pid']
        values = {param.get('name'): param.text for param in joint.findall('param')}
        assert float(values['pos_max_integral_error']) > 0
        assert float(values['pos_min_integral_error']) == -float(values['pos_max_integral_error'])
        assert all(float(values[name]) > 0 for name in ('pos_kp', 'pos_ki', 'pos_kd'))
        states = {interface.get('name') for interface in joint.findall('state_interface')}
        assert states == {'position', 'velocity'}


def test_the_joints_start_in_the_start_pose(urdf):
    joints, robot = urdf
    path = "ros2_control/joint/state_interface[@name='position']/param[@name='initial_value']"
    start = [float(param.text) for param in robot.findall(path)]
    assert start == pytest.approx(ArmOptions(joints=joints).start_pose)


def test_the_plugin_is_there_only_when_ros_moves_the_joints(urdf):
    joints, robot = urdf
    (plugin,) = robot.findall('gazebo/plugin')
    assert plugin.get('filename') == 'libgazebo_ros2_control.so'
    assert plugin.findtext('parameters') == '/some/controllers.yaml'
    alone = ElementTree.fromstring(robot_description(ArmOptions(joints=joints), GazeboOptions()))
    assert alone.findall('gazebo/plugin') == []


def test_controllers_are_those_the_policy_speaks_to():
    values = yaml.safe_load((ROOT / 'config' / 'controllers.yaml').read_text())
    manager = values['controller_manager']['ros__parameters']
    types = {name: manager[name]['type'] for name in manager if isinstance(manager[name], dict)}
    assert types == {
        'joint_state_broadcaster': 'joint_state_broadcaster/JointStateBroadcaster',
        'joint_position_controller': 'position_controllers/JointGroupPositionController',
    }
    # One joint state in a control cycle of the policy.
    assert values['joint_state_broadcaster']['ros__parameters']['update_rate'] == 20
    assert manager['update_rate'] % 20 == 0

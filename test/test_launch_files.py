# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The launch files, run by ROS 2's own launch where it is installed."""

import importlib.util
import signal
import sys
from pathlib import Path

import pytest

from neuron_reach.launching import graph
from neuron_reach.launching.arguments import DESCRIPTIONS, argument_fields
from neuron_reach.launching.graph import Phase, Process

FOLDER = Path(__file__).parents[1] / 'launch'


def file_name(graph):
    return graph.replace('-', '_')


def test_every_graph_has_its_launch_file():
    assert {file.name for file in FOLDER.glob('*.py')} == {
        f'{name}.launch.py' for name in (*map(file_name, DESCRIPTIONS), 'gazebo', 'prune')
    }


@pytest.fixture
def launch():
    # Not by `launch`, which would find the folder of that name here.
    reason = "ROS 2's launch is not installed (it has no wheels)"
    pytest.importorskip('launch_ros', reason=reason)
    return pytest.importorskip('launch.launch_service', reason=reason).LaunchService


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f'{file_name(name)}.launch.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


@pytest.mark.parametrize(
    ('file', 'name'), [*zip(DESCRIPTIONS, DESCRIPTIONS, strict=True), ('prune', 'prune-train')]
)
def test_launch_files_declare_every_argument(launch, file, name):
    arguments = {a.name: a for a in load(file).get_launch_arguments()}
    assert set(arguments) == {'config', *(field.name for field in argument_fields(name))}
    assert all(argument.description for argument in arguments.values())
    assert arguments['storage'].choices == ['', 'mcap', 'sqlite3']


@pytest.fixture
def program(tmp_path):
    """Small programs that write into one file what happens to them."""

    def make(name, code=0, after=None):
        """One that ends after others have started, or without such when it is interrupted."""
        text = (
            'import pathlib, signal, sys, time\n'
            f'log = pathlib.Path({str(tmp_path / "log")!r})\n'
            'def say(word):\n'
            '    with log.open("a") as file:\n'
            f'        print({name!r}, word, file=file)\n'
            'stopped = []\n'
            'signal.signal(signal.SIGINT, lambda *_: stopped.append(1))\n'
            'say("starts")\n'
            f'after = {after!r}\n'
            'while not stopped:\n'
            '    if after is not None:\n'
            '        said = log.read_text().splitlines()\n'
            '        if all(f"{other} starts" in said for other in after):\n'
            '            break\n'
            '    time.sleep(0.01)\n'
            'say("ends")\n'
            f'sys.exit({code})\n'
        )
        return Process(name, command=(sys.executable, '-c', text))

    return make


@pytest.fixture
def run(launch, monkeypatch, tmp_path, caplog):
    """Run phases; return the exit code, what the programs said, and what launch said."""

    def play(*phases):
        monkeypatch.setattr(graph, 'build', lambda *_: list(phases))
        monkeypatch.setattr('neuron_reach.launching.ros2_launch._python', lambda: sys.executable)
        service = launch()
        service.include_launch_description(load('train'))
        code = service.run()
        return code, (tmp_path / 'log').read_text().splitlines(), caplog.text

    return play


def test_phases_follow_each_other_and_followers_end_in_order(run, program):
    code, said, _ = run(
        Phase('1', program('a', after='bcd'), (program('b'), program('c'), program('d'))),
        Phase('2', program('e', after='f'), (program('f'),)),
        Phase('3', program('g', after='')),
    )
    assert code == 0
    assert [line[0] for line in said if 'ends' in line] == list('abcdefg')
    assert said.index('d ends') < said.index('e starts')
    assert said.index('f ends') < said.index('g starts')


def test_a_failing_leader_ends_the_run(run, program):
    first = Phase('1', program('a', code=2, after='b'), (program('b'),))
    code, said, messages = run(first, Phase('2', program('c', after='')))
    assert code == 1
    assert 'b ends' in said
    assert 'c starts' not in said
    assert 'a failed (exit code 2)' in messages


@pytest.mark.parametrize(('code', 'words'), [(0, 'b ended early'), (3, 'b failed (exit code 3)')])
def test_a_follower_that_ends_early_ends_the_run(run, program, code, words):
    followers = (program('b', code, after='ac'), program('c'))
    result, said, messages = run(Phase('1', program('a'), followers))
    assert result == 1
    assert 'a ends' in said
    assert 'c ends' in said
    assert words in messages


def test_a_follower_that_fails_while_closing_fails_the_run(run, program):
    first = Phase('1', program('a', after='b'), (program('b', code=4),))
    code, said, _ = run(first, Phase('2', program('c', after='')))
    assert code == 1
    assert 'c starts' not in said


def test_ros2_commands_may_answer_an_interrupt_with_its_number(run, program):
    phase = Phase('1', program('a', after='b'), (program('b', code=int(signal.SIGINT)),))
    assert run(phase)[0] == 0


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['joints:=99'], 'joints must be a whole number from 1 to 6'),
        (['config:=none.yaml'], 'none.yaml: cannot be read'),
        (['jonts:=3'], "unknown key 'jonts' (did you mean joints?)"),
        (['backend:=gazbo'], "not 'gazbo' (did you mean gazebo?)"),
        (['hidden:='], 'argument hidden is empty; leave it out for its default'),
        (['namespace:=2nd'], 'namespace must be names of letters, digits and _'),
    ],
)
def test_bad_arguments_end_with_one_line(launch, monkeypatch, caplog, arguments, words):
    monkeypatch.setattr(sys, 'argv', ['ros2', 'launch', 'neuron_reach', 'train.launch.py'])
    service = launch(argv=arguments)
    service.include_launch_description(load_with(arguments))
    assert service.run() == 1
    errors = [record.getMessage() for record in caplog.records if record.levelname == 'ERROR']
    assert len(errors) == 1
    assert words in errors[0]
    assert '\n' not in errors[0]


@pytest.mark.parametrize(('file', 'renamed'), [('prune', True), ('prune-train', False)])
def test_the_old_launch_file_works_and_logs_the_new_name(
    launch, caplog, monkeypatch, tmp_path, file, renamed
):
    monkeypatch.chdir(tmp_path)
    service = launch()
    service.include_launch_description(load(file))
    assert service.run() == 1
    messages = [record.getMessage() for record in caplog.records]
    assert any('no trained network there' in message for message in messages)
    assert ('prune.launch.py is now: prune_train.launch.py' in messages) is renamed


def load_with(arguments):
    """Include the train launch file with arguments, as `ros2 launch` does."""
    from launch.launch_description import LaunchDescription

    return LaunchDescription([include(*arguments)])


def include(*arguments):
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(FOLDER / 'train.launch.py'))
    pairs = [tuple(argument.split(':=')) for argument in arguments]
    return IncludeLaunchDescription(source, launch_arguments=pairs)


def test_arguments_of_a_launch_file_that_includes_ours_are_its_own(launch, monkeypatch, caplog):
    monkeypatch.setattr(sys, 'argv', ['ros2', 'launch', 'robots', 'train.launch.py', 'robot:=3'])
    service = launch(argv=['robot:=3'])
    service.include_launch_description(load_with(['joints:=99']))
    assert service.run() == 1
    errors = [record.getMessage() for record in caplog.records if record.levelname == 'ERROR']
    assert 'joints must be' in errors[0]


PROGRAM = """#!/bin/sh
echo $ROS_DOMAIN_ID ${0##*/} "$@" >> LOG
case $0 in *dqn_policy) sleep 0.5; exit ${POLICYS_CODE:-0};; *python3) exit 0;; esac
trap 'stopped=1' INT
trap 'echo x ${0##*/} was given up >> LOG; exit 0' TERM
while [ -z "$stopped" ]; do sleep 0.02; done
"""


@pytest.fixture
def started(launch, tmp_path, monkeypatch):
    """Run actions with programs in place of the nodes; return how these were started."""
    prefix = tmp_path / 'prefix'
    (prefix / 'share/ament_index/resource_index/packages').mkdir(parents=True)
    (prefix / 'share/ament_index/resource_index/packages/neuron_reach').touch()
    nodes = ('dqn_policy', 'activation_recorder', 'bag_recorder', 'arm_simulator')
    for name in (*(f'lib/neuron_reach/{node}' for node in nodes), 'bin/python3'):
        program = prefix / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(PROGRAM.replace('LOG', str(tmp_path / 'log')))
        program.chmod(0o755)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))
    monkeypatch.chdir(tmp_path)

    def play(*actions, code=0):
        from launch.launch_description import LaunchDescription

        service = launch()
        service.include_launch_description(LaunchDescription(actions))
        assert service.run() == code
        lines = (tmp_path / 'log').read_text().splitlines()
        return [line for line in lines if line.split()[1] in nodes]

    return play


def test_every_phase_is_in_the_scope_of_whoever_includes_the_file(started):
    from launch.actions import GroupAction, SetEnvironmentVariable
    from launch_ros.actions import PushRosNamespace, SetParameter, SetRemap

    groups = [
        GroupAction(
            [
                PushRosNamespace(side),
                SetRemap('goal', f'/{side}_aim'),
                SetParameter('use_sim_time', True),
                SetEnvironmentVariable('ROS_DOMAIN_ID', domain),
                include('record:=6', f'run_dir:={side}', f'namespace:={own}'),
                SetRemap('episode', 'of_later_actions'),
            ]
        )
        for side, domain, own in (('left', '1', ''), ('right', '2', 'arm'))
    ]
    said = started(*groups)
    assert len(said) == 14
    for domain, mark in (('1', '__ns:=/left -'), ('2', '__ns:=/right/arm -')):
        own = [line for line in said if line.startswith(domain)]
        assert sorted(line.split()[1] for line in own) == sorted(
            ['dqn_policy', 'activation_recorder', 'arm_simulator'] * 2 + ['bag_recorder']
        )
        side = 'left' if domain == '1' else 'right'
        for words in (mark, f'goal:=/{side}_aim', 'use_sim_time:=True'):
            assert all(words in line for line in own)
    assert not any('of_later_actions' in line for line in said)


def test_a_namespace_from_the_root_on_replaces_that_of_the_group(started):
    from launch_ros.actions import PushRosNamespace

    said = started(PushRosNamespace('left'), include('record:=0', 'namespace:=/right'))
    assert len(said) == 3
    assert all('__ns:=/right -' in line for line in said)


def test_nodes_do_not_work_off_what_is_on_its_way_when_one_has_failed(started, monkeypatch):
    monkeypatch.setenv('POLICYS_CODE', '2')
    said = started(include('record:=0'), code=1)
    for name in ('activation_recorder', 'arm_simulator'):
        assert f'x {name} was given up' in said


@pytest.mark.slow
def test_a_whole_run_under_launch(launch, monkeypatch, tmp_path):
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    from neuron_reach.launching.starter import free_domain

    try:
        get_package_prefix('neuron_reach')
    except PackageNotFoundError:
        pytest.skip('neuron_reach is not installed in AMENT_PREFIX_PATH')
    domain, lock = free_domain(first=60)
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    run_dir = tmp_path / '1'  # a text that looks like a number must stay a text
    monkeypatch.chdir(tmp_path)
    arguments = ['joints:=1', 'hidden:=16', 'record:=20', 'test_episodes:=100', 'run_dir:=1']
    service = launch(argv=arguments)
    service.include_launch_description(load_with(arguments))
    with lock:
        assert service.run() == 0
    assert (run_dir / 'checkpoint' / 'model.safetensors').exists()
    assert (run_dir / 'bag' / 'metadata.yaml').exists()

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The product's main job, with all its processes, on a configuration that is small and easy."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from neuron_reach import messages
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.summary import summarize
from neuron_reach.learning.checkpoint import load_checkpoint

pytest.importorskip('rclpy', reason='ROS 2 (rclpy) is not installed')

EASY = ['joints:=1', 'hidden:=[24,24]', 'arms:=50', 'batch_size:=64', 'validation_interval:=100']
ENDLESS = [*EASY, 'success_reward:=1.0', 'checkpoint_interval:=0.2']
DEADLINE = 240.0


@pytest.fixture
def environment():
    """The user's environment, without a ROS domain: the starter finds a free one."""
    return {key: value for key, value in os.environ.items() if key != 'ROS_DOMAIN_ID'}


def command(*arguments):
    return [sys.executable, '-m', 'neuron_reach', *map(str, arguments)]


def neuron_reach(*arguments, **options):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=DEADLINE, **options
    )


def leftovers(run_dir):
    """Return the command lines of processes that still work for a run."""
    found = subprocess.run(['ps', '-eo', 'args'], capture_output=True, text=True, check=True)
    return [line for line in found.stdout.splitlines() if str(run_dir) in line]


def check_bag(run_dir, episodes, storage):
    """Recompute from the checkpoint alone what the bag says that every neuron did."""
    checkpoint = load_checkpoint(run_dir / 'checkpoint')
    summary = summarize(run_dir / 'bag')
    assert summary.incomplete is None
    assert summary.storage == storage
    (robot,) = summary.robots.values()
    assert robot.episodes == episodes
    assert robot.steps == episodes * 60
    assert all(topic.unbroken for topic in summary.continuity.values())
    seen, layers = {}, {name: {} for name in messages.layer_names(2)}
    for topic, _, message in BagReader(run_dir / 'bag').messages():
        if messages.is_topic(topic, messages.OBSERVATION):
            episode, step, values = messages.read_fleet_step(message)
            seen[episode, step] = values
        elif (layer := messages.layer_of(topic)) is not None:
            episode, step, values = messages.read_fleet_step(message)
            layers[layer][episode, step] = values
    assert sum(len(values) for values in seen.values()) == episodes * 60
    for key, observations in seen.items():
        with torch.no_grad():
            expected = checkpoint.network.activations(torch.from_numpy(observations.copy())[None])
        for name, values in zip(layers, expected, strict=True):
            assert np.allclose(layers[name][key], values[0], rtol=1e-5, atol=1e-6)
    assert all(len(steps) == len(seen) for steps in layers.values())


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_train_ends_by_itself_and_leaves_checkpoint_and_bag(tmp_path, environment, storage):
    run_dir = tmp_path / 'run'
    arguments = [*EASY, f'run_dir:={run_dir}', 'record:=60', f'storage:={storage}']
    result = neuron_reach('train', *arguments, 'test_episodes:=200', env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
    assert 'Confirmed' in result.stdout
    assert 'The bag is complete.' in result.stdout
    check_bag(run_dir, 60, storage)
    assert not leftovers(run_dir)

    again = neuron_reach('train', *arguments, env=environment)
    assert again.returncode == 0
    assert 'is trained already' in again.stdout

    refused = neuron_reach('record', f'checkpoint:={run_dir / "checkpoint"}', env=environment)
    assert refused.returncode == 2
    assert 'exists already' in refused.stderr
    more = ['record:=20', f'run_dir:={tmp_path / "more"}', 'arms:=1', f'storage:={storage}']
    recorded = neuron_reach(
        'record', f'checkpoint:={run_dir / "checkpoint"}', *more, env=environment
    )
    assert recorded.returncode == 0, recorded.stdout + recorded.stderr
    summary = summarize(tmp_path / 'more' / 'bag')
    (robot,) = summary.robots.values()
    assert (robot.episodes, robot.arms, robot.steps) == (20, 1, 1200)


def start_endless(run_dir, environment, *more):
    process = subprocess.Popen(
        command('train', *ENDLESS, *more, f'run_dir:={run_dir}'),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    newest = max(progress(run_dir), default=0)
    end = time.monotonic() + DEADLINE
    while max(progress(run_dir), default=0) <= newest:
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            pytest.fail(f'no progress: {process.communicate()[0]}')
        time.sleep(0.02)
    return process


def progress(run_dir):
    folders = (run_dir / 'checkpoints').glob('episode_*')
    return [int(folder.name.split('_')[1]) for folder in folders if folder.suffix == '']


def test_ctrl_c_and_kill_leave_nothing_behind_and_the_run_goes_on(tmp_path, environment):
    process = start_endless(tmp_path, environment)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, output
    assert 'interrupted; saved' in output
    assert 'Traceback' not in output
    assert not leftovers(tmp_path)

    before = max(progress(tmp_path))
    process = start_endless(tmp_path, environment)
    process.kill()
    process.communicate(timeout=DEADLINE)
    end = time.monotonic() + 30
    while leftovers(tmp_path):
        assert time.monotonic() < end, f'still there: {leftovers(tmp_path)}'
        time.sleep(0.1)
    assert max(progress(tmp_path)) > before

    process = start_endless(tmp_path, environment)
    process.terminate()
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, output


def test_a_node_that_dies_ends_the_run(tmp_path, environment):
    process = start_endless(tmp_path, environment)
    children = subprocess.run(
        ['pgrep', '-P', str(process.pid), '-f', 'arm_simulator'], capture_output=True, text=True
    )
    os.kill(int(children.stdout.split()[0]), signal.SIGKILL)
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == signal.SIGKILL
    assert 'arm_simulator ended early (exit code -9)' in output
    assert 'interrupted; saved' in output
    assert not leftovers(tmp_path)


def start_recording(run_dir, environment):
    """Start a recording that takes long, and return once messages are being written."""
    given = [f'run_dir:={run_dir}', 'record:=5000', 'arms:=1']
    before = {file.stat().st_ino for file in run_dir.glob('bag.partial/*')}
    process = subprocess.Popen(
        command('record', *given),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    end = time.monotonic() + DEADLINE
    while not any(
        file.stat().st_size > 10_000 and file.stat().st_ino not in before
        for file in run_dir.glob('bag.partial/*.mcap')
    ):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            pytest.fail(f'nothing is recorded: {process.communicate()[0]}')
        time.sleep(0.02)
    return process


def test_a_recording_that_is_cut_short_is_no_bag_and_is_made_anew(tmp_path, environment):
    learned = neuron_reach('learn', *EASY, f'run_dir:={tmp_path}', 'test_episodes:=0')
    assert learned.returncode == 0, learned.stderr
    process = start_recording(tmp_path, environment)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, output
    assert not (tmp_path / 'bag').exists()
    assert ' of 5000 episodes' in str(summarize(tmp_path / 'bag.partial')).splitlines()[-1]

    process = start_recording(tmp_path, environment)
    node = subprocess.run(
        ['pgrep', '-P', str(process.pid), '-f', 'arm_simulator'], capture_output=True, text=True
    )
    os.kill(int(node.stdout.split()[0]), signal.SIGKILL)
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == signal.SIGKILL, output
    assert not (tmp_path / 'bag').exists()

    (tmp_path / 'bag').mkdir()  # as a recording left it that failed at once
    again = [f'run_dir:={tmp_path}', 'record:=30', 'arms:=30']
    result = neuron_reach('record', *again, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'Episodes   30 of 30' in result.stdout
    check_bag(tmp_path, 30, 'mcap')
    assert not leftovers(tmp_path)


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['train', 'joins:=2'], "unknown key 'joins'"),
        (['train', 'joints:=9'], 'joints must be a whole number from 1 to 6'),
        (['train', 'joints=2'], 'written name:=value'),
        (['train', 'gamma:=often'], 'gamma must be a number'),
        (['train', 'backend:=hydraulic'], 'backend must be one of kinematic'),
        (['train', 'storage:=tape'], 'storage must be one of mcap, sqlite3'),
        (['train', 'config:=nowhere.yaml'], 'nowhere.yaml: cannot be read'),
        (['run', 'checkpoint:=nowhere'], 'no trained network there'),
        (['record', 'checkpoint:=nowhere'], 'no trained network there'),
        (['info', 'nowhere'], 'no such file'),
    ],
)
def test_bad_input_ends_in_one_line_that_says_what_is_allowed(tmp_path, arguments, words):
    result = neuron_reach(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_help_names_every_argument():
    result = neuron_reach('train', '--help')
    assert result.returncode == 0
    for name in ('joints', 'hidden', 'arms', 'seed', 'run_dir', 'record', 'storage', 'config'):
        assert f'  {name} ' in result.stdout


@pytest.fixture
def trained(tmp_path, gazebo):
    """Train on the kinematic arm, in one process."""
    run_dir = tmp_path / 'run'
    result = neuron_reach('learn', *EASY, f'run_dir:={run_dir}', 'test_episodes:=0')
    assert result.returncode == 0, result.stdout + result.stderr
    return run_dir


def test_activations_in_gazebo_flow_into_a_bag(trained, environment):
    arguments = ['backend:=gazebo', f'run_dir:={trained}', 'record:=4', 'arms:=2']
    result = neuron_reach('record', *arguments, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
    check_bag(trained, 4, 'mcap')
    assert not leftovers(trained)


def test_a_killed_gazebo_ends_the_run_which_then_goes_on(tmp_path, environment, gazebo):
    in_gazebo = 'backend:=gazebo'
    process = start_endless(tmp_path, environment, in_gazebo)
    everything = subprocess.run(['ps', '-eo', 'pid,ppid,args'], capture_output=True, text=True)
    rows = [line.split(maxsplit=2) for line in everything.stdout.splitlines()[1:]]
    nodes = {pid for pid, parent, words in rows if parent == str(process.pid)}
    (server,) = [pid for pid, parent, words in rows if parent in nodes and 'gzserver' in words]
    os.kill(int(server), signal.SIGKILL)
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 2, output
    assert 'gazebo_simulator: error: Gazebo has ended (signal 9)' in output
    assert 'Traceback' not in output
    assert not leftovers(tmp_path)

    before = max(progress(tmp_path))
    process = start_endless(tmp_path, environment, in_gazebo)
    process.terminate()
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, output
    assert max(progress(tmp_path)) > before

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The pruning procedure in one process, and over ROS with all its processes."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import neuron_reach as nr
from neuron_reach.common.random_streams import step_seed
from neuron_reach.learning.checkpoint import load_checkpoint

FEW = ['--samples', '2', '--episodes', '50', '--steps', '2', '--test-episodes', '200']


def outcome(folder):
    """Everything that is the same however often the procedure was interrupted."""
    networks = [
        (folder / f'step_{step}' / name / 'model.safetensors').read_bytes()
        for step in (1, 2)
        for name in ('pruned', 'checkpoint')
    ]
    return networks, (folder / 'summary.csv').read_text(), (folder / 'summary.svg').read_text()


@pytest.fixture(scope='module')
def reduced(tmp_path_factory, trained):
    """A reduction in one go."""
    from neuron_reach.cli import main

    folder = tmp_path_factory.mktemp('reduced')
    assert main(list(map(str, ['prune-train', trained, '-o', folder, *FEW]))) == 0
    return folder


def test_every_step_is_kept_and_summed_up(trained, reduced):
    summary = json.loads((reduced / 'summary.json').read_text())
    assert summary['finished']
    last = sorted(reduced.glob('step_*'))[-1]
    assert nr.load(reduced).sizes == nr.load(last).sizes != nr.load(trained).sizes
    assert summary['source'] == str(trained.resolve())
    assert summary['before']['hidden'] == [16, 12]
    before = [16, 12]
    for step, entry in enumerate(summary['steps'], 1):
        folder = reduced / f'step_{step}'
        assert entry['status'] == 'trained'
        assert entry['hidden_before'] == before
        assert all(a <= b for a, b in zip(entry['hidden'], before, strict=True))
        before = entry['hidden']
        for name in ('pruned', 'checkpoint'):
            assert list(load_checkpoint(folder / name).network.sizes[1:-1]) == entry['hidden']
        metadata = load_checkpoint(folder / 'checkpoint').metadata
        assert metadata['seed'] == entry['seed'] == step_seed(0, step)
        assert metadata['validation']['training_duration'] == entry['training_duration']
        assert metadata['validation']['history'][0][0] == 0
        assert entry['trained_accuracy']['episodes'] == 200
        assert len(entry['initial_accuracy']['values']) == 2
    assert before < [16, 12]
    with (reduced / 'summary.csv').open(newline='') as file:
        lines = list(csv.DictReader(file))
    assert [line['hidden'] for line in lines] == [
        ' '.join(map(str, entry['hidden'])) for entry in summary['steps']
    ]
    assert (reduced / 'summary.png').exists()


def test_a_finished_procedure_only_sums_up_again(trained, reduced, command):
    expected = outcome(reduced)
    (reduced / 'summary.json').unlink()
    (reduced / 'summary.csv').unlink()
    code, text, _ = command('prune-train', trained, '-o', reduced, *FEW)
    assert code == 0
    assert 'step 2:' in text
    assert outcome(reduced) == expected
    assert json.loads((reduced / 'summary.json').read_text())['finished']


def test_other_options_are_refused(trained, untrained, reduced, refused):
    words = ['reduction.json', 'same options or another folder']
    refused('prune-train', trained, '-o', reduced, *FEW, '--tau', '0.3', words=['tau', *words])
    refused('prune-train', trained, '-o', reduced, *FEW[2:], words=['samples', *words])
    refused('prune-train', untrained().path, '-o', reduced, *FEW, words=['source', *words])


def test_killed_again_and_again_it_ends_as_in_one_go(tmp_path, trained, reduced):
    """Killed after whatever comes next to lie in the folder."""
    folder = tmp_path / 'run'
    arguments = ['prune-train', trained, '-o', folder, *FEW, '--checkpoint-interval', '0']
    command = [sys.executable, '-m', 'neuron_reach', *map(str, arguments)]
    for moment in ('step_1/checkpoints/episode_*', 'step_2/pruned'):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        while process.poll() is None and not list(folder.glob(moment)):
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert outcome(folder) == outcome(reduced)


def test_tau_zero_needs_no_training(tmp_path, trained, command):
    arguments = [*FEW, '--steps', '1', '--tau', '0']
    assert command('prune-train', trained, '-o', tmp_path, *arguments)[0] == 0
    [entry] = json.loads((tmp_path / 'summary.json').read_text())['steps']
    history = load_checkpoint(tmp_path / 'step_1' / 'checkpoint').metadata['validation']['history']
    assert (entry['training_duration'] == 0) == (history[0][1] >= 279)


def test_a_step_that_cannot_be_trained_is_reported_and_ends_it(
    tmp_path, untrained, command, refused
):
    path = untrained(success_reward=1.0).path
    arguments = ['prune-train', path, '-o', tmp_path / 'run', *FEW, '--max-episodes', '100']
    for _ in range(2):  # again, it ends at once
        refused(*arguments, words=['step 1', 'not trained', 'max_episodes=100', 'larger'])
        summary = json.loads((tmp_path / 'run' / 'summary.json').read_text())
        assert not summary['finished']
        [entry] = summary['steps']
        assert entry['status'] == 'not trained within max_episodes'
        assert entry['episodes'] == 100
        assert entry['training_duration'] is None
    code, text, _ = command(*arguments, '--summary')
    assert code == 0
    assert 'not trained within max_episodes' in text


EASY = ['joints:=1', 'hidden:=[24,24]', 'arms:=50', 'batch_size:=64', 'validation_interval:=100']
DEADLINE = 300.0


@pytest.fixture(scope='module')
def neuron_reach():
    """Runs a command in the user's environment; the starter finds a free ROS domain."""
    pytest.importorskip('rclpy', reason='ROS 2 (rclpy) is not installed')
    environment = {key: value for key, value in os.environ.items() if key != 'ROS_DOMAIN_ID'}

    def run(*arguments):
        command = [sys.executable, '-m', 'neuron_reach', *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE, env=environment
        )

    return run


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory, neuron_reach):
    run_dir = tmp_path_factory.mktemp('run')
    learned = neuron_reach('learn', *EASY, f'run_dir:={run_dir}', 'test_episodes:=0')
    assert learned.returncode == 0, learned.stderr
    return run_dir / 'checkpoint'


@pytest.mark.slow
def test_over_ros_and_in_one_process_it_is_the_same_to_the_bit(tmp_path, neuron_reach, checkpoint):
    given = ['steps:=2', 'samples:=2', 'record:=60', 'test_episodes:=100']
    where = [f'checkpoint:={checkpoint}', f'run_dir:={tmp_path / "ros"}']
    result = neuron_reach('reduce', *where, *given)
    assert result.returncode == 0, result.stdout + result.stderr
    flags = ['--steps', 2, '--samples', 2, '--episodes', 60, '--test-episodes', 100]
    result = neuron_reach('prune-train', checkpoint, '-o', tmp_path / 'own', *flags)
    assert result.returncode == 0, result.stdout + result.stderr
    for name in ('step_1/pruned', 'step_1/checkpoint', 'step_2/pruned', 'step_2/checkpoint'):
        ros, own = (load_checkpoint(tmp_path / folder / name) for folder in ('ros', 'own'))
        assert ros.network.sizes == own.network.sizes
        assert ros.network.flat.equal(own.network.flat)
    for name in ('summary.csv', 'step_2/neurons.csv'):
        assert (tmp_path / 'ros' / name).read_text() == (tmp_path / 'own' / name).read_text()


@pytest.mark.slow
def test_a_step_that_cannot_be_trained_is_summed_up(tmp_path, neuron_reach, checkpoint):
    folder = tmp_path / 'ros'
    result = neuron_reach(
        *('reduce', f'checkpoint:={checkpoint}', f'run_dir:={folder}'),
        *('tau:=1.0', 'samples:=1', 'record:=10', 'max_episodes:=50'),
    )
    assert result.returncode == 2
    assert 'Traceback' not in result.stderr
    assert 'not trained' in result.stdout + result.stderr
    assert 'not trained within max_episodes' in (folder / 'summary.csv').read_text()

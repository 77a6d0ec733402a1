"""The pruning procedure with all its processes, against the same in one process."""

import os
import subprocess
import sys

import pytest

from neuron_reach.learning.checkpoint import load_checkpoint

pytest.importorskip('rclpy', reason='ROS 2 (rclpy) is not installed')

EASY = ['joints:=1', 'hidden:=[24,24]', 'arms:=50', 'batch_size:=64', 'validation_interval:=100']
DEADLINE = 300.0


@pytest.fixture(scope='module')
def neuron_reach():
    """Runs a command in the user's environment; the starter finds a free ROS domain."""
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

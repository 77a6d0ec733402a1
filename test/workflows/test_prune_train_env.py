# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""prune-train in an environment."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('stable_baselines3')

from sb3.signs import SIGNS, taught_ppo
from stable_baselines3 import PPO

import neuron_reach as nr
from neuron_reach.cli import main
from neuron_reach.common.random_streams import retraining_seed
from neuron_reach.common.results import to_json
from neuron_reach.policies.criterion import Criterion

FEW = ('--env', SIGNS, '--until', '9', '--accuracy', '0.6', '--episodes', '20')
FEW = (*FEW, '--test-episodes', '40', '--test-every', '128', '--budget', '1024', '--tau', '0.5')
FEW = (*FEW, '--steps', '2')


@pytest.fixture(scope='module')
def policy(tmp_path_factory):
    path = tmp_path_factory.mktemp('policy') / 'ppo.zip'
    taught_ppo().save(path)
    return path


@pytest.fixture(scope='module')
def reduced(policy, tmp_path_factory):
    folder = tmp_path_factory.mktemp('reduced') / 'run'
    assert main(['prune-train', str(policy), *FEW, '-o', str(folder)]) == 0
    return folder


@pytest.fixture
def run(capsys):
    """Run a command in this process; return its exit code, its output and its errors."""

    def command(*arguments):
        code = main(list(map(str, arguments)))
        return code, *capsys.readouterr()

    return command


def summary_of(folder):
    return json.loads((folder / 'summary.json').read_text())


def outcome(folder):
    """Return everything that a reduction leaves behind, but for paths and versions."""
    summary = summary_of(folder)
    networks = [
        nr.load(step / name).network.digest
        for step in sorted(folder.glob('step_*'))
        for name in ('pruned.zip', 'trained.zip')
        if (step / name).exists()
    ]
    return summary['before'], summary['steps'], summary['finished'], networks


def test_each_step_leaves_smaller_networks_that_the_library_loads(reduced):
    summary = summary_of(reduced)
    assert summary['finished']
    assert summary['steps']
    for entry in summary['steps']:
        folder = reduced / f'step_{entry["step"]}'
        hidden = tuple(entry['hidden'])
        assert sum(hidden) <= sum(entry['hidden_before'])
        assert nr.load(folder / 'pruned.zip').sizes[1:-1] == hidden
        if entry['retraining']['status'] == 'retrained':
            assert nr.load(folder).sizes[1:-1] == hidden
            loaded = PPO.load(folder / 'trained.zip', device='cpu')
            assert loaded.policy.net_arch['pi'] == list(hidden)
        assert entry['retraining']['steps'] > 0
    assert sum(summary['steps'][-1]['hidden']) < sum(summary['steps'][0]['hidden']) < 28


def test_results_say_what_was_reached(reduced, policy):
    lines = (reduced / 'summary.csv').read_text().splitlines()
    assert len(lines) == 1 + len(summary_of(reduced)['steps'])
    assert 'pruned_accuracy_low' in lines[0]
    assert (reduced / 'summary.png').exists()
    score = summary_of(reduced)['before']['score']
    assert score['episodes'] == 40
    assert score['value'] == 1.0


def test_tests_are_of_the_networks_that_they_are_said_to_be_of(reduced):
    criterion = Criterion(SIGNS, 9.0, 0.6, 40)
    for entry in summary_of(reduced)['steps']:
        step, retraining = entry['step'], entry['retraining']
        for name, purpose, score in (
            ('pruned.zip', 'initial', entry['pruned']),
            ('pruned.zip', 'initial', retraining['tests'][0]['score']),
            ('trained.zip', 'measure', retraining['score']),
        ):
            policy = nr.load(reduced / f'step_{step}' / name)
            again = criterion.test(policy, retraining_seed(0, step, purpose))
            assert to_json(again) == score


def test_the_value_network_stays_as_it_was(reduced, policy):
    pruned = nr.load(reduced / 'step_1' / 'pruned.zip', part='value')
    assert pruned.network.digest == nr.load(policy, part='value').network.digest


def test_info_describes_it(reduced, run):
    code, out, _ = run('info', reduced)
    assert code == 0
    for text in (
        'finished',
        SIGNS,
        'a return of at least 9 in more than 60.0%',
        'Step 1',
        'of 40 episodes',
    ):
        assert text in out
    code, out, _ = run('info', reduced / 'step_1')
    assert (code, 'Pruned' in out, 'hidden neurons' in out) == (0, True, True)


def test_the_same_command_changes_nothing(reduced, policy, run):
    before = outcome(reduced)
    times = {path: path.stat().st_mtime_ns for path in reduced.rglob('*.zip')}
    assert run('prune-train', policy, *FEW, '-o', reduced)[0] == 0
    assert outcome(reduced) == before
    assert {path: path.stat().st_mtime_ns for path in reduced.rglob('*.zip')} == times


def test_killed_again_and_again_it_ends_as_in_one_go(tmp_path, reduced, policy):
    """Killed after whatever comes next to lie in the folder."""
    folder = tmp_path / 'run'
    words = map(str, ('prune-train', policy, *FEW, '-o', folder))
    command = [sys.executable, '-m', 'neuron_reach', *words]
    places = [str(Path(__file__).parents[1]), os.environ.get('PYTHONPATH', '')]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(places)}
    for moment in ('start.json', 'step_1/pruning.json', 'step_*/training/model.zip'):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, env=environment
        )
        while process.poll() is None and not list(folder.glob(moment)):
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    assert outcome(folder) == outcome(reduced)


def test_an_interrupted_run_says_how_to_go_on(tmp_path, policy):
    words = map(str, ('prune-train', policy, *FEW, '-o', tmp_path))
    places = [str(Path(__file__).parents[1]), os.environ.get('PYTHONPATH', '')]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(places)}
    process = subprocess.Popen(
        [sys.executable, '-m', 'neuron_reach', *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    while process.poll() is None and not (tmp_path / 'start.json').exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert process.returncode == 130
    assert f'stopped; {tmp_path} keeps everything up to the last test, and the same' in said


def test_a_policy_that_does_not_pass_itself_is_said_and_less_can_be_asked(tmp_path, policy, run):
    code, _, errors = run('prune-train', policy, *FEW, '--until', '10.5', '-o', tmp_path)
    last = errors.splitlines()[-1]
    assert code == 2
    assert 'does not pass the test itself' in last
    assert '--accuracy' in last
    little = ('--until', 'success', '--budget', '128', '--steps', '1')
    assert run('prune-train', policy, *FEW, *little, '-o', tmp_path)[0] == 0
    assert summary_of(tmp_path)['until'] is None


def test_a_step_that_is_not_retrained_ends_the_run_without_an_error(tmp_path, policy, run):
    code, out, _ = run('prune-train', policy, *FEW, '--budget', '64', '-o', tmp_path)
    assert code == 0
    assert 'not retrained within the budget after 64 environment steps' in out
    assert summary_of(tmp_path)['finished']
    assert len(summary_of(tmp_path)['steps']) == 1
    code, _, errors = run('export', tmp_path, tmp_path / 'policy.onnx')
    assert (code, 'no network' in errors or 'not finished' in errors) == (2, True)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--until', 'often'], "--until must be a return or success, not 'often'"),
        (['--until', 'nan'], "--until must be a return or success, not 'nan'"),
        (['--test-episodes', '1'], 'it takes at least'),
        (['--samples', '3'], '--samples takes effect only without --env'),
        (['--ros'], '--ros takes effect only without --env'),
        (['--set', 'gamma'], '--set takes NAME=VALUE'),
        (['--set', 'gama=0.9'], 'did you mean gamma'),
        (['--env', 'NoSuchEnv-v0'], 'NoSuchEnv'),
        (['--env', 'CartPole-v1', '--until', '100'], 'CartPole-v1: observes 4 values'),
        (['--accuracy', '1'], '--accuracy must be'),
    ],
)
def test_wrong_options_are_one_line(tmp_path, policy, run, words, message):
    code, _, errors = run('prune-train', policy, *FEW, '-o', tmp_path / 'run', *words)
    assert code == 2
    assert message in errors.splitlines()[-1]


@pytest.mark.parametrize(
    'words', [['--tau', '0.1'], ['--seed', '3'], ['--until', '7'], ['--set', 'gamma=0.9']]
)
def test_other_options_need_another_folder(reduced, policy, run, words):
    code, _, errors = run('prune-train', policy, *FEW, '-o', reduced, *words)
    assert code == 2
    assert 'use the same options or another folder' in errors


def test_flags_of_environments_need_one(tmp_path, policy, run):
    code, _, errors = run('prune-train', policy, '--budget', '5', '-o', tmp_path / 'run')
    assert (code, '--budget takes effect only with --env' in errors) == (2, True)


def test_only_policies_of_the_library_can_be_trained_on(tmp_path, policy, run):
    nr.load(policy).export(tmp_path / 'policy.onnx')
    code, _, errors = run('prune-train', tmp_path / 'policy.onnx', *FEW, '-o', tmp_path / 'run')
    assert code == 2
    assert 'only policies of stable-baselines3' in errors
    assert not (tmp_path / 'run').exists()


def test_two_at_once_are_refused(reduced, policy, run):
    import fcntl

    with (reduced / '.lock').open('r+') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        code, _, errors = run('prune-train', policy, *FEW, '-o', reduced)
    assert (code, 'another prune-train is using this folder' in errors) == (2, True)


def test_normalization_stays_fixed_and_belongs_to_the_result(tmp_path, policy, run):
    import numpy as np

    large = [word.replace('Signs', 'Large') for word in FEW]
    statistics = tmp_path / 'statistics.npz'
    np.savez(statistics, mean=np.zeros(3), var=np.full(3, 2500.0))
    folder = tmp_path / 'run'
    words = [*large, '--until', '6', '--steps', '1', '--tau', '0.3', '-o', folder]
    assert run('prune-train', policy, *words, '--normalization', statistics)[0] == 0
    score = summary_of(folder)['before']['score']
    assert score['value'] > 0.8
    observations = np.array([[10.0, -20.0, 30.0]], np.float32)
    found = nr.load(folder).outputs(observations)
    plain = nr.load(folder / 'step_1' / 'trained.zip').outputs(observations / 50)
    assert np.allclose(found, plain, atol=1e-5)

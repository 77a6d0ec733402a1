# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Recording policies that are played in this process into bags."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from policies.test_playing import RAMP, assert_equal, make

import neuron_reach as nr
from neuron_reach import messages
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.seal import read_seal
from neuron_reach.bags.summary import summarize
from neuron_reach.cli import main
from neuron_reach.records.writing import _results, write_record

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    return make(2, 5, 4, 3).save(tmp_path_factory.mktemp('policies') / 'policy')


def record(*words):
    return main(['record', *map(str, words)])


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_bag_holds_what_was_played_to_the_bit(saved, tmp_path, capsys, storage):
    out = tmp_path / 'out'
    flags = ('--episodes', 9, '--seed', 4, '--storage', storage)
    assert record('--env', RAMP, saved, *flags, '-o', out) == 0
    shown = capsys.readouterr().out
    played = nr.load(saved).record(RAMP, episodes=9, seed=4)
    read = nr.read_bag(out)
    assert_equal(read, played)
    assert read.notes == () and np.isnan(read.goals).all()
    assert read.layers == played.layers and read.sizes == played.sizes
    assert read.network == {**played.network, 'path': str(saved)}
    assert read_seal(out / 'bag').network == played.network['digest']
    assert sorted(item.name for item in out.iterdir()) == ['bag']
    assert f'Episodes   9 of 9, {played.successes.mean():.1%} successful' in shown
    assert f'Returns    mean {played.returns.mean():.2f}, standard deviation ' in shown
    assert 'The bag is complete.' in shown and storage in shown
    summary = summarize(out / 'bag')
    assert summary.incomplete is None and summary.sealed
    assert summary.robots[''].returns[2:] == (played.returns.min(), played.returns.max())


def test_stamps_advance_by_the_period_of_the_environment(saved, tmp_path):
    assert record(saved, '--env', RAMP, '--episodes', 2, '-o', tmp_path) == 0
    times = [time for _, time, _ in BagReader(tmp_path / 'bag').messages(['observation'])]
    assert set(np.diff(times)) == {100_000_000}
    every = [time for _, time, _ in BagReader(tmp_path / 'bag').messages()]
    assert every == sorted(every)


def test_older_versions_find_the_results_they_know(saved, tmp_path):
    record(saved, '--env', RAMP, '--episodes', 3, '--env-kwargs', 'success=false', '-o', tmp_path)
    found = nr.read_bag(tmp_path)
    assert np.isnan(found.successes).all()
    assert summarize(tmp_path / 'bag').robots[''].success_rate is None
    reader = BagReader(tmp_path / 'bag')
    rows = [messages.read_episodes(message) for _, _, message in reader.messages(['episode'])]
    rows = np.concatenate(rows)
    np.testing.assert_array_equal(rows[:, 3], found.lengths)
    assert not rows[:, 5].any()  # which older versions require to be 0 or 1


def test_bags_without_outcomes_tell_the_success_only(saved, tmp_path, monkeypatch):
    played = nr.load(saved).record(RAMP, episodes=3)
    played = dataclasses.replace(played, network={**played.network, 'path': str(saved)})
    monkeypatch.setattr(
        'neuron_reach.records.writing._results',
        lambda record, number: list(_results(record, number))[:1],
    )
    partial = write_record(played, tmp_path / 'bag', 0.1)
    read = nr.read_bag(partial)
    np.testing.assert_array_equal(read.successes, played.successes)
    assert np.isnan(read.returns).all() and np.isnan(read.terminated).all()
    assert summarize(partial).robots[''].returns is None


def test_a_bag_is_never_overwritten(saved, tmp_path, capsys):
    assert record(saved, '--env', RAMP, '--episodes', 1, '-o', tmp_path) == 0
    before = nr.read_bag(tmp_path)
    assert record(saved, '--env', RAMP, '--episodes', 2, '-o', tmp_path) == 2
    assert 'exists already' in capsys.readouterr().err
    assert_equal(nr.read_bag(tmp_path), before)


def test_an_output_that_is_no_folder_is_refused_before_playing(saved, tmp_path, capsys):
    (tmp_path / 'file').touch()
    (tmp_path / 'link').symlink_to(tmp_path / 'nowhere')
    for name in ('file', 'link'):
        assert record(saved, '--env', RAMP, '-o', tmp_path / name) == 2
        assert capsys.readouterr().err.endswith(f'{name}: is no folder; name another one\n')


def test_a_network_trained_here_plays_its_own_task(folders, tmp_path):
    assert record(folders[2], '--episodes', 5, '-o', tmp_path) == 0
    read, expected = nr.read_bag(tmp_path), nr.load(folders[2]).record(episodes=5)
    assert_equal(read, expected)
    np.testing.assert_array_equal(read.goals, expected.goals)
    assert nr.load(tmp_path).sizes == read.sizes


def test_the_normalized_policy_is_left_beside_the_bag(saved, tmp_path):
    np.savez(tmp_path / 'a.npz', mean=[1.0, 20.0], var=[4.0, 9.0])
    out = tmp_path / 'out'
    flags = ('--episodes', 2, '--normalization', tmp_path / 'a.npz')
    assert record(saved, '--env', RAMP, *flags, '-o', out) == 0
    read = nr.read_bag(out)
    assert read.network['path'] == str(out / 'policy')
    assert nr.load(out / 'policy').network.digest == read.network['digest']
    assert read.layer('input')[0, 0, 1] == read.lengths[0]


def test_what_a_file_does_not_say_is_said_by_flags(saved, tmp_path, capsys):
    policy = nr.load(saved)
    weights = {
        f'actor.{2 * number}.{name}': torch.from_numpy(getattr(layer, name))
        for number, layer in enumerate(policy.network.layers)
        for name in ('weight', 'bias')
    }
    critic = {name.replace('actor', 'critic'): values for name, values in weights.items()}
    torch.save({**critic, **weights}, tmp_path / 'both.pt')
    out = '-o', tmp_path / 'out'
    assert record(tmp_path / 'both.pt', '--env', RAMP, *out) == 2
    assert 'activation' in capsys.readouterr().err
    flags = '--part', 'actor', '--activation', 'tanh'
    assert record(tmp_path / 'both.pt', '--env', RAMP, '--episodes', 2, *flags, *out) == 0
    left = nr.load(tmp_path / 'out' / 'policy')
    assert left.network.digest == nr.read_bag(tmp_path / 'out').network['digest']
    assert str(left.network.layers[0].steps[0]) == 'tanh'


def test_wrong_words_get_a_line(saved, folders, tmp_path, capsys):
    env = ('--env', RAMP, '-o', tmp_path)
    for words, message in (
        ((saved,), f'record {saved} --env ENV_ID -o DIR plays it'),
        ((saved, '--env', RAMP), '-o DIR is missing'),
        ((saved, '-o', tmp_path), 'env is missing'),
        (env, 'takes one POLICY and no name:=value'),
        ((f'checkpoint:={saved}', *env), 'takes one POLICY and no name:=value'),
        ((saved, *env, '--episodes', 0), 'episodes must be at least 1, not 0'),
        ((saved, *env, '--max-steps', 0), 'max_steps must be at least 1, not 0'),
        ((saved, *env, '--env-kwargs', 'x'), 'KEY=VALUE'),
        ((saved, *env, '--env-kwargs', 'unknown=3'), 'cannot be made with'),
        ((saved, '--env', 'CartPole-v1', '-o', tmp_path), 'observes 4 values, but the network has'),
        ((folders[2], '--env', RAMP, '-o', tmp_path), 'has 6 inputs'),
    ):
        assert record(*words) == 2, words
        error = capsys.readouterr().err
        assert message in error and error.count('\n') == 1
    with pytest.raises(SystemExit):
        record(saved, *env, '--storage', 'db3')
    assert "must be one of mcap, sqlite3, not 'db3'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_module_of_an_environment_may_lie_in_the_working_directory(
    saved, tmp_path, monkeypatch
):
    (tmp_path / 'my_ramp.py').write_text(
        'import gymnasium\n'
        'from policies.environments import Ramp\n'
        "gymnasium.register('Mine-v0', entry_point=Ramp)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [*sys.path])
    assert record(saved, '--env', 'my_ramp:Mine-v0', '--episodes', 1, '-o', tmp_path / 'out') == 0


def test_ctrl_c_leaves_no_bag(saved, tmp_path):
    words = ('record', saved, '--env', RAMP, '--episodes', 10**5, '-o', tmp_path / 'out')
    process = subprocess.Popen(
        [sys.executable, '-m', 'neuron_reach', *map(str, words)],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([*sys.path, str(TESTS)])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().startswith(f'{RAMP}: 0 of 100000 episodes')
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert not (tmp_path / 'out' / 'bag').exists()

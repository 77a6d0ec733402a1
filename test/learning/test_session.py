# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import (
    METADATA,
    MODEL,
    STATE_COUNTERS,
    STATE_TENSORS,
    load_checkpoint,
)
from neuron_reach.learning.session import Session
from neuron_reach.learning.training import Training


def nothing(_):
    pass


@pytest.fixture
def fleet_of():
    return lambda setup: lambda arms: FleetSimulator(setup.arm, arms)


def stop_after(rounds):
    """Something to call after every round, that ends the training after so many."""
    left = rounds

    def after_round(_):
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    return after_round


@pytest.fixture
def train(fleet_of):
    """Runs a session; with `rounds`, until it is stopped after so many."""

    def run(setup, folder, rounds=0, interval=0.0, network=None):
        session = Session(setup, folder, interval, network)
        try:
            session.train(fleet_of(setup), stop_after(rounds) if rounds else nothing)
        except KeyboardInterrupt:
            pass
        finally:
            session._lock.close()
        return session

    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith('.'))


def final_bytes(folder):
    """The trained network and what its course was."""
    model = (folder / 'checkpoint' / MODEL).read_bytes()
    return model, json.loads((folder / 'checkpoint' / METADATA).read_text())


# --- from the first to the last round -----------------------------------------------------------


def test_a_run_ends_with_a_trained_network_and_a_measured_accuracy(
    easy_setup, tmp_path, train, fleet_of
):
    setup = easy_setup()
    session = train(setup, tmp_path / 'run')
    assert session.training is None
    assert session.newest == session.final == tmp_path / 'run' / 'checkpoint'
    trained = load_checkpoint(session.final)
    validation = trained.metadata['validation']
    assert validation['confirmed'] >= validation['training_duration'] > 0
    assert validation['history'][-1][0] == validation['confirmed']
    assert validation['history'][-1][1] >= 279
    assert 'accuracy' not in validation

    session.measure(fleet_of(setup), 0)
    assert 'accuracy' not in session.metadata()['validation']
    session.measure(fleet_of(setup), 700)
    accuracy = session.metadata()['validation']['accuracy']
    assert accuracy['episodes'] == 700
    assert accuracy['value'] > 0.85
    session.measure(fleet_of(setup), 10)  # once is enough
    assert session.metadata()['validation'] == {**validation, 'accuracy': accuracy}

    session = train(setup, tmp_path / 'run')  # nothing left to do
    assert session.training is None
    assert session.metadata()['validation']['accuracy'] == accuracy


def test_checkpoints_are_told_of_and_the_newest_two_kept(setup, tmp_path, fleet_of):
    own = setup(max_episodes=40)
    session, told = Session(own, tmp_path, 0.0), []
    with pytest.raises(UserError, match='max_episodes'):
        session.train(fleet_of(own), nothing, told.append)
    assert [path.name for path in told] == [f'episode_{5 * k:09d}' for k in range(9)]
    assert names(tmp_path / 'checkpoints') == ['episode_000000035', 'episode_000000040']
    assert session.newest == told[-1]


def test_a_long_interval_saves_at_start_and_end_only(setup, tmp_path, train):
    train(setup(), tmp_path, rounds=7, interval=3600.0)
    assert names(tmp_path / 'checkpoints') == ['episode_000000000', 'episode_000000035']


def test_too_few_episodes_are_one_clear_error_and_more_go_on_from_there(
    easy_setup, tmp_path, train
):
    straight = train(easy_setup(), tmp_path / 'straight', interval=3600.0)
    needed = straight.metadata()['validation']['confirmed']
    with pytest.raises(UserError, match=r'not trained: .*max_episodes=150;.* larger') as caught:
        train(easy_setup(max_episodes=150), tmp_path / 'run')
    assert '\n' not in str(caught.value)
    assert needed > 150
    train(easy_setup(max_episodes=4000), tmp_path / 'run', interval=3600.0)
    (model, metadata), (other, other_metadata) = map(
        final_bytes, (tmp_path / 'run', tmp_path / 'straight')
    )
    assert model == other
    assert metadata['validation'] == other_metadata['validation']


def test_too_few_episodes_again_after_a_resume(setup, tmp_path, train):
    for _ in range(2):
        with pytest.raises(UserError, match='max_episodes=10;'):
            train(setup(max_episodes=10), tmp_path)
    assert 'episode_000000010' in names(tmp_path / 'checkpoints')


# --- resuming -----------------------------------------------------------------------------------


def test_a_run_taken_up_again_and_again_ends_bit_by_bit_as_one_in_one_go(
    easy_setup, tmp_path, train
):
    train(easy_setup(), tmp_path / 'straight', interval=3600.0)
    rounds = 1
    while train(easy_setup(), tmp_path / 'run', rounds).training is not None:
        rounds = rounds % 4 + 1
    assert final_bytes(tmp_path / 'run') == final_bytes(tmp_path / 'straight')


def test_a_run_from_a_given_network_resumes_bit_by_bit(easy_setup, tmp_path, train):
    network = Training(easy_setup(seed=3)).saved_network(0)
    before = network.flat.clone()
    train(easy_setup(), tmp_path / 'straight', interval=3600.0, network=network)
    rounds = 1
    while train(easy_setup(), tmp_path / 'run', rounds, network=network).training is not None:
        rounds = rounds % 4 + 1
    model, metadata = final_bytes(tmp_path / 'run')
    assert (model, metadata) == final_bytes(tmp_path / 'straight')
    assert metadata['validation']['history'][0][0] == 0
    assert network.flat.equal(before)
    train(easy_setup(), tmp_path / 'fresh', interval=3600.0)
    assert final_bytes(tmp_path / 'fresh')[0] != model


def test_a_run_from_a_trained_network_takes_no_episode(easy_setup, tmp_path, train):
    network = load_checkpoint(train(easy_setup(), tmp_path / 'first').final).network
    for seed in range(3):  # a trained network may fail a test now and then
        session = train(easy_setup(seed=seed), tmp_path / str(seed), network=network)
        validation = session.metadata()['validation']
        if validation['confirmed'] == 0:
            break
    assert validation['training_duration'] == 0
    assert load_checkpoint(session.final).network.flat.equal(network.flat)


@pytest.mark.parametrize('moment', ['told of the last round', 'writing the network'])
def test_a_run_interrupted_when_all_but_done_is_finished_by_the_next(
    easy_setup, tmp_path, train, fleet_of, monkeypatch, moment
):
    train(easy_setup(), tmp_path / 'straight', interval=3600.0)
    session = Session(easy_setup(), tmp_path / 'run', 3600.0)

    def after_round(training):
        if training.members[0].trained is not None and moment == 'told of the last round':
            raise KeyboardInterrupt

    def write(folder):
        if folder == session.final:
            raise KeyboardInterrupt
        return Session._write(session, folder)

    if moment == 'writing the network':
        monkeypatch.setattr(session, '_write', write)
    with pytest.raises(KeyboardInterrupt):
        session.train(fleet_of(easy_setup()), after_round)
    session._lock.close()
    assert not session.final.exists()
    session = train(easy_setup(), tmp_path / 'run')
    assert session.training is None
    assert final_bytes(tmp_path / 'run') == final_bytes(tmp_path / 'straight')


def test_an_interrupted_run_saves_its_last_whole_round(setup, tmp_path, fleet_of):
    class Interrupted(FleetSimulator):
        cycles = 0

        def receive(self):
            self.cycles += 1
            if self.cycles == 16:  # in the third round of 6 cycles; no validation before
                raise KeyboardInterrupt
            return super().receive()

    own = setup(validation_interval=1000)
    session = Session(own, tmp_path, 3600.0)
    with pytest.raises(KeyboardInterrupt):
        session.train(lambda arms: Interrupted(own.arm, arms), nothing)
    assert names(tmp_path / 'checkpoints')[-1] == 'episode_000000010'


WORKER = """
import json, sys
from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.learning.session import Session
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.setup import Setup

use_one_core()
setup = Setup.from_values(json.loads(sys.argv[2]), 'worker')
session = Session(setup, sys.argv[1], 0.0)
print(session.training.episodes if session.training else -1, flush=True)
session.train(lambda arms: FleetSimulator(setup.arm, arms), lambda training: None)
"""


def start_worker(setup, folder, **changes):
    """A training in a process of its own, that has said where it begins."""
    process = subprocess.Popen(
        [sys.executable, '-c', WORKER, str(folder), json.dumps(setup.values())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
        **changes,
    )
    return process, int(process.stdout.readline() or -2)


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing_that_was_saved(easy_setup, tmp_path, train):
    train(easy_setup(), tmp_path / 'straight', interval=3600.0)
    folder, begun = tmp_path / 'run', []
    for moment in (0.0, 0.02, 0.05):
        process, start = start_worker(easy_setup(), folder)
        begun.append(start)
        end = time.monotonic() + 60
        while moment and not (folder / 'checkpoint').exists():
            saved = [name[8:] for name in names(folder / 'checkpoints')]
            if any(int(name) > start for name in saved if name.isdigit()):
                break
            assert time.monotonic() < end, 'no progress'
            time.sleep(0.001)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (folder / 'checkpoint').exists():
            break
        states = names(folder / 'checkpoints')
        newest = max(name for name in states if not name.endswith('.partial'))
        assert load_checkpoint(folder / 'checkpoints' / newest)
    assert begun == sorted(begun)
    assert begun[-1] > 0 or (folder / 'checkpoint').exists()
    train(easy_setup(), folder)
    assert final_bytes(folder) == final_bytes(tmp_path / 'straight')


def test_what_a_killed_writer_left_is_swept_up(setup, tmp_path, train):
    train(setup(), tmp_path, rounds=1)
    left = tmp_path / 'checkpoints' / 'episode_000000007.partial'
    left.mkdir()
    (left / STATE_TENSORS).write_bytes(b'half of it')
    session = train(setup(), tmp_path, rounds=1)
    assert names(tmp_path / 'checkpoints') == ['episode_000000005', 'episode_000000010']
    assert session.training.episodes == 10


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', [MODEL, METADATA, STATE_TENSORS, STATE_COUNTERS])
@pytest.mark.parametrize('damage', ['missing', 'cut', 'foreign'])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(
    setup, tmp_path, train, name, damage, capsys
):
    train(setup(), tmp_path / 'run', rounds=5)
    train(setup(), tmp_path / 'straight', rounds=8)
    file = tmp_path / 'run' / 'checkpoints' / 'episode_000000025' / name
    if damage == 'missing':
        file.unlink()
    elif damage == 'cut':
        file.write_bytes(file.read_bytes()[:-10])
    else:
        file.write_bytes(b'{"foreign": true}')
    capsys.readouterr()
    session = Session(setup(), tmp_path / 'run', 0.0)
    assert session.training.episodes == 20
    session.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(str(file))
    assert line.endswith('/checkpoints/episode_000000020')
    assert 'episode_000000025.damaged' in names(tmp_path / 'run' / 'checkpoints')
    train(setup(), tmp_path / 'run', rounds=4)
    for folder in ('episode_000000035', 'episode_000000040'):
        for part in (MODEL, STATE_TENSORS, STATE_COUNTERS):
            mine, other = (
                tmp_path / run / 'checkpoints' / folder / part for run in ('run', 'straight')
            )
            assert mine.read_bytes() == other.read_bytes()


def test_when_all_checkpoints_are_damaged_nothing_is_thrown_away(setup, tmp_path, train):
    train(setup(), tmp_path, rounds=5)
    for state in (tmp_path / 'checkpoints').iterdir():
        (state / STATE_TENSORS).write_bytes(b'')
    before = names(tmp_path / 'checkpoints')
    with pytest.raises(UserError, match='to train from the start with the same command') as caught:
        Session(setup(), tmp_path, 0.0)
    for state in before:
        assert str(tmp_path / 'checkpoints' / state / STATE_TENSORS) in str(caught.value)
    assert '\n' not in str(caught.value)
    assert names(tmp_path / 'checkpoints') == before


def test_a_damaged_trained_network_is_an_error(easy_setup, tmp_path, train):
    train(easy_setup(), tmp_path, interval=3600.0)
    (tmp_path / 'checkpoint' / MODEL).write_bytes(b'')
    with pytest.raises(UserError, match=f'checkpoint/{MODEL}: .*; remove .* to resume training'):
        Session(easy_setup(), tmp_path, 0.0)


# --- whose folder it is -------------------------------------------------------------------------


CHANGES = [{'seed': 5}, {'joints': 2}, {'hidden': [9]}, {'gamma': 0.5}, {'arms': 6}]


@pytest.mark.parametrize('changes', CHANGES, ids=str)
def test_a_run_with_other_options_is_refused(setup, tmp_path, train, changes):
    train(setup(), tmp_path, rounds=2)
    before = names(tmp_path / 'checkpoints')
    [(key, value)] = changes.items()
    with pytest.raises(UserError, match=f'was trained with {key}=.* another run_dir') as caught:
        Session(setup(**changes), tmp_path, 0.0)
    assert str(value) in str(caught.value)
    assert names(tmp_path / 'checkpoints') == before


def test_a_finished_run_with_other_options_is_refused(easy_setup, tmp_path, train):
    train(easy_setup(), tmp_path, interval=3600.0)
    with pytest.raises(UserError, match='was trained with seed=0, not 9'):
        Session(easy_setup(seed=9), tmp_path, 0.0)


def test_a_folder_is_used_by_one_run_at_a_time(setup, tmp_path):
    first = Session(setup(), tmp_path, 0.0)
    with pytest.raises(UserError, match='another run is using this folder'):
        Session(setup(), tmp_path, 0.0)
    first._lock.close()
    Session(setup(), tmp_path, 0.0)._lock.close()


def test_a_run_dir_that_is_a_file_or_lies_in_one_is_refused(setup, tmp_path):
    (tmp_path / 'file').touch()
    for place in (tmp_path / 'file', tmp_path / 'file' / 'run'):
        with pytest.raises(UserError, match='cannot be used'):
            Session(setup(), place, 0.0)


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_run_dir_that_may_not_be_written_is_refused(setup, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match='cannot be used: Permission denied'):
        Session(setup(), tmp_path / 'run', 0.0)


def test_a_full_disk_is_one_clear_error_and_the_former_checkpoint_stays(setup, tmp_path, train):
    """A process that may write files of 2000 bytes at most: less than any training state."""
    own = setup(max_episodes=1000)
    train(own, tmp_path, rounds=2)
    before = {
        path.relative_to(tmp_path): path.read_bytes()
        for path in (tmp_path / 'checkpoints').rglob('*')
        if path.is_file()
    }
    process, start = start_worker(
        own,
        tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    _, errors = process.communicate(timeout=60)
    assert start == 10
    assert process.returncode == 1  # the worker prints the traceback that the commands do not
    last = errors.strip().splitlines()[-1]
    assert last.startswith('neuron_reach.errors.UserError: ')
    assert 'episode_000000015: cannot be written: ' in last
    assert 'File too large' in last
    after = {
        path.relative_to(tmp_path): path.read_bytes()
        for path in (tmp_path / 'checkpoints').rglob('*')
        if path.is_file()
    }
    assert after == before
    session = Session(own, tmp_path, 0.0)
    assert isinstance(session.training, Training)
    assert session.training.episodes == 10


def test_a_copied_run_goes_on(setup, tmp_path, train):
    train(setup(), tmp_path / 'run', rounds=3)
    shutil.copytree(tmp_path / 'run', tmp_path / 'copy')
    session = Session(setup(), Path(tmp_path / 'copy'), 0.0)
    assert session.training.episodes == 15

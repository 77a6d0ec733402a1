# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from easy import EASY
from study.engine import study_functions as functions

from neuron_reach import cli
from neuron_reach.commands.reproduce import Notes, duration
from neuron_reach.study import studies
from neuron_reach.study.engine.runner import Status
from neuron_reach.study.engine.store import Store
from neuron_reach.study.html_report import Section, Table
from neuron_reach.study.networks import training_jobs
from neuron_reach.study.outlook import training_study
from neuron_reach.study.studies import SCALES, STUDIES, Plan, plans


@pytest.fixture
def easy(monkeypatch):
    """Has the study train networks that learn within seconds."""
    jobs = {'1 joint, 2 x 16': training_jobs(EASY, range(5), 3, test_episodes=50)}
    monkeypatch.setattr(training_study, 'conditions', lambda scale: jobs)
    return jobs['1 joint, 2 x 16']


@pytest.fixture
def study(monkeypatch):
    """Registers a study with these jobs; its report is a table of them."""

    def register(*jobs):
        def report(results):
            rows = [
                [job.label, str(result and result.values)]
                for job in jobs
                for result in [results.get(job)]
            ]
            return [Section('Jobs', 'All of them.', items=[Table(['job', 'result'], rows)])]

        made = studies.Study('a study of the tests', 'none')
        monkeypatch.setitem(STUDIES, 'test', made)
        monkeypatch.setattr(studies.Study, 'plan', lambda self, scale: Plan(list(jobs), report))

    return register


def reproduce(tmp_path, *arguments):
    return cli.main(['reproduce', *arguments, '--workers', '2', '-o', str(tmp_path)])


def test_training_is_reproduced_reported_and_not_done_again(easy, tmp_path, capsys):
    assert reproduce(tmp_path, 'training', '--scale', 'quick', '--dry-run') == 0
    forecast = capsys.readouterr().out
    assert re.search(r'^train +2 +2 +\d+ s$', forecast, re.MULTILINE)
    assert 'train 1 joint, 2 x 16, seeds 0 to 2' in forecast
    assert re.search(r'about \d+ s on 2 workers, from what it took', forecast)
    assert not (tmp_path / 'results').exists()

    assert reproduce(tmp_path, 'training', '--scale', 'quick') == 0
    path = tmp_path / 'training' / 'quick' / 'report.html'
    assert capsys.readouterr().out.splitlines()[-1] == f'report: {path}'
    text = path.read_text()
    store = Store(tmp_path / 'results')
    members = [m for job in easy for m in store.load(job).values['members']]
    assert all(member['trained'] for member in members)
    assert '5 of 5 networks passed, twice in a row' in text
    assert '✓ confirmed' in text
    assert 'quick: 5 networks per condition instead of the paper&#x27;s 20' in text
    assert f'neuron_reach reproduce training --scale quick -o {tmp_path}' in text
    assert '<td class="number">0 to 4</td>' in text  # the seeds
    assert 'torch' in text
    longest = f'{max(member["trained"] for member in members):,}'
    assert f'<td class="number">{longest}</td>' in text

    finished = {job.address: store.record(job)['finished'] for job in easy}
    assert reproduce(tmp_path, 'training', '--scale', 'quick') == 0
    assert {job.address: store.record(job)['finished'] for job in easy} == finished
    assert path.read_text() == text
    capsys.readouterr()
    assert reproduce(tmp_path, 'training', '--scale', 'quick', '--dry-run') == 0
    forecast = capsys.readouterr().out
    assert re.search(r'^train +2 +0 +0 s$', forecast, re.MULTILINE)
    assert 'about 0 s on 2 workers, from the 2 jobs that are done' in forecast


def test_failed_jobs_are_named_in_the_end_and_in_the_report(study, tmp_path, capsys):
    bad = functions.fail.job('bad one', how='user')
    skipped = functions.logged.job('skipped one', log='unused', needs=[bad])
    study(skipped, functions.add.job('good one', first=1))
    assert reproduce(tmp_path, 'test') == 1
    errors = capsys.readouterr().err
    assert '1 job failed, 1 that needed it were not tried' in errors
    assert re.search(r'  bad one: a file is missing; give another \(.*\.error\.txt\)', errors)
    text = (tmp_path / 'test' / 'paper' / 'report.html').read_text()
    for part in ('Missing results', 'bad one', 'skipped one', 'good one', 'sum', '11'):
        assert part in text


def test_a_damaged_result_is_named_set_aside_and_computed_again(study, tmp_path, capsys):
    job = functions.add.job('a', first=1)
    study(job)
    assert reproduce(tmp_path, 'test') == 0
    file = Store(tmp_path / 'results').folder(job) / 'result.json'
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'11', b'12'))
    assert reproduce(tmp_path, 'test', '--dry-run') == 0
    assert 'result.json: is damaged' in capsys.readouterr().err
    assert reproduce(tmp_path, 'test') == 0
    [line] = [line for line in capsys.readouterr().err.splitlines() if 'damaged' in line]
    assert line.startswith(f'{file}: is damaged')
    assert line.endswith(f'set aside as {job.address}.damaged and computed again')
    assert file.read_bytes() == whole
    assert reproduce(tmp_path, 'test') == 0
    assert 'damaged' not in capsys.readouterr().err


def test_results_without_digests_are_reported_and_said_to_have_none(study, tmp_path, capsys):
    job = functions.add.job('a', first=1)
    study(job, functions.add.job('b', first=2))
    assert reproduce(tmp_path, 'test') == 0
    report = tmp_path / 'test' / 'paper' / 'report.html'
    assert 'no digest' not in report.read_text()
    record = Store(tmp_path / 'results').folder(job) / 'record.json'
    values = json.loads(record.read_text())
    del values['files'], values['sha256']
    record.write_text(json.dumps(values))
    assert reproduce(tmp_path, 'test') == 0
    assert '1 of 2 results have no digest (made before' in report.read_text()
    assert 'digest' not in capsys.readouterr().err


def test_all_is_every_study_of_the_paper_with_shared_jobs_once(study, tmp_path):
    study(functions.add.job('shared', first=1))
    published = [study for study in STUDIES.values() if study.published]
    assert len(plans('all', SCALES['quick'])) == len(published) < len(STUDIES)
    assert reproduce(tmp_path, 'all') == 0
    assert len(list((tmp_path / 'results').glob('*/*/record.json'))) == 1


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['training', '--workers', '0'], '--workers must be at least 1, not 0'),
        (['training', '--workers', '1', '--scheduler', 'tcp://x:1'], '--workers is for this'),
        (['training', '--scheduler', 'tcp://127.0.0.1:9'], 'no Dask scheduler answers at'),
    ],
)
def test_bad_arguments_are_one_clear_line(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('neuron_reach.study.engine.executors.CONNECT_SECONDS', 1)
    assert cli.main(['reproduce', *arguments, '-o', str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith('neuron_reach: error: ')
    assert message in errors
    assert errors.count('\n') == 1


def test_an_unknown_study_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(['reproduce', 'nonsense'])
    assert exit_.value.code == 2
    errors = capsys.readouterr().err
    assert all(name in errors for name in ('nonsense', *STUDIES, 'all'))


def start(*command):
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get('PYTHONPATH', '')])
    return subprocess.Popen(
        [sys.executable, '-m', *command],
        env={**os.environ, 'PYTHONPATH': path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_ends_in_130_without_a_traceback(tmp_path):
    process = start('neuron_reach', 'reproduce', 'training', '-o', str(tmp_path))
    while not (tmp_path / 'results' / '.lock').exists():
        time.sleep(0.05)
    line = process.stdout.readline()  # the first progress: workers are at work
    assert 'training: 0 of' in line
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors == ''


@pytest.fixture
def scheduler(tmp_path):
    """A Dask scheduler without workers: its process and its address."""
    pytest.importorskip('distributed')
    file = tmp_path / 'scheduler.json'
    options = (
        '--host',
        '127.0.0.1',
        '--port',
        '0',
        '--no-dashboard',
        '--scheduler-file',
        str(file),
    )
    process = start('distributed.cli.dask_scheduler', *options)
    address = None
    while address is None:
        assert process.poll() is None
        with contextlib.suppress(OSError, ValueError):  # not there, or not all of it
            address = json.loads(file.read_text())['address']
        time.sleep(0.05)
    yield process, address
    process.kill()
    process.communicate()


def test_a_cluster_without_workers_says_so_and_a_killed_scheduler_is_one_line(
    scheduler, tmp_path, capsys
):
    process, address = scheduler
    command = ['reproduce', 'training', '--scheduler', address, '-o', str(tmp_path / 'out')]
    assert cli.main([*command, '--dry-run']) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f'neuron_reach: error: the cluster at {address} has no workers; a run')
    assert not (tmp_path / 'out').exists()

    study = start('neuron_reach', *command)
    lines = [study.stdout.readline()]
    assert re.fullmatch(r'training: 0 of \d+ jobs, no workers for \d s: waiting.*\n', lines[0])
    process.kill()
    _, errors = study.communicate()
    assert study.returncode == 2
    (line,) = errors.splitlines()
    assert line.startswith(
        f'neuron_reach: error: lost the connection to the scheduler at {address}'
    )


def test_workers_that_are_away_for_long_are_worth_a_line_at_once(monkeypatch):
    def status(workers, failed=0):
        return Status(3, 9, failed, ['a'][:workers], workers, 100.0)

    now = 0.0
    monkeypatch.setattr('neuron_reach.commands.reproduce.time.monotonic', lambda: now)
    notes = Notes()
    told = []
    for now, workers in ((1, 0), (9, 0), (10, 0), (11, 0), (12, 2), (13, 0), (21, 0), (22, 0)):
        told.append((now, *notes.tell(status(workers))))
    assert told == [
        (1, 'no workers for 1 s: waiting for some', False),
        (9, 'no workers for 9 s: waiting for some', False),
        (10, 'no workers for 10 s: waiting for some', True),
        (11, 'no workers for 11 s: waiting for some', False),
        (12, '1 running, about 2 min left', False),
        (13, 'no workers for 1 s: waiting for some', False),
        (21, 'no workers for 9 s: waiting for some', False),
        (22, 'no workers for 10 s: waiting for some', True),
    ]
    assert notes.tell(status(0, 2))[0].endswith('waiting for some, 2 failed')


def test_a_dry_run_fails_where_a_run_would_and_makes_nothing(study, tmp_path, capsys):
    study(functions.add.job('one', first=1))

    def refused(folder):
        said = []
        for more in ([], ['--dry-run']):
            assert reproduce(folder, 'test', *more) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f'neuron_reach: error: {folder}')
            said.append(line)
        return said

    (tmp_path / 'file').touch()
    (tmp_path / 'link').symlink_to('nowhere')
    assert 'Not a directory' in refused(tmp_path / 'file' / 'x')[0]
    assert f'{tmp_path}/file cannot be written to' in refused(tmp_path / 'file' / 'x')[1]
    refused(tmp_path / 'link')
    store = Store(tmp_path / 'used' / 'results')
    store.lock()
    run, dry = refused(tmp_path / 'used')
    assert run == dry
    assert 'another study is using this folder' in run
    assert reproduce(tmp_path / 'new', 'test', '--dry-run') == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ['file', 'link', 'used']


@pytest.mark.parametrize(
    ('seconds', 'text'), [(0, '0 s'), (89, '89 s'), (600, '10 min'), (12600, '3.5 h')]
)
def test_durations_are_said_in_words(seconds, text):
    assert duration(seconds) == text

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from neuron_reach.errors import UserError
from neuron_reach.study.engine.executors import ATTEMPTS, ClusterExecutor, LocalExecutor
from neuron_reach.study.engine.results import read_files
from neuron_reach.study.engine.store import Store
from study.engine import study_functions as functions

HERE = Path(__file__).parents[2]


def several():
    parts = {f'part {seed}': functions.arrays.job('a', seed=seed, size=50) for seed in range(6)}
    return [*parts.values(), functions.mean.job('mean', of=parts)]


def contents(store, jobs):
    """Everything in the results but how they came about."""
    found = {}
    for job in jobs:
        found[job.address] = read_files(store.folder(job))
        del found[job.address]['record.json']
    return found


def wait_for(path):
    while not path.exists():
        time.sleep(0.01)
    return int(path.read_text())


# --- processes of this machine -------------------------------------------------------------------


def test_processes_work_at_the_same_time_with_one_thread_each(store, complete, processes):
    jobs = [functions.surroundings.job(f's{n}', wait=0.5 + n / 1000) for n in range(2)]
    outcome, _ = complete(*jobs)
    assert outcome.failures == []
    found = [store.load(job).values for job in jobs]
    assert len({os.getpid(), *(values['pid'] for values in found)}) == 3
    for values in found:
        assert values['torch_threads'] == 1
        assert values['omp'] == '1'
        assert not values['gradients']


def test_a_job_whose_process_dies_is_done_by_another(store, complete, tmp_path):
    jobs = several()
    mortal = functions.die.job('mortal', marker=str(tmp_path / 'deaths'), times=ATTEMPTS - 1)
    outcome, _ = complete(mortal, *jobs)
    assert outcome.failures == []
    assert store.load(mortal).values == {'deaths': ATTEMPTS - 1}


def test_a_job_that_kills_every_process_fails_and_the_others_do_not(store, complete, tmp_path):
    jobs = several()
    deadly = functions.die.job('deadly', marker=str(tmp_path / 'deaths'), times=99)
    outcome, _ = complete(deadly, *jobs)
    ((failed, failure),) = outcome.failures
    assert failed is deadly
    assert failure.reason == (
        '3 workers died during the job, the last one by SIGKILL; is the memory too small?'
    )
    assert all(store.has(job) for job in jobs)


def run_study(tmp_path, body):
    """Start a study in a process of its own; `body` follows on imports, `store` and `run_all`."""
    code = """
        import sys
        from pathlib import Path
        from study.engine import study_functions as functions
        from neuron_reach.study.engine.executors import LocalExecutor
        from neuron_reach.study.engine.runner import Work, run
        from neuron_reach.study.engine.store import Store

        def run_all(*jobs):
            executor = LocalExecutor(2)
            try:
                run(Work.of(jobs, store), store, executor, lambda status: None)
            finally:
                executor.close()

        if __name__ == '__main__':
            store = Store(Path(sys.argv[1]) / 'results')
    """
    script = tmp_path / 'script.py'
    script.write_text(textwrap.dedent(code) + textwrap.indent(textwrap.dedent(body), ' ' * 4))
    path = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, script, tmp_path],
        env={**os.environ, 'PYTHONPATH': path},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def alive(pid):
    with contextlib.suppress(OSError):
        return 'State:\tZ' not in Path(f'/proc/{pid}/status').read_text()
    return False


@pytest.mark.parametrize('sign', [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_their_parent_and_what_was_finished_stays(tmp_path, sign):
    process = run_study(
        tmp_path,
        """
        first = functions.add.job('first', first=1)
        run_all(functions.linger.job('linger', marker=str(Path(sys.argv[1]) / 'pid')), first)
        """,
    )
    store = Store(tmp_path / 'results')
    first = functions.add.job('first', first=1)
    worker = wait_for(tmp_path / 'pid')
    while not store.has(first):
        time.sleep(0.01)
    if sign == signal.SIGINT:
        os.killpg(process.pid, sign)  # as Ctrl-C on a terminal: the workers get it too
    else:
        process.send_signal(sign)
    _, errors = process.communicate()
    while alive(worker):
        time.sleep(0.01)
    assert errors.count('KeyboardInterrupt') == (sign == signal.SIGINT)  # of the parent only
    assert store.load(first).values == {'sum': 11}


# --- a Dask cluster ------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def cluster(tmp_path_factory):
    distributed = pytest.importorskip('distributed')
    with distributed.LocalCluster(
        n_workers=3,
        threads_per_worker=1,
        processes=True,
        dashboard_address=':0',
        local_directory=tmp_path_factory.mktemp('dask'),
    ) as cluster:
        yield cluster


@pytest.fixture
def dask(cluster):
    executor = ClusterExecutor(cluster.scheduler_address)
    yield executor
    executor.close()


def test_results_are_the_same_on_either(tmp_path, store, complete, dask):
    jobs = several()
    complete(*jobs)
    here = contents(store, jobs)
    for job in jobs:
        store.folder(job).rename(tmp_path / job.address)
    assert not store.has(jobs[-1])
    outcome, statuses = complete(*jobs, executor=dask)
    assert outcome.failures == []
    assert contents(store, jobs) == here
    assert statuses[-1].done == len(jobs)
    assert dask.workers == 3


def test_a_study_survives_the_death_of_a_cluster_s_worker_in_the_middle_of_a_job(
    store, complete, dask, tmp_path
):
    marker = tmp_path / 'pid'
    hanging = functions.linger.job('linger', marker=str(marker))
    after = functions.logged.job('after', log=str(tmp_path / 'log'), needs=[hanging])
    jobs = several()
    killer = threading.Thread(target=lambda: os.kill(wait_for(marker), signal.SIGKILL))
    killer.start()
    outcome, _ = complete(after, *jobs, executor=dask)
    killer.join()
    assert outcome.failures == []
    assert store.load(hanging).values == {'other_process': True}
    assert all(store.has(job) for job in (after, *jobs))


def test_failures_on_a_cluster_are_told_as_they_are_here(store, complete, dask, tmp_path):
    bad = functions.fail.job('bad', how='other')
    deadly = functions.die.job('deadly', marker=str(tmp_path / 'deaths'), times=99)
    skipped = functions.logged.job('skipped', log='unused', needs=[bad])
    good = several()
    outcome, _ = complete(bad, deadly, skipped, *good, executor=dask)
    reasons = {job.label: failure.reason for job, failure in outcome.failures}
    assert reasons['bad'] == 'RuntimeError: deep inside'
    assert 'KilledWorker' in reasons['deadly']
    assert outcome.skipped == [skipped]
    assert all(store.has(job) for job in good)


def test_a_lost_scheduler_is_told_and_what_is_finished_stays(store, complete, tmp_path):
    distributed = pytest.importorskip('distributed')
    marker = tmp_path / 'pid'
    first = functions.add.job('first', first=1)
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=':0',
        local_directory=tmp_path / 'dask',
    ) as cluster:
        executor = ClusterExecutor(cluster.scheduler_address)

        def end():
            wait_for(marker)
            while not store.has(first):
                time.sleep(0.01)
            cluster.close()

        ender = threading.Thread(target=end)
        ender.start()
        with pytest.raises(UserError, match='lost the connection to the scheduler'):
            complete(functions.linger.job('l', marker=str(marker)), first, executor=executor)
        ender.join()
        executor.close()
    assert store.load(first).values == {'sum': 11}


@pytest.fixture
def silent():
    """The address of a server that says nothing."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        yield f'tcp://127.0.0.1:{server.getsockname()[1]}'


ADDRESSES = ['tcp://127.0.0.1:9', 'nonsense://x', 'tcp://', 'tcp://x:y', '127.0.0.1', ':::', '']


@pytest.mark.filterwarnings('error')  # such as of clients that are left to themselves
@pytest.mark.parametrize('address', [*ADDRESSES, 'tls://127.0.0.1:9', 'inproc://x', 'silent'])
def test_a_scheduler_that_is_not_there_is_one_clear_line(address, silent, monkeypatch, capfd):
    pytest.importorskip('distributed')
    monkeypatch.setattr('neuron_reach.study.engine.executors.CONNECT_SECONDS', 1)
    start = time.monotonic()
    with pytest.raises(UserError, match='no Dask scheduler answers at') as error:
        ClusterExecutor(silent if address == 'silent' else address)
    assert '\n' not in str(error.value)
    gc.collect()
    assert time.monotonic() - start < 10.0
    assert capfd.readouterr() == ('', '')


def test_without_dask_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'distributed', None)
    with pytest.raises(UserError, match='-m pip install distributed'):
        ClusterExecutor('tcp://127.0.0.1:8786')


def test_closing_ends_the_processes(tmp_path):
    executor = LocalExecutor(1)
    job = functions.linger.job('linger', marker=str(tmp_path / 'pid'))
    executor.submit(job.address, job.call({}))
    worker = wait_for(tmp_path / 'pid')
    executor.close()
    assert not alive(worker)

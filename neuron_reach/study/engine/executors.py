# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Executors of jobs: processes of this machine, or a Dask cluster.

Both call `jobs.perform` with one thread, one job at a time. A job whose worker dies is tried again
by another worker.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from neuron_reach.common.resources import pip_install
from neuron_reach.errors import UserError
from neuron_reach.study.engine.jobs import Call, Failure, Success, perform

ATTEMPTS = 3
"""Worker deaths before a job counts as failed."""

CONNECT_SECONDS = 10
COUNT_PERIOD = 1.0  # s between two counts of the workers
THREAD_VARIABLES = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS')


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def _for_children() -> Iterator[None]:
    """Make processes started in this context use one thread each and ignore Ctrl-C.

    Both must hold from their start: libraries read the variables when they are loaded, and Ctrl-C
    reaches all processes of a terminal, of which only this one should handle it.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, '1'))
    resource_tracker.ensure_running()  # otherwise the first child starts it, which unblocks SIGINT
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(connection: Connection) -> None:
    """Do jobs until the connection ends: the main loop of a worker process."""

    def end_with_parent() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    while True:
        try:
            call = connection.recv()
        except EOFError:
            return
        connection.send(perform(call))


class _Worker:
    def __init__(self) -> None:
        context = multiprocessing.get_context('spawn')
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs,), daemon=True)
        with _for_children():
            self.process.start()
        theirs.close()

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


class LocalExecutor:
    """Worker processes on this machine."""

    shares_files = True

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.capacity = 2 * workers  # so that no worker is idle while results are saved
        self._idle: list[_Worker] = []
        self._busy: dict[str, tuple[_Worker, Call]] = {}
        self._queue: deque[tuple[str, Call]] = deque()
        self._deaths: dict[str, int] = {}

    def submit(self, address: str, call: Call) -> None:
        """Accept a job."""
        self._queue.append((address, call))
        self._start()

    def _start(self) -> None:
        while self._queue and len(self._busy) < self.workers:
            address, call = self._queue.popleft()
            worker = self._idle.pop() if self._idle else _Worker()
            self._busy[address] = (worker, call)
            with suppress(OSError):  # the worker has died, which `wait` detects
                worker.connection.send(call)

    def wait(self, seconds: float) -> list[tuple[str, Success | Failure]]:
        """Return finished jobs, by address, after at most this many seconds."""
        ended = []
        ready = set(wait([worker.connection for worker, _ in self._busy.values()], seconds))
        for address, (worker, call) in list(self._busy.items()):
            if worker.connection not in ready:
                continue
            del self._busy[address]
            try:
                ended.append((address, worker.connection.recv()))
                self._idle.append(worker)
            except (EOFError, OSError):  # the worker died
                worker.end()
                failure = self._after_death(address, call, worker.process.exitcode)
                if failure is not None:
                    ended.append((address, failure))
        self._start()
        return ended

    def _after_death(self, address: str, call: Call, code: int | None) -> Failure | None:
        self._deaths[address] = self._deaths.get(address, 0) + 1
        if self._deaths[address] < ATTEMPTS:
            self._queue.appendleft((address, call))
            return None
        how = f'exit code {code}'
        if code is not None and code < 0:
            how = signal.Signals(-code).name
        hint = '; is the memory too small?' if code == -signal.SIGKILL else ''
        return Failure(f'{ATTEMPTS} workers died during the job, the last one by {how}{hint}')

    def close(self) -> None:
        """End all workers immediately."""
        for worker in (*self._idle, *(worker for worker, _ in self._busy.values())):
            worker.end()
        self._idle, self._busy = [], {}
        self._queue.clear()


def _perform_on_cluster(call: Call) -> Success | Failure:
    """Do a job in a Dask worker, in its own folder, which Dask removes after a crash."""
    from distributed import get_worker

    return perform(call, Path(get_worker().local_directory))


def _silence() -> None:
    """Disable the logs of Dask and its libraries: the command reports problems itself.

    Dask sets the levels of some of its loggers when it is imported.
    """
    for name in ('distributed', 'tornado', 'asyncio', *logging.root.manager.loggerDict):
        if name.partition('.')[0] in ('distributed', 'tornado', 'asyncio'):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


async def _knock(scheduler: str) -> None:
    """Connect to a scheduler and disconnect, or raise the error of the connection.

    A client that cannot connect takes long to close, and does so with a traceback.
    """
    from distributed.comm import connect
    from distributed.security import Security

    arguments = Security().get_connection_args('client')
    meeting = connect(scheduler, timeout=CONNECT_SECONDS, **arguments)
    (await asyncio.wait_for(meeting, CONNECT_SECONDS + 1)).abort()


class ClusterExecutor:
    """The workers of a Dask cluster; they need this package, but no files of this machine.

    Dask itself restarts a job whose worker has died, and gives up after
    `distributed.scheduler.allowed-failures` deaths. Client, scheduler and workers exchange pickled
    data: they must trust each other and the network between them (or use `tls://`).
    """

    shares_files = False

    def __init__(self, scheduler: str) -> None:
        """Connect to the scheduler at an address such as `tcp://host:8786`.

        Raises:
            UserError: Dask is not installed, or no scheduler answers at the address.
        """
        try:
            import distributed
        except ImportError:
            raise UserError(f'distributed is not installed; {pip_install("distributed")}') from None
        self._scheduler = scheduler
        _silence()
        try:
            asyncio.run(_knock(scheduler))
            self._client = distributed.Client(
                scheduler, timeout=CONNECT_SECONDS, set_as_default=False
            )
        except Exception as error:  # Dask raises errors of many types
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f'no Dask scheduler answers at {scheduler}: {reason}') from None
        self._workers, self._counted = 0, -COUNT_PERIOD
        self._futures: dict[str, Any] = {}
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    @property
    def workers(self) -> int:
        """Threads of all workers, as of the last count."""
        if time.monotonic() - self._counted >= COUNT_PERIOD:
            if self._client.status != 'running':
                raise self._lost()
            try:
                self._workers = sum(self._client.nthreads().values())
            except OSError:
                raise self._lost() from None
            self._counted = time.monotonic()
        return self._workers

    @property
    def capacity(self) -> int:
        """Twice the workers, so that no worker is idle while its next job arrives."""
        return 2 * self.workers

    def _lost(self) -> UserError:
        return UserError(
            f'lost the connection to the scheduler at {self._scheduler}; finished jobs are '
            'saved, and the same command resumes from there'
        )

    def submit(self, address: str, call: Call) -> None:
        """Accept a job."""
        if self._client.status != 'running':
            raise self._lost()
        with warnings.catch_warnings():  # about the size of the inputs
            warnings.simplefilter('ignore')
            future = self._client.submit(_perform_on_cluster, call, key=f'neuron_reach-{address}')
        self._futures[address] = future
        future.add_done_callback(lambda _: self._ended.put(address))

    def wait(self, seconds: float) -> list[tuple[str, Success | Failure]]:
        """Return finished jobs, by address, after at most this many seconds.

        Raises:
            UserError: the connection to the scheduler is lost.
        """
        try:
            ended = [self._ended.get(timeout=seconds)]
            ended += [self._ended.get_nowait() for _ in range(self._ended.qsize())]
        except queue.Empty:
            if self._client.status != 'running':
                raise self._lost() from None
            return []
        futures = {address: self._futures.pop(address) for address in ended}
        if any(future.cancelled() for future in futures.values()):
            raise self._lost()  # only a client without its scheduler cancels
        try:  # all together, which is faster
            outcomes = self._client.gather(list(futures.values()))
        except Exception:
            outcomes = [self._outcome(future) for future in futures.values()]
        for future in futures.values():
            future.release()
        return list(zip(futures, outcomes, strict=True))

    def _outcome(self, future: Any) -> Success | Failure:
        try:
            outcome: Success | Failure = future.result()
        except Exception as error:  # Dask raises errors of many types for a lost worker
            reason = str(error).splitlines()[0] if str(error) else 'no reason given'
            return Failure(f'{type(error).__name__}: {reason}')
        return outcome

    def close(self) -> None:
        """Cancel unfinished jobs and disconnect from the cluster."""
        if self._client.status == 'running':
            self._client.cancel(list(self._futures.values()), force=True)
        self._client.close(timeout=CONNECT_SECONDS)

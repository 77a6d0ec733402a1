# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Running a graph of jobs: missing results, order, progress and estimated time."""

from __future__ import annotations

import dataclasses
import heapq
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from neuron_reach.errors import UserError
from neuron_reach.study.engine.jobs import (
    AnyJob,
    Call,
    Failure,
    Success,
    with_inputs,
)
from neuron_reach.study.engine.results import Files, read_files
from neuron_reach.study.engine.store import Store

TICK = 1.0  # s between two status updates
OVERDUE = 0.2
"""Estimated rest of a job that exceeds its estimate, as a share of its time so far."""


class Executor(Protocol):
    """Runs jobs; see `executors`."""

    shares_files: bool
    """Whether workers can read the result folders; if not, jobs are sent with their inputs."""

    @property
    def workers(self) -> int:
        """Number of jobs that run at the same time."""

    @property
    def capacity(self) -> int:
        """Number of jobs to submit at once, including those that wait for a worker."""

    def submit(self, address: str, call: Call) -> None:
        """Accept a job."""

    def wait(self, seconds: float) -> list[tuple[str, Success | Failure]]:
        """Return finished jobs, by address, after at most this many seconds."""

    def close(self) -> None:
        """Stop all jobs."""


class Estimates:
    """Durations of jobs: the estimate of each function, corrected by finished jobs."""

    def __init__(self, jobs: Iterable[AnyJob]) -> None:
        self._guess = {job.address: max(job.seconds, 1e-3) for job in jobs}
        self._measured: dict[str, tuple[float, float]] = {}
        self.count = 0

    def learn(self, job: AnyJob, seconds: float) -> None:
        """Record the duration of a job, s."""
        measured, guessed = self._measured.get(job.function.name, (0.0, 0.0))
        guess = self._guess[job.address]
        self._measured[job.function.name] = (measured + seconds, guessed + guess)
        self.count += 1

    def seconds(self, job: AnyJob) -> float:
        """Return the estimated duration of a job, s."""
        ratio = 1.0
        pair = self._measured.get(job.function.name)
        if pair is not None:
            ratio = pair[0] / pair[1]
        elif self._measured:  # speed of this machine relative to the estimates
            measured, guessed = map(sum, zip(*self._measured.values(), strict=True))
            ratio = measured / guessed
        return self._guess[job.address] * ratio


@dataclasses.dataclass
class Work:
    """A graph of jobs and those that are still to be done.

    Attributes:
        jobs: all jobs by address, inputs before jobs that need them.
        todo: those without an intact result.
        estimates: durations of jobs.
        damaged: the problems of damaged results, by address.
    """

    jobs: dict[str, AnyJob]
    todo: dict[str, AnyJob]
    estimates: Estimates
    damaged: dict[str, str]

    @classmethod
    def of(cls, wanted: Iterable[AnyJob], store: Store) -> Work:
        """Return the work that is left to get the results of these jobs with a store."""
        jobs = {job.address: job for job in with_inputs(wanted)}
        estimates = Estimates(jobs.values())
        todo, damaged = {}, {}
        for address, job in jobs.items():
            if not store.has(job):
                todo[address] = job
                continue
            try:
                estimates.learn(job, store.load_checked(job).record['seconds'])
            except UserError as error:
                todo[address] = job
                damaged[address] = str(error)
        return cls(jobs, todo, estimates, damaged)

    def ranks(self) -> dict[str, float]:
        """Return by address the duration of a job and the longest chain that needs it, s."""
        ranks = dict.fromkeys(self.todo, 0.0)
        for job in reversed(self.todo.values()):
            ranks[job.address] += self.estimates.seconds(job)
            for needed in job.inputs:
                if needed.address in ranks:
                    ranks[needed.address] = max(ranks[needed.address], ranks[job.address])
        return ranks

    def duration(self, workers: int, running: Mapping[str, float] | None = None) -> float:
        """Return the estimated duration of the rest, s, by simulating it.

        Args:
            workers: number of jobs that run at the same time.
            running: seconds since these jobs were started, by address, earliest first; jobs
                beyond the number of workers are assumed to wait.
        """
        workers = max(workers, 1)
        running = dict(list((running or {}).items())[:workers])
        ranks = self.ranks()
        waiting = {
            a: {n.address for n in job.inputs} & ranks.keys() for a, job in self.todo.items()
        }
        needed_by: dict[str, list[str]] = {}
        for address, needs in waiting.items():
            for need in needs:
                needed_by.setdefault(need, []).append(address)
        ready = [(-ranks[a], a) for a, needs in waiting.items() if not needs and a not in running]
        heapq.heapify(ready)
        ends = [
            (max(self.estimates.seconds(self.todo[a]) - since, OVERDUE * since), a)
            for a, since in running.items()
        ]
        heapq.heapify(ends)
        now = 0.0
        while ready or ends:
            while ready and len(ends) < workers:
                _, address = heapq.heappop(ready)
                heapq.heappush(ends, (now + self.estimates.seconds(self.todo[address]), address))
            now, ended = heapq.heappop(ends)
            for address in needed_by.get(ended, []):
                waiting[address].discard(ended)
                if not waiting[address]:
                    heapq.heappush(ready, (-ranks[address], address))
        return now


@dataclasses.dataclass(frozen=True)
class Status:
    """Status of a run.

    Attributes:
        done: jobs with a result.
        jobs: all jobs.
        failed: jobs that failed or were skipped because one that they need failed.
        running: labels of the running jobs.
        workers: number of jobs that can run at the same time.
        seconds_left: estimated, s.
    """

    done: int
    jobs: int
    failed: int
    running: Sequence[str]
    workers: int
    seconds_left: float


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Failures of a run.

    Attributes:
        failures: (job, reason) of every job that failed.
        skipped: jobs that were not tried because one that they need failed.
    """

    failures: list[tuple[AnyJob, Failure]]
    skipped: list[AnyJob]


class _Run:
    def __init__(self, work: Work, store: Store, executor: Executor) -> None:
        self.work, self.store, self.executor = work, store, executor
        self.running: dict[str, float] = {}
        self.failures: list[tuple[AnyJob, Failure]] = []
        self.skipped: list[AnyJob] = []

    def start_ready(self) -> None:
        """Submit jobs whose inputs are done, those with the longest chain behind them first."""
        todo = self.work.todo
        room = max(self.executor.capacity, 1) - len(self.running)
        if room <= 0:
            return
        ranks = self.work.ranks()
        ready = [
            job
            for address, job in todo.items()
            if address not in self.running and not any(n.address in todo for n in job.inputs)
        ]
        ready.sort(key=lambda job: -ranks[job.address])
        for job in ready[:room]:
            folders = {needed.address: self.store.folder(needed) for needed in job.inputs}
            inputs: dict[str, Path | Files] = dict(folders)
            if not self.executor.shares_files:
                inputs.update({address: read_files(folder) for address, folder in folders.items()})
            self.executor.submit(job.address, job.call(inputs))
            self.running[job.address] = time.monotonic()

    def end(self, address: str, outcome: Success | Failure) -> None:
        del self.running[address]
        job = self.work.todo[address]
        if isinstance(outcome, Success):
            self.store.save(job, outcome)
            self.work.estimates.learn(job, outcome.seconds)
            del self.work.todo[address]
            return
        self.store.save_failure(job, outcome)
        self.failures.append((job, outcome))
        lost = {address}
        for other in list(self.work.todo.values()):  # inputs come before jobs that need them
            if any(needed.address in lost for needed in other.inputs):
                lost.add(other.address)
                self.skipped.append(other)
        for gone in lost:
            del self.work.todo[gone]

    def status(self) -> Status:
        now = time.monotonic()
        since = {address: now - start for address, start in self.running.items()}
        lost = len(self.failures) + len(self.skipped)
        workers = self.executor.workers
        return Status(
            len(self.work.jobs) - len(self.work.todo) - lost,
            len(self.work.jobs),
            lost,
            [self.work.todo[a].label for a in self.running][:workers],
            workers,
            self.work.duration(workers, since),
        )


def run(work: Work, store: Store, executor: Executor, show: Callable[[Status], None]) -> Outcome:
    """Do all jobs that can be done; results are stored as soon as they are finished.

    Args:
        work: the jobs; `work.todo` is empty at the end.
        store: of the results; locked by the caller.
        executor: closed by the caller.
        show: called with the status about once a second, and at the end.

    Raises:
        UserError: a result cannot be written, or the executor is lost.
    """
    going = _Run(work, store, executor)
    shown = -TICK
    while work.todo:
        going.start_ready()
        for address, outcome in executor.wait(TICK):
            going.end(address, outcome)
        if not work.todo or time.monotonic() - shown >= TICK:
            shown = time.monotonic()
            show(going.status())
    return Outcome(going.failures, going.skipped)

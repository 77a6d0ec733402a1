# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How does the throughput of studies grow with workers, and where would it stop?

Three questions, each answered with a table in Markdown:

* how many updates of networks a second do 1, 2, ... workers make, as processes of this machine and
  as a Dask cluster on it: the same jobs, of a stack of networks each;
* how many jobs a second can be handed out and taken back, by the size of what travels, which is
  the limit of a single client;
* how near to the ideal do 10, 100, 1000 slots come, when the jobs only wait: workers with many
  threads stand for many machines here, so this tests client and scheduler, not processors.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach.study.engine.executors import ClusterExecutor, LocalExecutor, processors
from neuron_reach.study.engine.jobs import AnyJob, function
from neuron_reach.study.engine.results import JobResult
from neuron_reach.study.engine.runner import Executor, Work, run
from neuron_reach.study.engine.store import Store


@function('scaling.updates', version=1, seconds=lambda **_: 1.0)
def updates(seed: int, networks: int, rounds: int) -> JobResult[Mapping[str, object]]:
    """Make so many rounds of training with a stack of 6 x 48."""
    from neuron_reach.arm.simulator import FleetSimulator
    from neuron_reach.learning.setup import Setup
    from neuron_reach.learning.training import Training

    setup = Setup.from_values({'joints': 3, 'validation_interval': 10_000_000}, 'benchmark')
    training = Training(setup, range(seed, seed + networks))
    fleet = FleetSimulator(setup.arm, networks * setup.learning.arms)
    for _ in range(rounds + 1):  # the first one only fills the memory
        training.round(fleet)
    return JobResult({'updates': training.learner.updates * networks})


@function('scaling.payload', version=1, seconds=lambda **_: 0.01)
def payload(size: int, number: int, of: Any = None) -> JobResult[Mapping[str, object]]:
    """Return so many bytes, or as many as its input has."""
    count = size // 8 if of is None else of.arrays['numbers'].size
    return JobResult({'number': number}, {'numbers': np.zeros(count)})


@function('scaling.wait', version=1, seconds=lambda seconds, **_: seconds)
def wait(seconds: float, number: int) -> JobResult[Mapping[str, object]]:
    """Only wait."""
    time.sleep(seconds)
    return JobResult({'number': number})


@contextlib.contextmanager
def cluster(workers: int, threads: int = 1) -> Iterator[Executor]:
    """Start a Dask cluster on this machine and connect to it."""
    import distributed

    with (
        tempfile.TemporaryDirectory() as folder,
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            processes=True,
            dashboard_address=':0',
            local_directory=folder,
        ) as local,
    ):
        executor = ClusterExecutor(local.scheduler_address)
        try:
            yield executor
        finally:
            executor.close()


@contextlib.contextmanager
def local(workers: int) -> Iterator[Executor]:
    """Start processes on this machine."""
    executor = LocalExecutor(workers)
    try:
        yield executor
    finally:
        executor.close()


def timed(executor: Executor, jobs: list[AnyJob], warm_up: list[AnyJob]) -> float:
    """Return the wall time of jobs, s, after others that have all workers load what they need."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for part in (warm_up, jobs):
            work = Work.of(part, store)
            start = time.perf_counter()
            outcome = run(work, store, executor, lambda status: None)
            seconds = time.perf_counter() - start
            if outcome.failures:
                raise RuntimeError(outcome.failures[0][1])
    return seconds


def training_table(counts: list[int], repeats: int, networks: int, rounds: int) -> None:
    """Print the throughput of training by workers."""
    print('| workers | processes, updates/s | Dask cluster, updates/s |\n|---|---|---|')
    for workers in counts:
        cells = []
        for make in (local, cluster):
            rates = []
            with make(workers) as executor:
                for repeat in range(repeats):
                    jobs = [
                        updates.job('u', seed=1000 * n + repeat, networks=networks, rounds=rounds)
                        for n in range(4 * workers)
                    ]
                    warm_up = [
                        updates.job('w', seed=n, networks=1, rounds=1) for n in range(2 * workers)
                    ]
                    made = len(jobs) * networks * rounds * 60
                    rates.append(made / timed(executor, jobs, warm_up))
            low, middle, high = np.quantile(rates, (0, 0.5, 1))
            cells.append(f'{middle:,.0f} ({low:,.0f} to {high:,.0f})')
        print(f'| {workers} | {" | ".join(cells)} |', flush=True)


def payload_table(workers: int, sizes: list[int], count: int) -> None:
    """Print how many jobs a second can be handed out and taken back."""
    print('\n| result and input, bytes | processes, jobs/s | Dask cluster, jobs/s |\n|---|---|---|')
    for size in sizes:
        cells = []
        for make in (local, cluster):
            with make(workers) as executor:
                source = payload.job('source', size=size, number=-1)
                jobs = [payload.job('p', size=size, number=n, of=source) for n in range(count)]
                warm_up = [wait.job('w', seconds=0.2, number=n) for n in range(2 * workers)]
                seconds = timed(executor, jobs, [*warm_up, source])
            cells.append(f'{count / seconds:,.0f}')
        print(f'| {size:,} | {" | ".join(cells)} |', flush=True)


def slots_table(workers: int, slots: list[int], seconds: float, jobs_per_slot: int) -> None:
    """Print how much of the time slots are busy."""
    print(f'\n| slots | jobs of {seconds:g} s | wall time, s | ideal, s | share |')
    print('|---|---|---|---|---|')
    for count in slots:
        with cluster(workers, count // workers) as executor:
            ready = count // workers * workers
            jobs = [wait.job('w', seconds=seconds, number=n) for n in range(jobs_per_slot * ready)]
            warm_up = [wait.job('w', seconds=0.5, number=n) for n in range(2 * workers)]
            took = timed(executor, jobs, warm_up)
        ideal = jobs_per_slot * seconds
        print(f'| {ready} | {len(jobs)} | {took:.1f} | {ideal:.1f} | {ideal / took:.0%} |')


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--workers', type=int, nargs='+', default=[1, 2, 4])
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--networks', type=int, default=5, help='of a stack')
    parser.add_argument('--rounds', type=int, default=5, help='of 60 updates in each job')
    parser.add_argument('--sizes', type=int, nargs='+', default=[1_000, 100_000, 1_000_000])
    parser.add_argument('--jobs', type=int, default=300, help='for the second table')
    parser.add_argument('--slots', type=int, nargs='+', default=[10, 100, 1000])
    parser.add_argument('--seconds', type=float, default=20.0, help='that jobs wait')
    options = parser.parse_args()
    training_table(options.workers, options.repeats, options.networks, options.rounds)
    payload_table(processors(), options.sizes, options.jobs)
    slots_table(2, options.slots, options.seconds, 3)


if __name__ == '__main__':
    import scaling  # under its own name, by which workers find its functions

    scaling.main()

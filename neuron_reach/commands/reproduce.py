# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach reproduce STUDY`: run a study of the paper and write its report."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuron_reach.commands.flags import Parser, add_command, path, whole
from neuron_reach.commands.help_text import table
from neuron_reach.common.names import REPORT, STORE
from neuron_reach.errors import UserError
from neuron_reach.study.studies import SCALES, STUDIES, plans

if TYPE_CHECKING:
    from neuron_reach.study.engine.runner import Executor, Outcome, Status, Work
    from neuron_reach.study.engine.store import Store

FAILED = 1
LINE_PERIOD = 30.0  # s
NO_WORKERS = 10.0
"""Seconds without a worker after which a line reports it."""
SUMMARY = 'Repeat experiments of the paper and report how the results compare with it.'
DETAILS = """\
Finished results are kept in the output folder: the same command resumes where it was stopped, and
studies share the results that they have in common."""
LEAVES = """\
In DIR: the report (STUDY/SCALE/report.html) and the result of every job (results)."""
EXAMPLES = """
neuron_reach reproduce all --scale quick
neuron_reach reproduce all --dry-run
neuron_reach reproduce fig5 --workers 8 -o runs/paper
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    names = {
        **{name: study.description for name, study in STUDIES.items()},
        'all': 'all studies of the paper',
    }
    parser = add_command(
        commands,
        'reproduce',
        SUMMARY,
        _reproduce,
        DETAILS,
        tables=(table('studies', names),),
        leaves=LEAVES,
        examples=EXAMPLES,
    )
    study = parser.add_argument_group('study and output')
    study.add_argument('study', choices=list(names), metavar='STUDY', help='see below')
    study.add_argument(
        '--scale',
        choices=list(SCALES),
        default='paper',
        help='paper: as many networks as in the paper; quick: fewer, for a first impression '
        '(default: %(default)s)',
    )
    study.add_argument(
        '-o',
        '--output',
        type=path,
        metavar='DIR',
        default=Path('runs/reproduce'),
        help='folder of the results (default: %(default)s)',
    )
    study.add_argument(
        '--dry-run', action='store_true', help='only print what would run, and how long it takes'
    )
    workers = parser.add_argument_group('workers')
    workers.add_argument(
        '--workers', type=whole, metavar='N', help='processes (default: one for each processor)'
    )
    workers.add_argument(
        '--scheduler',
        metavar='ADDRESS',
        help='use the Dask cluster at this address instead, such as tcp://host:8786',
    )
    return parser


def _reproduce(options: argparse.Namespace) -> int:
    if options.workers is not None and options.workers < 1:
        raise UserError(f'--workers must be at least 1, not {options.workers}')
    if options.workers is not None and options.scheduler is not None:
        raise UserError('--workers is for this machine; leave it out with --scheduler')
    from neuron_reach.study.engine.executors import ClusterExecutor, LocalExecutor, processors
    from neuron_reach.study.engine.runner import Outcome, Work
    from neuron_reach.study.engine.store import Store

    scale = SCALES[options.scale]
    chosen = plans(options.study, scale)
    store = Store(options.output / STORE)
    if options.dry_run:
        store.check_place()
    else:
        store.lock()
    work = Work.of([job for plan in chosen for job in plan.jobs], store)
    for address, problem in work.damaged.items():
        what = 'it must be computed again'
        if not options.dry_run:
            aside = store.set_aside(work.jobs[address])
            what = f'the result is set aside as {aside.name} and computed again'
        print(f'{problem}; {what}', file=sys.stderr)
    outcome = Outcome([], [])
    if work.todo or options.dry_run:
        executor: Executor
        if options.scheduler is not None:
            executor = ClusterExecutor(options.scheduler)
        else:
            executor = LocalExecutor(options.workers or processors())
        try:
            if options.dry_run:
                if executor.workers == 0:
                    raise UserError(
                        f'the cluster at {options.scheduler} has no workers; a run would wait for '
                        f'some: dask worker {options.scheduler}'
                    )
                print(_forecast(work, executor.workers))
                return 0
            outcome = _run(options.study, work, store, executor)
        finally:
            executor.close()
    from neuron_reach.study.html_report import write_report
    from neuron_reach.study.reporting import make_report

    path = options.output / options.study / options.scale / REPORT
    command = ['neuron_reach', 'reproduce', options.study, '--scale', options.scale]
    command += ['-o', str(options.output)]
    write_report(
        path, make_report(options.study, scale, chosen, store, outcome, shlex.join(command))
    )
    print(f'report: {path}')
    return _tell_failures(outcome, store)


def _run(name: str, work: Work, store: Store, executor: Executor) -> Outcome:
    from neuron_reach.common.progress import Progress
    from neuron_reach.study.engine.runner import run

    total = len(work.jobs)
    progress = Progress(
        name, total, total - len(work.todo), 'jobs', alike=False, line_period=LINE_PERIOD
    )

    notes = Notes()

    def report(status: Status) -> None:
        note, at_once = notes.tell(status)
        progress.update(status.done, note, at_once=at_once)

    try:
        return run(work, store, executor, report)
    finally:
        progress.close()


class Notes:
    """Describes the state of a run, and decides whether to print it at once."""

    def __init__(self) -> None:
        self._worked = time.monotonic()
        self._reported = False

    def tell(self, status: Status) -> tuple[str, bool]:
        """Return the note, and whether it is the first to report a long absence of workers."""
        note = f'{len(status.running)} running, about {duration(status.seconds_left)} left'
        idle = 0.0
        if status.workers:
            self._worked = time.monotonic()
        else:
            idle = time.monotonic() - self._worked
            note = f'no workers for {duration(idle)}: waiting for some'
        if status.failed:
            note += f', {status.failed} failed'
        before, self._reported = self._reported, idle >= NO_WORKERS
        return note, self._reported and not before


def _forecast(work: Work, workers: int) -> str:
    """Describe which jobs remain and how long they should take."""
    done = Counter(job.function.name for job in work.jobs.values())
    todo = Counter(job.function.name for job in work.todo.values())
    rows = [('job', 'all', 'to do', 'CPU time')]
    for name, count in done.items():
        own = [job for job in work.todo.values() if job.function.name == name]
        seconds = sum(work.estimates.seconds(job) for job in own)
        rows.append((name, str(count), str(todo[name]), duration(seconds)))
    lines = [f'{name:<20}{every:>8}{missing:>8}{time:>12}' for name, every, missing, time in rows]
    basis = f'from the {work.estimates.count} jobs that are done'
    if not work.estimates.count:
        basis = 'from what it took on the machine of docs/benchmarks.md'
    lines += ['', *(f'  {job.label}' for job in work.todo.values())] if work.todo else ['']
    plural = '' if workers == 1 else 's'
    lines.append(f'about {duration(work.duration(workers))} on {workers} worker{plural}, {basis}')
    return '\n'.join(lines)


def _tell_failures(outcome: Outcome, store: Store) -> int:
    if not outcome.failures:
        return 0
    failed, skipped = len(outcome.failures), len(outcome.skipped)
    print(
        f'{failed} job{"" if failed == 1 else "s"} failed, {skipped} that needed '
        f'{"it" if failed == 1 else "them"} were not tried; the same command tries again:',
        file=sys.stderr,
    )
    for job, failure in outcome.failures:
        print(f'  {job.label}: {failure.reason} ({store.error_file(job)})', file=sys.stderr)
    return FAILED


def duration(seconds: float) -> str:
    """Return a duration as text: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    if seconds < 5400:
        return f'{seconds / 60:.0f} min'
    return f'{seconds / 3600:.1f} h'

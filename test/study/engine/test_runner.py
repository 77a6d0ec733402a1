# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import json
import threading

import pytest

from neuron_reach.study.engine.jobs import Failure, Success, perform
from neuron_reach.study.engine.runner import Estimates, Work, run
from study.engine import study_functions as functions


class Here:
    """Does jobs in this process, one at a time, and remembers their order."""

    shares_files, workers, capacity = True, 1, 1

    def __init__(self, before=lambda address: None):
        self.order, self._given, self._before = [], [], before

    def submit(self, address, call):
        self._given.append((address, call))

    def wait(self, seconds):
        ended = []
        for address, call in self._given:
            self._before(address)
            self.order.append(address)
            ended.append((address, perform(call)))
        self._given = []
        return ended


def do(store, *jobs, executor=None):
    work = Work.of(jobs, store)
    return run(work, store, executor or Here(), lambda status: None)


def diamond():
    base = functions.add.job('base', first=1)
    left = functions.add.job('left', first=base)
    right = functions.add.job('right', first=base, second=20)
    return base, left, right, functions.add.job('top', first=left, second=right)


def test_results_of_jobs_are_the_arguments_of_others(store):
    *_, top = diamond()
    assert do(store, top).failures == []
    assert store.load(top).values == {'sum': 52}


def test_nothing_finished_is_done_twice(store, tmp_path):
    log = tmp_path / 'log'
    first = functions.logged.job('first', log=str(log))
    do(store, first)
    do(store, functions.logged.job('second', log=str(log), needs=[first]), first)
    do(store, functions.logged.job('second', log=str(log), needs=[first]))
    assert log.read_text() == 'x\n' * 2


@pytest.mark.parametrize('stop_before', range(4))
def test_stopped_anywhere_it_goes_on_without_doing_anything_again(store, stop_before):
    jobs = diamond()

    def interrupt(address):
        if len(first.order) == stop_before:
            raise KeyboardInterrupt

    first = Here(interrupt)
    with pytest.raises(KeyboardInterrupt):
        do(store, jobs[-1], executor=first)
    second = Here()
    do(store, jobs[-1], executor=second)
    assert len(first.order) == stop_before
    assert sorted(first.order + second.order) == sorted(job.address for job in jobs)
    assert store.load(jobs[-1]).values == {'sum': 52}


def test_what_a_crash_left_half_written_is_not_taken_for_a_result(store):
    job = functions.add.job('a', first=1)
    partial = store.folder(job).with_name(store.folder(job).name + '.partial')
    partial.mkdir(parents=True)
    (partial / 'record.json').write_text('{}')
    assert not store.has(job)
    do(store, job)
    assert store.load(job).values == {'sum': 11}
    assert not partial.exists()


def test_a_failed_job_stops_only_those_who_need_it(store):
    bad = functions.fail.job('bad', how='user')
    needs = functions.logged.job('needs', log='unused', needs=[bad])
    needs_that = functions.logged.job('needs that', log='unused', needs=[needs])
    good = functions.add.job('good', first=1)
    outcome = do(store, needs_that, good)
    assert outcome.failures == [(bad, Failure('a file is missing; give another'))]
    assert outcome.skipped == [needs, needs_that]
    assert store.load(good).values == {'sum': 11}
    assert not store.has(bad)
    assert 'a file is missing' in store.error_file(bad).read_text()


def test_a_failed_job_is_tried_again_the_next_time(store, tmp_path):
    marker = tmp_path / 'log'
    job = functions.logged.job('log', log=str(marker / 'log'))
    assert len(do(store, job).failures) == 1  # there is no such folder
    assert store.error_file(job).exists()
    marker.mkdir()
    assert do(store, job).failures == []
    assert not store.error_file(job).exists()


def test_a_damaged_record_is_named_and_its_job_done_again(store):
    job = functions.add.job('a', first=1)
    do(store, job)
    (store.folder(job) / 'record.json').write_text('{"seconds": 1')
    work = Work.of([job], store)
    assert list(work.todo) == list(work.damaged) == [job.address]
    assert 'record.json: is truncated' in work.damaged[job.address]


# --- how long it takes ---------------------------------------------------------------------------


def chains(store, *lengths):
    """Chains of jobs of a second each."""
    ends = []
    for number, length in enumerate(lengths):
        job = functions.add.job('start', first=100 * number)
        for _ in range(length - 1):
            job = functions.add.job('next', first=job)
        ends.append(job)
    return Work.of(ends, store)


@pytest.mark.parametrize(
    ('lengths', 'workers', 'expected'),
    [
        ([3], 1, 3),
        ([3], 5, 3),
        ([1] * 7, 2, 4),
        ([4, 1, 1, 1, 1], 2, 4),  # the long chain first
        ([2, 2, 2], 0, 6),  # a cluster whose workers are still to come
    ],
)
def test_the_forecast_plays_the_work_through(store, lengths, workers, expected):
    assert chains(store, *lengths).duration(workers) == pytest.approx(expected)


def test_the_forecast_counts_what_runs_already_has_behind_it(store):
    work = chains(store, 2, 1)
    first = next(iter(work.todo))
    assert work.duration(1, {first: 0.75}) == pytest.approx(2.25)
    assert work.duration(2, {first: 5.0}) == pytest.approx(2.0)  # overdue: a fifth more, then one


def test_estimates_learn_from_what_jobs_took(store):
    job, slow = functions.add.job('a', first=1), functions.mean.job('m', of={})
    estimates = Estimates([job, slow])
    assert (estimates.seconds(job), estimates.seconds(slow)) == (1.0, 2.0)
    estimates.learn(job, 3.0)
    assert estimates.seconds(job) == pytest.approx(3.0)
    assert estimates.seconds(slow) == pytest.approx(6.0)  # the machine is slower in all
    estimates.learn(slow, 1.0)
    assert estimates.seconds(slow) == pytest.approx(1.0)


def test_estimates_come_from_earlier_runs_too(store):
    job = functions.add.job('a', first=1)
    do(store, job)
    path = store.folder(job) / 'record.json'
    path.write_text(json.dumps({**store.record(job), 'seconds': 50.0}))
    work = Work.of([job, functions.add.job('b', first=2)], store)
    assert work.duration(1) == pytest.approx(50.0)


def test_the_longest_chain_is_started_first(store):
    work = chains(store, 1, 1, 3)
    order = Here()
    expected = work.jobs[list(work.jobs)[2]]
    run(work, store, order, lambda status: None)
    assert order.order[0] == expected.address


def test_statuses_count_jobs(complete):
    bad = functions.fail.job('bad', how='other')
    needs = functions.logged.job('needs', log='unused', needs=[bad])
    _, statuses = complete(*diamond(), needs)
    last = statuses[-1]
    assert (last.done, last.failed, last.jobs) == (4, 2, 6)
    assert last.seconds_left == 0
    assert last.running == []


def test_success_and_failure_do_not_depend_on_threads(store):
    outcomes = []
    job = functions.arrays.job('a', seed=1, size=10)
    thread = threading.Thread(target=lambda: outcomes.append(perform(job.call({}))))
    thread.start()
    thread.join()
    assert isinstance(outcomes[0], Success)
    assert outcomes[0].files == perform(job.call({})).files

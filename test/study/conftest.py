# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest

from neuron_reach.learning.kernels import use_one_core
from neuron_reach.study.engine.executors import LocalExecutor
from neuron_reach.study.engine.runner import Work, run
from neuron_reach.study.engine.store import Store
from study.tiny import STUDIES, TINY, tiny_studies


@pytest.fixture(scope='session', autouse=True)
def one_thread():
    use_one_core()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / 'results')


@pytest.fixture(scope='session')
def processes():
    """An executor of two processes for all tests, as they take seconds to start."""
    executor = LocalExecutor(2)
    yield executor
    executor.close()


@pytest.fixture
def complete(store, processes):
    """Does jobs in processes of this machine and returns the outcome and all statuses."""

    def do(*jobs, executor=processes):
        statuses = []
        outcome = run(Work.of(jobs, store), store, executor, statuses.append)
        return outcome, statuses

    return do


@pytest.fixture
def easy():
    """Has the studies of figures 2 and 3 train networks that learn within a second."""
    with tiny_studies():
        yield


@pytest.fixture(scope='session')
def done(tmp_path_factory, processes):
    """The studies of figures 2 and 3, done: their store and their plans."""
    store = Store(tmp_path_factory.mktemp('studies'))
    with tiny_studies():
        plans = {name: module.plan(TINY) for name, module in STUDIES.items()}
    jobs = [job for plan in plans.values() for job in plan.jobs]
    work = Work.of(jobs, store)
    assert run(work, store, processes, lambda status: None).failures == []
    return store, plans

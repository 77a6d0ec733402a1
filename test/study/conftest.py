import pytest

from neuron_reach.learning.kernels import use_one_core
from neuron_reach.study.engine.executors import LocalExecutor
from neuron_reach.study.engine.runner import Work, run
from neuron_reach.study.engine.store import Store


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

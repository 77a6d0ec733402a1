import pytest

from neuron_reach.study.engine.jobs import perform, with_inputs
from neuron_reach.study.engine.results import StoredResult, write_files
from neuron_reach.study.studies import Results
from study.fig5.small_networks import MISSING, tiny_plan


@pytest.fixture(scope='session')
def outcome(tmp_path_factory):
    """The study of small networks, one of them missing, and its results."""
    with pytest.MonkeyPatch.context() as patch:
        plan = tiny_plan(patch, missing=MISSING)
    folder = tmp_path_factory.mktemp('study')
    for job in with_inputs(plan.jobs):
        done = perform(job.call({needed.address: folder / needed.address for needed in job.inputs}))
        write_files(done.files, folder / job.address)
    return plan, Results(lambda job: StoredResult(folder / job.address))

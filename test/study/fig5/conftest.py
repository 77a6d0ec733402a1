# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

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

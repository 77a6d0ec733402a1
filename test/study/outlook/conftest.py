# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest
from easy import EASY

from neuron_reach.study.engine.jobs import perform
from neuron_reach.study.engine.results import StoredResult, write_files
from neuron_reach.study.networks import training_jobs
from neuron_reach.study.reductions import Source


class Doer:
    """Does jobs in this process and keeps their results."""

    def __init__(self, folder):
        self.folder = folder

    def do(self, job):
        place = self.folder / job.address
        if not place.exists():
            inputs = {needed.address: self.do(needed).folder for needed in job.inputs}
            outcome = perform(job.call(inputs))
            write_files(outcome.files, place)
        return StoredResult(place)


@pytest.fixture(scope='module')
def doer(tmp_path_factory):
    return Doer(tmp_path_factory.mktemp('results'))


@pytest.fixture(scope='module')
def trained(doer):
    (job,) = training_jobs(EASY, [3], 1, test_episodes=100)
    return Source(job, 3, '1 joint, 2 x 16')

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

from easy import EASY

from neuron_reach.study import verdict
from neuron_reach.study.networks import training_jobs
from neuron_reach.study.outlook import training_study
from study.given_up import results_with


def test_networks_that_are_given_up_are_not_among_the_trained():
    jobs = {'arm': training_jobs(EASY, range(6), 3)}

    def section(*given_up):
        return training_study._section(jobs, results_with(lambda job, seed: seed in given_up))

    assert section().findings[0].verdict == verdict.CONFIRMED
    found = section(4)
    assert found.findings[0].verdict == verdict.DIFFERS
    assert found.findings[0].ours.startswith('5 of 6 networks')
    ((_, trained, *_),) = found.items[1].rows
    assert trained == '5 of 6'
    few = training_study._section(
        {'arm': training_jobs(EASY, range(4), 4)}, results_with(lambda *_: False)
    )
    assert few.findings[0].verdict == verdict.INCONCLUSIVE

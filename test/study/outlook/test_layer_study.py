# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import numpy as np
from easy import EASY

from neuron_reach.study.html_report import Picture
from neuron_reach.study.networks import network_name, training_jobs
from neuron_reach.study.outlook import layer_study
from neuron_reach.study.outlook.layer_study import remove
from neuron_reach.study.reductions import Source
from neuron_reach.study.studies import Results
from study.given_up import results_with


def test_nothing_comes_of_a_network_that_is_missing(doer, trained):
    job = remove.job(
        'r',
        source=trained.job,
        name='seed_99',
        seed=99,
        step=1,
        episodes=10,
        max_episodes=100,
        test_episodes=10,
    )
    assert doer.do(job).values == {'members': []}


def test_layers_are_removed_until_one_is_left(doer, trained):
    plan = layer_study.plan_of([trained], steps=2, episodes=20, max_episodes=4000)
    first, second = (doer.do(job) for job in plan.jobs[1:])
    assert first.values['removed'] == 1 + np.argmin(first.values['missed'])
    assert len(first.values['missed']) == 2
    assert first.checkpoint(network_name(3)).network.sizes == (4, 16, 3)
    (member,) = first.values['members']
    assert member['trained'] is not None
    assert second.values == {'members': []}
    (section,) = plan.sections(Results(doer.do))
    picture, table = section.items
    assert [row[1] for row in table.rows] == ['1 of 1', '1 of 1', '0 of 0']
    assert isinstance(picture, Picture)
    (empty,) = plan.sections(Results(lambda job: None))
    assert empty.items == ()


def test_networks_that_are_given_up_have_no_duration():
    (job,) = training_jobs(EASY, [3], 1, test_episodes=100)
    plan = layer_study.plan_of([Source(job, 3, 'n')], steps=2, episodes=20, max_episodes=4000)

    def passed(given_up):
        (section,) = plan.sections(results_with(given_up))
        return [row[1] for item in section.items[1:] for row in item.rows]

    assert passed(lambda job, seed: False) == ['1 of 1'] * 3
    removal = 'remove layer'
    first = passed(lambda job, seed: job.label.startswith(f'{removal} 1'))
    assert first == ['1 of 1', '0 of 1', '0 of 0']
    assert passed(lambda job, seed: job.label.startswith(f'{removal} 2'))[2] == '0 of 1'
    assert passed(lambda job, seed: job.function.name == 'train') == []

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

from types import SimpleNamespace

import pytest
import torch
from easy import EASY

from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Training
from neuron_reach.study.engine.results import JobResult
from neuron_reach.study.html_report import Picture, Table
from neuron_reach.study.networks import training_jobs
from neuron_reach.study.outlook import transfer_study
from neuron_reach.study.outlook.transfer_study import COPIED, MAPPED, transfer
from neuron_reach.study.reductions import Source
from neuron_reach.study.studies import Results
from study.given_up import results_with


def transfer_job(source, start, **changes):
    arguments = {
        'source': source.job,
        'name': source.name,
        'options': EASY,
        'seed': 5,
        'start': start,
        'transform': 'balanced',
        'test_episodes': 100,
    }
    return transfer.job('t', **{**arguments, **changes})


@pytest.fixture
def started(doer, trained, monkeypatch):
    """Returns the network that a transfer begins to train, and the trained source."""
    seen = []
    source = doer.do(trained.job)

    def watched(training, test_episodes):
        seen.append(training.learner.online.copy())
        return JobResult({'members': []})

    monkeypatch.setattr('neuron_reach.study.networks.run_training', watched)

    def start(how):
        transfer.call(**{**transfer_job(trained, how).arguments, 'source': source})
        return seen[-1], source.checkpoint(trained.name).network

    return start


def test_mapped_to_its_own_arm_a_network_is_what_it_was(started):
    network, source = started(MAPPED)
    assert torch.allclose(network.flat, source.flat)


def test_a_mapped_network_is_tested_before_it_is_trained(doer, trained):
    result = doer.do(transfer_job(trained, MAPPED))
    _, successes, played = result.values['members'][0]['validations'][0]
    assert successes / played > 0.85


def test_a_copied_network_starts_with_fresh_ends(started):
    network, source = started(COPIED)
    fresh = Training(Setup.from_values({**EASY, 'seed': 5}, 'test')).learner.online
    for layer, origin in enumerate((fresh, source, fresh)):
        assert torch.equal(network.weights[layer], origin.weights[layer])


def member(duration, first=(0, 200, 300)):
    return {
        'seed': 0,
        'trained': None if duration is None else duration + 200,
        'first_pass': duration,
        'validations': [list(first)],
    }


def test_the_report_on_transfer_says_what_was_saved(trained):
    networks = {n: [Source(trained.job, 3, f'{n}')] * 6 for n in (2, 3)}
    plan = transfer_study.plan_of(networks, 100)
    jobs = {(job.label, n): job for n, job in enumerate(plan.jobs)}
    assert sum('mapped from 2' in label for label, _ in jobs) == 6

    def get(job):
        if job is trained.job:
            return SimpleNamespace(values={'members': [{**member(2000), 'seed': 3}]})
        duration = 500 if job.arguments['start'] == MAPPED else None
        return SimpleNamespace(values={'members': [member(duration)]})

    (section,) = plan.sections(Results(get))
    picture, table = section.items
    assert isinstance(picture, Picture)
    assert isinstance(table, Table)
    assert table.rows[:3] == [
        ['2-3', 'fresh', '6 of 6', '2,000 ± 0'],
        ['2-3', 'copied', '0 of 6', '', 'unknown', '0.67 ± 0.00'],
        ['2-3', 'mapped', '6 of 6', '500 ± 0', '1,500 (1,500 to 1,500)', '0.67 ± 0.00'],
    ]
    (empty,) = plan.sections(Results(lambda job: None))
    assert empty.items == ()


def test_nothing_comes_of_a_network_that_is_missing(doer, trained):
    missing = {'name': 'seed_99'}
    assert doer.do(transfer_job(trained, MAPPED, **missing)).values == {'members': []}


def test_networks_that_are_given_up_save_nothing():
    (job,) = training_jobs(EASY, [3], 1, test_episodes=100)
    plan = transfer_study.plan_of({n: [Source(job, 3, f'{n}')] * 5 for n in (2, 3)}, 100)
    (section,) = plan.sections(results_with(lambda job, _: job.arguments.get('start') == MAPPED))
    shares = {row[1]: row[2] for row in section.items[1].rows if row[0] == '2-3'}
    assert shares == {'fresh': '5 of 5', COPIED: '5 of 5', MAPPED: '0 of 5'}

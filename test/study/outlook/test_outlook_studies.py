"""The studies of the paper's outlook: transfer between arms, pruning of whole layers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from easy import EASY

from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Training
from neuron_reach.study.engine.jobs import perform
from neuron_reach.study.engine.results import JobResult, StoredResult, write_files
from neuron_reach.study.html_report import Picture, Table
from neuron_reach.study.networks import network_name, training_jobs
from neuron_reach.study.outlook import layer_study, transfer_study
from neuron_reach.study.outlook.layer_study import remove
from neuron_reach.study.outlook.transfer_study import COPIED, MAPPED, transfer
from neuron_reach.study.reductions import Source
from neuron_reach.study.studies import Results


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


def test_nothing_comes_of_a_network_that_is_missing(doer, trained):
    missing = {'name': 'seed_99'}
    assert doer.do(transfer_job(trained, MAPPED, **missing)).values == {'members': []}
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

"""Networks that were given up count as given up in every study.

Of each pair one has passed a validation test that a second one did not confirm: it has a first
pass, but was never trained.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from easy import EASY

from neuron_reach.study import reductions, verdict
from neuron_reach.study.fig3 import size_study, tau_study
from neuron_reach.study.fig3.size_study import ReductionMeasures, reductions_of
from neuron_reach.study.fig3.tau_study import TauMeasures, sweeps_of
from neuron_reach.study.networks import training_jobs
from neuron_reach.study.outlook import layer_study, training_study, transfer_study
from neuron_reach.study.outlook.transfer_study import COPIED, MAPPED
from neuron_reach.study.reductions import Source, sources
from neuron_reach.study.studies import Results
from study.test_reductions import TINY

LIMIT = TINY.retraining_episodes


def member(seed, first_pass, *, given_up=False):
    return {
        'seed': seed,
        'first_pass': first_pass,
        'trained': None if given_up else first_pass + 200,
        'accuracy': 0.5 if given_up else 0.95,
        'updates': 10,
        'validations': [[0, 200, 300]],
    }


@pytest.fixture
def easy(monkeypatch):
    for module in (reductions, tau_study, size_study):
        monkeypatch.setattr(module, 'ANALYSED', EASY)


def done(given_up):
    """Return results: every job succeeds but those that `given_up` tells of."""

    def get(job):
        arguments = job.arguments
        name = job.function.name
        if name == 'train':
            seeds = arguments['seeds']
            values = {'members': [member(s, 1000, given_up=given_up(job, s)) for s in seeds]}
        elif name == 'prune':
            pruned = {f'tau_{tau:g}': {'hidden': [8, 8], 'accuracy': 0.7} for tau in TINY.taus}
            values = {'pruned': pruned}
        elif name == 'prune samples':
            values = {'samples': {f'tau_{tau:g}': {'accuracies': [0.6, 0.8]} for tau in TINY.taus}}
        else:
            seed = arguments['seed']
            values = {'members': [member(seed, 400, given_up=given_up(job, seed))]}
            values |= {'accuracy': 0.7, 'removed': 1, 'missed': [0.1, 0.2]}
        checkpoint = SimpleNamespace(metadata={'hidden': [16, 16]})
        return SimpleNamespace(values=values, checkpoint=lambda name: checkpoint)

    return Results(get)


def test_in_the_study_of_tau_they_have_no_duration_and_count_with_the_limit(easy):
    sweeps = sweeps_of(sources(EASY, 2, 2), TINY)

    def given_up(job, seed):
        return job.function.name == 'retrain' and job.arguments['name'] == 'tau_0.5' and seed == 1

    found = TauMeasures(sweeps, done(given_up), TINY)
    lost = found.at(0.5)
    assert np.argwhere(np.isnan(found.duration)).tolist() == [[1, lost]]
    assert found.bounded[1].tolist() == [400.0, 400.0, 400.0, LIMIT]
    assert (found.bounded[0] == 400.0).all()
    table = tau_study._table(found)
    shares = [row[table.header.index('given up')] for row in table.rows]
    assert shares == ['0 of 2'] * lost + ['1 of 2']
    assert found.accuracy == pytest.approx(0.7)  # the mean over the samples
    assert found.deviation == pytest.approx(0.02**0.5)


def test_in_the_study_of_sizes_they_are_left_out_and_told_by_step(easy):
    groups = reductions_of(TINY)
    ((_, group),) = groups.items()

    def given_up(job, seed):
        return job.function.name == 'retrain' and job.arguments['step'] == 2 and seed == 1

    found = ReductionMeasures(group, done(given_up))
    assert (len(found), found.tried, found.lost) == (1, 2, [0, 1, 0])
    assert found.duration.tolist() == [[1000.0, 400.0, 400.0, 400.0]]
    rows = size_study._table({16: found}).rows
    assert [row[-1] for row in rows] == ['', '0 of 2', '1 of 2', '0 of 2']
    never = ReductionMeasures(group, done(lambda job, seed: job.function.name == 'train'))
    assert (len(never), never.lost) == (0, [0, 0, 0])


def test_in_the_study_of_layers_they_have_no_duration():
    (job,) = training_jobs(EASY, [3], 1, test_episodes=100)
    plan = layer_study.plan_of([Source(job, 3, 'n')], steps=2, episodes=20, max_episodes=4000)

    def passed(given_up):
        (section,) = plan.sections(done(given_up))
        return [row[1] for item in section.items[1:] for row in item.rows]

    assert passed(lambda job, seed: False) == ['1 of 1'] * 3
    removal = 'remove layer'
    first = passed(lambda job, seed: job.label.startswith(f'{removal} 1'))
    assert first == ['1 of 1', '0 of 1', '0 of 0']
    assert passed(lambda job, seed: job.label.startswith(f'{removal} 2'))[2] == '0 of 1'
    assert passed(lambda job, seed: job.function.name == 'train') == []


def test_in_the_study_of_transfer_they_save_nothing():
    (job,) = training_jobs(EASY, [3], 1, test_episodes=100)
    plan = transfer_study.plan_of({n: [Source(job, 3, f'{n}')] * 5 for n in (2, 3)}, 100)
    (section,) = plan.sections(done(lambda job, _: job.arguments.get('start') == MAPPED))
    shares = {row[1]: row[2] for row in section.items[1].rows if row[0] == '2-3'}
    assert shares == {'fresh': '5 of 5', COPIED: '5 of 5', MAPPED: '0 of 5'}


def test_in_the_study_of_training_they_are_not_among_the_trained():
    jobs = {'arm': training_jobs(EASY, range(6), 3)}

    def section(*given_up):
        return training_study._section(jobs, done(lambda job, seed: seed in given_up))

    assert section().findings[0].verdict == verdict.CONFIRMED
    found = section(4)
    assert found.findings[0].verdict == verdict.DIFFERS
    assert found.findings[0].ours.startswith('5 of 6 networks')
    ((_, trained, *_),) = found.items[1].rows
    assert trained == '5 of 6'
    few = training_study._section({'arm': training_jobs(EASY, range(4), 4)}, done(lambda *_: False))
    assert few.findings[0].verdict == verdict.INCONCLUSIVE

import json

import numpy as np
import pytest
from easy import EASY

from neuron_reach.analysis import PruningOptions
from neuron_reach.analysis.activity import analyze, pairs
from neuron_reach.common.random_streams import training_streams
from neuron_reach.records.recording import record_checkpoint
from neuron_reach.study import paper, reductions
from neuron_reach.study.engine import runner
from neuron_reach.study.engine.store import Store
from neuron_reach.study.fig2 import activity_jobs, activity_study
from neuron_reach.study.fig2.activity_jobs import PRUNED, RANDOM, TRAINED, describe_distances
from neuron_reach.study.fig3 import size_study, tau_study
from neuron_reach.study.fig3.size_study import ReductionMeasures
from neuron_reach.study.reductions import sources
from neuron_reach.study.reporting import make_report
from neuron_reach.study.studies import Results
from study.test_reductions import TINY

ANALYSED = {**EASY, 'hidden': [16, 16, 16]}
STUDIES = {'fig2': activity_study, 'fig3-left': tau_study, 'fig3-right': size_study}


@pytest.fixture(scope='module')
def easy():
    """Has the studies train networks that learn within a second."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (reductions, *STUDIES.values()):
            patch.setattr(module, 'ANALYSED', ANALYSED)
        yield


@pytest.fixture(scope='module')
def done(easy, tmp_path_factory, processes):
    """All three studies, done."""
    store = Store(tmp_path_factory.mktemp('studies'))
    plans = {name: module.plan(TINY) for name, module in STUDIES.items()}
    jobs = [job for plan in plans.values() for job in plan.jobs]
    work = runner.Work.of(jobs, store)
    assert runner.run(work, store, processes, lambda status: None).failures == []
    return store, plans


def section_of(done, name):
    store, plans = done
    (section,) = plans[name].sections(Results(store.load))
    return section


@pytest.mark.parametrize(
    ('name', 'prefixes'),
    [
        ('fig2', ('fig2_',)),
        ('fig3-left', ('fig3_size', 'fig3_tau0', 'fig3_small', 'fig3_middle', 'fig3_large')),
        ('fig3-right', ('fig3_first', 'fig3_wide', 'fig3_plateau', 'fig3_taper', 'fig3_hour')),
    ],
)
def test_every_statement_of_the_paper_is_decided(done, name, prefixes):
    section = section_of(done, name)
    texts = {finding.statement for finding in section.findings}
    statements = [key for key in paper.names()[1] if key.startswith(prefixes)]
    assert len(statements) > 4
    assert {paper.statement(key).text for key in statements} <= texts
    assert all(finding.reason for finding in section.findings)
    assert {finding.verdict for finding in section.findings} == {'inconclusive'}  # of 2 networks
    text = section.html()
    assert '<svg' in text
    assert 'nan' not in text


def test_a_report_of_fewer_networks_is_marked_in_every_section_and_figure(done):
    store, plans = done
    report = make_report(
        'all', TINY, list(plans.values()), store, runner.Outcome([], []), 'command'
    )
    assert len(report.sections) == len(plans)
    assert all(section.title.endswith('(quick)') for section in report.sections)
    assert report.mark.startswith('quick: 2 networks per condition')


@pytest.mark.parametrize('name', STUDIES)
def test_without_results_there_is_a_section_that_says_so(easy, name):
    (section,) = STUDIES[name].plan(TINY).sections(Results(lambda job: None))
    assert section.html()
    assert not section.findings


def test_the_studies_share_their_jobs(done):
    _, plans = done
    steps, taus = (
        {job.address for job in plans[name].jobs if job.function.name == 'retrain'}
        for name in ('fig2', 'fig3-left')
    )
    assert len(steps) == TINY.networks * reductions.STEPS
    assert len(taus) == TINY.networks * len(TINY.taus)
    assert len(steps & taus) == TINY.networks


def test_activity_is_that_of_the_analysis_and_of_the_same_goals(done):
    store, _ = done
    source = sources(ANALYSED, TINY.networks, TINY.stack)[1]
    (course,) = activity_jobs.courses_of([source], TINY)
    checkpoint = store.load(source.job).checkpoint(source.name)
    goals = training_streams(source.seed)['record']
    record = record_checkpoint(checkpoint, TINY.distance_episodes, goals)
    expected = analyze(record.select(record.hidden), PruningOptions())
    found = store.load(course.activities[TRAINED])
    everything = pairs(expected.distances)
    assert found.values['everything'] == json.loads(json.dumps(describe_distances(everything)))
    for number, layer in enumerate(record.hidden):
        values = found.values['layers'][number]
        assert values['mean'] == pytest.approx(pairs(expected.within(layer)).mean())
        assert values['dead'] == record.dead()[layer]
        assert np.array_equal(found.arrays[f'tree_{layer}'], expected.clustering.trees[layer])
    width = np.diff(found.arrays['edges'])
    assert (found.arrays['layers'] * width).sum(axis=1) == pytest.approx(1.0)
    untrained = store.load(course.activities[RANDOM]).values
    assert [layer['neurons'] for layer in untrained['layers']] == list(record.sizes[1:-1])
    assert untrained['everything'] != found.values['everything']
    pruned = store.load(course.activities[PRUNED]).values
    assert sum(layer['neurons'] for layer in pruned['layers']) < sum(record.sizes[1:-1])


@pytest.mark.parametrize(
    ('values', 'bimodality'),
    [
        (np.random.default_rng(0).normal(5.0, 1.0, 200_000), 1 / 3),
        (np.linspace(0.0, 1.0, 100_001), 5 / 9),
        (np.array([0.0, 1.0] * 50), 1.0),
    ],
)
def test_bimodality_tells_bells_from_humps(values, bimodality):
    assert describe_distances(values)['bimodality'] == pytest.approx(bimodality, abs=0.01)


def test_distances_of_dead_neurons_count_as_zero_and_are_told_apart():
    found = describe_distances(np.array([0.0, 0.0, 2.0, 4.0]))
    assert found['mean'] == 1.5
    assert found['alive_mean'] == 3.0
    assert describe_distances(np.zeros(3))['mean'] == describe_distances(np.zeros(0))['mean'] == 0.0


# --- verdicts on made-up reductions -----------------------------------------------------------


def outcome(before, *steps, networks=20, noise=1.0):
    """Networks whose sizes scatter about those given, step by step."""
    made = object.__new__(ReductionMeasures)
    generator = np.random.default_rng(before)
    sizes = np.array([np.broadcast_to(before, 6), *steps], float)
    scatter = generator.normal(0.0, noise, (networks, *sizes.shape))
    scatter[:, 0] = 0.0
    made.hidden = sizes + scatter
    return made


PAPER = [51.6, 21.0, 15.9, 12.6, 10.2, 16.7]


def verdicts(found):
    """Return the verdict on each statement, and those on the published sizes."""
    made = {finding.statement: finding.verdict for finding in size_study._findings(found)}
    named = {
        name: made[paper.statement(name).text]
        for name in paper.names()[1]
        if paper.statement(name).text in made
    }
    return named, [word for text, word in made.items() if text.startswith('Mean size of')]


def test_reductions_like_the_paper_s_are_confirmed():
    first = [60, 25, 19, 15, 12, 20]
    wide = {width: outcome(width, first, np.array(PAPER) + 0.3, PAPER) for width in (128, 256, 512)}
    small = outcome(48, [35, 30, 26, 22, 18, 14], *[[34, 29, 25, 21, 17, 13]] * 2)
    named, sizes = verdicts({48: small, **wide})
    shapes = ('fig3_first_step', 'fig3_wide_alike', 'fig3_taper', 'fig3_hourglass')
    assert {named[name] for name in shapes} == {'confirmed'}
    assert sizes == ['confirmed'] * 6


def test_reductions_of_another_shape_are_not():
    slow = [200, 190, 180, 170, 160, 150]
    named, sizes = verdicts(
        {
            48: outcome(48, *[[10, 12, 14, 16, 18, 20]] * 3),
            128: outcome(128, [90] * 6, [60] * 6, [20, 25, 30, 35, 40, 10]),
            256: outcome(256, slow, [140] * 6, [90] * 6),
            512: outcome(512, [300] * 6, [100] * 6, [80] * 6),
        }
    )
    shapes = ('fig3_wide_alike', 'fig3_plateau', 'fig3_taper', 'fig3_hourglass')
    assert {named[name] for name in shapes} == {'differs'}
    assert sizes == ['differs'] * 6


def test_what_a_scale_leaves_out_is_not_confirmed():
    named, sizes = verdicts({48: outcome(48, *[[30] * 6] * 3)})
    assert named['fig3_wide_alike'] == named['fig3_hourglass'] == 'inconclusive'
    assert sizes == []

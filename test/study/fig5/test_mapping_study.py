import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from neuron_reach.analysis import (
    input_samples,
    input_transform,
    intervals,
    map_records,
    run_network,
)
from neuron_reach.common.random_streams import fresh_goals
from neuron_reach.learning.checkpoint import describe
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member
from neuron_reach.records.recording import record_checkpoint
from neuron_reach.study import paper, verdict
from neuron_reach.study.engine.jobs import function, perform, with_inputs
from neuron_reach.study.engine.results import JobResult, StoredResult, write_files
from neuron_reach.study.fig5 import mapping_jobs, mapping_study
from neuron_reach.study.fig5.mapping_findings import STATEMENTS, findings
from neuron_reach.study.fig5.mapping_values import DIRECTIONS, Chosen, Maps
from neuron_reach.study.html_report import Picture, Table
from neuron_reach.study.studies import SCALES, Results


@function('test.networks', version=1, seconds=lambda **_: 1.0)
def networks(joints, count, missing):
    setup = Setup.from_values({'joints': joints, 'hidden': [9, 7, 6, 6, 5, 8], 'arms': 10}, 'test')
    made = {}
    for seed in range(count):
        if seed == missing:
            continue
        network = QNetwork(setup.layer_sizes)
        network.initialize([torch.Generator().manual_seed(10 * joints + seed)], 0.5)
        made[f'seed_{seed}'] = (network, describe(setup, Member(seed), None))
    return JobResult({}, networks=made)


COUNTS = {2: 2, 3: 5, 4: 3}
MISSING = 1
"""One of the networks for 4 joints."""


def tiny_plan(monkeypatch, missing=None):
    """Plan the study of a few small networks by joints that nobody has to train."""
    monkeypatch.setattr(mapping_study, 'EPISODES', 10)
    made = {}
    for joints, count in COUNTS.items():
        lost = missing if joints == 4 else None
        job = networks.job('n', joints=joints, count=count, missing=lost)
        made[joints] = [{'result': job, 'name': f'seed_{seed}'} for seed in range(count)]
    return mapping_study.plan_of(made, [])


@pytest.fixture(scope='module')
def outcome(tmp_path_factory):
    """The study of small networks, one of them missing, and its results."""
    with pytest.MonkeyPatch.context() as patch:
        plan = tiny_plan(patch, missing=MISSING)
    folder = tmp_path_factory.mktemp('study')
    for job in with_inputs(plan.jobs):
        done = perform(job.call({needed.address: folder / needed.address for needed in job.inputs}))
        write_files(done.files, folder / job.address)
    return plan, Results(lambda job: StoredResult(folder / job.address))


def maps_of(plan, results):
    jobs = {}
    for job in plan.jobs:
        if job.function is mapping_jobs.map_onto:
            source, target = (int(job.label[place]) for place in (4, 6))
            jobs.setdefault((source, target, job.arguments['transform']), []).append(job)
    return Maps(jobs, results)


def test_every_statement_on_figure_5_is_judged_once(outcome, monkeypatch):
    plan, results = outcome
    monkeypatch.setattr(intervals, 'RESAMPLES', 500)
    (section,) = plan.sections(results)
    published = [name for name in paper.names()[1] if name.startswith('fig5')]
    assert sorted(STATEMENTS) == sorted(published)
    assert [f.statement for f in section.findings] == [paper.statement(n).text for n in STATEMENTS]
    assert all('missing' not in finding.reason for finding in section.findings)
    assert 'error 0.0000' in section.findings[0].ours  # networks mapped onto themselves
    assert any(finding.verdict != verdict.INCONCLUSIVE for finding in section.findings)
    assert [type(item) for item in section.items] == [Picture] * 3 + [Table] * 2


def test_pairs_are_complete_but_for_the_missing_network_and_networks_themselves(outcome):
    maps = maps_of(*outcome)
    for direction in DIRECTIONS:
        pairs = maps.pairs(Chosen(direction), 'error')
        expected = np.ones([COUNTS[joints] for joints in direction], bool)
        if direction[0] == direction[1]:
            np.fill_diagonal(expected, False)
        expected[MISSING] &= direction[0] != 4
        expected[:, MISSING] &= direction[1] != 4
        assert np.array_equal(np.isfinite(pairs.values), expected)
        assert (pairs.sources == pairs.targets) == (direction[0] == direction[1])
        random = maps.pairs(Chosen(direction, mapping_jobs.RANDOM), 'error')
        expected = np.ones([COUNTS[joints] for joints in direction], bool)
        expected[:, MISSING] &= direction[1] != 4
        assert np.array_equal(np.isfinite(random.values), expected)
        assert random.sources not in (pairs.sources, pairs.targets)
        table = maps.table(Chosen(direction))
        assert table.shape == (7, 7)
        assert np.nansum(table, axis=0) == pytest.approx(np.isfinite(table[0]).astype(float))
    naive = {d: maps.jobs.get((*d, mapping_jobs.NAIVE)) for d in DIRECTIONS}
    assert {d for d, jobs in naive.items() if jobs} == {(2, 4), (4, 2), (3, 4), (4, 3)}


def test_a_job_maps_as_the_map_command_does(outcome, tmp_path):
    from neuron_reach.learning.checkpoint import load_checkpoint
    from neuron_reach.records.networks import Network
    from neuron_reach.workflows.map import MapOptions, PairMapper

    plan, results = outcome
    job = next(job for job in plan.jobs if job.label == 'map 2-4, naive, target 0')
    found = results.get(job)
    folders = [
        results.get(ref['result']).folder / 'checkpoints' / ref['name']
        for ref in (job.arguments['sources'][1], job.arguments['target'])
    ]
    assert [load_checkpoint(folder).setup.arm.joints for folder in folders] == [2, 4]
    source, target = (Network(str(folder), folder, None) for folder in folders)
    options = MapOptions(transforms=('naive',), episodes=10)
    ((pair,), _) = PairMapper([source], [target], options).run(lambda done, text: None)
    assert (pair.saturation, pair.coverage, pair.samples) == (
        pytest.approx(found.arrays['saturation'][1]),
        pytest.approx(found.arrays['coverage'][1]),
        found.values['mappings'][1]['samples'],
    )
    assert found.arrays['layers'][1] == pytest.approx(pair.layers, nan_ok=True)


@pytest.mark.parametrize('label', ['map 3-3, balanced, target 0', 'map 2-3, balanced, target 4'])
def test_a_job_maps_on_samples_and_is_judged_on_fresh_episodes(outcome, label):
    """By hand: its errors are those of other episodes than the sampled ones."""
    plan, results = outcome
    job = next(job for job in plan.jobs if job.label == label)
    arguments, found = job.arguments, results.get(job)

    def load(reference):
        return results.get(reference['result']).checkpoint(reference['name'])

    target, stand_in = load(arguments['target']), load(arguments['stand_in']).network
    goals = fresh_goals(target.metadata['seed'])
    own = [record_checkpoint(target, 10), record_checkpoint(target, 10, goals)]
    assert not (own[0].goals == own[1].goals).any()
    others = [run_network(stand_in, record) for record in own]
    number = 0
    for source in arguments['sources']:
        network = load(source)
        transform = input_transform(target=3, source=network.setup.arm.joints)
        ran = [run_network(network.network, record, transform) for record in own]
        onto = others if source['kind'] == mapping_jobs.RANDOM_BOTH else own
        for mapping in map_records(
            target=onto[0],
            source=ran[0],
            target_validation=onto[1],
            source_validation=ran[1],
            samples=input_samples(own[0]),
            regularisations=arguments['lassos'],
            greedy=arguments['greedy'],
        ):
            for name in ('error', 'saturation', 'coverage', 'layers'):
                expected = getattr(mapping, name)
                assert found.arrays[name][number] == pytest.approx(expected, nan_ok=True)
            errors = zip(mapping.target_layers, mapping.layer_errors, strict=True)
            hidden = sum(error for name, error in errors if name.startswith('hidden'))
            assert found.arrays['hidden_error'][number] == pytest.approx(hidden[0] / hidden[1])
            if source['kind'] != mapping_jobs.REFLEXIVE:
                assert mapping.error != pytest.approx(hidden[0] / hidden[1], rel=1e-4)
                assert mapping.error != pytest.approx(mapping.sample_error, rel=1e-4)
            number += 1
    assert number == len(found.arrays['error'])


def test_random_networks_of_two_arms_are_not_the_same_draws(outcome):
    plan, results = outcome
    jobs = [job for job in plan.jobs if job.function is mapping_jobs.random_networks]
    draws = []
    for job in jobs:
        first = results.get(job).checkpoint('random_0').network.weights[0][0].flatten()
        draws.append((first / first.abs().max())[:20])
    assert len(draws) == 3
    for one, other in itertools.combinations(draws, 2):
        assert not torch.allclose(one, other, atol=0.1)


def test_random_networks_have_the_mean_size_of_networks_of_different_sizes():
    def network(*hidden):
        setup = Setup.from_values({'joints': 1, 'hidden': hidden}, 'test')
        checkpoint = SimpleNamespace(network=QNetwork(setup.layer_sizes), setup=setup)
        result = SimpleNamespace(find_checkpoint=lambda name: checkpoint)
        return {'result': result, 'name': 'n'}

    trained = [network(9, 4), network(5, 3), network(5, 3)]
    made = mapping_jobs.random_networks.call(trained=trained, seed=0, count=2)
    assert made.values['hidden'] == pytest.approx([19 / 3, 10 / 3])
    assert [network.sizes for network, _ in made.networks.values()] == [(4, 6, 3, 3)] * 2


def test_random_networks_have_the_mean_size(outcome):
    plan, results = outcome
    job = next(job for job in plan.jobs if job.function is mapping_jobs.random_networks)
    result = results.get(job)
    assert result.values['hidden'] == [9, 7, 6, 6, 5, 8]
    first, second = (result.checkpoint(f'random_{n}').network for n in range(2))
    assert first.sizes[1:-1] == (9, 7, 6, 6, 5, 8)
    assert not np.array_equal(first.flat.numpy(), second.flat.numpy())
    assert (first.biases[0] == 0).all()


def test_without_results_nothing_is_claimed(monkeypatch):
    plan = tiny_plan(monkeypatch)
    nothing = Results(lambda job: None)
    (section,) = plan.sections(nothing)
    assert {finding.verdict for finding in section.findings} == {verdict.INCONCLUSIVE}
    assert findings(maps_of(plan, nothing)) == section.findings


def test_networks_are_shared_with_the_other_studies():
    from neuron_reach.study.fig3 import size_study
    from neuron_reach.study.outlook import training_study

    for scale in SCALES.values():
        plan = mapping_study.plan(scale)
        mine = {job.address for job in with_inputs(plan.jobs)}
        others = [
            job
            for study in (training_study, size_study)
            for job in with_inputs(study.plan(scale).jobs)
            if job.address in mine
        ]
        kinds = [job.function.name for job in others]
        assert kinds.count('retrain') == 3 * scale.networks_by_joints
        trained = {job.address for job in plan.jobs + others if job.function.name == 'train'}
        assert trained == {a.address for a in with_inputs(plan.jobs) if a.function.name == 'train'}


def test_the_first_networks_that_could_be_reduced_are_picked(tmp_path):
    made = networks.job('networks', joints=2, count=4, missing=1)
    candidates = [{'result': made, 'name': f'seed_{seed}'} for seed in (1, 0, 3, 2)]
    picked = mapping_jobs.reduced_networks.job('pick', candidates=candidates, count=2)
    for job in (made, picked):
        done = perform(job.call({made.address: tmp_path / made.address}))
        write_files(done.files, tmp_path / job.address)
    result = StoredResult(tmp_path / picked.address)
    assert result.values == {'tried': 3}
    weights = [result.checkpoint(f'network_{n}').network.flat for n in range(2)]
    source = StoredResult(tmp_path / made.address)
    for found, seed in zip(weights, (0, 3), strict=True):
        assert torch.equal(found, source.checkpoint(f'seed_{seed}').network.flat)
    assert len(result.checkpoints()) == 2

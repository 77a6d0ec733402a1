# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from neuron_reach.analysis import (
    input_samples,
    input_transform,
    map_records,
    run_network,
)
from neuron_reach.common.random_streams import fresh_goals
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.records.recording import record_checkpoint
from neuron_reach.study.engine.jobs import perform
from neuron_reach.study.engine.results import StoredResult, write_files
from neuron_reach.study.fig5 import mapping_jobs
from study.fig5.small_networks import networks


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
    mapper = PairMapper(sources=[source], targets=[target], options=options)
    ((pair,), _) = mapper.run(lambda done, text: None)
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
            lams=arguments['lassos'],
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

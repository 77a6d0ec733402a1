# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses

import numpy as np
import pytest

import neuron_reach as nr
from neuron_reach.analysis.distances import neuron_distances
from neuron_reach.analysis.merging import prune
from neuron_reach.learning.checkpoint import load_checkpoint
from neuron_reach.records.networks import find_networks
from neuron_reach.workflows.map import MapOptions, PairMapper


def test_analyze_looks_at_the_hidden_layers_or_those_named(record):
    found = nr.analyze(record, tau=0.3)
    assert found.record.layers == ('hidden_1', 'hidden_2')
    assert found.options.tau == 0.3
    np.testing.assert_array_equal(found.distances, neuron_distances(found.record))
    np.testing.assert_array_equal(found.distances, nr.distances(found.record))
    assert {name: len(labels) for name, labels in found.clusters.items()} == {
        'hidden_1': 12,
        'hidden_2': 8,
    }
    assert nr.analyze(record, layers=['hidden_2', 'output']).record.sizes == (8, 9)
    assert nr.distances(record, record).shape == (35, 35)


def test_analyze_takes_any_activations():
    values = np.random.default_rng(0).random((4, 6, 5))
    found = nr.analyze(nr.ActivityRecord.from_arrays({'fc1': values}))
    assert found.dead == {'fc1': 0} and found.distances.shape == (5, 5)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'tau': -0.1}, 'tau must be'),
        ({'tau': float('nan')}, 'tau must be'),
        ({'linkage': 'ward'}, 'linkage must be .*within'),
        ({'layers': ['hidden_9']}, "no layer 'hidden_9'"),
        ({'layers': ['hidden_1', 'output']}, 'do not follow'),
    ],
)
def test_options_out_of_range_are_one_line(record, options, message):
    with pytest.raises(nr.UserError, match=message):
        nr.analyze(record, **options)


def test_prune_is_that_of_the_analysis_and_can_be_saved(policy, record, folders, tmp_path):
    found = nr.prune(policy, record, tau=0.4)
    expected = prune(
        load_checkpoint(folders[2]).network, record, nr.analyze(record, tau=0.4).options
    )
    assert found.sizes == expected.network.sizes and found.sizes != policy.sizes
    saved = nr.load(found.save(tmp_path / 'pruned'))
    observations = record.activations[:, :, :6]
    np.testing.assert_array_equal(saved.outputs(observations), found.policy.outputs(observations))
    assert saved.record(episodes=5).sizes == found.policy.record(episodes=5).sizes == found.sizes
    assert 'path' not in found.policy.record(episodes=5).network


def test_prune_refuses_the_record_of_another_network(policy, record, folders):
    noise = np.random.default_rng(0).normal(0.0, 0.1, record.activations.shape)
    other = dataclasses.replace(
        record, activations=(record.activations + noise).astype(np.float32), network={}
    )
    with pytest.raises(nr.UserError, match='the record: is not of'):
        nr.prune(policy, other)
    with pytest.raises(nr.UserError, match='the record: is not of'):
        nr.prune(policy, dataclasses.replace(record, network={'digest': '0'}))
    with pytest.raises(ValueError, match=r'\(12, 8\), those of the record are \(9, 7\)'):
        nr.prune(policy, nr.load(folders[1]).record(episodes=5))


@pytest.mark.parametrize(('source', 'target'), [(1, 2), (2, 1), (2, 2)])
def test_map_gives_what_the_command_gives(folders, source, target):
    (given,), (onto,) = (find_networks(folders[joints]) for joints in (source, target))
    mapper = PairMapper(sources=[given], targets=[onto], options=MapOptions(episodes=10))
    ((pair,), _) = mapper.run(lambda *_: None)
    found = nr.map(source=nr.load(folders[source]), target=nr.load(folders[target]), episodes=10)
    for name in ('error', 'sample_error', 'saturation', 'coverage', 'samples'):
        assert getattr(found, name) == pytest.approx(getattr(pair, name), rel=1e-9, abs=1e-9), name
    np.testing.assert_allclose(found.layers, pair.layers)
    low, high = found.interval
    assert low - 1e-9 <= found.error <= high + 1e-9


def test_map_takes_records_transforms_and_greedy(policy, record, folders):
    other = nr.load(folders[1])
    fresh = policy.record(episodes=6, seed=5)
    found = nr.map(source=other, target=policy, record=record, validation=fresh, greedy=True)
    assert found.method == 'greedy' and found.saturation == 0.0
    named, given = (
        nr.map(source=other, target=policy, record=record, validation=fresh, transform=transform)
        for transform in ('naive', [[1.0, 0.0]])
    )
    assert named.error == given.error
    with pytest.raises(nr.UserError, match='one of naive, balanced, duplicate'):
        nr.map(source=other, target=policy, transform='best', record=record, validation=fresh)
    with pytest.raises(nr.UserError, match='at least 0'):
        nr.map(source=other, target=policy, lam=-1, record=record, validation=fresh)
    with pytest.raises(ValueError, match='does not fit a target with layers'):
        nr.map(source=other, target=policy, record=record.select(['hidden_1']), validation=fresh)
    with pytest.raises(ValueError, match='does not act on observations of 6'):
        nr.map(source=policy, target=policy, transform=np.eye(3), record=record, validation=fresh)

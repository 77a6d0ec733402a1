# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import json

import numpy as np
import pytest

from neuron_reach.analysis import PruningOptions
from neuron_reach.analysis.activity import analyze, pairs
from neuron_reach.common.random_streams import training_streams
from neuron_reach.records.recording import record_checkpoint
from neuron_reach.study.fig2 import activity_jobs
from neuron_reach.study.fig2.activity_jobs import PRUNED, RANDOM, TRAINED, describe_distances
from neuron_reach.study.reductions import sources
from study.tiny import ANALYSED, TINY


def test_activity_is_that_of_the_analysis_and_of_the_same_goals(easy, done):
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

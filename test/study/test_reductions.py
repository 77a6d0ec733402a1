# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import itertools

import pytest
from easy import EASY

from neuron_reach.analysis import PruningOptions
from neuron_reach.analysis import prune as prune_directly
from neuron_reach.common.random_streams import step_seed
from neuron_reach.records.recording import record_checkpoint
from neuron_reach.study import paper, reductions
from neuron_reach.study.reductions import (
    TAU,
    prune_job,
    prune_samples_job,
    reduction,
    retrain_job,
    sources,
)
from neuron_reach.study.studies import SCALES
from neuron_reach.workflows.prune import count_successes, sample_streams
from study.tiny import TINY


def test_networks_are_pruned_and_trained_on_as_by_hand(store, complete):
    source = sources(EASY, 1, 1)[0]
    pruned = prune_job(source, TINY, (0.0, TAU))
    retrained = retrain_job(source, TINY, pruned)
    assert complete(retrained)[0].failures == []

    checkpoint = store.load(source.job).checkpoint('seed_0')
    record = record_checkpoint(checkpoint, TINY.pruning_episodes)
    for tau, name in ((0.0, 'tau_0'), (TAU, 'tau_0.2')):
        expected = prune_directly(checkpoint.network, record, PruningOptions(tau=tau))
        found = store.load(pruned).checkpoint(name)
        assert found.network.flat.equal(expected.network.flat)
        values = store.load(pruned).values['pruned'][name]
        assert tuple(values['hidden']) == expected.network.sizes[1:-1]
        assert values['dead'] == list(expected.dead.values())
        goals = sample_streams(checkpoint, 0)[1]
        assert values['accuracy'] * 300 == count_successes(found.setup, found.network, goals)

    (member,) = store.load(retrained).values['members']
    assert member['trained'] is not None
    trained = store.load(retrained).checkpoint(f'seed_{step_seed(0, 1)}')
    assert trained.setup.learning.hidden == found.setup.learning.hidden
    assert trained.metadata['validation']['training_duration'] == member['first_pass']
    first_look = member['validations'][0]
    assert first_look[0] == 0  # the pruned network itself


def test_every_sample_has_its_own_episodes_and_its_own_test(store, complete):
    source = sources(EASY, 1, 1)[0]
    job = prune_samples_job(source, TINY, (TAU, 0.5))
    assert complete(job)[0].failures == []
    checkpoint = store.load(source.job).checkpoint('seed_0')
    found = store.load(job).values['samples']
    for sample in (1, 2):
        record_goals, _ = sample_streams(checkpoint, sample)
        record = record_checkpoint(checkpoint, TINY.pruning_episodes, record_goals)
        for tau in (TAU, 0.5):
            expected = prune_directly(checkpoint.network, record, PruningOptions(tau=tau)).network
            own = found[f'tau_{tau:g}']
            assert tuple(own['hidden'][sample - 1]) == expected.sizes[1:-1]
            _, test_goals = sample_streams(checkpoint, sample)
            successes = count_successes(checkpoint.setup, expected, test_goals)
            assert own['accuracies'][sample - 1] * 300 == successes
    assert len(set(found[f'tau_{TAU:g}']['accuracies'])) == 2


def test_what_is_given_up_leaves_later_steps_empty_and_stops_nothing(store, complete):
    source = sources({**EASY, 'max_episodes': 50}, 1, 1)[0]
    steps = reduction(source, TINY)
    assert complete(steps[-1].trained)[0].failures == []
    assert store.load(source.job).values['members'][0]['trained'] is None
    for step in steps:
        assert store.load(step.pruned).values == {'pruned': {}}
        assert store.load(step.trained).values == {'members': []}


def test_steps_build_on_each_other_with_their_own_random_streams():
    steps = reduction(sources(EASY, 1, 1)[0], TINY)
    assert len(steps) == paper.number('reduction_steps').value
    for before, after in itertools.pairwise(steps):
        assert after.pruned.arguments['source'] is before.trained
        assert after.pruned.arguments['name'] == before.trained_name
    assert len({step.trained_name for step in steps}) == len(steps)


def test_the_paper_s_tau_is_the_default_and_among_those_compared():
    assert PruningOptions().tau == TAU
    for scale in SCALES.values():
        assert {0.0, TAU} < set(scale.taus)


@pytest.mark.parametrize('narrow', [32, 128])
def test_wider_networks_are_expected_to_take_longer(narrow):
    def seconds(width, name):
        job = getattr(reduction(sources({'hidden': width}, 1, 1)[0], TINY)[0], name)
        return job.seconds

    for name in ('pruned', 'trained'):
        assert 0.0 < seconds(narrow, name) < seconds(4 * narrow, name)


def test_the_analysed_networks_are_the_paper_s():
    assert reductions.ANALYSED == {'joints': 3, 'hidden': 48}

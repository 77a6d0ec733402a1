# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses
import importlib
import pkgutil

import numpy as np
import pytest

import neuron_reach
from neuron_reach.analysis.activity import DORMANT, analyze, choose_layers
from neuron_reach.analysis.merging import prune
from neuron_reach.analysis.options import PruningOptions
from neuron_reach.errors import UserError
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.records.record import ActivityRecord


def analyzed(arrays, **options):
    return analyze(ActivityRecord.from_arrays(arrays), PruningOptions(**options))


def test_dead_and_dormant_neurons_are_counted_by_layer():
    ones = np.ones((3, 10))
    hidden = ones[..., None] * [0.0, 1.0, 1.0, DORMANT * 0.5, -1.0]
    found = analyzed({'input': ones[..., None], 'hidden_1': hidden, 'hidden_2': 0.0 * hidden})
    assert found.dead == {'hidden_1': 1, 'hidden_2': 5}
    assert found.dormant == {'hidden_1': 2, 'hidden_2': 5}  # negative activity is activity
    assert repr(found).count('\n') == 0
    assert "dead {'hidden_1': 1, 'hidden_2': 5}" in repr(found)


def test_the_score_of_a_dormant_neuron_is_relative_to_the_mean_of_its_layer():
    """Scores are 4 a / (3 + a); a = 0.3 / 3.9 has a score of DORMANT."""
    limit = 3 * DORMANT / (4 - DORMANT)
    for share, expected in ((0.99, 1), (1.01, 0)):
        found = analyzed({'hidden_1': np.ones((9, 1)) * [1.0, 1.0, 1.0, share * limit]})
        assert found.dormant == {'hidden_1': expected}


def test_padding_after_the_end_of_an_episode_does_not_count():
    values = np.random.default_rng(0).random((2, 5, 3))
    record = ActivityRecord.from_arrays({'hidden_1': values}, lengths=[5, 2])
    found = analyze(record, PruningOptions())
    seen = np.concatenate((values[0], values[1, :2]))
    np.testing.assert_allclose(found.means, seen.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.maxima, seen.max(axis=0), rtol=1e-6)


def test_layers_are_chosen_by_name_or_role():
    ones = np.ones((2, 1))
    record = ActivityRecord.from_arrays({'fc1': ones, 'output': ones, 'fc2': ones, 'input': ones})
    assert choose_layers(record, [], everything=False) == ['fc1', 'fc2']
    assert choose_layers(record, ['fc2', 'fc1'], everything=False) == ['fc1', 'fc2']
    assert choose_layers(record, [], everything=True) == ['input', 'fc1', 'fc2', 'output']
    with pytest.raises(UserError, match=r"no layer 'fc3' .*; there are input, fc1, fc2, output"):
        choose_layers(record, ['fc3'], everything=False)
    with pytest.raises(UserError, match='fc1, output do not follow each other'):
        choose_layers(record, ['fc1', 'output'], everything=False)
    with pytest.raises(UserError, match='no hidden layers, only output'):
        choose_layers(ActivityRecord.from_arrays({'output': ones}), [], everything=False)


def test_a_record_of_arrays_prunes_as_one_that_was_played(random_record):
    record = random_record(equal=True)
    network = QNetwork(record.sizes)
    network.flat.uniform_(-1.0, 1.0)
    arrays = {name: record.layer(name) for name in record.hidden}
    ours, theirs = (
        prune(network, given).network for given in (ActivityRecord.from_arrays(arrays), record)
    )
    assert ours.sizes == theirs.sizes and (ours.flat == theirs.flat).all()


def test_without_steps_there_is_no_activity(random_record):
    record = random_record()
    empty = dataclasses.replace(record, lengths=np.zeros_like(record.lengths))
    with pytest.raises(ValueError, match='without steps'):
        analyze(empty, PruningOptions())


def test_results_that_hold_arrays_are_compared_by_identity():
    """The `==` that dataclasses make would raise, as the truth of an array is ambiguous."""
    holders = 0
    for folder in ('analysis', 'learning', 'records', 'api'):
        for module in pkgutil.iter_modules([f'{neuron_reach.__path__[0]}/{folder}']):
            loaded = importlib.import_module(f'neuron_reach.{folder}.{module.name}')
            for value in vars(loaded).values():
                if not dataclasses.is_dataclass(value) or value.__module__ != loaded.__name__:
                    continue
                kinds = [str(field.type) for field in dataclasses.fields(value)]
                if any('Array' in kind or kind in ('Single', 'Integers') for kind in kinds):
                    holders += 1
                    assert value.__eq__ is object.__eq__, value
    assert holders > 5

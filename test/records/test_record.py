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

from neuron_reach.records import record as record_module
from neuron_reach.records.record import ActivityRecord


def test_layers_are_found_by_their_names(random_record):
    record = random_record()
    assert (record.episodes, record.neurons) == (6, 19)
    assert record.hidden == ('hidden_1', 'hidden_2')
    assert record.columns('hidden_2') == slice(11, 16)
    assert np.array_equal(record.layer('hidden_2'), record.activations[:, :, 11:16])
    with pytest.raises(ValueError, match='hidden_1, hidden_2'):
        record.columns('hidden_3')


def test_a_selection_is_a_view_of_neighbouring_layers(random_record):
    record = random_record()
    part = record.select(['hidden_1', 'hidden_2'])
    assert part.sizes == (7, 5)
    assert np.shares_memory(part.activations, record.activations)
    assert np.array_equal(part.layer('hidden_2'), record.layer('hidden_2'))
    for layers in ([], ['input', 'hidden_2'], ['hidden_2', 'hidden_1']):
        with pytest.raises(ValueError, match='do not follow'):
            record.select(layers)


def test_the_first_episodes(random_record):
    part = random_record().first(2)
    assert part.episodes == len(part.goals) == len(part.rewards) == 2
    assert part.activations.shape[0] == 2


def test_blocks_are_the_record_whatever_their_size(random_record, monkeypatch):
    record = random_record(episodes=7)
    for size in (1, 2 * record.activations[0].nbytes, 2**30):
        monkeypatch.setattr(record_module, 'BLOCK_BYTES', size)
        blocks = list(record.blocks())
        assert np.array_equal(np.concatenate(blocks), record.activations)
        assert len(blocks[0]) == {1: 1, 2**30: 7}.get(size, 2)
        assert np.array_equal(record.maxima(), abs(record.activations).max((0, 1)))
    assert len(blocks) == 1


@pytest.mark.parametrize('size', [1, 2**30], ids=['blocks of one episode', 'one block'])
@pytest.mark.parametrize(
    ('episode', 'neuron', 'layer'),
    [
        (0, 0, 'input'),
        (2, 3, 'input'),
        (3, 4, 'hidden_1'),
        (5, 10, 'hidden_1'),
        (1, 11, 'hidden_2'),
        (5, 18, 'output'),
    ],
)
def test_the_first_of_what_is_not_finite_is_named(
    random_record, monkeypatch, size, episode, neuron, layer
):
    monkeypatch.setattr(record_module, 'BLOCK_BYTES', size)
    record = random_record(equal=True)
    assert record.not_finite() is None
    for bad in (np.nan, np.inf, -np.inf):
        record.activations[episode, 4, neuron] = bad
        assert record.not_finite() == (episode, layer)
    record.activations[-1, -1, -1] = np.nan  # a later one
    assert record.not_finite() == (episode, layer)


def test_dead_neurons_are_counted_by_hidden_layer(random_record):
    record = random_record()
    record.activations[:, :, [0, 5, 6, 12]] = 0.0
    assert record.dead() == {'hidden_1': 2, 'hidden_2': 1}


def test_neurons_of_functions_other_than_relu_are_dead_if_they_never_change():
    """Padding does not count: it is 0 for all."""
    values = np.random.default_rng(0).uniform(-1.0, 1.0, (4, 6, 3)).astype(np.float32)
    values[..., 1], lengths = -0.7, [6, 2, 4, 6]
    rectified = np.maximum(values, 0.0)
    rectified[..., 2] = 0.7
    arrays = {'input': values, 'tanh': values, 'sigmoid': values + 2.0, 'relu': rectified}
    record = ActivityRecord.from_arrays({**arrays, 'output': values}, lengths)
    assert record.dead() == {'tanh': 1, 'sigmoid': 1, 'relu': 1}
    dead = np.reshape(record.dead_neurons(), (5, 3))
    assert not dead[[0, 4]].any()  # inputs and outputs are as they are
    assert dead[1:4].tolist() == [[False, True, False]] * 3
    assert record.first(1).select(['tanh']).dead() == {'tanh': 1}
    one = ActivityRecord.from_arrays({'tanh': values[0, :1]})
    assert one.dead() == {'tanh': 0}  # a single step says nothing about change


@pytest.mark.parametrize('name', ['lengths', 'goals', 'rewards', 'layers', 'sizes'])
def test_shapes_that_do_not_fit_are_refused(random_record, name):
    record = random_record()
    with pytest.raises(ValueError):
        dataclasses.replace(record, **{name: getattr(record, name)[1:]})


@pytest.mark.parametrize('dtype', [np.float64, np.float32, np.float16, np.int32, bool])
def test_a_record_of_arrays_of_any_type_and_order(dtype):
    draw = np.random.default_rng(0)
    output, hidden = ((draw.random((2, 3, size)) * 9).astype(dtype) for size in (4, 5))
    record = ActivityRecord.from_arrays(
        {'output': np.asfortranarray(output), 'hidden_1': np.repeat(hidden, 2, axis=1)[:, ::2]}
    )
    assert record.layers == ('hidden_1', 'output') and record.sizes == (5, 4)
    assert record.activations.dtype == np.float32 and record.activations.flags.c_contiguous
    np.testing.assert_array_equal(record.layer('output'), output.astype(np.float32))
    np.testing.assert_array_equal(record.layer('hidden_1'), hidden.astype(np.float32))
    assert record.lengths.tolist() == [3, 3]
    assert np.isnan(record.goals).all() and np.isnan(record.rewards).all()
    assert repr(record) == 'ActivityRecord(2 episodes, 6 steps; neurons: hidden_1 5, output 4)'


def test_samples_are_a_single_episode():
    record = ActivityRecord.from_arrays({'hidden_1': [[1, 2], [3, 4], [5, 6]]})
    assert record.activations.tolist() == [[[1, 2], [3, 4], [5, 6]]]


def test_values_after_the_end_of_an_episode_do_not_count():
    values = np.full((2, 3, 1), np.nan)
    values[0], values[1, :1] = 1.0, 2.0
    record = ActivityRecord.from_arrays({'hidden_1': values}, lengths=[3, 1])
    assert record.activations[..., 0].tolist() == [[1, 1, 1], [2, 0, 0]]
    assert np.isnan(values[1, 1])  # those of the caller are left as they are


ONES = np.ones((2, 3, 4))


@pytest.mark.parametrize(
    ('arrays', 'lengths', 'message'),
    [
        ({}, None, 'at least one layer'),
        ({'hidden_1': np.ones(3)}, None, r'not \(3,\)'),
        ({'hidden_1': np.ones((1, 2, 3, 4))}, None, r'not \(1, 2, 3, 4\)'),
        ({'hidden_1': np.ones((0, 3))}, None, r'not \(0, 3\)'),
        ({'hidden_1': np.ones((2, 3, 0))}, None, r'not \(2, 3, 0\)'),
        ({'a': ONES, 'b': ONES[:, :2]}, None, r'b of shape \(2, 2, 4\) .* a of shape \(2, 3, 4\)'),
        ({'a': ONES, 'b': ONES[0]}, None, r'b of shape \(3, 4\) .* a of shape \(2, 3, 4\)'),
        ({'a': ONES * np.nan}, None, 'activations of a in episode 0 are not finite'),
        ({'a': ONES, 'b': ONES * 1e300}, None, 'activations of b in episode 0 are not finite'),
        ({'a': ONES * 1j}, None, 'real numbers, not complex128'),
        ({'a': [['x']]}, None, 'real numbers, not <U1'),
        ({'a': ONES}, [3], r'activations are \(2,\), but there are \(1,\)'),
        ({'a': ONES}, [[3, 3]], 'lengths must'),
        ({'a': ONES}, [3, 4], 'from 0 to 3 steps'),
        ({'a': ONES}, [3, -1], 'from 0 to 3 steps'),
        ({'a': ONES}, [3.0, 2.5], 'whole numbers'),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, lengths, message):
    with pytest.raises(ValueError, match=message):
        ActivityRecord.from_arrays(arrays, lengths)

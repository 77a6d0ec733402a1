import dataclasses

import numpy as np
import pytest

from neuron_reach.records import record as record_module


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


@pytest.mark.parametrize('name', ['lengths', 'goals', 'rewards', 'layers', 'sizes'])
def test_shapes_that_do_not_fit_are_refused(random_record, name):
    record = random_record()
    with pytest.raises(ValueError):
        dataclasses.replace(record, **{name: getattr(record, name)[1:]})

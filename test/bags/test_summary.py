import dataclasses

import numpy as np
import pytest

from neuron_reach.bags import layout
from neuron_reach.bags.summary import summarize
from neuron_reach.bags.writer import BagWriter
from neuron_reach.errors import UserError

FLOAT32, FLOAT64 = 'std_msgs/msg/Float32MultiArray', 'std_msgs/msg/Float64MultiArray'
LAYERS = layout.layer_names(10)
ARMS, STEPS = 2, 3


@pytest.fixture
def write_activity(types):
    """Writes a bag of two arms' activity; `cycles` are the (episode, step) of each topic."""
    dimension = types.types['std_msgs/msg/MultiArrayDimension']

    def multiarray(kind, fill, *args, **options):
        empty = types.types['std_msgs/msg/MultiArrayLayout']([], 0)
        message = types.types[kind](empty, np.zeros(0, 'f' if kind == FLOAT32 else 'd'))
        fill(message, dimension, *args, **options)
        return types.serialize_cdr(message, kind)

    def write(path, storage='mcap', cycles=None, successes=(1, 0, 1, 1), width=5):
        cycles = cycles or {}
        usual = [(episode, step) for episode in (0, 2) for step in range(STEPS)]
        with BagWriter(path, storage) as bag:
            bag.add_topic('/arm/observation', FLOAT32)
            for episode, step in cycles.get('observation', usual):
                data = multiarray(
                    FLOAT32, layout.fill_fleet_step, np.ones((ARMS, 4)), episode, step, 'feature'
                )
                bag.write('/arm/observation', 10**9 * step, data)
            for layer in reversed(LAYERS):
                topic = f'/arm/{layout.activation_topic(layer)}'
                bag.add_topic(topic, FLOAT32)
                for episode, step in cycles.get(layer, usual):
                    values = np.ones((ARMS, width))
                    data = multiarray(FLOAT32, layout.fill_fleet_step, values, episode, step)
                    bag.write(topic, 10**9 * step, data)
            results = np.zeros((len(successes), len(layout.EPISODE_FIELDS)))
            results[:, -1] = successes
            bag.add_topic('/arm/episode', FLOAT64)
            bag.write('/arm/episode', 0, multiarray(FLOAT64, layout.fill_episodes, results))

    return write


def test_a_whole_bag(tmp_path, storage, write_activity):
    write_activity(tmp_path / 'bag', storage)
    summary = summarize(tmp_path / 'bag')
    assert summary.bags == (str(tmp_path / 'bag'),)
    assert summary.storage == storage
    assert summary.duration == STEPS - 1
    assert (summary.episodes, summary.success_rate) == (4, 0.75)
    assert (summary.arms, summary.steps) == (ARMS, 2 * STEPS * ARMS)
    assert list(summary.neurons.items()) == [(layer, 5) for layer in LAYERS]
    assert summary.messages['/arm/episode'] == 1
    assert summary.messages['/arm/activations/hidden_10'] == 2 * STEPS
    assert all(topic.unbroken for topic in summary.continuity.values())
    assert len(summary.continuity) == len(LAYERS) + 1
    assert summary.incomplete is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        summary.arms = 3


def test_gaps_and_repetitions_are_counted_by_topic(tmp_path, write_activity):
    cycles = {
        'hidden_1': [(0, 0), (0, 2), (2, 1), (2, 2)],
        'hidden_2': [(0, 0), (0, 1), (0, 1), (0, 2), (0, 0), (2, 0), (2, 1), (2, 2)],
        'hidden_3': [(0, 1), (0, 2), (8, 0), (8, 1)],
    }
    write_activity(tmp_path / 'bag', cycles=cycles)
    continuity = summarize(tmp_path / 'bag').continuity

    def found(layer):
        return dataclasses.astuple(continuity[f'/arm/activations/{layer}'])

    assert found('input') == (6, 0, 0, 0)
    assert found('hidden_1') == (4, 2, 0, 0)
    assert found('hidden_2') == (8, 0, 0, 2)
    assert found('hidden_3') == (4, 0, 6, 0)


def test_bags_are_added_up(tmp_path, write_activity):
    write_activity(tmp_path / 'a')
    write_activity(tmp_path / 'b', 'sqlite3', successes=(0, 0))
    summary = summarize([tmp_path / 'a', tmp_path / 'b'])
    assert summary.storage == 'mcap and sqlite3'
    assert (summary.episodes, summary.success_rate) == (6, 0.5)
    assert summary.duration == 2 * (STEPS - 1)
    assert summary.messages['/arm/observation'] == 4 * STEPS
    assert all(topic.unbroken for topic in summary.continuity.values())


def test_the_text_says_it_all(tmp_path, write_activity):
    write_activity(tmp_path / 'bag', cycles={'output': [(0, 0), (0, 2), (2, 0)]})
    text = str(summarize(tmp_path / 'bag'))
    assert '4, 75.0% successful' in text
    assert 'input 5, hidden_1 5, hidden_2 5' in text
    assert '1 steps missing' in text
    assert text.endswith('The bag is complete.')


def test_a_cut_bag_says_why(tmp_path, write_activity):
    write_activity(tmp_path / 'bag')
    file = tmp_path / 'bag' / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:-2000])
    summary = summarize(tmp_path / 'bag')
    assert 'bag.mcap' in summary.incomplete
    assert 'Incomplete' in str(summary).splitlines()[-1]


def test_a_bag_without_activity(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'bag', storage, ['text'])
    summary = summarize(tmp_path / 'bag')
    assert (summary.episodes, summary.success_rate, summary.steps) == (0, None, 0)
    assert summary.messages == {'/arm/checkpoint': 1}
    assert 'no activations recorded' in str(summary)


def test_two_networks_in_one_summary_are_refused(tmp_path, write_activity):
    write_activity(tmp_path / 'a')
    write_activity(tmp_path / 'b', width=6)
    with pytest.raises(UserError, match='two networks'):
        summarize([tmp_path / 'a', tmp_path / 'b'])


def test_messages_of_another_layout_are_named(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'bag', storage, ['text'], topic='/x/observation')
    with pytest.raises(UserError, match='/x/observation'):
        summarize(tmp_path / 'bag')
    with pytest.raises(UserError, match='no bag given'):
        summarize([])

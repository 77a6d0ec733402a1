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

from neuron_reach import messages
from neuron_reach.bags.seal import seal
from neuron_reach.bags.summary import summarize
from neuron_reach.bags.writer import BagWriter
from neuron_reach.errors import UserError

STRING = 'std_msgs/msg/String'
FLOAT32, FLOAT64 = 'std_msgs/msg/Float32MultiArray', 'std_msgs/msg/Float64MultiArray'
LAYERS = messages.layer_names(10)
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

    def write(
        path,
        storage='mcap',
        cycles=None,
        successes=(1, 0, 1, 1),
        width=5,
        layers=LAYERS,
        numbers=None,
        announced=(),
        commands=None,
    ):
        cycles = cycles or {}
        usual = [(episode, step) for episode in (0, 2) for step in range(STEPS)]
        with BagWriter(path, storage) as bag:
            bag.add_topic('/arm/observation', FLOAT32)
            for episode, step in cycles.get('observation', usual):
                data = multiarray(
                    FLOAT32, messages.fill_fleet_step, np.ones((ARMS, 4)), episode, step, 'feature'
                )
                bag.write('/arm/observation', 10**9 * step, data)
            for layer in reversed(layers):
                topic = f'/arm/{messages.activation_topic(layer)}'
                bag.add_topic(topic, FLOAT32)
                for episode, step in cycles.get(layer, usual):
                    values = np.ones((ARMS, width))
                    data = multiarray(FLOAT32, messages.fill_fleet_step, values, episode, step)
                    bag.write(topic, 10**9 * step, data)
            results = np.zeros((len(successes), len(messages.EPISODE_FIELDS)))
            results[:, 0] = range(len(successes)) if numbers is None else numbers
            results[:, 3] = STEPS
            results[:, -1] = successes
            bag.add_topic('/arm/episode', FLOAT64)
            bag.write('/arm/episode', 0, multiarray(FLOAT64, messages.fill_episodes, results))
            bag.add_topic('/arm/checkpoint', STRING)
            for checkpoint in announced:
                text = types.types[STRING](messages.encode_checkpoint(checkpoint))
                bag.write('/arm/checkpoint', 0, types.serialize_cdr(text, STRING))
            if commands is not None:
                topic = f'/arm/{messages.COMMANDS}'
                bag.add_topic(topic, FLOAT64)
                for sequence in range(commands):
                    targets = np.zeros((ARMS, 2)), sequence + 1
                    bag.write(topic, 0, multiarray(FLOAT64, messages.fill_commands, *targets))

    return write


def test_a_whole_bag(tmp_path, storage, write_activity):
    write_activity(tmp_path / 'bag', storage)
    summary = summarize(tmp_path / 'bag')
    assert summary.bags == (str(tmp_path / 'bag'),)
    assert summary.storage == storage
    assert summary.duration == STEPS - 1
    (robot,) = summary.robots.values()
    assert (robot.episodes, robot.success_rate) == (4, 0.75)
    assert (robot.arms, robot.steps) == (ARMS, 2 * STEPS * ARMS)
    assert list(robot.neurons.items()) == [(layer, 5) for layer in LAYERS]
    assert summary.messages['/arm/episode'] == 1
    assert summary.messages['/arm/activations/hidden_10'] == 2 * STEPS
    assert all(topic.unbroken for topic in summary.continuity.values())
    assert len(summary.continuity) == len(LAYERS) + 1
    assert summary.incomplete is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        robot.arms = 3


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
    write_activity(tmp_path / 'b', 'sqlite3', successes=(0, 0, 0, 1))
    summary = summarize([tmp_path / 'a', tmp_path / 'b'])
    assert summary.storage == 'mcap and sqlite3'
    robot = summary.robots['/arm']
    assert (robot.episodes, robot.success_rate) == (8, 0.5)
    assert summary.duration == 2 * (STEPS - 1)
    assert summary.messages['/arm/observation'] == 4 * STEPS
    assert all(topic.unbroken for topic in summary.continuity.values())


def test_the_text_contains_all_results(tmp_path, write_activity):
    write_activity(tmp_path / 'bag', cycles={'output': [(0, 0), (0, 2), (2, 0)]})
    text = str(summarize(tmp_path / 'bag'))
    assert '4, 75.0% successful' in text
    assert 'input 5, hidden_1 5, hidden_2 5' in text
    assert '1 steps missing' in text.splitlines()[-1]
    assert 'complete.' not in text


NETWORK, OTHER = 'a' * 64, 'b' * 64
STEP_3 = [(episode, step) for episode in (0, 2) for step in range(STEPS)]
CASES = {
    'complete': ({}, 'The bag is complete.'),
    'another number': ({'requested': 6}, 'Incomplete 4 of 6 episodes'),
    'a great number': ({'requested': 2**53}, f'Incomplete 4 of {2**53} episodes'),
    'others than requested': (
        {'numbers': [2, 3, 4, 5], 'cycles': {}},
        'Incomplete 4 of 4 episodes, but not 0 to 3',
    ),
    'more than requested': ({'requested': 2}, 'Incomplete 4 of 2 episodes'),
    'no number': ({'requested': None}, 'no number of episodes was requested'),
    'older version': ({'announced': []}, 'the bag does not say how many episodes'),
    'begun later': ({'numbers': [2, 3, 4, 5], 'requested': None}, 'begins at episode 0, step 0'),
    'no results': ({'successes': []}, 'Incomplete 0 of 4 episodes'),
    'a result twice': ({'numbers': [0, 1, 2, 2]}, '3 of 4 episodes; results of 1 episodes rep'),
    'a result less': (
        {'numbers': [0, 1, 3, 4], 'requested': None},
        'results of 1 episodes missing',
    ),
    'a layer less': ({'layers': [n for n in LAYERS if n != 'hidden_10']}, 'complete'),
    'no output': ({'layers': LAYERS[:-1]}, 'Incomplete no activations of output'),
    'a layer between': ({'layers': [n for n in LAYERS if n != 'hidden_3']}, 'of hidden_3'),
    'no activations': ({'layers': []}, 'no activations of input, output'),
    'no observations': ({'cycles': {'observation': []}}, 'observation: nothing'),
    'a whole round lost': ({'cycles': {'output': STEP_3[:3]}}, 'activations/output: 6 steps'),
    'lost at the end': ({'cycles': {'input': STEP_3[:-1]}}, 'activations/input: 10 steps'),
    'lost at the start': ({'cycles': {'input': STEP_3[1:]}}, 'begins at episode 0, step 1'),
    'lost between': ({'cycles': {'input': STEP_3[:1] + STEP_3[2:]}}, '1 steps missing'),
    'repeated': ({'cycles': {'observation': STEP_3 * 3}}, 'observation: 12 repeated'),
    'one longer, one shorter': (
        {'cycles': {'input': [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2), (2, 3)]}},
        'activations/input: 12 steps',
    ),
    'two announcements': ({'announced': [('x', 1, 0, NETWORK, 4)] * 2}, '2 announcements'),
    'two networks': (
        {'announced': [('x', 1, 0, NETWORK, 4), ('x', 2, 2, OTHER, 4)]},
        '2 announcements of weights',
    ),
}


@pytest.mark.parametrize(('change', 'words'), CASES.values(), ids=CASES)
def test_only_complete_bags_are_called_complete(tmp_path, write_activity, change, words):
    announced = [('x', 1, 0, NETWORK, change.pop('requested', 4))]
    checkpoints = [messages.CheckpointMessage(*one) for one in change.pop('announced', announced)]
    write_activity(tmp_path / 'bag', announced=checkpoints, **change)
    text = str(summarize(tmp_path / 'bag')).splitlines()[-1]
    assert words in text
    assert ('is complete' in text) == (words in ('complete', 'The bag is complete.'))


@pytest.mark.parametrize('recorded', [2 * STEPS - 2, 2 * STEPS, 2 * STEPS + 1])
def test_lost_commands_are_reported(tmp_path, write_activity, recorded):
    announced = [messages.CheckpointMessage('x', 1, 0, 'ab' * 32, 4)]
    write_activity(tmp_path / 'bag', announced=announced, commands=recorded)
    summary = summarize(tmp_path / 'bag')
    lost = recorded < 2 * STEPS
    assert summary.incomplete is None
    assert summary.missing == ({'/arm/joint_position_controller/commands': 2} if lost else {})
    assert ('The bag is complete.' in str(summary)) is not lost
    assert ('2 missing' in str(summary)) is lost
    assert (f'messages are missing on /arm/{messages.COMMANDS}.' in str(summary)) is lost


def test_a_seal_gives_the_number_of_episodes(tmp_path, write_activity):
    write_activity(tmp_path / 'bag')
    seal(tmp_path / 'bag', 5, NETWORK)
    summary = summarize(tmp_path / 'bag')
    assert summary.robots['/arm'].requested == 5
    assert summary.incomplete.startswith('4 of 5 episodes')
    assert 'Episodes   4 of 5, 75.0% successful' in str(summary)
    write_activity(tmp_path / 'other', announced=[messages.CheckpointMessage('x', 1, 0, OTHER, 4)])
    seal(tmp_path / 'other', 4, NETWORK)
    assert 'of another network' in summarize(tmp_path / 'other').incomplete


def test_a_truncated_bag_is_reported_as_incomplete(tmp_path, write_activity):
    write_activity(tmp_path / 'bag')
    file = tmp_path / 'bag' / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:-2000])
    summary = summarize(tmp_path / 'bag')
    assert 'bag.mcap' in summary.incomplete
    assert 'Incomplete' in str(summary).splitlines()[-1]


def test_a_bag_without_activity(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'bag', storage, ['text'])
    summary = summarize(tmp_path / 'bag')
    assert summary.robots == {}
    assert summary.messages == {'/arm/checkpoint': 1}
    assert 'no activations recorded' in str(summary)


def test_two_networks_in_one_summary_are_refused(tmp_path, write_activity):
    write_activity(tmp_path / 'a')
    write_activity(tmp_path / 'b', width=6)
    with pytest.raises(UserError, match='two networks'):
        summarize([tmp_path / 'a', tmp_path / 'b'])


def test_no_bag_is_an_error():
    with pytest.raises(UserError, match='no bag given'):
        summarize([])

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import array
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neuron_reach import messages
from neuron_reach.bags.storage import humble_types
from neuron_reach.messages import LayoutError

TYPES = humble_types()
Dimension = TYPES.types['std_msgs/msg/MultiArrayDimension']
Layout = TYPES.types['std_msgs/msg/MultiArrayLayout']
NAMES = {'f': 'std_msgs/msg/Float32MultiArray', 'd': 'std_msgs/msg/Float64MultiArray'}


def bag_message(code):
    return TYPES.types[NAMES[code]](Layout([], 0), np.zeros(0, code))


def rclpy_message(code):
    """Stands in for an rclpy message: its data are an `array.array`."""
    return SimpleNamespace(layout=SimpleNamespace(dim=[], data_offset=0), data=array.array(code))


MAKERS = pytest.mark.parametrize('make', [bag_message, rclpy_message])


@MAKERS
@pytest.mark.parametrize('code', ['f', 'd'])
@given(data=st.data())
def test_multiarray_comes_back_as_it_was(make, code, data):
    values = data.draw(arrays.arrays(code, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0)))
    prefix = data.draw(st.lists(st.integers(0, 2**24), max_size=3))
    labels = [f'axis{axis}' for axis in range(values.ndim)]
    message = make(code)
    messages.fill_multiarray(message, Dimension, values, labels, prefix)
    if make is bag_message:
        name = NAMES[code]
        message = TYPES.deserialize_cdr(TYPES.serialize_cdr(message, name), name)
    front, back = messages.read_multiarray(message)
    assert front.dtype == np.float64
    assert front.tolist() == prefix
    assert back.dtype == values.dtype
    assert back.shape == values.shape
    assert back.tobytes() == values.tobytes()
    assert [dim.label for dim in message.layout.dim] == labels


def test_strides_are_those_of_the_message_definition():
    message = rclpy_message('f')
    messages.fill_multiarray(message, Dimension, np.zeros((2, 3, 4)), 'abc')
    assert [dim.stride for dim in message.layout.dim] == [24, 12, 4]


@MAKERS
def test_a_message_can_be_filled_again_with_another_shape(make):
    message = make('f')
    messages.fill_fleet_step(message, Dimension, np.ones((2, 3)), 0, 0)
    dimensions = message.layout.dim
    messages.fill_fleet_step(message, Dimension, np.full((2, 3), 5), 4, 1)
    assert message.layout.dim is dimensions
    assert messages.read_fleet_step(message).values.tolist() == [[5.0] * 3] * 2
    messages.fill_fleet_step(message, Dimension, np.full((1, 2), 6), 4, 2)
    assert messages.read_fleet_step(message).values.tolist() == [[6.0, 6.0]]


def test_values_in_another_memory_order_are_stored_in_c_order():
    values = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    message = rclpy_message('d')
    messages.fill_multiarray(message, Dimension, values, 'ab')
    assert message.data.tolist() == [0, 1, 2, 3, 4, 5]


def test_reading_does_not_copy():
    message = rclpy_message('f')
    messages.fill_fleet_step(message, Dimension, np.ones((2, 3)), 0, 0)
    assert np.shares_memory(messages.read_multiarray(message)[1], np.asarray(message.data))


def test_a_message_without_layout_is_a_flat_list():
    message = rclpy_message('d')
    message.data.extend([1.0, 2.0, 3.0])
    prefix, values = messages.read_multiarray(message)
    assert prefix.size == 0
    assert values.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ('offset', 'dimensions', 'entries', 'words'),
    [
        (4, [], 3, 'data_offset is 4'),
        (0, [('a', 2, 4), ('b', 2, 2)], 3, 'take 4 entries'),
        (1, [('a', 3, 3)], 3, 'holds 2'),
        (0, [('a', 2, 2), ('b', 2, 4)], 4, 'not C order'),
        (0, [('a', 0, 0), ('b', 2**31, 0)], 3, 'take 0 entries'),
    ],
)
def test_inconsistent_layouts_are_refused(offset, dimensions, entries, words):
    message = rclpy_message('f')
    message.layout.data_offset = offset
    message.layout.dim = [Dimension(*dimension) for dimension in dimensions]
    message.data.extend([0.0] * entries)
    with pytest.raises(LayoutError, match=words):
        messages.read_multiarray(message)


def test_zero_strides_mean_c_order():
    message = rclpy_message('f')
    message.layout.dim = [Dimension('a', 2, 0), Dimension('b', 1, 0)]
    message.data.extend([1.0, 2.0])
    assert messages.read_multiarray(message)[1].tolist() == [[1], [2]]


@pytest.mark.parametrize(
    'message', [SimpleNamespace(data=''), TYPES.types['std_msgs/msg/String']('')]
)
def test_other_messages_are_no_multiarrays(message):
    with pytest.raises(LayoutError):
        messages.read_multiarray(message)


def test_filling_refuses_what_could_not_be_read_back():
    message = rclpy_message('f')
    with pytest.raises(LayoutError, match='not exact'):
        messages.fill_fleet_step(message, Dimension, np.zeros((1, 1)), 2**24 + 1, 0)
    with pytest.raises(LayoutError, match='labels'):
        messages.fill_fleet_step(message, Dimension, np.zeros(3), 0, 0)
    with pytest.raises(LayoutError, match='results of shape'):
        messages.fill_episodes(message, Dimension, np.zeros((2, 5)))


@given(
    values=arrays.arrays('f', arrays.array_shapes(min_dims=2, max_dims=2)),
    episode=st.integers(0, 2**24),
    step=st.integers(0, 10_000),
)
def test_fleet_steps_carry_episode_and_step(values, episode, step):
    message = bag_message('f')
    messages.fill_fleet_step(message, Dimension, values, episode, step)
    result = messages.read_fleet_step(message)
    assert (result.episode, result.step) == (episode, step)
    assert result.values.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    'prefix', [[], [1.0], [1.0, -1.0], [0.5, 1.0], [np.nan, 0.0], [np.inf, 0.0]]
)
def test_fleet_steps_need_whole_numbers_in_front(prefix):
    message = rclpy_message('f')
    message.data.extend([*prefix, 1.0])
    message.layout.data_offset = len(prefix)
    message.layout.dim = [Dimension('arm', 1, 1), Dimension('neuron', 1, 1)]
    with pytest.raises(LayoutError):
        messages.read_fleet_step(message)


def test_episode_results_come_back_and_need_all_fields():
    results = np.arange(12.0).reshape(2, 6)
    results[:, 5] = 0, 1
    message = bag_message('d')
    messages.fill_episodes(message, Dimension, results)
    assert messages.read_episodes(message).tolist() == results.tolist()
    messages.fill_multiarray(message, Dimension, results[:, :5], ('episode', 'field'))
    with pytest.raises(LayoutError):
        messages.read_episodes(message)
    for column, values in ((0, (-1, 0.5, np.nan, 1e300)), (5, (-1, 0.5, np.inf, 2))):
        for value in values:
            wrong = results.copy()
            wrong[1, column] = value
            messages.fill_episodes(message, Dimension, wrong)
            with pytest.raises(LayoutError):
                messages.read_episodes(message)
    results[0, 1:3] = results[0, 4:] = np.nan  # no goal, and nobody knows how it ended
    messages.fill_episodes(message, Dimension, results)
    np.testing.assert_array_equal(messages.read_episodes(message), results)


@pytest.mark.parametrize('sequence', [None, 0, 2**40])
def test_commands_carry_their_sequence_number(sequence):
    message = rclpy_message('d')
    messages.fill_commands(message, Dimension, np.ones((4, 3)), sequence)
    number, angles = messages.read_commands(message)
    assert number == sequence
    assert angles.shape == (4, 3)


def test_plain_commands_are_one_arms():
    message = rclpy_message('d')
    message.data.extend([0.1, 0.2])
    number, angles = messages.read_commands(message)
    assert number is None
    assert angles.tolist() == [[0.1, 0.2]]


def test_commands_refuse_what_is_none():
    message = rclpy_message('d')
    messages.fill_multiarray(message, Dimension, np.zeros((1, 1, 1)), 'abc')
    with pytest.raises(LayoutError):
        messages.read_commands(message)


@given(
    path=st.text(min_size=1),
    version=st.integers(0, 2**53),
    first=st.integers(0, 2**53),
    network=st.none() | st.text('0123456789abcdef', min_size=64, max_size=64),
    episodes=st.none() | st.integers(0, 2**53),
)
def test_checkpoints_come_back(path, version, first, network, episodes):
    checkpoint = messages.CheckpointMessage(path, version, first, network, episodes)
    assert messages.decode_checkpoint(messages.encode_checkpoint(checkpoint)) == checkpoint


def test_checkpoint_messages_of_older_versions_do_not_say_which_network():
    assert messages.decode_checkpoint(json.dumps(GOOD)) == messages.CheckpointMessage(
        'x', 1, 0, None, None
    )


GOOD = {'path': 'x', 'version': 1, 'first_episode': 0}


@pytest.mark.parametrize(
    'text',
    [
        '',
        'no json',
        *(
            json.dumps({'path': 'x', 'version': 1, 'first_episode': 0} | {name: 2**53 + 1})
            for name in ('version', 'first_episode', 'episodes')
        ),
        '[' * 100_000,
        '[]',
        '{}',
        json.dumps({**GOOD, 'more': 1}),
        json.dumps({**GOOD, 'path': ''}),
        json.dumps({**GOOD, 'path': 3}),
        json.dumps({**GOOD, 'path': 'x/' * 2048}),
        json.dumps({**GOOD, 'path': 'ä' * 200}),
        json.dumps({**GOOD, 'version': 1.5}),
        json.dumps({**GOOD, 'version': True}),
        json.dumps({**GOOD, 'first_episode': -1}),
        json.dumps({**GOOD, 'episodes': -1}),
        json.dumps({**GOOD, 'episodes': None}),
        json.dumps({**GOOD, 'network': 'a' * 63}),
        json.dumps({**GOOD, 'network': 7}),
    ],
)
def test_bad_checkpoint_messages_are_refused(text):
    with pytest.raises(LayoutError):
        messages.decode_checkpoint(text)


def test_topics_of_a_network():
    assert messages.layer_names(2) == ('input', 'hidden_1', 'hidden_2', 'output')
    assert messages.recorded_topics(1) == (
        'joint_states',
        'joint_position_controller/commands',
        'goal',
        'observation',
        'activations/input',
        'activations/hidden_1',
        'activations/output',
        'episode',
        'checkpoint',
    )
    assert all(messages.message_types(topic) for topic in messages.recorded_topics(6))
    assert messages.message_types('rosout') == ()


def test_topics_are_found_in_any_namespace():
    assert messages.is_topic('/goal', 'goal')
    assert messages.is_topic('/left/arm/activations/input', 'activations/input')
    assert not messages.is_topic('/subgoal', 'goal')
    assert not messages.is_topic('/goal/x', 'goal')
    assert messages.layer_of('/left/activations/hidden_2') == 'hidden_2'
    assert messages.layer_of('activations/output') == 'output'
    assert messages.layer_of('/deactivations/output') is None

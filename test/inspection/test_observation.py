# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Observations put together from messages."""

import math

import numpy as np
import pytest

from neuron_reach.errors import UserError
from neuron_reach.inspection.connections import Connections, Input, Timing
from neuron_reach.inspection.observation import Observation

sensor_msgs = pytest.importorskip('sensor_msgs.msg', reason='ROS 2 (sensor_msgs) is not installed')

JOINTS = 'sensor_msgs/msg/JointState'
ARRAY = 'std_msgs/msg/Float32MultiArray'


def observe(*entries, inputs, actions=0):
    connections = Connections('robot.yaml', Timing(rate=50.0), entries)
    return Observation(connections, inputs, actions)


def joints(names, position):
    return sensor_msgs.JointState(name=list(names), position=[float(each) for each in position])


def position(**options):
    return Input(topic='joints', type=JOINTS, field=('position',), **options)


def test_joints_are_found_by_name_whatever_their_order():
    seen = observe(position(names=('b', 'a')), inputs=2)
    for order in ('abc', 'cba', 'bac'):
        values = {'a': 1.0, 'b': 2.0, 'c': 3.0}
        assert seen.receive('joints', joints(order, [values[name] for name in order]), 0.0) == []
        assert seen.build(0.0).inputs.tolist() == [2.0, 1.0]


def test_offset_is_subtracted_before_scale_multiplies_and_features_follow():
    entry = position(
        names=('a', 'b'), offset=(1.0, 2.0), scale=(0.5,), features=('sin', 'cos', 'value')
    )
    seen = observe(entry, inputs=6)
    seen.receive('joints', joints('ab', [2.0, 6.0]), 0.0)
    expected = [f(x) for x in (0.5, 2.0) for f in (math.sin, math.cos, float)]
    np.testing.assert_array_equal(seen.build(0.0).inputs, np.float32(expected))


def test_inputs_become_stale_and_defaults_take_their_place():
    with_default = Input(
        topic='command', type=ARRAY, field=('data[0]',), default=(7.0,), scale=(2,)
    )
    kept = Input(topic='goal', type=ARRAY, field=('data[0]',), latched=True)
    seen = observe(position(names=('a',)), with_default, kept, inputs=3)
    assert seen.build(0.0) is None
    assert seen.problems(0.0) == {'joints': 'no message yet', 'goal': 'no message yet'}
    floats = pytest.importorskip('std_msgs.msg').Float32MultiArray
    seen.receive('goal', floats(data=[5.0]), 0.0)
    seen.receive('joints', joints('a', [1.0]), 0.1)
    assert seen.build(0.3)[1] is False
    assert seen.build(0.3).inputs.tolist() == [1.0, 14.0, 5.0]
    seen.receive('command', floats(data=[3.0]), 0.3)
    assert seen.build(0.3).inputs.tolist() == [1.0, 6.0, 5.0]
    later = seen.build(0.6)
    assert (later.inputs.tolist(), later.stale) == ([1.0, 14.0, 5.0], True)
    assert seen.problems(0.6) == {'joints': 'no message for 0.5 s'}
    seen.reset()
    assert seen.build(0.6) is None


@pytest.mark.parametrize(
    ('names', 'values', 'words'),
    [
        ('ab', [1.0], 'holds 1 values for 2 names'),
        ('ac', [1.0, 2.0], "has no joint 'b'; it has a, c"),
        ('', [], "has no joint 'a'; it has none"),
        ('ab', [1.0, math.nan], 'infinity or NaN'),
        ('ab', [1.0, 1e300], 'infinity or NaN'),  # beyond float32
    ],
)
def test_a_message_that_cannot_be_used_makes_the_inputs_stale(names, values, words):
    seen = observe(position(names=('a', 'b')), inputs=2)
    seen.receive('joints', joints('ab', [1.0, 2.0]), 0.0)
    (problem,) = seen.receive('joints', joints(names, values), 0.01)
    assert words in problem
    assert (seen.build(0.01).inputs.tolist(), seen.build(0.01).stale) == ([1.0, 2.0], True)
    assert seen.problems(0.01) == {'joints': problem}
    seen.receive('joints', joints('ab', [3.0, 4.0]), 0.02)
    assert seen.build(0.02).stale is False


def test_the_previous_action_is_an_input_of_its_own():
    seen = observe(position(), Input(previous_action=True, scale=(2.0,)), inputs=5, actions=3)
    seen.receive('joints', joints('ab', [1.0, 2.0]), 0.0)  # two values are left for the joints
    assert seen.build(0.0).inputs.tolist() == [1.0, 2.0, 0.0, 0.0, 0.0]
    seen.act(np.array([1.0, -1.0, 0.5]))
    assert seen.build(0.0).inputs.tolist() == [1.0, 2.0, 2.0, -2.0, 1.0]
    (problem,) = seen.receive('joints', joints('abc', [1.0, 2.0, 3.0]), 0.0)
    assert 'holds 3 values, expected 2' in problem


@pytest.mark.parametrize(
    ('entries', 'words'),
    [
        ([position(names=('a', 'b'))], 'gives 2 inputs, but the network has 4'),
        ([position(), position()], 'hold any number of values; say how many'),
        ([position(names=tuple('abcd')), position()], 'gives 4 inputs without joints'),
        ([position(features=('sin', 'cos', 'value'))], 'the network has 4'),
        ([position(names=tuple('abcd'), scale=(1.0, 2.0))], 'scale has 2 numbers, but there are 4'),
        ([position(names=tuple('abcd'), default=(1.0,) * 3)], 'default has 3 numbers'),
        (
            [Input(topic='x', type=ARRAY, field=('data',), names=('a',))],
            'names need a message with a list of names',
        ),
    ],
)
def test_inputs_that_do_not_fit_the_network_are_refused_with_both_numbers(entries, words):
    with pytest.raises(UserError, match=words):
        observe(*entries, inputs=4)

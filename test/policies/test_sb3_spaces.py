# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Spaces are known from their text, as all versions of Gym and Gymnasium print them."""

import time

import numpy as np
import pytest

from neuron_reach.policies.observations import Part
from neuron_reach.policies.sb3_spaces import read_actions, read_observations, read_space


def gym(kind, **fields):
    return {':type:': f"<class 'gym.spaces.{kind.lower()}.{kind}'>", **fields}


@pytest.mark.parametrize(
    ('fields', 'shape', 'counts'),
    [
        (gym('Box', shape=[3], dtype='float32'), (3,), ()),
        (gym('Box', _shape=[2, 3], dtype='float32'), (2, 3), ()),
        (gym('Box', shape=[]), (), ()),
        (gym('Discrete', n=4), (), (4,)),
        (gym('Discrete', n='4', start='0', _shape=[]), (), (4,)),
        (gym('MultiDiscrete', nvec='[3 2]', _shape=[2]), (2,), (3, 2)),
        (gym('MultiDiscrete', nvec='[10\n 12]'), (2,), (10, 12)),
        (gym('MultiBinary', n=4, shape=[4]), (4,), ()),
        (gym('MultiBinary', n=[2, 3], _shape=[2, 3]), (2, 3), ()),
        (gym('MultiBinary', n=4), (4,), ()),
    ],
)
def test_spaces_are_read(fields, shape, counts):
    observations, images = read_observations(fields)
    assert observations.parts == (Part('', shape, counts),)
    assert not images


@pytest.mark.parametrize(
    ('text', 'parts'),
    [
        (
            "OrderedDict([('goal', Box([-10. -10.], [10. 10.], (2,), float32)), "
            "('rest', Box(-inf, inf, (2, 3), float32))])",
            (Part('goal', (2,)), Part('rest', (2, 3))),
        ),
        ("OrderedDict([('b', Box(3,)), ('a', Box(2, 2))])", (Part('b', (3,)), Part('a', (2, 2)))),
        (
            "{'a': Discrete(4), \"b's\": MultiDiscrete([2 3]), 'c': MultiBinary(3), "
            "'d': MultiBinary((2, 2)), 'e': Discrete(2, start=0)}",
            (
                Part('a', (), (4,)),
                Part("b's", (2,), (2, 3)),
                Part('c', (3,)),
                Part('d', (2, 2)),
                Part('e', (), (2,)),
            ),
        ),
        (
            "{'a': Box([-1. ... -1.], [1. ... 1.], (2000,), float32)}",
            (Part('a', (2000,)),),
        ),
    ],
)
def test_dicts_are_read_in_their_order(text, parts):
    observations, images = read_observations(gym('Dict', spaces=text))
    assert observations.parts == parts
    assert not images


def test_images_are_found():
    assert read_observations(gym('Box', shape=[84, 84, 3], dtype='uint8'))[1]
    text = "{'eye': Box(0, 255, (64, 64, 3), uint8), 'arm': Box(-1.0, 1.0, (2,), float32)}"
    assert read_observations(gym('Dict', spaces=text))[1]


@pytest.mark.parametrize(
    'fields',
    [
        None,
        [],
        'Box',
        {},
        {':type:': 'Box'},
        gym('Tuple'),
        gym('Box', shape='3'),
        gym('Box', shape=[0]),
        gym('Box', shape=[1.5]),
        gym('Discrete'),
        gym('Discrete', n='many'),
        gym('Discrete', n=0),
        gym('MultiDiscrete', nvec='[[2 3]\n [4 5]]'),
        gym('MultiDiscrete', nvec='[2 ... 3]'),
        gym('Dict'),
        gym('Dict', spaces={}),
        gym('Dict', spaces="{'a': Box(-1.0, 1.0, (2,"),
        gym('Dict', spaces="{'a': Text(3)}"),
        gym('Dict', spaces="{'a': Box(nothing)}"),
    ],
)
def test_text_that_is_no_space_is_refused(fields):
    with pytest.raises(ValueError, match=r'its? |it |there is'):
        read_observations(fields)
    with pytest.raises(ValueError, match=r'its? |it |there is'):
        read_space(fields)


def test_text_that_is_long_takes_no_time():
    start = time.monotonic()
    for fields in (gym('Dict', spaces="'" * 20_000), {':type:': 'a' * 100_000}):
        with pytest.raises(ValueError, match=r'it has no entries|there is no description'):
            read_observations(fields)
    assert time.monotonic() - start < 2.0


def test_actions_follow_from_their_space():
    box = gym('Box', _shape=[2], low='[-1.  0.]', high='[2.5e+00 inf]')
    actions = read_actions(box, 2, squashed=True)
    assert (actions.kind, actions.low) == ('squashed', (-1.0, 0.0))
    assert actions.high == (2.5, float(np.finfo(np.float32).max))
    assert read_actions(box, 2, squashed=False).kind == 'continuous'
    square = gym('Box', _shape=[2, 2], low='[[-1. -1.]\n [-2. -2.]]', high='[[1. 1.]\n [2. 2.]]')
    assert read_actions(square, 4, squashed=False).low == (-1.0, -1.0, -2.0, -2.0)
    for text in ('[-1. ... 0.]', '[-1.]', None):
        assert read_actions({**box, 'low': text}, 2, squashed=False).high is None
    with pytest.raises(ValueError, match='needs 2 outputs, but the network has 3'):
        read_actions(box, 3, squashed=False)

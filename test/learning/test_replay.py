# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from neuron_reach.learning.replay import ReplayMemory

INPUTS = 3


def transitions(first, count, members):
    """Transitions numbered from `first`; every number also tells the member and the field."""
    number = np.arange(first, first + count) + 1000.0 * np.arange(members)[:, None]
    wide = np.repeat(number[..., None], INPUTS, axis=-1).astype(np.float32)
    return wide, (number % 7).astype(np.int64), number * 0.5, wide + 0.25


def stored(memory):
    """The numbers that each member remembers, oldest first."""
    order = (np.arange(memory.size) + memory.position - memory.size) % memory.capacity
    return memory.rows[:, order, 0].numpy()


@given(
    capacity=st.integers(1, 20),
    counts=st.lists(st.integers(1, 50), min_size=1, max_size=8),
    members=st.integers(1, 3),
)
def test_the_newest_transitions_stay(capacity, counts, members):
    memory = ReplayMemory(members, capacity, INPUTS)
    total = 0
    for count in counts:
        memory.add(*transitions(total, count, members))
        total += count
        assert memory.size == min(total, capacity)
        newest = np.arange(total - memory.size, total)
        assert np.array_equal(stored(memory), newest + 1000.0 * np.arange(members)[:, None])


def test_a_batch_holds_whole_transitions_of_the_right_member():
    memory = ReplayMemory(2, 10, INPUTS)
    memory.add(*transitions(0, 25, 2))
    generators = [np.random.default_rng(seed) for seed in (0, 1)]
    observations, actions, rewards, following = memory.sample(generators, 64)
    number = observations[..., 0]
    assert observations.shape == following.shape == (2, 64, INPUTS)
    assert actions.shape == (2, 64)
    assert actions.dtype == np.int64
    assert (observations == number[..., None]).all()
    assert np.array_equal(following, observations + 0.25)
    assert np.array_equal(actions, number.astype(int) % 7)
    assert np.array_equal(rewards, number * 0.5)
    assert number[0].min() >= 15
    assert number[0].max() < 25
    assert number[1].min() >= 1015
    assert number[1].max() < 1025


@pytest.mark.parametrize(('filled', 'seen'), [(13, 13), (47, 40)])
def test_sampling_is_uniform_over_the_filled_part_only(filled, seen):
    memory = ReplayMemory(1, 40, INPUTS)
    memory.add(*transitions(1, filled, 1))
    numbers = memory.sample([np.random.default_rng(5)], 20_000)[0][0, :, 0].astype(int)
    values, counts = np.unique(numbers, return_counts=True)
    assert values.tolist() == list(range(filled - seen + 1, filled + 1))
    assert chisquare(counts).pvalue > 0.01


def test_a_member_draws_the_same_batches_with_others_around_as_alone():
    together, alone = ReplayMemory(3, 10, INPUTS), ReplayMemory(1, 10, INPUTS)
    everything = transitions(0, 8, 3)
    together.add(*everything)
    alone.add(*(field[1:2] for field in everything))
    for _ in range(2):
        batches = together.sample([np.random.default_rng(seed) for seed in (1, 2, 3)], 5)
        own = alone.sample([np.random.default_rng(2)], 5)
        assert all(np.array_equal(b[1], o[0]) for b, o in zip(batches, own, strict=True))


def test_a_batch_is_not_changed_by_later_transitions():
    memory = ReplayMemory(1, 10, INPUTS)
    memory.add(*transitions(0, 10, 1))
    batch = memory.sample([np.random.default_rng(0)], 5)
    kept = [field.copy() for field in batch]
    memory.add(*transitions(100, 10, 1))
    assert all(map(np.array_equal, batch, kept))


@pytest.mark.parametrize('place', range(4))
@pytest.mark.parametrize('shape', [(2, 5, 3), (1, 4, 3), (1, 5, 4), (1, 5), (1,), (1, 5, 3, 1)])
def test_transitions_of_another_shape_are_refused(place, shape):
    memory = ReplayMemory(1, 20, INPUTS)
    good = list(transitions(0, 5, 1))
    memory.add(*good)
    if shape == good[place].shape:
        return
    good[place] = np.zeros(shape, good[place].dtype)
    with pytest.raises(ValueError, match='do not fit'):
        memory.add(*good)

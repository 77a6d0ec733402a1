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

from neuron_reach.policies.observations import Observations, Part

DICT = Observations((Part('b', (2, 2)), Part('a', (), (3,))))


def test_numbers_are_taken_row_by_row():
    grid = Observations((Part('', (2, 3)),))
    assert grid.size == 6
    values = np.arange(24.0).reshape(4, 2, 3)
    np.testing.assert_array_equal(grid.inputs(values), values.reshape(4, 6))
    np.testing.assert_array_equal(grid.inputs(values[1]), values[1].ravel())
    assert grid.inputs(values).dtype == np.float32


def test_whole_numbers_become_one_hot_vectors():
    assert Observations((Part('', (), (3,)),)).inputs(1).tolist() == [0.0, 1.0, 0.0]
    both = Observations((Part('', (2,), (2, 3)),))
    assert both.size == 5
    assert both.inputs([[1, 0], [0, 2]]).tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]


@pytest.mark.parametrize('value', [-1, 3])
def test_numbers_that_cannot_be_are_refused(value):
    with pytest.raises(ValueError, match=r'below \(3,\) and not negative'):
        Observations((Part('', (), (3,)),)).inputs(value)


def test_entries_of_dicts_are_concatenated_in_the_order_of_the_parts():
    assert (DICT.size, DICT.keys) == (7, ('b', 'a'))
    raw = {'a': np.array([2, 0]), 'b': np.arange(8.0).reshape(2, 2, 2), 'other': None}
    assert DICT.inputs(raw).tolist() == [[0, 1, 2, 3, 0, 0, 1], [4, 5, 6, 7, 1, 0, 0]]


def test_observations_of_another_kind_are_refused():
    with pytest.raises(ValueError, match='dicts with the keys b, a'):
        DICT.inputs(np.zeros(7))
    with pytest.raises(ValueError, match='dicts with the keys b, a'):
        DICT.inputs({'a': 1})
    with pytest.raises(ValueError, match='must be arrays, not dicts'):
        Observations().inputs({'a': 1})
    with pytest.raises(ValueError, match=r"'b' of shape \(3,\) does not fit \(2, 2\)"):
        DICT.inputs({'a': 1, 'b': np.zeros(3)})


def test_vectors_of_unknown_length_are_taken_as_they_are():
    assert Observations().size is None
    assert Observations().inputs([[1, 2], [3, 4]]).tolist() == [[1.0, 2.0], [3.0, 4.0]]

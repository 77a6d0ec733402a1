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

from neuron_reach.study.fig5 import mapping_jobs
from neuron_reach.study.fig5.mapping_values import DIRECTIONS, Chosen
from study.fig5.small_networks import COUNTS, MISSING, maps_of


def test_pairs_are_complete_but_for_the_missing_network_and_networks_themselves(outcome):
    maps = maps_of(*outcome)
    for direction in DIRECTIONS:
        pairs = maps.pairs(Chosen(direction), 'error')
        expected = np.ones([COUNTS[joints] for joints in direction], bool)
        if direction[0] == direction[1]:
            np.fill_diagonal(expected, False)
        expected[MISSING] &= direction[0] != 4
        expected[:, MISSING] &= direction[1] != 4
        assert np.array_equal(np.isfinite(pairs.values), expected)
        assert (pairs.sources == pairs.targets) == (direction[0] == direction[1])
        random = maps.pairs(Chosen(direction, mapping_jobs.RANDOM), 'error')
        expected = np.ones([COUNTS[joints] for joints in direction], bool)
        expected[:, MISSING] &= direction[1] != 4
        assert np.array_equal(np.isfinite(random.values), expected)
        assert random.sources not in (pairs.sources, pairs.targets)
        table = maps.table(Chosen(direction))
        assert table.shape == (7, 7)
        assert np.nansum(table, axis=0) == pytest.approx(np.isfinite(table[0]).astype(float))
    naive = {d: maps.jobs.get((*d, mapping_jobs.NAIVE)) for d in DIRECTIONS}
    assert {d for d, jobs in naive.items() if jobs} == {(2, 4), (4, 2), (3, 4), (4, 3)}

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import math

import pytest

from neuron_reach.learning.validation import accuracy_interval, required_successes


def tail(successes, episodes, accuracy=0.9):
    """P[X >= successes], summed term by term."""
    return sum(
        math.comb(episodes, k) * accuracy**k * (1 - accuracy) ** (episodes - k)
        for k in range(successes, episodes + 1)
    )


def test_279_of_300_pass():
    assert required_successes() == 279
    assert tail(279, 300) == pytest.approx(0.0458, abs=5e-5)
    assert tail(278, 300) == pytest.approx(0.0699, abs=5e-5)


@pytest.mark.parametrize('episodes', [1, 28, 29, 30, 100, 1000])
def test_the_fewest_successes_that_reject_an_accuracy_of_90_percent(episodes):
    required = required_successes(episodes)
    assert tail(required, episodes) <= 0.05  # 0 for one more than there are episodes
    assert tail(required - 1, episodes) > 0.05


def test_28_episodes_can_prove_nothing():
    assert required_successes(28) == 29
    assert required_successes(29) == 29


@pytest.mark.parametrize(('successes', 'episodes'), [(0, 10), (2900, 3000), (10, 10)])
def test_the_interval_is_wilsons(successes, episodes):
    z, p, n = 1.959963984540054, successes / episodes, episodes
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert accuracy_interval(successes, episodes) == pytest.approx((middle - half, middle + half))

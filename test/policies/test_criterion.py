# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The test of a policy in an environment."""

import numpy as np
import pytest
from scipy.stats import binomtest

from neuron_reach.errors import UserError
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.criterion import Criterion
from neuron_reach.policies.feed_forward import FeedForwardPolicy
from policies.environments import Ramp

RAMP = 'policies.environments:Ramp-v0'


@pytest.fixture
def chooser():
    """Always takes the last of three actions, which the ramp rewards by 2.25 a step."""
    layer = Layer(np.zeros((3, 2), np.float32), np.array([0.0, 0.0, 1.0], np.float32))
    return FeedForwardPolicy(FeedForward((layer,)), Actions('argmax'))


@pytest.mark.parametrize(('episodes', 'accuracy'), [(300, 0.9), (100, 0.5), (29, 0.9), (40, 0.8)])
def test_the_rule_is_the_exact_binomial_test(episodes, accuracy):
    required = Criterion(RAMP, None, accuracy, episodes).required
    for successes, significant in ((required, True), (required - 1, False)):
        found = binomtest(successes, episodes, accuracy, alternative='greater').pvalue <= 0.05
        assert found == significant


def test_300_episodes_need_279_successes():
    assert Criterion(RAMP, None, 0.9, 300).required == 279


def test_tests_that_nobody_can_pass_are_refused():
    with pytest.raises(UserError, match=r'28 test episodes cannot .* 0\.9; it takes at least 29'):
        Criterion(RAMP, None, 0.9, 28)


def lengths(seed, episodes):
    from neuron_reach.common.random_streams import episode_seed

    env = Ramp()
    starts = [env.reset(seed=episode_seed(seed, number))[0] for number in range(episodes)]
    return np.array([int(length) for _, length in starts])


def test_success_is_what_the_environment_says(chooser):
    score = Criterion(RAMP, None, 0.1, 50).test(chooser, seed=3)
    assert score.successes == np.count_nonzero(lengths(3, 50) % 2 == 0)
    assert score.value == score.successes / 50


def test_success_is_a_return(chooser):
    returns = 2.25 * lengths(4, 50)
    score = Criterion(RAMP, 45.0, 0.1, 50).test(chooser, seed=4)
    assert score.successes == np.count_nonzero(returns >= 45.0)
    assert 45.0 in returns  # equality counts
    assert score.mean_return == pytest.approx(returns.mean())
    low, high = score.return_interval_95
    assert low < score.mean_return < high
    assert high - low == pytest.approx(2 * 1.96 * returns.std() / np.sqrt(50), rel=0.1)
    exact = binomtest(score.successes, 50).proportion_ci(0.95, 'exact')
    assert score.interval_95 == pytest.approx((exact.low, exact.high))


def test_an_environment_that_does_not_say_needs_a_return(chooser):
    silent = 'sb3.signs:Silent-v0'
    layer = Layer(np.zeros((2, 3), np.float32), np.zeros(2, np.float32))
    policy = FeedForwardPolicy(FeedForward((layer,)), Actions('argmax'))
    with pytest.raises(UserError, match=r"do not end with info\['is_success'\]; say which return"):
        Criterion(silent, None, 0.1, 20).test(policy, seed=0)
    assert Criterion(silent, 1.0, 0.1, 20).test(policy, seed=0).successes > 0

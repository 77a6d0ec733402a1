# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The validation test (paper, section 3): a binomial test of whether the accuracy exceeds 0.9."""

from __future__ import annotations

import dataclasses
import functools

VALIDATION_EPISODES = 300
REQUIRED_ACCURACY = 0.9
SIGNIFICANCE = 0.05


@functools.cache
def required_successes(
    episodes: int = VALIDATION_EPISODES, accuracy: float = REQUIRED_ACCURACY
) -> int:
    """Return how many successes reject "accuracy < 0.9" (exact one-sided binomial test, 5 %).

    Args:
        episodes: of the test.
        accuracy: another one than 0.9, which has to be exceeded.

    Returns:
        The number; `episodes + 1` where even a flawless test cannot pass (for 0.9 under 29
        episodes).
    """
    from scipy.stats import (
        binomtest,
    )  # takes over a second to import, and many processes never test

    for successes in range(episodes, -1, -1):
        test = binomtest(successes, episodes, accuracy, alternative='greater')
        if test.pvalue > SIGNIFICANCE:
            return successes + 1
    return 0


def accuracy_interval(successes: int, episodes: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of an accuracy."""
    from scipy.stats import binomtest

    interval = binomtest(successes, episodes).proportion_ci(0.95, 'wilson')
    return float(interval.low), float(interval.high)


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """A measured accuracy.

    Attributes:
        successes: in that many episodes.
        episodes: greedy episodes with unseen goals.
        value: share of successes.
        interval_95: its 95 % Wilson interval.
    """

    successes: int
    episodes: int
    value: float
    interval_95: tuple[float, float]

    @classmethod
    def of(cls, successes: int, episodes: int) -> Accuracy:
        """Return the accuracy of a test."""
        interval = accuracy_interval(successes, episodes)
        return cls(successes, episodes, successes / episodes, interval)

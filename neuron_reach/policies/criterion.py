# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Whether a policy does its task well enough, tested on episodes in a Gymnasium environment."""

from __future__ import annotations

import dataclasses

import numpy as np

from neuron_reach.analysis.intervals import mean_interval
from neuron_reach.common.arrays import Flags
from neuron_reach.common.progress import ShowProgress
from neuron_reach.errors import UserError
from neuron_reach.learning.validation import required_successes
from neuron_reach.policies.playing import Outcomes, PlayOptions, play_policy
from neuron_reach.policies.policy import Policy

SUCCESS = 'success'
"""Value of `--until` by which `info['is_success']` counts instead of the return."""


@dataclasses.dataclass(frozen=True)
class Score:
    """How a policy did in a test.

    Attributes:
        successes: in that many episodes.
        episodes: of the test.
        value: share of successes.
        interval_95: its exact 95 % interval (Clopper and Pearson).
        mean_return: sum of the rewards of an episode, mean over the episodes.
        return_interval_95: 95 % interval of that mean, see `mean_interval`.
    """

    successes: int
    episodes: int
    value: float
    interval_95: tuple[float, float]
    mean_return: float
    return_interval_95: tuple[float, float]

    def __str__(self) -> str:
        low, high = self.interval_95
        return (
            f'{self.successes} of {self.episodes} episodes, {self.value:.1%} '
            f'({low:.1%} to {high:.1%}), mean return {self.mean_return:.1f}'
        )


@dataclasses.dataclass(frozen=True)
class Criterion:
    """What is asked of a policy: a success rate in an environment, by an exact binomial test.

    Attributes:
        env: name of the environment, such as `LunarLander-v3` or `my_module:MyEnv-v0`.
        until: least return of a successful episode; None: success is `info['is_success']`.
        accuracy: success rate that has to be exceeded (one-sided, 5 %).
        episodes: of a test.
    """

    env: str
    until: float | None
    accuracy: float
    episodes: int

    def __post_init__(self) -> None:
        """Check that the test can be passed.

        Raises:
            UserError: there are so few episodes that it cannot.
        """
        if self.required > self.episodes:
            least = self.episodes
            while required_successes(least, self.accuracy) > least:
                least += 1
            raise UserError(
                f'{self.episodes} test episodes cannot show an accuracy of more than '
                f'{self.accuracy:g}; it takes at least {least}'
            )

    @property
    def required(self) -> int:
        """Successes by which a test is passed."""
        return required_successes(self.episodes, self.accuracy)

    @property
    def success(self) -> str:
        """What counts as a success, in words."""
        return SUCCESS if self.until is None else f'a return of at least {self.until:g}'

    def passed(self, score: Score) -> bool:
        """Return whether a test was passed."""
        return score.successes >= self.required

    def test(self, policy: Policy, seed: int, progress: ShowProgress | None = None) -> Score:
        """Play episodes and count successes.

        Args:
            policy: acts deterministically.
            seed: draws how the episodes start.
            progress: shows how many are done.

        Raises:
            UserError: there is no such environment, it does not fit the policy, or it does not
                report successes.
        """
        outcomes = play_policy(policy, self.env, PlayOptions(self.episodes, seed), progress)
        successes = int(self._successful(outcomes).sum())
        returned = mean_interval(outcomes.returns)
        return Score(
            successes=successes,
            episodes=self.episodes,
            value=successes / self.episodes,
            interval_95=exact_interval(successes, self.episodes),
            mean_return=returned.value,
            return_interval_95=(returned.low, returned.high),
        )

    def _successful(self, outcomes: Outcomes) -> Flags:
        if self.until is not None:
            return outcomes.returns >= self.until
        if np.isnan(outcomes.successes).all():
            raise UserError(
                f"{self.env}: its episodes do not end with info['is_success']; say which return is "
                'a success instead'
            )
        successful: Flags = outcomes.successes == 1.0  # an episode that does not say is none
        return successful


def exact_interval(successes: int, episodes: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a success rate."""
    from scipy.stats import binomtest

    interval = binomtest(successes, episodes).proportion_ci(0.95, 'exact')
    return float(interval.low), float(interval.high)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Playing policies in Gymnasium environments, in this process, and recording every layer.

Several environments are played side by side, so that one forward pass serves all of them. Rows of
a matrix product may differ in the last bit with the number of rows and with their position, so
the number of rows is always `ROWS`, and an episode always has the same row: the results do not
depend on how many environments there are. They may differ by rounding between machines, and an
environment whose reset leaves traces of the episode before, as the physics of BipedalWalker does,
plays other episodes if it is given as an object, which plays all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import torch

from neuron_reach.common.arrays import Array, Flags, Integers, Single
from neuron_reach.common.progress import ShowProgress
from neuron_reach.common.random_streams import episode_seed
from neuron_reach.errors import UserError
from neuron_reach.networks.feed_forward import FeedForward
from neuron_reach.policies.environments import STEPS, control_period, opened, time_limit
from neuron_reach.policies.spaces import fit_actions, flattening, to_actions
from neuron_reach.records.assembly import allocate
from neuron_reach.records.record import ActivityRecord, describe_not_finite

if TYPE_CHECKING:
    from neuron_reach.policies.policy import Env, Policy

ROWS = 8
"""Rows of every forward pass, and the largest number of environments side by side."""

FIRST_STEPS = 256
"""Steps of an episode for which there is space at first."""

PROGRESS_STEPS = 256
"""Steps of all environments between two reports of progress."""

Watch = Callable[[Integers, Integers, Single], None]
"""Called at every step with the episodes and steps that are played, (running,), and the activations
of all layers there, (running, neurons), which are valid until it returns."""


@dataclasses.dataclass(frozen=True)
class PlayOptions:
    """How episodes are played.

    Attributes:
        episodes: how many, at least 1.
        seed: draws how each of them starts; None: the policy's, see `Policy.seed`.
        max_steps: after which an episode is cut; None: the environment's own time limit, or
            `STEPS` where it has none.
        env_options: passed on to an environment that is given by name.
    """

    episodes: int
    seed: int | np.random.Generator | None = None
    max_steps: int | None = None
    env_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            UserError: one is out of range.
        """
        for name, least in (('episodes', 1), ('seed', 0), ('max_steps', 1)):
            value = getattr(self, name)
            if isinstance(value, int) and value < least:
                raise UserError(f'{name} must be at least {least}, not {value}')


@dataclasses.dataclass(frozen=True, eq=False)
class Outcomes:
    """How episodes ended, (episodes,) each.

    Attributes:
        lengths: steps.
        rewards: of the last step.
        returns: sum of the rewards, not discounted.
        successes: 1 or 0 by `info['is_success']` of the last step; NaN where there is none.
        terminated: 1 if the environment terminated the episode, 0 if it was truncated.
        cut: whether it was truncated here, after `max_steps`.
    """

    lengths: Integers
    rewards: Array
    returns: Array
    successes: Array
    terminated: Array
    cut: Flags

    @classmethod
    def empty(cls, episodes: int) -> Outcomes:
        """Return outcomes to be filled."""
        return cls(
            lengths=np.zeros(episodes, np.int64),
            rewards=np.zeros(episodes),
            returns=np.zeros(episodes),
            successes=np.full(episodes, np.nan),
            terminated=np.zeros(episodes),
            cut=np.zeros(episodes, bool),
        )


class _Slot:
    """An environment and the episode that it plays."""

    def __init__(self, env: gymnasium.Env, episode: int) -> None:
        self.env = env
        self.episode = episode
        self.row = 0
        self.steps = 0
        self.sum = 0.0


class Stage:
    """Environments, and how a network acts in them.

    Attributes:
        name: of the environment.
        limit: steps after which an episode is cut.
        period: seconds of a step.
    """

    def __init__(
        self, policy: Policy, environments: list[gymnasium.Env], options: PlayOptions, name: str
    ) -> None:
        """Check that network and environment fit.

        Raises:
            UserError: they do not.
        """
        self.network: FeedForward = policy.network
        self.options = options
        self._seed = _whole_seed(policy, options.seed)
        self.name = name
        env = environments[0]
        self._environments = environments
        inputs, self._write = flattening(env.observation_space, name, policy.observation_keys)
        if inputs != self.network.sizes[0]:
            raise UserError(
                f'{name}: observes {inputs} values, but the network has '
                f'{self.network.sizes[0]} inputs'
            )
        outputs = self.network.sizes[-1]
        self._choose = fit_actions(policy.actions, env.action_space, outputs, name).choose
        self._to_actions = to_actions(env.action_space)
        self.limit = options.max_steps or time_limit(env) or STEPS
        self.period = control_period(env)

    def play(self, watch: Watch, progress: ShowProgress | None = None) -> Outcomes:
        """Play all episodes.

        Args:
            watch: called at every step.
            progress: shows how many are done.

        Raises:
            UserError: the network computes infinity or NaN.
        """
        inputs, outputs = self.network.sizes[0], self.network.sizes[-1]
        rows = np.zeros((ROWS, sum(self.network.sizes)), np.float32)
        observed, computed = rows[:, :inputs], rows[:, -outputs:]
        outcomes = Outcomes.empty(self.options.episodes)
        slots = [
            _Slot(env, number)
            for number, env in enumerate(self._environments[: self.options.episodes])
        ]
        self._report(progress, 0, 0)
        for slot in slots:
            self._start(slot, observed)
        done = total = 0
        places = _Places(slots)
        while slots:
            self.network.activations(observed, out=rows)
            if not np.isfinite(computed).all():
                self._refuse(rows, slots)
            watch(places.episodes, places.steps, rows if places.all else rows[places.rows])
            actions = self._to_actions(self._choose(computed))
            ended = [slot for slot in slots if self._step(slot, actions, observed, outcomes)]
            places.steps += 1
            before, total = total, total + len(slots)
            if ended:
                done += len(ended)
                for slot in ended:
                    slot.episode += len(self._environments)
                    if slot.episode < self.options.episodes:
                        self._start(slot, observed)
                    else:
                        slots.remove(slot)
                places = _Places(slots)
            if ended or before // PROGRESS_STEPS != total // PROGRESS_STEPS:
                self._report(progress, done, total)
        return outcomes

    def _start(self, slot: _Slot, observed: Single) -> None:
        seed = episode_seed(self._seed, slot.episode)
        slot.row, slot.steps, slot.sum = slot.episode % ROWS, 0, 0.0
        self._write(slot.env.reset(seed=seed)[0], observed[slot.row])

    def _step(self, slot: _Slot, actions: list[Any], observed: Single, outcomes: Outcomes) -> bool:
        """Play one step; return whether the episode is over."""
        observation, reward, terminated, truncated, info = slot.env.step(actions[slot.row])
        slot.steps += 1
        slot.sum += float(reward)
        cut = slot.steps == self.limit and not (terminated or truncated)
        if not (terminated or truncated or cut):
            self._write(observation, observed[slot.row])
            return False
        episode, success = slot.episode, info.get('is_success')
        outcomes.lengths[episode] = slot.steps
        outcomes.rewards[episode] = reward
        outcomes.returns[episode] = slot.sum
        outcomes.successes[episode] = np.nan if success is None else bool(success)
        outcomes.terminated[episode] = bool(terminated)
        outcomes.cut[episode] = cut
        return True

    def _report(self, progress: ShowProgress | None, done: int, steps: int) -> None:
        if progress is not None:
            progress(self.name, done, self.options.episodes, note=f'{steps} steps')

    def _refuse(self, rows: Single, slots: list[_Slot]) -> None:
        """Raise UserError if a running episode has activations that are not finite."""
        ends = np.cumsum(self.network.sizes)
        for slot in slots:
            bad = ~np.isfinite(rows[slot.row])
            if bad.any():
                layer = int(np.searchsorted(ends, bad.argmax(), side='right'))
                name = ['input', *(f'hidden_{n}' for n in range(1, len(ends) - 1)), 'output'][layer]
                raise UserError(f'{self.name}: {describe_not_finite(slot.episode, name)}')


class _Places:
    """Rows, episodes and steps of the running episodes."""

    def __init__(self, slots: list[_Slot]) -> None:
        self.rows = np.array([slot.row for slot in slots], np.int64)
        self.episodes = np.array([slot.episode for slot in slots], np.int64)
        self.steps = np.array([slot.steps for slot in slots], np.int64)
        self.all = self.rows.tolist() == list(range(ROWS))


class Recording:
    """Keeps activations; grows with the longest episode so far."""

    def __init__(self, episodes: int, neurons: int, limit: int) -> None:
        """Make space for the first steps.

        Args:
            episodes: how many there will be.
            neurons: of all layers.
            limit: steps of the longest possible episode.
        """
        self._limit = limit
        self._steps = min(limit, FIRST_STEPS)
        self.activations = allocate((episodes, self._steps, neurons))

    def __call__(self, episodes: Integers, steps: Integers, values: Single) -> None:
        """Keep a step of some episodes, see `Watch`."""
        if steps.max() == self._steps:
            self._grow()
        self.activations[episodes, steps] = values

    def _grow(self) -> None:
        had, self._steps = self._steps, min(self._limit, 2 * self._steps)
        larger = allocate((len(self.activations), self._steps, self.activations.shape[2]))
        larger[:, :had] = self.activations
        self.activations = larger


def record_policy(
    policy: Policy,
    env: Env,
    options: PlayOptions,
    progress: ShowProgress | None = None,
) -> tuple[ActivityRecord, float]:
    """Play episodes and record every layer.

    Args:
        policy: acts deterministically.
        env: the name of an environment, or an environment, which is then used alone and stays open.
        options: how episodes are played.
        progress: shows how many episodes are done.

    Returns:
        The record, and the seconds of a step.

    Raises:
        UserError: there is no such environment, it does not fit the network, or the network
            computes infinity or NaN.
    """
    count = min(ROWS, options.episodes)
    with opened(env, count, options.env_options) as environments, _one_core():
        stage = Stage(policy, environments, options, _name(env))
        recording = Recording(options.episodes, sum(policy.sizes), stage.limit)
        outcomes = stage.play(recording, progress)
    cut = int(outcomes.cut.sum())
    network = {'version': 0, 'digest': policy.network.digest, 'episodes': options.episodes}
    record = ActivityRecord(
        activations=recording.activations[:, : outcomes.lengths.max()],
        lengths=outcomes.lengths,
        layers=policy.layers,
        sizes=policy.sizes,
        goals=np.full((options.episodes, 2), np.nan),
        rewards=outcomes.rewards,
        returns=outcomes.returns,
        successes=outcomes.successes,
        terminated=outcomes.terminated,
        network=network,
        notes=(f'{cut} episodes were cut after {stage.limit} steps',) if cut else (),
    )
    return record, stage.period


def play_policy(
    policy: Policy, env: Env, options: PlayOptions, progress: ShowProgress | None = None
) -> Outcomes:
    """Play episodes as `record_policy` does, and keep only how they ended.

    Raises:
        UserError: see `record_policy`.
    """
    count = min(ROWS, options.episodes)
    with opened(env, count, options.env_options) as environments, _one_core():
        stage = Stage(policy, environments, options, _name(env))
        return stage.play(lambda _episodes, _steps, _values: None, progress)


def _whole_seed(policy: Policy, seed: int | np.random.Generator | None) -> int:
    """Return the seed of a record: the given one, one drawn by a generator, or the policy's."""
    if seed is None:
        return policy.seed
    return int(seed.integers(2**62)) if isinstance(seed, np.random.Generator) else seed


def _name(env: Env) -> str:
    if isinstance(env, str):
        return env
    return type(env.unwrapped).__name__ if env.spec is None else env.spec.id


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """Keep PyTorch from spreading small matrix products over the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

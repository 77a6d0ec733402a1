# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Training until the validation test passes, for one network or a stack of independent ones.

The unit of training is the round: every arm plays one episode while the learner updates from the
transitions of earlier rounds in the replay memory. A round is atomic: when interrupted, it is
undone, so that a saved state resumes exactly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuron_reach.arm.task import ReachingTask
from neuron_reach.common.arrays import Array, Flags
from neuron_reach.common.random_streams import torch_seed, training_streams
from neuron_reach.learning.dqn import DqnLearner
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.replay import ReplayMemory
from neuron_reach.learning.rollout import Arms, Rollout, Watcher, greedy_successes, play
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.validation import VALIDATION_EPISODES, required_successes

TYPICAL_REWARD = 0.35
"""Mean reward of random motion; sets the output bias, so that learning starts near the truth."""

EPISODES_LIMIT = 2**31
"""Upper limit of episodes in a training."""

Verdict = tuple[tuple[int, int, int], bool, bool]
"""Result of a validation test: (episodes, successes, tests played), passed, confirmed."""


@dataclasses.dataclass
class Member:
    """Training history of one network; all counts are of its own training episodes.

    Attributes:
        seed: root of its random streams.
        validations: [episodes, successes, tests played] of every validation test.
        first_pass: episodes at the first passed test: the paper's "training duration".
        trained: episodes at the first passed test that a second, independent one confirmed.
    """

    seed: int
    validations: list[tuple[int, int, int]] = dataclasses.field(default_factory=list)
    first_pass: int | None = None
    trained: int | None = None


class Training:
    """A stack of networks that learn the same task, each from its own seed.

    Attributes:
        members: the networks still learning, in the order of the stack.
        finished: (member, network) of the trained members, which have left the stack.
        episodes: training episodes played by each member still learning.
    """

    def __init__(
        self,
        setup: Setup,
        seeds: Sequence[int] | None = None,
        network: QNetwork | None = None,
    ) -> None:
        """Start from random weights, or from those of `network` (one member for each seed).

        Members of a given network may have hidden layers of different widths, independent of the
        setup. They may pass the validation test without training, so `run` begins with a test.
        """
        seeds = [setup.training.seed] if seeds is None else list(seeds)
        self.setup = setup
        self.task = ReachingTask(setup.task, setup.arm)
        self.members = [Member(seed) for seed in seeds]
        self.finished: list[tuple[Member, QNetwork]] = []
        self.episodes = 0
        self._streams = [training_streams(seed) for seed in seeds]
        self._test_first = network is not None
        if network is None:
            network = QNetwork(*[setup.layer_sizes] * len(seeds))
            generators = [
                torch.Generator().manual_seed(torch_seed(streams['weights']))
                for streams in self._streams
            ]
            network.initialize(generators, TYPICAL_REWARD / (1.0 - setup.learning.gamma))
        self.learner = DqnLearner(
            setup.learning, network, self._stream('exploration'), self._stream('sampling')
        )
        self.memory = ReplayMemory(
            len(seeds), setup.learning.replay_capacity, self.task.observation_size
        )
        self._boundary = self._snapshot()

    def _stream(self, name: str) -> list[np.random.Generator]:
        return [streams[name] for streams in self._streams]

    def _draw_goals(self, stream: str, count: int, members: Sequence[int] | None = None) -> Array:
        """Draw goals for all or some members, (members, count, 2), m; zeros for the others."""
        goals = np.zeros((len(self.members), count, 2))
        for member in range(len(self.members)) if members is None else members:
            goals[member] = self.task.sample_goals(self._streams[member][stream], count)
        return goals

    def round(self, fleet: Arms, watcher: Watcher | None = None) -> None:
        """Play and learn from one episode on every arm; validate when a test is due.

        Raises:
            Any exception of the fleet, KeyboardInterrupt included; `state` then is still that
            of the start of the round.
        """
        self._boundary = self._snapshot()
        learning = self.setup.learning
        rollout = play(
            fleet,
            self.task,
            self._draw_goals('goals', learning.arms),
            self.learner.explore,
            meanwhile=self._update if self.memory.size else None,
            watcher=watcher,
        )
        before = self.episodes // self.setup.training.validation_interval
        episodes = self.episodes + learning.arms
        verdicts = None
        if episodes // self.setup.training.validation_interval > before:
            verdicts = self._validate(fleet, episodes, watcher)
        start = self._boundary
        try:
            self._finish_round(rollout, episodes, verdicts)
        except KeyboardInterrupt:  # the oldest transitions may be overwritten: finish the round
            if self._boundary is start:
                self._finish_round(rollout, episodes, verdicts)
            raise

    def test_first(self, fleet: Arms, watcher: Watcher | None = None) -> None:
        """Validate before the first episode; if interrupted, the test is repeated on resuming.

        Raises:
            Any exception of the fleet; `state` then is unchanged.
        """
        self._boundary = self._snapshot()
        self._record_verdicts(self._validate(fleet, 0, watcher))
        self._test_first = False
        self._boundary = self._snapshot()

    def _finish_round(
        self, rollout: Rollout, episodes: int, verdicts: list[Verdict] | None
    ) -> None:
        """Record the round; idempotent, so that it can be repeated after an interruption."""
        counters = self._boundary[1]
        self.memory.position = counters['replay_position']
        self.memory.size = counters['replay_size']
        self._remember(rollout)
        self.episodes = episodes
        if verdicts is not None:
            self._record_verdicts(verdicts)
        self._boundary = self._snapshot()

    def _update(self) -> None:
        self.learner.update(self.memory)

    def _remember(self, rollout: Rollout) -> None:
        def by_member(values: NDArray[Any]) -> NDArray[Any]:
            values = np.moveaxis(values, 1, 0)
            return values.reshape(values.shape[0], -1, *values.shape[3:])

        self.memory.add(
            by_member(rollout.observations[:-1]),
            by_member(rollout.actions),
            by_member(rollout.rewards),
            by_member(rollout.observations[1:]),
        )

    def test(
        self,
        fleet: Arms,
        stream: str = 'validation',
        members: Sequence[int] | None = None,
        watcher: Watcher | None = None,
    ) -> list[Flags]:
        """Play one test of 300 greedy episodes of the target network on fresh goals.

        Args:
            fleet: arms of all members.
            stream: random stream of the goals.
            members: those to test, which draw goals; all if None.
            watcher: called with every observation.
        """
        return greedy_successes(
            fleet,
            self.task,
            self.learner.target,
            self._draw_goals(stream, VALIDATION_EPISODES, members),
            members=members,
            stop_after_failures=VALIDATION_EPISODES - required_successes(),
            watcher=watcher,
        )

    def _validate(self, fleet: Arms, episodes: int, watcher: Watcher | None) -> list[Verdict]:
        """Test all members, and those that passed a second time; return a verdict per member."""
        required = required_successes()
        first = self.test(fleet, watcher=watcher)
        passed = [member for member, won in enumerate(first) if int(won.sum()) >= required]
        confirmed = []
        if passed:
            second = self.test(fleet, members=passed, watcher=watcher)
            confirmed = [member for member in passed if int(second[member].sum()) >= required]
        return [
            ((episodes, int(won.sum()), len(won)), member in passed, member in confirmed)
            for member, won in enumerate(first)
        ]

    def _record_verdicts(self, verdicts: list[Verdict]) -> None:
        for member, (entry, passed, confirmed) in zip(self.members, verdicts, strict=True):
            if entry not in member.validations:
                member.validations.append(entry)
            if passed and member.first_pass is None:
                member.first_pass = self.episodes
            if confirmed:
                member.trained = self.episodes

    def _release_trained(self) -> None:
        """Remove trained members from the stack and keep their validated networks."""
        staying = []
        for index, member in enumerate(self.members):
            if member.trained is None:
                staying.append(index)
            else:
                self.finished.append((member, self.saved_network(index)))
        if len(staying) == len(self.members):
            return
        self.members = [self.members[index] for index in staying]
        self._streams = [self._streams[index] for index in staying]
        if staying:
            self.learner.keep(staying)
            self.memory.rows = self.memory.rows[staying]

    # --- the state of training, for an exact resume -----------------------------------------

    def _snapshot(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        tensors = {name: value.clone() for name, value in self.learner.tensors().items()}
        counters = {
            'episodes': self.episodes,
            'updates': self.learner.updates,
            'test_first': self._test_first,
            'members': [dataclasses.asdict(member) for member in self.members],
            'streams': [
                {name: stream.bit_generator.state for name, stream in streams.items()}
                for streams in self._streams
            ],
            'replay_position': self.memory.position,
            'replay_size': self.memory.size,
        }
        return tensors, counters  # copies throughout

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return tensors and counters as of the last finished round.

        Also valid during a round and after an interrupted one.
        """
        tensors, counters = self._boundary
        return {**tensors, 'replay': self.memory.rows[:, : counters['replay_size']]}, counters

    @property
    def saved_episodes(self) -> int:
        """Training episodes of each member as of `state`."""
        return int(self._boundary[1]['episodes'])

    def saved_network(self, index: int) -> QNetwork:
        """Return a member's network as of `state`: the target network, which is validated."""
        network = QNetwork(self.learner.target.shapes[index])
        network.flat[0] = self._boundary[0]['target'][index, : network.flat.shape[1]]
        return network

    def restore(self, tensors: Mapping[str, torch.Tensor], counters: Mapping[str, Any]) -> None:
        """Restore a `state` of a training with the same setup, for an exact resume.

        Raises:
            KeyError, TypeError, ValueError: the counters do not fit this training.
        """
        size, position = counters['replay_size'], counters['replay_position']
        filled = size == self.memory.capacity > position or size == position < self.memory.capacity
        if not filled or position < 0 or size != tensors['replay'].shape[1]:
            raise ValueError('the replay memory has another size')
        if [entry['seed'] for entry in counters['members']] != [m.seed for m in self.members]:
            raise ValueError('the members have other seeds')
        self._check_counts(counters)
        actions = tensors['replay'][..., -1]
        if not ((actions >= 0) & (actions < len(self.task.actions)) & (actions % 1 == 0)).all():
            raise ValueError('the replay memory holds invalid actions')
        for name, value in self.learner.tensors().items():
            value.copy_(tensors[name])
        self.episodes = counters['episodes']
        self._test_first = bool(counters.get('test_first', False))
        self.learner.updates = counters['updates']
        self.members = [
            Member(
                entry['seed'],
                [tuple(validation) for validation in entry['validations']],
                entry['first_pass'],
                entry['trained'],
            )
            for entry in counters['members']
        ]
        for streams, states in zip(self._streams, counters['streams'], strict=True):
            for name, stream in streams.items():
                stream.bit_generator.state = states[name]
        self.memory.position = counters['replay_position']
        self.memory.size = counters['replay_size']
        self.memory.rows[:, : self.memory.size] = tensors['replay']
        self._boundary = self._snapshot()

    def _check_counts(self, counters: Mapping[str, Any]) -> None:
        """Raise ValueError if the counts are impossible."""
        episodes, steps = counters['episodes'], self.setup.task.episode_steps
        in_rounds = 0 <= episodes < EPISODES_LIMIT and episodes % self.setup.learning.arms == 0
        played = episodes * steps
        if not (in_rounds and 0 <= counters['updates'] <= played >= counters['replay_size']):
            raise ValueError('a count is out of range')
        for member in counters['members']:
            for tested, successes, tests in member['validations']:
                if not (0 <= tested <= episodes and 0 <= successes <= tests):
                    raise ValueError('a validation test is out of range')
            for passed in (member['first_pass'], member['trained']):
                if passed is not None and not 0 <= passed <= episodes:
                    raise ValueError('a passed test is out of range')

    def run(
        self,
        make_fleet: Callable[[int], Arms],
        after_round: Callable[[Training], None],
        watcher: Watcher | None = None,
    ) -> None:
        """Train until every member has passed or has played `max_episodes`.

        Args:
            make_fleet: returns a fleet of so many arms; called again when members leave.
            after_round: called at the end of every round, to save and report progress.
            watcher: called with every observation.
        """
        learners = 0
        while True:
            self._release_trained()
            if not self.members or self.episodes >= self.setup.training.max_episodes:
                return
            if len(self.members) != learners:
                learners = len(self.members)
                fleet = make_fleet(learners * self.setup.learning.arms)
            if self._test_first:
                self.test_first(fleet, watcher)
            else:
                self.round(fleet, watcher)
            after_round(self)


def training_note(training: Training) -> str:
    """Return the progress of a single training: updates and the last validation test."""
    note = f'{training.learner.updates} updates'
    if training.members and training.members[0].validations:
        _, successes, played = training.members[0].validations[-1]
        note += f', last test {successes}/{played}'
        note += f' (to pass: {required_successes()}/{VALIDATION_EPISODES})'
    return note

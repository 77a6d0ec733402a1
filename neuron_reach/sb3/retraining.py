# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Training a pruned policy on until it passes a test, in a folder from which it resumes."""

from __future__ import annotations

import dataclasses
import shutil
from enum import Enum
from pathlib import Path
from typing import Any

from neuron_reach.common.files import Kind, atomic_file, atomic_folder, read_json
from neuron_reach.common.names import (
    RETRAINED,
    RETRAINING,
    STATE_FILE,
    STATE_PROGRESS,
    TRAINED_FILE,
)
from neuron_reach.common.progress import ShowProgress
from neuron_reach.common.random_streams import retraining_seed
from neuron_reach.common.results import from_json, make_folder, to_json, write_json
from neuron_reach.errors import UserError
from neuron_reach.networks.functions import Step
from neuron_reach.policies.archives import open_archive
from neuron_reach.policies.criterion import Criterion, Score
from neuron_reach.policies.feed_forward import FeedForwardPolicy
from neuron_reach.policies.sb3 import read_sb3
from neuron_reach.policies.sb3_file import read_file
from neuron_reach.sb3.chunks import Counters, Gym, environments_of, train_chunk
from neuron_reach.sb3.rebuilding import Hyperparameters, Plain, hyperparameters

SCORE: Kind = {
    'successes': int,
    'episodes': int,
    'value': float,
    'interval_95': [float],
    'mean_return': float,
    'return_interval_95': [float | None],
}
"""A `Score` in files."""

_TEST: Kind = {'steps': int, 'score': SCORE, 'confirmation': dict | None}
_PROGRESS: Kind = {
    'counters': {'steps': int, 'updates': int, 'calls': int, 'chunks': int},
    'tests': [_TEST],
}
_RESULT: Kind = {
    'status': str,
    'steps': int,
    'updates': int,
    'tests': [_TEST],
    'score': dict | None,
    'notes': str,
}


class RetrainingStatus(Enum):
    """How far a retraining is."""

    UNTRAINED = 'not retrained yet'
    TRAINED = 'retrained'
    ABANDONED = 'not retrained within the budget'


@dataclasses.dataclass(frozen=True)
class Test:
    """A test between two chunks of training.

    Attributes:
        steps: of the environment before.
        score: its result.
        confirmation: result of the second, independent test; None: the first one was not passed.
    """

    __test__ = False  # for pytest

    steps: int
    score: Score
    confirmation: Score | None


_NONE: tuple[Test, ...] = ()


@dataclasses.dataclass(frozen=True)
class Retraining:
    """The results of a retraining.

    Attributes:
        status: whether the tests were passed.
        steps: of the environment in training.
        updates: of the networks, as the library counts them.
        tests: all that were played, in order.
        score: of the retrained network in a third test, which decides nothing; None: not trained.
        notes: hyperparameters that are unknown; empty: none.
    """

    status: RetrainingStatus
    steps: int
    updates: int
    tests: tuple[Test, ...]
    score: Score | None
    notes: str = ''


@dataclasses.dataclass(frozen=True)
class RetrainingPlan:
    """What is asked of a retraining, and how it is done.

    Attributes:
        criterion: the test to pass.
        budget: steps of the environment after which it is given up.
        test_every: steps between two tests.
        envs: environments side by side; None: as the file says.
        chosen: hyperparameters by name, which come before those of the file.
        continued: whether the network is a trained one, not a newly initialized one.
        preparation: what happens to observations before the network, such as normalization.
        seed: of all random numbers.
        step: of the reduction, from 1; another one gives other random numbers.
    """

    criterion: Criterion
    budget: int
    test_every: int
    envs: int | None = None
    chosen: dict[str, Plain] = dataclasses.field(default_factory=dict)
    continued: bool = True
    preparation: tuple[Step, ...] = ()
    seed: int = 0
    step: int = 1


def prepared(policy: FeedForwardPolicy, preparation: tuple[Step, ...]) -> FeedForwardPolicy:
    """Return a policy with this preparation of its inputs instead of its own."""
    return policy.with_network(dataclasses.replace(policy.network, preparation=preparation))


def retrain(
    start: Path,
    folder: Path,
    plan: RetrainingPlan,
    progress: ShowProgress,
    initial: Score | None = None,
) -> Retraining:
    """Train until two independent tests are passed, or the budget is used up; or resume that.

    The network is tested before any training too. The folder then holds `trained.zip` and
    `retraining.json`; the state of a training that is not finished is in `training`. A larger
    budget resumes one that was given up.

    Args:
        start: the network, a file of stable-baselines3.
        folder: of the results.
        plan: what is asked.
        progress: shows how far it is.
        initial: result of the test before training; None: it is still to be played.

    Raises:
        UserError: a file is damaged or cannot be written, or algorithm and environment do not fit.
    """
    if (folder / RETRAINED).exists():
        done = read_retraining(folder)
        if done.status is RetrainingStatus.TRAINED:
            shutil.rmtree(folder / RETRAINING, ignore_errors=True)  # left by a killed process
        if done.status is RetrainingStatus.TRAINED or done.steps >= plan.budget:
            return done
    make_folder(folder)
    return _Session(start, folder, plan, progress, initial).run()


def read_retraining(folder: Path) -> Retraining:
    """Return the results of a retraining, as far as it is.

    Raises:
        UserError: a file is damaged.
    """
    if (folder / RETRAINED).exists():
        saved = read_json(folder / RETRAINED, _RESULT)
        return Retraining(
            RetrainingStatus(saved['status']),
            saved['steps'],
            saved['updates'],
            tuple(map(_read_test, saved['tests'])),
            None if saved['score'] is None else from_json(Score, saved['score']),
            saved['notes'],
        )
    counters, tests = Counters(), _NONE
    if (folder / RETRAINING).exists():
        counters, tests = _read_progress(folder / RETRAINING)
    return Retraining(RetrainingStatus.UNTRAINED, counters.steps, counters.updates, tests, None)


def _read_progress(state: Path) -> tuple[Counters, tuple[Test, ...]]:
    saved = read_json(state / STATE_PROGRESS, _PROGRESS)
    return from_json(Counters, saved['counters']), tuple(map(_read_test, saved['tests']))


def _read_test(saved: dict[str, Any]) -> Test:
    second = saved['confirmation']
    return Test(
        saved['steps'],
        from_json(Score, saved['score']),
        None if second is None else from_json(Score, second),
    )


class _Session:
    """A retraining in its folder."""

    def __init__(
        self,
        start: Path,
        folder: Path,
        plan: RetrainingPlan,
        progress: ShowProgress,
        initial: Score | None,
    ) -> None:
        self.start, self.folder, self.plan = start, folder, plan
        self.progress, self.initial = progress, initial
        with open_archive(start) as archive:
            file = read_file(archive)
        self.how: Hyperparameters = hyperparameters(file, plan.chosen, continued=plan.continued)
        self.gym = Gym(
            plan.criterion.env,
            plan.envs or environments_of(file),
            self.how.values,
            plan.continued,
            plan.budget,
            plan.preparation,
        )
        self.state = folder / RETRAINING
        self.counters, self.tests = Counters(), _NONE
        if self.state.exists():
            self.counters, self.tests = _read_progress(self.state)

    @property
    def file(self) -> Path:
        """The newest network."""
        return self.state / STATE_FILE if self.counters.chunks else self.start

    def run(self) -> Retraining:
        """Train and test; see `retrain`."""
        while True:
            tested = bool(self.tests) and self.tests[-1].steps == self.counters.steps
            if not tested:
                self._test()
            last = self.tests[-1]
            if last.confirmation is not None and self.plan.criterion.passed(last.confirmation):
                return self._finish()
            if self.counters.steps >= self.plan.budget:
                return self._write(RetrainingStatus.ABANDONED, None)
            self._train()

    def _train(self) -> None:
        counters, plan = self.counters, self.plan
        steps = min(plan.test_every, plan.budget - counters.steps)

        def report(done: int) -> None:
            self.progress(
                f'step {self.plan.step}: training', counters.steps + done, plan.budget, 'steps'
            )

        report(0)
        start = self.state if counters.chunks else self.start
        seed = self._seed('train', counters.chunks + 1)
        with atomic_folder(self.state) as new:
            after = train_chunk(self.gym, start, counters, steps, seed, new, report)
            self._save(new, after)
        self.counters = after

    def _test(self) -> None:
        number = self.counters.chunks + 1
        score = self.initial
        if score is None or self.counters.chunks:
            score = self._score('validate', number)
        second = None
        if self.plan.criterion.passed(score):
            second = self._score('confirm', number)
        self.tests = (*self.tests, Test(self.counters.steps, score, second))
        if self.counters.chunks:
            self._save(self.state, self.counters)

    def _score(self, purpose: str, number: int = 1) -> Score:
        policy = prepared(read_sb3(self.file), self.plan.preparation)

        def report(
            what: str, done: int, total: int | None = None, unit: str = 'episodes', note: str = ''
        ) -> None:
            after = f'after {self.counters.steps} training steps'
            self.progress(f'step {self.plan.step}: testing', done, total, unit, after)

        return self.plan.criterion.test(policy, self._seed(purpose, number), report)

    def _seed(self, purpose: str, number: int) -> int:
        return retraining_seed(self.plan.seed, self.plan.step, purpose, number)

    def _save(self, state: Path, counters: Counters) -> None:
        write_json(state / STATE_PROGRESS, {'counters': counters, 'tests': self.tests})

    def _finish(self) -> Retraining:
        try:
            with atomic_file(self.folder / TRAINED_FILE) as aside:
                shutil.copyfile(self.file, aside)
        except OSError as error:
            raise UserError(f'{self.folder}: cannot be written: {error.strerror}') from None
        result = self._write(RetrainingStatus.TRAINED, self._score('measure'))
        shutil.rmtree(self.state, ignore_errors=True)
        return result

    def _write(self, status: RetrainingStatus, score: Score | None) -> Retraining:
        result = Retraining(
            status,
            self.counters.steps,
            self.counters.updates,
            self.tests,
            score,
            str(self.how),
        )
        write_json(self.folder / RETRAINED, to_json(result))
        return result

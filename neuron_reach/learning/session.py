# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A training run and its folder: resume, save, finish, measure; in one process or over ROS.

During training the folder holds `checkpoints/episode_<n>`, with everything that an exact resume
needs. After the validation test has passed it holds `checkpoint`, the trained network.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neuron_reach.arm.task import ReachingTask
from neuron_reach.common.files import lock_folder, set_aside
from neuron_reach.common.names import CHECKPOINT, PARTIAL, STATES, state_folder
from neuron_reach.common.paths import saved_states
from neuron_reach.common.random_streams import training_streams
from neuron_reach.errors import SpoiledError, UserError
from neuron_reach.learning.checkpoint import (
    Checkpoint,
    describe,
    load_checkpoint,
    load_training,
    save_checkpoint,
    write_metadata,
)
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.rollout import Arms, Watcher, greedy_successes
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member, Training

KEPT_CHECKPOINTS = 2


class NotTrainedError(UserError):
    """The validation test was not passed within the episodes allowed."""


class Session:
    """One training run and its folder.

    Attributes:
        training: the training itself, None once the folder holds a trained network.
        newest: the checkpoint written last.
    """

    def __init__(
        self,
        setup: Setup,
        run_dir: str | Path,
        checkpoint_interval: float,
        network: QNetwork | None = None,
    ) -> None:
        """Resume the run in `run_dir`, or start a new one there.

        Args:
            setup: what to train.
            run_dir: created if missing; used by one session at a time.
            checkpoint_interval: seconds between saves of the training state.
            network: initial weights of a new run, a stack of one member; random by default.

        Raises:
            UserError: the folder is in use, cannot be written, holds a run with other options,
                or holds only damaged files.
        """
        self.setup = setup
        self.run_dir = Path(run_dir)
        self.interval = checkpoint_interval
        self.training: Training | None = None
        self._lock = lock_folder(self.run_dir)
        self.final = self.run_dir / CHECKPOINT
        self.newest = self.final
        if self.final.exists():
            try:
                trained = load_checkpoint(self.final)
            except UserError as error:
                raise UserError(
                    f'{error}; remove {self.final} to resume training from the saved states with '
                    'the same command'
                ) from None
            _check_same_options(trained, setup)
        else:
            start = None if network is None else network.copy()
            self.training = self._resume() or Training(setup, network=start)
            self.save()

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the newest checkpoint."""
        return load_checkpoint(self.newest).metadata

    def _resume(self) -> Training | None:
        """Return the training as of the newest intact state, None if there are no states."""
        states = self.run_dir / STATES
        for partial in states.glob(f'*{PARTIAL}'):
            shutil.rmtree(partial)  # the process that wrote it was killed
        problems: dict[Path, UserError] = {}
        for folder in reversed(saved_states(self.run_dir)):
            try:
                checkpoint = load_checkpoint(folder)
                training = load_training(folder, checkpoint.setup)
            except UserError as error:  # damaged: the previous one may be intact
                problems[folder] = error
                continue
            _check_same_options(checkpoint, self.setup)
            training.setup = self.setup  # max_episodes may differ
            for other, problem in problems.items():  # training will save under these names again
                set_aside(other)
                said = f'{problem}; training resumes from {folder}'
                print(said, file=sys.stderr, flush=True)
            return training
        if problems:
            raise UserError(
                f'{"; ".join(map(str, problems.values()))}; no saved state is intact: '
                f'remove {states} to train from the start with the same command'
            )
        return None

    def save(self) -> None:
        """Write the state after the last finished round; keep the newest two states."""
        assert self.training is not None
        training = self.training
        self._saved_at = time.monotonic()
        self.newest = state_folder(self.run_dir, training.saved_episodes)
        if self.newest.exists():
            return
        self._write(self.newest)
        for old in saved_states(self.run_dir)[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(old)

    def _write(self, folder: Path) -> None:
        assert self.training is not None
        member = [*self.training.members, *(done for done, _ in self.training.finished)][0]
        metadata = describe(self.setup, member, None)
        save_checkpoint(folder, self.training.saved_network(0), metadata, self.training)

    def train(
        self,
        make_fleet: Callable[[int], Arms],
        after_round: Callable[[Training], None],
        on_checkpoint: Callable[[Path], None] = lambda path: None,
        watcher: Watcher | None = None,
    ) -> None:
        """Train until the validation test is passed and confirmed; saves when interrupted.

        Args:
            make_fleet: returns a fleet of the given number of arms.
            after_round: called after every round, to report progress.
            on_checkpoint: called with the path of every checkpoint written.
            watcher: called with every observation.

        Raises:
            NotTrainedError: the test was not passed within `max_episodes`.
            UserError: a file cannot be written.
        """
        training = self.training
        if training is None:
            return
        on_checkpoint(self.newest)

        def round_done(_: Training) -> None:
            after_round(training)
            trained = training.members[0].trained is not None
            if not trained and time.monotonic() - self._saved_at >= self.interval:
                self.save()
                on_checkpoint(self.newest)

        try:
            training.run(make_fleet, round_done, watcher)
            if training.finished:
                self._write(self.final)
        except SpoiledError:
            raise  # the last saved state is intact
        except BaseException:
            self.save()
            raise
        if not training.finished:
            self.save()
            limit = self.setup.training.max_episodes
            raise NotTrainedError(
                f'not trained: validation not passed within max_episodes={limit}; '
                'the same command with a larger max_episodes resumes from here'
            )
        self.newest = self.final
        self.training = None
        on_checkpoint(self.final)

    def close(self) -> None:
        """Release the folder."""
        self._lock.close()

    def measure(
        self,
        make_fleet: Callable[[int], Arms],
        episodes: int,
        watcher: Watcher | None = None,
    ) -> None:
        """Measure the accuracy of the trained network on unseen goals, once, and save it."""
        checkpoint = load_checkpoint(self.final)
        validation = checkpoint.metadata['validation']
        if episodes == 0 or 'accuracy' in validation:
            return
        goals = training_streams(self.setup.training.seed)['test']
        task = ReachingTask(self.setup.task, self.setup.arm)
        won = greedy_successes(
            make_fleet(self.setup.learning.arms),
            task,
            checkpoint.network,
            task.sample_goals(goals, episodes)[None],
            watcher=watcher,
        )[0]
        member = Member(
            checkpoint.metadata['seed'],
            [tuple(entry) for entry in validation['history']],
            validation['training_duration'],
            validation['confirmed'],
        )
        metadata = describe(self.setup, member, (int(won.sum()), episodes))
        write_metadata(self.final, metadata)


def _check_same_options(checkpoint: Checkpoint, setup: Setup) -> None:
    """Raise UserError unless the checkpoint was trained with these options."""
    saved, now = checkpoint.metadata['options'], setup.values()
    for key in now:
        if key != 'max_episodes' and saved.get(key) != now[key]:
            raise UserError(
                f'{checkpoint.path}: was trained with {key}={saved.get(key)}, not {now[key]}; '
                'use the same options or another run_dir'
            )

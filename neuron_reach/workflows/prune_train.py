# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The pruning procedure: prune, measure, retrain until the validation test passes, and repeat.

The folder of a reduction holds `reduction.json` (the options and the network), `step_<k>` for
every step and, at the end, a summary. A step's folder holds the results of pruning (`pruned`,
`pruning.json` and so on) and is also the run folder of the retraining, so that the retrained
network is `step_<k>/checkpoint`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from neuron_reach.analysis.options import PruningOptions, ReductionOptions
from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.common.files import lock_folder, read_json
from neuron_reach.common.names import (
    CHECKPOINT,
    PRUNED,
    RESULTS,
    step_folder,
)
from neuron_reach.common.progress import ShowProgress
from neuron_reach.common.random_streams import step_seed
from neuron_reach.common.results import claim_folder, to_json, write_json
from neuron_reach.common.versions import versions
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint, load_checkpoint, network_digest
from neuron_reach.learning.session import NotTrainedError, Session
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Training
from neuron_reach.records.recording import record_checkpoint
from neuron_reach.workflows.prune import prune_checkpoint, trials
from neuron_reach.workflows.reduction_summary import (
    Before,
    ReductionSummary,
    StepStatus,
    read_step,
    write_summary,
)


class Reduction:
    """A pruning procedure and its folder.

    Attributes:
        source: the network to start from.
        folder: of the results.
    """

    def __init__(
        self,
        source: Checkpoint,
        folder: Path,
        pruning: PruningOptions,
        options: ReductionOptions,
        episodes: int,
        max_episodes: int | None = None,
    ) -> None:
        """Resume the procedure in a folder, or start it there.

        Args:
            source: the network to start from.
            folder: made if need be; used by one procedure at a time.
            pruning: how to prune.
            options: how often.
            episodes: sample episodes by which neurons are clustered.
            max_episodes: training episodes after which a step is abandoned; by default those of
                the source's training.

        Raises:
            UserError: the folder is in use, cannot be written, or holds another procedure.
        """
        self.source, self.folder = source, folder
        self.pruning, self.options, self.episodes = pruning, options, episodes
        self.max_episodes = max_episodes or source.setup.training.max_episodes
        claim_folder(folder, 'prune-train', {})  # `_check` compares the options
        self._lock = lock_folder(folder)
        self._check()

    def _check(self) -> None:
        """Write the options of the procedure, or make sure that they are the same as before."""
        record = {
            'source': str(self.source.path.resolve()),
            'network': network_digest(self.source.network),
            'seed': self.source.metadata['seed'],
            'hidden': list(self.source.network.sizes[1:-1]),
            'pruning': to_json(self.pruning),
            'episodes': self.episodes,
            'samples': self.options.samples,
        }
        file = self.folder / RESULTS['prune-train']
        if file.exists():
            saved = read_json(file)
            for key, value in record.items():
                if saved.get(key, value if key == 'network' else None) != value:  # not in old ones
                    raise UserError(
                        f'{file}: holds a reduction with {key}={saved.get(key)}, not {value}; '
                        'use the same options or another folder'
                    )
        else:
            write_json(file, {**record, 'versions': versions()})

    def step_folder(self, step: int) -> Path:
        """Return the folder of a step, counted from 1."""
        return step_folder(self.folder, step)

    def previous(self, step: int) -> Path:
        """Return the network that a step starts from."""
        return self.source.path if step == 1 else self.step_folder(step - 1) / CHECKPOINT

    def setup(self, step: int, pruned: Checkpoint) -> Setup:
        """Return the options of a step's training."""
        training = dataclasses.replace(
            self.source.setup.training,
            seed=step_seed(self.source.setup.training.seed, step),
            max_episodes=self.max_episodes,
        )
        setup = dataclasses.replace(self.source.setup, training=training)
        return setup.with_hidden(pruned.network.sizes[1:-1])

    def run(self, checkpoint_interval: float, test_episodes: int, progress: ShowProgress) -> None:
        """Do all steps that are not done yet, in this process, and write the summary.

        Args:
            checkpoint_interval: seconds between two savings of the training state.
            test_episodes: fresh goals on which each retrained network is tested; 0: none.
            progress: shows how far each part of a step is.

        Raises:
            UserError: a step could not be retrained within its budget, or a file cannot be
                written.
        """
        try:
            for step in range(1, self.options.steps + 1):
                self._prune(step, progress)
                self._train(step, checkpoint_interval, test_episodes, progress)
        except NotTrainedError as error:
            self.write_summary()
            raise UserError(
                f'step {step} of {self.folder}: the pruned network is {error}'
            ) from None
        self.write_summary()

    def _prune(self, step: int, progress: ShowProgress) -> None:
        folder = self.step_folder(step)
        if (folder / RESULTS['prune']).exists():
            return
        samples = self.options.samples

        def report(done: int) -> None:
            progress(f'step {step}: pruning', done, samples, 'samples')

        report(0)
        checkpoint = load_checkpoint(self.previous(step))
        tested = trials(checkpoint, self.pruning, samples, self.episodes, report)
        record = record_checkpoint(checkpoint, self.episodes)
        prune_checkpoint(checkpoint, record, self.pruning, tested, folder)

    def _train(
        self, step: int, interval: float, test_episodes: int, progress: ShowProgress
    ) -> None:
        pruned = load_checkpoint(self.step_folder(step) / PRUNED)
        setup = self.setup(step, pruned)
        session = Session(setup, self.step_folder(step), interval, pruned.network)
        training = session.training

        def make_fleet(arms: int) -> FleetSimulator:
            return FleetSimulator(setup.arm, arms)

        def after_round(running: Training) -> None:
            progress(f'step {step}: training', running.episodes)

        try:
            if training is not None:
                session.train(make_fleet, after_round)
            session.measure(make_fleet, test_episodes)
        finally:
            session.close()

    def summary(self) -> ReductionSummary:
        """Return the results of all steps that have begun.

        Raises:
            UserError: a file is damaged.
        """
        steps = []
        for step in range(1, self.options.steps + 1):
            if not (self.step_folder(step) / RESULTS['prune']).exists():
                break
            seed = step_seed(self.source.setup.training.seed, step)
            steps.append(read_step(self.step_folder(step), step, seed, self.max_episodes))
        trained = sum(entry.status is StepStatus.TRAINED for entry in steps)
        return ReductionSummary(
            source=str(self.source.path.resolve()),
            seed=self.source.metadata['seed'],
            pruning=self.pruning,
            episodes=self.episodes,
            samples=self.options.samples,
            max_episodes=self.max_episodes,
            versions=versions(),
            finished=trained == self.options.steps,
            before=Before(
                hidden=self.source.network.sizes[1:-1],
                validation=self.source.metadata['validation'],
            ),
            steps=tuple(steps),
        )

    def write_summary(self) -> ReductionSummary:
        """Write the summary as JSON, CSV and a figure; return it.

        Raises:
            UserError: a file cannot be written, or is damaged.
        """
        summary = self.summary()
        write_summary(self.folder, summary)
        return summary

    def close(self) -> None:
        """Release the folder for other processes."""
        self._lock.close()

"""The pruning procedure: prune, measure, train until the validation test passes, and again.

The folder of a reduction holds `reduction.json` (what is done to which network), `step_<k>` for
every step and, at the end, a summary. A step's folder holds what pruning gives (`pruned`,
`pruning.json` and so on) and is the folder of the training that follows, so that its trained
network is `step_<k>/checkpoint`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neuron_reach.analysis.options import PruningOptions, ReductionOptions
from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.common.files import Kind, lock_folder, read_json
from neuron_reach.common.names import (
    CHECKPOINT,
    PRUNED,
    RESULTS,
    SUMMARY,
    SUMMARY_FIGURE,
    SUMMARY_TABLE,
    state_episodes,
    step_folder,
)
from neuron_reach.common.paths import saved_states
from neuron_reach.common.random_streams import step_seed
from neuron_reach.common.results import claim_folder, write_csv, write_json
from neuron_reach.common.versions import versions
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint, load_checkpoint, network_digest
from neuron_reach.learning.session import NotTrainedError, Session
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Training
from neuron_reach.records.recording import record_checkpoint
from neuron_reach.workflows.prune import prune_checkpoint, trials

_PRUNING: Kind = {
    'hidden_before': [int],
    'hidden': [int],
    'dead': [int],
    'accuracy': {'value': float},
    'initial_accuracy': {
        'samples': int,
        'mean': float,
        'standard_deviation': float | None,
        'minimum': float,
        'maximum': float,
        'values': [float],
    },
}
"""What the summary needs of what pruning found."""

Report = Callable[[str, int, int | None, str], None]
"""Told what is done, how much of it, of how much, and how it stands."""


class Reduction:
    """A pruning procedure and its folder.

    Attributes:
        source: the network that it starts from.
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
        """Take up the procedure in a folder, or begin it there.

        Args:
            source: the network to start from.
            folder: made if need be; used by one procedure at a time.
            pruning: how to prune.
            options: how often.
            episodes: sample episodes by which neurons are clustered.
            max_episodes: training episodes after which a step is given up; by default those of
                the source's training.

        Raises:
            UserError: the folder is in use, cannot be written, or holds another procedure.
        """
        self.source, self.folder = source, folder
        self.pruning, self.options, self.episodes = pruning, options, episodes
        self.max_episodes = max_episodes or source.setup.training.max_episodes
        claim_folder(folder, 'prune-train', {})  # what it must agree in, `_check` knows
        self._lock = lock_folder(folder)
        self._check()

    def _check(self) -> None:
        """Write down what is done here, or make sure that it is the same as before."""
        record = {
            'source': str(self.source.path.resolve()),
            'network': network_digest(self.source.network),
            'seed': self.source.metadata['seed'],
            'hidden': list(self.source.network.sizes[1:-1]),
            'pruning': dict(vars(self.pruning)),
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

    def run(self, checkpoint_interval: float, test_episodes: int, report: Report) -> None:
        """Do all steps that are not done yet, in this process, and write the summary.

        Args:
            checkpoint_interval: seconds between two savings of the training state.
            test_episodes: fresh goals on which each step's network is measured; 0: none.
            report: told how things stand.

        Raises:
            UserError: a step could not be trained within its budget, or a file cannot be written.
        """
        try:
            for step in range(1, self.options.steps + 1):
                self._prune(step, report)
                self._train(step, checkpoint_interval, test_episodes, report)
        except NotTrainedError as error:
            self.write_summary()
            raise UserError(
                f'step {step} of {self.folder}: the pruned network is {error}'
            ) from None
        self.write_summary()

    def _prune(self, step: int, report: Report) -> None:
        folder = self.step_folder(step)
        if (folder / RESULTS['prune']).exists():
            return
        samples = self.options.samples

        def told(done: int) -> None:
            report(f'step {step}: pruning', done, samples, 'samples')

        told(0)
        checkpoint = load_checkpoint(self.previous(step))
        found = trials(checkpoint, self.pruning, samples, self.episodes, told)
        record = record_checkpoint(checkpoint, self.episodes)
        prune_checkpoint(checkpoint, record, self.pruning, found, folder)

    def _train(self, step: int, interval: float, test_episodes: int, report: Report) -> None:
        pruned = load_checkpoint(self.step_folder(step) / PRUNED)
        setup = self.setup(step, pruned)
        session = Session(setup, self.step_folder(step), interval, pruned.network)
        training = session.training

        def make_fleet(arms: int) -> FleetSimulator:
            return FleetSimulator(setup.arm, arms)

        def after_round(running: Training) -> None:
            report(f'step {step}: training', running.episodes, None, 'episodes')

        try:
            if training is not None:
                session.train(make_fleet, after_round)
            session.measure(make_fleet, test_episodes)
        finally:
            session.close()

    def summary(self) -> dict[str, Any]:
        """Return what is known of all steps that have begun.

        Raises:
            UserError: a file is damaged.
        """
        steps = []
        for step in range(1, self.options.steps + 1):
            if not (self.step_folder(step) / RESULTS['prune']).exists():
                break
            steps.append(self._step(step))
        done = sum(entry['status'] == 'trained' for entry in steps)
        return {
            'source': str(self.source.path.resolve()),
            'seed': self.source.metadata['seed'],
            'pruning': dict(vars(self.pruning)),
            'episodes': self.episodes,
            'samples': self.options.samples,
            'max_episodes': self.max_episodes,
            'versions': versions(),
            'finished': done == self.options.steps,
            'before': {
                'hidden': list(self.source.network.sizes[1:-1]),
                'validation': self.source.metadata['validation'],
            },
            'steps': steps,
        }

    def _step(self, step: int) -> dict[str, Any]:
        folder = self.step_folder(step)
        pruning = read_json(folder / RESULTS['prune'], _PRUNING)
        entry: dict[str, Any] = {
            'step': step,
            'seed': step_seed(self.source.setup.training.seed, step),
            **{key: pruning[key] for key in ('hidden_before', 'hidden', 'dead')},
            **{key: pruning[key] for key in ('accuracy', 'initial_accuracy')},
            'status': 'not trained yet',
            'training_duration': None,
            'confirmed': None,
            'episodes': 0,
            'trained_accuracy': None,
        }
        states = saved_states(folder)
        if (folder / CHECKPOINT).exists():
            validation = load_checkpoint(folder / CHECKPOINT).metadata['validation']
            entry['status'] = 'trained'
            entry['training_duration'] = validation['training_duration']
            entry['confirmed'] = entry['episodes'] = validation['confirmed']
            entry['trained_accuracy'] = validation.get('accuracy')
        elif states:
            entry['episodes'] = state_episodes(states[-1].name)
            if entry['episodes'] >= self.max_episodes:
                entry['status'] = 'not trained within max_episodes'
        return entry

    def write_summary(self) -> dict[str, Any]:
        """Write the summary as JSON, CSV and a figure; return it.

        Raises:
            UserError: a file cannot be written, or is damaged.
        """
        summary = self.summary()
        write_json(self.folder / SUMMARY, summary)
        if summary['steps']:
            write_csv(self.folder / SUMMARY_TABLE, [_line(entry) for entry in summary['steps']])
            _draw(self.folder / SUMMARY_FIGURE, summary)
        return summary

    def close(self) -> None:
        """Let others use the folder."""
        self._lock.close()


def _line(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a step as a line of a table."""
    initial, trained = entry['initial_accuracy'], entry['trained_accuracy']
    return {
        'step': entry['step'],
        'seed': entry['seed'],
        'status': entry['status'],
        'hidden_before': ' '.join(map(str, entry['hidden_before'])),
        'dead': ' '.join(map(str, entry['dead'])),
        'hidden': ' '.join(map(str, entry['hidden'])),
        'hidden_total': sum(entry['hidden']),
        'pruned_accuracy': entry['accuracy']['value'],
        'initial_accuracy_mean': initial['mean'],
        'initial_accuracy_standard_deviation': initial['standard_deviation'],
        'initial_accuracy_samples': initial['samples'],
        'training_duration': entry['training_duration'],
        'confirmed': entry['confirmed'],
        'trained_accuracy': None if trained is None else trained['value'],
    }


def _draw(path: Path, summary: dict[str, Any]) -> None:
    from neuron_reach.figures.activity import reduction_figure
    from neuron_reach.figures.style import save

    steps = summary['steps']
    figure = reduction_figure(
        [summary['before']['hidden'], *(entry['hidden'] for entry in steps)],
        [entry['initial_accuracy']['values'] for entry in steps],
        [entry['training_duration'] for entry in steps],
    )
    save(figure, path)

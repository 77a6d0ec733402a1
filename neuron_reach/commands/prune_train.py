"""`neuron_reach prune-train CHECKPOINT`: prune and train on, several times, in this process."""

from __future__ import annotations

import argparse
from typing import Any

from neuron_reach.analysis.options import PruningOptions, ReductionOptions
from neuron_reach.commands.flags import add_command, add_flags, read_flags
from neuron_reach.commands.prune import add_network, check_episodes
from neuron_reach.common.options import fill
from neuron_reach.learning.setup import SessionOptions, TrainingOptions

DESCRIPTION = 'Reduce a trained network: prune it, train until it passes the test, and again.'
EPILOG = """\
Every step records sample episodes, clusters and merges neurons, measures the accuracy right after
that, and trains until the validation test is passed and confirmed. The same command goes on where
it was stopped. Over ROS: `neuron_reach reduce`, which is launch/prune.launch.py.

example:
  neuron_reach prune-train runs/joints3_seed0/checkpoint --tau 0.2 --steps 3 -o runs/reduced
"""


def add(commands: Any) -> None:
    """Add the sub-command."""
    parser = add_command(commands, 'prune-train', DESCRIPTION, _prune_train, EPILOG)
    add_network(parser)
    add_flags(parser, ReductionOptions)
    add_flags(parser, PruningOptions)
    parser.add_argument(
        '--max-episodes',
        metavar='N',
        help="training episodes after which a step is given up (default: those of CHECKPOINT's)",
    )
    add_flags(parser, SessionOptions, ['test_episodes', 'checkpoint_interval'])
    parser.add_argument(
        '--summary', action='store_true', help='only say how far it is, and write the summary'
    )


def _prune_train(options: argparse.Namespace) -> int:
    pruning = read_flags(PruningOptions, options)
    reduction_options = read_flags(ReductionOptions, options)
    session = read_flags(SessionOptions, options)
    check_episodes(options)
    limit = None
    if options.max_episodes is not None:
        values = {'max_episodes': options.max_episodes}
        limit = fill(TrainingOptions, values, 'arguments').max_episodes
    from neuron_reach.learning.kernels import use_one_core
    from neuron_reach.records.networks import load_network
    from neuron_reach.workflows.reduce import Reduction

    use_one_core()
    checkpoint = load_network(options.checkpoint)
    reduction = Reduction(
        checkpoint, options.output, pruning, reduction_options, options.episodes, limit
    )
    if not options.summary:
        told = _Reporter()
        try:
            reduction.run(session.checkpoint_interval, session.test_episodes, told)
        finally:
            told.close()
    print(_table(reduction.write_summary()))
    print(f'results: {options.output}')
    return 0


class _Reporter:
    """Shows one progress bar after the other."""

    def __init__(self) -> None:
        self.what = ''
        self.bar: Any = None

    def __call__(self, what: str, done: int, total: int | None, unit: str) -> None:
        from neuron_reach.common.progress import Progress

        if what != self.what:
            self.close()
            self.what = what
            self.bar = Progress(what, total, initial=done, unit=unit)
        self.bar.update(done)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _table(summary: dict[str, Any]) -> str:
    before = summary['before']['hidden']
    lines = [f'before: {sum(before)} hidden neurons ({" ".join(map(str, before))})']
    for entry in summary['steps']:
        initial = entry['initial_accuracy']
        trained = entry['trained_accuracy']
        hidden = entry['hidden']
        after = entry['status']
        if entry['training_duration'] is not None:
            after = f'passed after {entry["training_duration"]} episodes'
        if trained is not None:
            after += f', then {trained["value"]:.1%}'
        lines.append(
            f'step {entry["step"]}: {sum(hidden)} ({" ".join(map(str, hidden))}), initial accuracy '
            f'{initial["mean"]:.1%} ({initial["minimum"]:.1%} to {initial["maximum"]:.1%} '
            f'in {initial["samples"]} samples), {after}'
        )
    return '\n'.join(lines)

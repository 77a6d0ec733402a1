"""Old names of commands, which keep working with their old arguments and print the new name."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from neuron_reach.commands import graphs, train
from neuron_reach.commands.flags import add_command


def add(commands: Any) -> None:
    """Add the commands, which the help does not list."""
    learn = add_command(commands, 'learn', 'Old name of train --no-ros.', _learn)
    graphs.add_arguments(learn, 'train')
    reduce = add_command(commands, 'reduce', 'Old name of prune-train --ros.', _reduce)
    graphs.add_arguments(reduce, 'prune-train')


def _learn(options: argparse.Namespace) -> int:
    training = train.checked(graphs.given(options.arguments))
    _notify('learn', 'train --no-ros')
    return train.run(training)


def _reduce(options: argparse.Namespace) -> int:
    phases = graphs.phases('prune-train', graphs.given(options.arguments))
    _notify('reduce', 'prune-train --ros')
    return graphs.run(phases)


def _notify(old: str, new: str) -> None:
    print(f'{old} is now: {new}', file=sys.stderr)

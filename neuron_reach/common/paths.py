"""What lies at a path, told by names alone: a checkpoint, a bag, or the folder of a run.

Imports no libraries, as `ros2 launch` may run it with another Python than the nodes'.
"""

from __future__ import annotations

import re
from pathlib import Path

from neuron_reach.common.names import (
    BAG,
    BAG_METADATA,
    CHECKPOINT,
    METADATA,
    MODEL,
    STATES,
    is_storage,
    state_episodes,
)
from neuron_reach.errors import UserError

EMPTY_BAG = 2**18
"""Bytes of a bag that are more than descriptions of topics, whatever its metadata say."""


def is_checkpoint(path: Path) -> bool:
    """Tell whether a checkpoint is there, whole or damaged."""
    return any((path / name).exists() for name in (METADATA, MODEL))


def is_bag(path: Path) -> bool:
    """Tell whether a bag is there: a folder with files of messages, or one of those files."""
    if path.is_dir():
        return any(is_storage(item.name) for item in path.iterdir())
    return is_storage(path.name) and path.exists()


def holds_nothing(bag: Path) -> bool:
    """Tell whether nothing would be lost with a bag: it is not there, or without a message."""
    if not bag.exists():
        return True
    items = list(bag.iterdir()) if bag.is_dir() else [bag]
    if not items:
        return True
    others = [item for item in items if not is_storage(item.name)]
    if [item.name for item in others] != [BAG_METADATA]:
        return False
    text = others[0].read_bytes()
    count = re.search(rb'^  message_count: *([0-9]+)', text, re.MULTILINE)
    small = sum(item.stat().st_size for item in items) < EMPTY_BAG
    return count is not None and int(count[1]) == 0 and small


def checkpoint_in(path: Path) -> Path | None:
    """Return the checkpoint at a path: there, or in the run folder that it is."""
    return next((at for at in (path, path / CHECKPOINT) if is_checkpoint(at)), None)


def bag_in(path: Path) -> Path | None:
    """Return the bag at a path: there, or in the folder that it is."""
    return next((at for at in (path, path / BAG) if is_bag(at)), None)


def check_holder(folder: Path) -> None:
    """Make sure that a folder for results is not itself a result.

    Raises:
        UserError: it is a checkpoint or a bag.
    """
    for holds, what in ((is_checkpoint, 'a checkpoint'), (is_bag, 'a bag')):
        if holds(folder):
            raise UserError(f'{folder}: is {what}, and can hold nothing else; name another folder')


def saved_states(run_dir: Path) -> list[Path]:
    """Return the training states saved in a run folder, oldest first."""
    folders = (run_dir / STATES).glob('*')
    return sorted(folder for folder in folders if state_episodes(folder.name) is not None)


def find_checkpoint(path: Path) -> Path:
    """Return the checkpoint at a path.

    Raises:
        UserError: there is none.
    """
    found = checkpoint_in(path)
    if found is None:
        problem = _nothing(path) if path.exists() else 'no such checkpoint'
        raise UserError(f'{path}: {problem}; expected a checkpoint or a run folder')
    return found


def find_bag(path: Path) -> Path:
    """Return the bag at a path.

    Raises:
        UserError: there is none.
    """
    found = bag_in(path)
    if found is None:
        problem = 'is no bag' if path.exists() else 'does not exist'
        raise UserError(f'{path} {problem}; expected a bag, or a folder that holds one')
    return found


def _nothing(path: Path) -> str:
    if states := saved_states(path):
        return f'the training there is not finished (name a state of it, such as {states[-1]})'
    return 'is no checkpoint'

"""Writing files and folders so that nothing partly written is ever taken for whole."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from neuron_reach.errors import UserError


def fsync(path: Path) -> None:
    """Force a file's or folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Fill a folder aside; on success it appears at `path` as a whole, else not at all.

    What was at `path` before is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f'{path.name}.partial')
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        for file in aside.rglob('*'):
            fsync(file)
        fsync(aside)
        if path.exists():
            old = path.with_name(f'{path.name}.old')
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
            aside.rename(path)
            shutil.rmtree(old)
        else:
            aside.rename(path)
        fsync(path.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a small file atomically."""
    write_bytes(path, text.encode('utf-8'))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file atomically."""
    aside = path.with_name(f'{path.name}.partial')
    aside.write_bytes(content)
    fsync(aside)
    aside.replace(path)
    fsync(path.parent)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: it is missing, cannot be read or is damaged.
    """
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None
    except (ValueError, RecursionError):  # of the text's encoding, or of JSON
        raise UserError(f'{path}: is truncated or not JSON') from None


def lock_folder(folder: Path, user: str = 'run') -> IO[str]:
    """Keep a folder, made if need be, for this process until it ends or closes what is returned.

    Args:
        folder: what to keep.
        user: what another process would be that has it, for the message.

    Raises:
        UserError: another process has it, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / '.lock').open('w')
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f'{folder}: another {user} is using this folder') from None
    except OSError as error:
        raise UserError(f'{folder}: cannot be used: {error.strerror}') from None
    return lock

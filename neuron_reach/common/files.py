# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Files and folders that are written atomically, and are not read if they are damaged.

JSON files end with a `sha256` of their content. Files made before digests were kept still open.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import hashlib
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, get_args, get_origin, get_type_hints, is_typeddict

from neuron_reach.common.names import DAMAGED, LOCK, OLD, PARTIAL, beside
from neuron_reach.errors import UserError

DIGEST = 'sha256'
NO_DIGEST = 'no digest (made before digests were kept)'
"""Description of files without a digest."""

JSON_LIMIT, FACTS_LIMIT = 64 << 20, 4 << 20
"""Largest JSON files that are read, bytes: with results of many networks, and of one."""

DEPTH_LIMIT = 50
"""Largest depth of nested JSON."""

COUNT_LIMIT = 2**53
"""Largest count in files."""

Kind = Any
"""The required kind of a JSON value: a type or a union of types (a bool is not an int; a float must
be finite and may be an int), `[kind]` for a list of such values, or `{key: kind}` for an object
with at least these keys. Type hints are allowed too: `list[kind]`, `dict[str, kind]` for any keys,
and TypedDict."""


# --- writing --------------------------------------------------------------------------------------


def fsync(path: Path) -> None:
    """Force a file's or folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Fill a temporary folder, which replaces `path` on success and is removed otherwise.

    The previous content of `path` stays there until it is replaced, whatever happens.

    Raises:
        OSError: the path is not writable, or is a file.
    """
    path = Path(os.path.realpath(path))  # the target of a link, not the link
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    aside = beside(path, PARTIAL)
    _sweep(path)
    aside.mkdir()
    try:
        yield aside
        for file in aside.rglob('*'):
            fsync(file)
        fsync(aside)
        if not path.exists():
            aside.rename(path)
        elif not _exchange(aside, path):
            path.rename(beside(path, OLD))
            aside.rename(path)
        fsync(path.parent)
    finally:
        _sweep(path)


def _sweep(path: Path) -> None:
    """Remove temporary folders beside a folder, whether it was replaced or not."""
    aside, old = beside(path, PARTIAL), beside(path, OLD)
    if old.exists() and not path.exists():
        old.rename(path)  # the writer was killed between its two renames
    for left in (aside, old):
        shutil.rmtree(left, ignore_errors=True)


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder, so that it can be replaced; return its new name.

    Raises:
        UserError: it cannot be renamed.
    """
    aside = beside(path, DAMAGED)
    try:
        if aside.is_dir():
            shutil.rmtree(aside)
        path.replace(aside)
    except OSError as error:
        raise UserError(f'{path}: cannot be set aside: {error.strerror}') from None
    return aside


_LIBC = ctypes.CDLL(None, use_errno=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders atomically; return whether kernel and file system support it."""
    at_working_directory, rename_exchange = -100, 2
    if not hasattr(_LIBC, 'renameat2'):
        return False
    paths = at_working_directory, os.fsencode(one), at_working_directory, os.fsencode(other)
    return bool(_LIBC.renameat2(*paths, rename_exchange) == 0)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Write a temporary file, which replaces `path` on success and is removed otherwise.

    Raises:
        OSError: the path is not writable.
    """
    aside = beside(path, PARTIAL)
    try:
        yield aside
        fsync(aside)
        aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
    fsync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a small file atomically."""
    write_bytes(path, text.encode('utf-8'))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file atomically."""
    with atomic_file(path) as aside:
        aside.write_bytes(content)


def json_bytes(values: Mapping[str, Any]) -> bytes:
    """Return the content of a JSON file, with a digest as its last key."""
    text = json.dumps({**values, DIGEST: ''})
    plain = json.loads(text)  # as it will be read: keys are strings, tuples are lists
    del plain[DIGEST]
    return json.dumps({**plain, DIGEST: json_digest(plain)}, indent=1).encode()


def json_digest(plain: Mapping[str, Any]) -> str:
    """Return the SHA-256 of parsed JSON, independent of the order of keys and of the layout."""
    text = json.dumps(plain, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()


# --- reading --------------------------------------------------------------------------------------


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file for reading: a pipe would block, a device may never end.

    Raises:
        OSError: it cannot be opened.
        UserError: it is not a regular file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = 'a folder' if stat.S_ISDIR(mode) else 'no regular file'
        raise UserError(f'{path}: cannot be read: it is {kind}')
    return path.open('rb')


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a file of at most `limit` bytes.

    Raises:
        UserError: it is missing, cannot be read, is not a regular file or is larger.
    """
    if '\0' in str(path):
        raise UserError(f'{path}: cannot be read: no file can have this name')
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise UserError(f'{path}: is too large: it has {size} bytes; at most {limit}')
            return file.read(size)
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None


def read_json(path: Path, kinds: Kind = None, limit: int = FACTS_LIMIT) -> dict[str, Any]:
    """Read a JSON object from a file, and check its digest if it has one.

    Args:
        path: the file.
        kinds: `Kind` of the object: keys that it must have.
        limit: bytes of the file, at most.

    Returns:
        The object without its digest.

    Raises:
        UserError: it is missing, unreadable, damaged, or not of this kind.
    """
    return parse_json(path, read_bytes(path, limit), kinds)[0]


def read_document(path: Path, kinds: Kind = None) -> tuple[dict[str, Any], bool]:
    """Read a JSON object like `read_json`; return too whether it has a digest."""
    return parse_json(path, read_bytes(path, FACTS_LIMIT), kinds)


def parse_json(path: Path, content: bytes, kinds: Kind = None) -> tuple[dict[str, Any], bool]:
    """Return the result of `read_document` for the content of a file."""
    try:
        values = json.loads(content.decode('utf-8'))
    except (ValueError, RecursionError):  # from decoding or from JSON
        raise UserError(f'{path}: is truncated or not JSON') from None
    if not isinstance(values, dict):
        raise UserError(f'{path}: must hold a JSON object, not {_name(values)}')
    if not _is_shallow(values):
        raise UserError(f'{path}: is nested more than {DEPTH_LIMIT} deep')
    digest = recorded_digest(values)
    if digest is not None:
        values = {key: value for key, value in values.items() if key != DIGEST}
        if digest != json_digest(values):
            raise damaged(path)
    check_kinds(path, values, kinds or {})
    return values, digest is not None


def check_kinds(path: Path, values: Mapping[str, Any], kinds: Kind) -> None:
    """Raise UserError unless values from a file have these keys, each of its `Kind`."""
    problem = _problem(values, kinds, '')
    if problem is not None:
        raise UserError(f'{path}: {problem}')


def recorded_digest(entries: Mapping[str, Any]) -> str | None:
    """Return the digest among the entries of a file, None if it was made without one.

    A file whose last entry looks like a digest had one, even if damage has changed its key.
    """
    if DIGEST in entries:
        return str(entries[DIGEST])
    last = [*entries.values()][-1] if entries else None
    return '' if isinstance(last, str) and re.fullmatch('[0-9a-f]{64}', last) else None


def damaged(path: Path) -> UserError:
    """Return the error for a file whose content does not match its digest."""
    return UserError(
        f'{path}: is damaged, or was changed by hand: its content does not fit its digest'
    )


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH_LIMIT):
        inner = [item for node in level if isinstance(node, list) for item in node]
        inner += [item for node in level if isinstance(node, dict) for item in node.values()]
        level = inner
    return not level


def _problem(value: Any, kind: Kind, place: str) -> str | None:
    """Describe why a value is not of a `Kind`; None if it is."""
    if kind is Any:
        return None
    origin: Any = get_origin(kind)
    if isinstance(kind, list) or origin is list:
        if not isinstance(value, list):
            return f'{place} must be a list, not {_name(value)}'
        (inner,) = get_args(kind) or kind
        for number, item in enumerate(value):
            if _problem(item, inner, '') is not None:
                return _problem(item, inner, f'{place}[{number}]')
        return None
    if isinstance(kind, dict) or origin is dict or is_typeddict(kind):
        if not isinstance(value, dict):
            return f'{place} must be an object, not {_name(value)}'
        for key, inner in _entries(kind, value).items():
            where = f'{place}.{key}' if place else key
            if key not in value:
                return f'has no {where}'
            problem = _problem(value[key], inner, where)
            if problem:
                return problem
        return None
    for hint in get_args(kind):  # of a union
        if get_origin(hint) is type(value):
            return _problem(value, hint, place)
    kinds = tuple(get_origin(hint) or hint for hint in get_args(kind) or (kind,))
    if isinstance(value, bool):
        fits = bool in kinds
    elif isinstance(value, int) and abs(value) <= COUNT_LIMIT:
        fits = int in kinds or float in kinds
    elif isinstance(value, float):
        fits = float in kinds and math.isfinite(value)
    else:
        fits = isinstance(value, kinds) and not isinstance(value, int)
    if fits:
        return None
    wanted = ' or '.join(_NAMES[each] for each in kinds)
    return f'{place} must be {wanted}, not {_name(value)}'


def _entries(kind: Kind, value: dict[str, Any]) -> dict[str, Kind]:
    """Return the keys to look for in an object, and the kind of each."""
    if isinstance(kind, dict):
        return kind
    if not is_typeddict(kind):
        return dict.fromkeys(value, get_args(kind)[1])
    required = kind.__required_keys__
    return {key: hint for key, hint in _hints(kind).items() if key in required or key in value}


_hints = functools.cache(get_type_hints)

_NAMES = {
    bool: 'true or false',
    dict: 'an object',
    float: 'a number',
    int: 'a whole number',
    list: 'a list',
    str: 'text',
    type(None): 'null',
}


def _name(value: Any) -> str:
    return str(value)[:40] if isinstance(value, float | int) else _NAMES[type(value)]


# --- sharing --------------------------------------------------------------------------------------


def lock_folder(folder: Path, user: str = 'run') -> IO[str]:
    """Lock a folder, created if necessary, until this process ends or closes the returned file.

    Args:
        folder: the folder.
        user: description of the processes that use the folder, for the message.

    Raises:
        UserError: another process uses it, or it is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        lock = os.fdopen(descriptor, 'w')
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f'{folder}: another {user} is using this folder') from None
    except OSError as error:
        raise UserError(f'{folder}: cannot be used: {error.strerror}') from None
    return lock

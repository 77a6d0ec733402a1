"""What makes a recording a whole one: a file beside its messages that says what is in them.

`recording.json` is written when a recording has been checked, by whoever checked it; rosbag2 and
`ros2 bag` take no notice of it. Bags recorded by other programs or older versions have none.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from neuron_reach.errors import UserError
from neuron_reach.files import read_json, write_text

SEAL = 'recording.json'
SUFFIXES = ('.mcap', '.db3')
"""Of the files that hold messages."""

_FORMAT = 1
_PART = 2**20  # bytes


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """A file of a bag: its size in bytes, and the SHA-256 of its content."""

    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Seal:
    """What was found when a recording was checked.

    Attributes:
        episodes: numbers 0 up to this were asked for, and are all there.
        network: content digest of the network (see `learning.checkpoint.network_digest`).
        files: the files that hold the messages, by name.
    """

    episodes: int
    network: str
    files: dict[str, StoredFile]


def seal(bag: Path, episodes: int, network: str) -> None:
    """Write down that a bag was checked and found whole.

    Raises:
        UserError: a file cannot be read or written.
    """
    stored = sorted(file for file in bag.iterdir() if file.suffix in SUFFIXES)
    try:
        files = {file.name: dataclasses.asdict(describe_file(file)) for file in stored}
        values = {'format': _FORMAT, 'episodes': episodes, 'network': network, 'files': files}
        write_text(bag / SEAL, json.dumps(values, indent=1))
    except OSError as error:
        raise UserError(f'{bag}: cannot be sealed: {error.strerror}') from None


def read_seal(bag: Path) -> Seal | None:
    """Return what a bag's seal says, None if it has none.

    Args:
        bag: a folder, or one of the files in it.

    Raises:
        UserError: the seal is damaged.
    """
    file = (bag if bag.is_dir() else bag.parent) / SEAL
    if not file.exists():
        return None
    values = read_json(file)
    try:
        if values['format'] != _FORMAT:
            raise ValueError
        files = {name: StoredFile(**entry) for name, entry in values['files'].items()}
        found = Seal(values['episodes'], values['network'], files)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f'{file}: is damaged or of a newer version') from None
    sizes = (found.episodes, *(stored.size for stored in files.values()))
    texts = (found.network, *(stored.sha256 for stored in files.values()))
    if not all(type(size) is int and size >= 0 for size in sizes) or not all(
        isinstance(text, str) for text in texts
    ):
        raise UserError(f'{file}: is damaged or of a newer version')
    return found


def describe_file(path: Path) -> StoredFile:
    """Return the size and digest of a file.

    Raises:
        OSError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    with path.open('rb') as file:
        while part := file.read(_PART):
            digest.update(part)
            size += len(part)
    return StoredFile(size, digest.hexdigest())

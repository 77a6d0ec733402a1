# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The seal of a complete recording: a file beside its messages that describes their content.

`recording.json` is written after a recording has been checked; rosbag2 and `ros2 bag` ignore it.
Bags recorded by other programs or older versions have none.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

from neuron_reach.common.files import (
    Kind,
    check_kinds,
    json_bytes,
    open_regular,
    read_json,
    write_bytes,
)
from neuron_reach.common.names import SEAL, is_storage
from neuron_reach.errors import UserError

_FORMAT = 1
_PART = 2**20  # bytes
_KINDS: Kind = {'format': int, 'episodes': int, 'network': str, 'files': dict}
_FILE: Kind = {'size': int, 'sha256': str}


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """A file of a bag: its size in bytes, and the SHA-256 of its content."""

    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Seal:
    """The result of checking a recording.

    Attributes:
        episodes: number of requested episodes; all of them, from 0 on, are in the recording.
        network: content digest of the network (see `learning.checkpoint.network_digest`).
        files: the files with the messages, by name.
    """

    episodes: int
    network: str
    files: dict[str, StoredFile]


def seal(bag: Path, episodes: int, network: str) -> None:
    """Write the seal of a bag that was checked and is complete.

    Raises:
        UserError: a file cannot be read or written.
    """
    stored = sorted(file for file in bag.iterdir() if is_storage(file.name))
    try:
        files = {file.name: dataclasses.asdict(describe_file(file)) for file in stored}
        values = {'format': _FORMAT, 'episodes': episodes, 'network': network, 'files': files}
        write_bytes(bag / SEAL, json_bytes(values))
    except OSError as error:
        raise UserError(f'{bag}: cannot be sealed: {error.strerror}') from None


def read_seal(bag: Path) -> Seal | None:
    """Return the seal of a bag, None if it has none.

    Args:
        bag: a folder, or one of the files in it.

    Raises:
        UserError: the seal is damaged or not a file.
    """
    file = (bag if bag.is_dir() else bag.parent) / SEAL
    if not os.path.lexists(file):  # also a dangling link, which then cannot be read
        return None
    values = read_json(file, _KINDS)
    if values['format'] != _FORMAT:
        raise UserError(f'{file}: is of format {values["format"]}, not {_FORMAT}')
    check_kinds(file, values, {'files': dict.fromkeys(values['files'], _FILE)})
    files = {
        name: StoredFile(entry['size'], entry['sha256']) for name, entry in values['files'].items()
    }
    if values['episodes'] < 0:
        raise UserError(f'{file}: episodes must not be {values["episodes"]}')
    return Seal(values['episodes'], values['network'], files)


def describe_file(path: Path) -> StoredFile:
    """Return the size and digest of a file.

    Raises:
        OSError: it cannot be read.
        UserError: it is not a regular file.
    """
    digest, size = hashlib.sha256(), 0
    with open_regular(path) as file:
        while part := file.read(_PART):
            digest.update(part)
            size += len(part)
    return StoredFile(size, digest.hexdigest())

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Reads bags of this package and of ``ros2 bag record``, complete or truncated."""

from __future__ import annotations

import functools
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from rosbags.serde import SerdeError

from neuron_reach import messages
from neuron_reach.bags import mcap, packed, sqlite
from neuron_reach.bags.metadata import read_metadata
from neuron_reach.bags.seal import StoredFile, describe_file, read_seal
from neuron_reach.bags.storage import Channel, DamageError, Message, StorageFile, humble_types
from neuron_reach.common.files import open_regular
from neuron_reach.common.names import BAG_METADATA, COMPRESSED, SEAL, is_storage
from neuron_reach.errors import UserError

_ALLOWED = 'a bag is a folder made by a recording, or one of its .mcap or .db3 files'


class _File(NamedTuple):
    path: Path
    storage: StorageFile
    sealed: StoredFile | None

    def change(self) -> str | None:
        """Describe how the file differs from its recording; None if it does not."""
        if self.sealed is None:
            return None
        if isinstance(self.storage, sqlite.SqliteFile) and self.storage.logs:
            return (
                f'is not as it was recorded (now there is {self.path.name}{self.storage.logs[0]})'
            )
        state = self.path.stat()
        if state.st_size == self.sealed.size:
            found = _describe(self.path, state.st_ino, state.st_mtime_ns, state.st_ctime_ns)
            if found == self.sealed:
                return None
        return f'is not as it was recorded (its digest differs from that in {SEAL})'


class BagReader:
    """Reads one or more bags message by message, as if they were concatenated.

    Accepts folders (also split recordings, and ``.partial`` folders of killed recorders) and single
    storage files, compressed or not, and never writes beside them. Damaged or truncated files are
    read up to the last complete record.

    Args:
        paths: one path, or several in the order in which to read them.

    Raises:
        UserError: a path is missing, empty, unreadable, or not a bag.
    """

    def __init__(self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> None:
        if isinstance(paths, (str, os.PathLike)):
            paths = [paths]
        self._typestore = humble_types()
        self._notes: list[str] = []
        self._files: list[_File] = []
        for path in map(Path, paths):
            try:
                self._add(path)
            except OSError as error:
                raise UserError(f'cannot read {path}: {error.strerror or error}') from error
        if not self._files:
            raise UserError(f'no bag given; {_ALLOWED}')

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All recorded channels; a topic may have several types."""
        channels = (channel for file in self._files for channel in file.storage.channels())
        return tuple(dict.fromkeys(channels))

    @property
    def topics(self) -> dict[str, str]:
        """Message type of every recorded topic, by full name."""
        return {channel.topic: channel.msgtype for channel in self.channels}

    @property
    def storage(self) -> str:
        """The storage format, ``mcap`` or ``sqlite3``, or both."""
        kinds = {isinstance(file.storage, mcap.McapFile) for file in self._files}
        return ' and '.join(
            name for name, kind in (('mcap', True), ('sqlite3', False)) if kind in kinds
        )

    @property
    def sealed(self) -> bool:
        """Whether there is a digest of every file."""
        return all(file.sealed is not None for file in self._files)

    @property
    def has_checksums(self) -> bool:
        """Whether every file has a checksum over all its messages."""
        return all(file.storage.has_checksum for file in self._files)

    @property
    def incomplete(self) -> str | None:
        """Why recorded messages cannot be read, in one line; None if all can.

        Damage inside a file is detected only when it has been read up to there.
        """
        files = [
            f'{file.path}: {file.storage.incomplete}'
            for file in self._files
            if file.storage.incomplete
        ]
        return '; '.join(self._notes + files) or None

    def read(self, wanted: Callable[[Channel], bool]) -> Iterator[Message]:
        """Yield the messages of the wanted channels in the order of recording, bag after bag.

        Raises:
            UserError: a file cannot be read any more.
        """
        for file in self._files:
            try:
                file.storage.incomplete = file.change() or file.storage.incomplete
                allowance = packed.Allowance(file.path.stat().st_size)
                for message in file.storage.messages(wanted):
                    if message.data[:4] != packed.MAGIC or message.channel.encoding != 'cdr':
                        yield message
                    else:
                        yield message._replace(data=allowance.unpack(message.data))
            except DamageError as error:
                file.storage.incomplete = file.storage.incomplete or str(error)
            except OSError as error:
                raise UserError(f'cannot read {file.path}: {error.strerror or error}') from error

    def check_digests(self) -> None:
        """Check every file against the digest in the seal of its recording, if it has one.

        Raises:
            UserError: a file differs or cannot be read.
        """
        for file in self._files:
            try:
                reason = file.change()
            except OSError as error:
                reason = f'cannot be read: {error.strerror or error}'
            if reason:
                raise UserError(f'{file.path} {reason}')

    def messages(
        self, topics: Iterable[str] | None = None, *, raw: bool = False
    ) -> Iterator[tuple[str, int, Any]]:
        """Yield the messages in the order of recording, bag after bag.

        Args:
            topics: relative names, which match in any namespace; None: all.
            raw: yield the serialized bytes instead of message objects.

        Yields:
            Full topic name, time of receipt in ns, message (an object of ``rosbags`` with the
            fields of the ROS message, arrays as numpy arrays). Messages of types that ROS 2 Humble
            does not have are yielded as bytes.

        Raises:
            UserError: a file cannot be read any more.
        """
        names = None if topics is None else tuple(topics)

        def wanted(channel: Channel) -> bool:
            return names is None or any(messages.is_topic(channel.topic, name) for name in names)

        for channel, time, data in self.read(wanted):
            message = data
            if not raw:
                with suppress(messages.LayoutError):
                    message = self.decode(channel, data)
            yield channel.topic, time, message

    def decode(self, channel: Channel, data: bytes) -> Any:
        """Return the message object for serialized bytes.

        Raises:
            LayoutError: they are not a message of the channel's type, or Humble lacks that type.
        """
        if channel.encoding != 'cdr' or channel.msgtype not in self._typestore.fielddefs:
            raise messages.LayoutError(f'{channel.msgtype} in {channel.encoding} cannot be decoded')
        try:
            return self._typestore.deserialize_cdr(data, channel.msgtype)
        except (SerdeError, MemoryError) as error:
            raise messages.LayoutError(f'a message cannot be decoded ({error})') from None

    def _add(self, path: Path) -> None:
        if not path.exists():
            raise UserError(f'{path} does not exist; {_ALLOWED}')
        seal = read_seal(path)
        sealed = {} if seal is None else seal.files
        if not path.is_dir():
            self._files.append(_open_file(path, sealed))
            return
        members, note = _members(path)
        if note:
            self._notes.append(f'{path}: {note}')
        names = {member.name for member in members}
        if missing := [name for name in sealed if name not in names]:
            self._notes.append(f'{path}: {_list(missing, f"of its {SEAL} ")} missing')
        failures = []
        opened: list[_File] = []
        for member in members:
            try:
                opened.append(_open_file(member, sealed))
            except UserError as error:
                failures.append(error)
        if failures and not opened:
            raise failures[0]
        self._notes.extend(map(str, failures))
        self._files.extend(opened)


@functools.lru_cache(maxsize=1024)
def _describe(path: Path, *state: int) -> StoredFile:
    """Return size and digest of a file; cached while its state stays the same."""
    return describe_file(path)


def _open_file(path: Path, sealed: Mapping[str, StoredFile]) -> _File:
    with open_regular(path) as file:
        start = file.read(max(len(mcap.MAGIC), len(sqlite.MAGIC)))
    if not start:
        raise UserError(f'{path} is empty; {_ALLOWED}')
    if not start.startswith(packed.MAGIC):
        return _File(path, _open_storage(path, start), sealed.get(path.name))
    with tempfile.NamedTemporaryFile(prefix='neuron_reach-') as named:
        note = packed.unpack_file(path, named)
        # Opened before the file is unlinked; it then disappears with the process in any case.
        unpacked = open_regular(Path(named.name))
        storage = _open_storage(path, unpacked.read(len(start)), unpacked)
    storage.incomplete = note or storage.incomplete
    return _File(path, storage, sealed.get(path.name))


def _open_storage(path: Path, start: bytes, unpacked: IO[bytes] | None = None) -> StorageFile:
    if start.startswith(mcap.MAGIC):
        return mcap.McapFile(path, unpacked)
    if start.startswith(sqlite.MAGIC):
        return sqlite.SqliteFile(path, unpacked)
    raise UserError(f'{path} is neither an MCAP nor an SQLite file; {_ALLOWED}')


def _members(folder: Path) -> tuple[list[Path], str | None]:
    """Return the storage files of a bag in the order of recording, and any problem."""
    files = {item.name: item for item in folder.iterdir() if is_storage(item.name)}
    for name in [name for name in files if name.removesuffix(COMPRESSED) != name]:
        if name.removesuffix(COMPRESSED) in files:  # the recorder was killed during compression
            del files[name]
    if not files:
        raise UserError(f'{folder} holds no .mcap or .db3 file; {_ALLOWED}')
    listed, note = read_metadata(folder / BAG_METADATA)
    names = [name for name in listed if name in files] or sorted(files, key=_by_number)
    if missing := [name for name in listed if name not in files]:
        note = f'{_list(missing)} missing'
    if unlisted := sorted(files.keys() - set(names), key=_by_number):
        ignored = f'{_list(unlisted)} not listed in {BAG_METADATA} and ignored'
        note = ignored if note is None else f'{note}; {ignored}'
    return [files[name] for name in names], note


def _list(names: list[str], what: str = '') -> str:
    return f'{", ".join(names)} {what}{"is" if len(names) == 1 else "are"}'


def _by_number(name: str) -> list[str | int]:
    """Sort key that puts part 10 of a split recording after part 9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', name)]

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Writes bags for ``ros2 bag`` of Humble and later; a kill loses at most a second."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import struct
import time
import zlib
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Literal

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.errors import WriterError
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer

from neuron_reach.bags.storage import humble_types
from neuron_reach.common.files import fsync
from neuron_reach.common.names import PARTIAL, SUFFIXES, beside
from neuron_reach.common.paths import holds_nothing
from neuron_reach.errors import UserError

STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}

# Offsets of the checksums within a chunk and within a footer record. The footer is before the last
# 8 bytes.
_CHUNK_CHECKSUM, _FOOTER_CHECKSUM = 9 + 24, 9 + 16
_FOOTER_SIZE, _DATA_END_SIZE = 9 + 20 + 8, 9 + 4
_FLUSH_INTERVAL = 1.0  # s
# The newest form of metadata whose QoS Humble can parse (a string; version 9 has a list).
_METADATA_VERSION: Literal[8] = 8
_FOREVER = QosTime(9223372036, 854775807)
_WRITE_ERRORS = (OSError, sqlite3.Error, WriterError)


class _Mcap(McapWriter):
    """MCAP whose chunk can be closed at any time; by itself it closes one after every MiB.

    Fills in the checksums that the library leaves at zero, which means "none"; their offsets are
    those of https://mcap.dev/spec.
    """

    def close_chunk(self) -> None:
        """Write the chunk, with its checksum."""
        start, checksum = self.bio.tell(), zlib.crc32(self.chunk.bio.getbuffer())
        super().close_chunk()
        end = self.bio.tell()
        self.bio.seek(start + _CHUNK_CHECKSUM)
        self.bio.write(struct.pack('<I', checksum))
        self.bio.seek(end)

    def close(self, version: int, metadata: str) -> None:
        """Write the index, and the checksums of the data and of the index."""
        super().close(version, metadata)
        with Path(self.bio.name).open('r+b') as file:
            footer = file.seek(-_FOOTER_SIZE, os.SEEK_END)
            (summary,) = struct.unpack('<Q', file.read(17)[9:])
            checksum_place = footer + _FOOTER_CHECKSUM
            for start, end, place in (
                (0, summary - _DATA_END_SIZE, summary - 4),
                (summary, checksum_place, checksum_place),
            ):
                checksum = _checksum(file, start, end)
                file.seek(place)
                file.write(struct.pack('<I', checksum))

    def flush(self) -> None:
        """Pass everything written so far to the operating system, in readable form."""
        if self.chunk.msgs:
            self.close_chunk()
        self.bio.flush()


def _checksum(file: IO[bytes], start: int, end: int) -> int:
    """Return the CRC-32 of a part of a file."""
    file.seek(start)
    checksum = 0
    while start < end and (part := file.read(min(2**20, end - start))):
        checksum = zlib.crc32(part, checksum)
        start += len(part)
    return checksum


class _Sqlite3(Sqlite3Writer):
    """SQLite that can commit at any time.

    With a write-ahead log committed messages stay readable in any case, also for a reader without
    write access, which a rollback journal would require.
    """

    def __init__(self, path: Path, compression: object) -> None:
        # Replaces the library's constructor, which opens the path as a URI, where `#`, `?` and
        # `%` have a special meaning.
        self.path = path / (path.name + SUFFIXES['sqlite3'])
        self.conn = sqlite3.connect(self.path)
        self.conn.executescript(self.SQLITE_SCHEMA)
        self.cursor = self.conn.cursor()
        self.conn.execute('PRAGMA journal_mode=WAL')
        self.conn.execute('PRAGMA synchronous=NORMAL')

    def flush(self) -> None:
        """Pass everything written so far to the operating system, in readable form."""
        self.conn.commit()

    def close(self, version: int, metadata: str) -> None:
        self.flush()
        # Fails while a reader has the unfinished bag open; the bag then keeps its log.
        with suppress(sqlite3.OperationalError):
            self.conn.execute('PRAGMA journal_mode=DELETE')
        super().close(version, metadata)


class _Writer(Writer):
    STORAGE_PLUGINS = {StoragePlugin.MCAP: _Mcap, StoragePlugin.SQLITE3: _Sqlite3}  # noqa: RUF012


class BagWriter:
    """Writes serialized messages to one bag; a context manager that closes the bag.

    The bag is written to the folder ``<path>.partial``, which is renamed when the bag is closed or,
    with `keep_partial`, by the caller when the content has been checked. After a kill
    `neuron_reach.bags.reader` reads the partial folder up to the last flush, which is at most a
    second before the kill. An unfinished recording of a killed writer is moved, never overwritten.

    Args:
        path: folder of the bag; must not exist.
        storage: ``mcap`` or ``sqlite3``.
        keep_partial: leave the finished bag in the partial folder.

    Attributes:
        finished: path of the bag after it has been closed.
        counts: messages written, by topic.
        set_aside: path to which an earlier unfinished recording was moved, or None.

    Raises:
        UserError: the bag exists, is being recorded, or cannot be written; the storage is unknown.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        storage: str = 'mcap',
        *,
        keep_partial: bool = False,
    ) -> None:
        if storage not in STORAGES:
            raise UserError(f'unknown bag storage {storage!r}; allowed: {", ".join(STORAGES)}')
        # An absolute path, so that a later change of directory does not move the target.
        self.path = Path(path).absolute()
        self.partial = beside(self.path, PARTIAL)
        self.finished = self.partial if keep_partial else self.path
        self.counts: dict[str, int] = {}
        self.set_aside: Path | None = None
        self._suffix = SUFFIXES[storage]
        self._connections: dict[str, Connection] = {}
        self._typestore = humble_types()
        self._next_flush = 0.0
        self._lock: int | None = None
        self._writer: Writer | None = None
        try:
            self.set_aside = make_room(self.path, keep_partial=keep_partial)
            self._writer = _Writer(
                self.partial, version=_METADATA_VERSION, storage_plugin=STORAGES[storage]
            )
            self._writer.open()
            self._lock = lock(self.partial)
        except _WRITE_ERRORS as error:
            raise self._failed(error) from error

    def add_topic(
        self,
        name: str,
        msgtype: str,
        *,
        depth: int = 10,
        reliable: bool = True,
        transient_local: bool = False,
    ) -> None:
        """Add a topic; the quality of service is the one that ``ros2 bag play`` will offer.

        Args:
            name: full topic name, with its namespace.
            msgtype: such as ``std_msgs/msg/String``.
            depth: messages kept for late or slow readers.
            reliable: whether delivery is reliable, else best effort.
            transient_local: whether late joiners get the last messages.

        Raises:
            UserError: the message type is not one of ROS 2 Humble's.
        """
        if msgtype not in self._typestore.fielddefs:
            raise UserError(f'{name}: {msgtype} is not a message type of ROS 2 Humble')
        qos = Qos(
            QosHistory.KEEP_LAST,
            depth,
            QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
            QosDurability.TRANSIENT_LOCAL if transient_local else QosDurability.VOLATILE,
            deadline=_FOREVER,
            lifespan=_FOREVER,
            liveliness=QosLiveliness.AUTOMATIC,
            liveliness_lease_duration=_FOREVER,
            avoid_ros_namespace_conventions=False,
        )
        try:
            self._connections[name] = self._open_writer().add_connection(
                name, msgtype, typestore=self._typestore, offered_qos_profiles=[qos]
            )
        except _WRITE_ERRORS as error:
            raise self._failed(error) from error
        self.counts[name] = 0

    def write(self, topic: str, timestamp_ns: int, cdr_bytes: bytes | memoryview) -> None:
        """Append one message.

        Args:
            topic: a name given to `add_topic`.
            timestamp_ns: time of receipt, ns since the epoch of the node's clock.
            cdr_bytes: the message as serialized by DDS, with its four bytes of encapsulation.

        Raises:
            UserError: the disk is full or fails; the messages written so far are kept.
        """
        try:
            self._open_writer().write(self._connections[topic], timestamp_ns, cdr_bytes)
        except _WRITE_ERRORS as error:
            raise self._failed(error) from error
        self.counts[topic] += 1
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Make the written messages safe from a kill, at most once a second.

        `write` does so by itself; a recorder calls this while no messages are received.

        Raises:
            UserError: the disk is full or fails; the messages written so far are kept.
        """
        now = time.monotonic()
        if now < self._next_flush:
            return
        self._next_flush = now + _FLUSH_INTERVAL
        try:
            self._storage().flush()
        except _WRITE_ERRORS as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Finish the bag, sync it to the disk, and rename it unless `keep_partial` is set.

        Does nothing when the bag is closed already, or was abandoned after an error.

        Raises:
            UserError: the disk is full or fails, or the path exists by now; the messages written so
                far are kept in the partial folder.
        """
        if self._writer is None:
            return
        writer, storage = self._writer, self._storage()
        try:
            written_as, named = storage.path, self.partial / (self.path.name + self._suffix)
            storage.path = named  # the name that metadata.yaml will contain
            if not sum(self.counts.values()):
                writer.min_timestamp = 0  # or an empty bag would start at the largest possible time
            writer.close()
            _give_name(written_as, named)
            for item in (*self.partial.iterdir(), self.partial):
                fsync(item)
            if self.finished != self.partial:
                self.partial.rename(self.finished)
            fsync(self.path.parent)
        except _WRITE_ERRORS as error:
            raise self._failed(error) from error
        self._release()

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the bag, also after an error or Ctrl-C: the received messages are complete."""
        self.close()

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise UserError(f'{self.path} is closed; no more messages can be written')
        return self._writer

    def _storage(self) -> _Mcap | _Sqlite3:
        storage = self._open_writer().storage
        assert isinstance(storage, (_Mcap, _Sqlite3))
        return storage

    def _failed(self, error: Exception) -> UserError:
        """Abandon the recording, keep the messages so far, and return the error."""
        if self._writer is not None:
            # With a full disk, closing a file fails as well.
            with suppress(*_WRITE_ERRORS):
                self._writer.abort()
        self._release()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        problem = f'cannot write {self.path}: {reason}'
        if sum(self.counts.values()):
            problem += f'; what was recorded so far is in {self.partial}'
        return UserError(problem)

    def _release(self) -> None:
        self._writer = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _give_name(written_as: Path, name: Path) -> None:
    """Rename the written file; a database with a log is copied together with the log's content."""
    if not Path(f'{written_as}-wal').exists():
        written_as.rename(name)
        return
    with closing(sqlite3.connect(written_as)) as database:
        database.execute('VACUUM INTO ?', (str(name),))
    for suffix in ('', '-wal', '-shm'):
        Path(f'{written_as}{suffix}').unlink(missing_ok=True)


def make_room(bag: Path, *, keep_partial: bool = False) -> Path | None:
    """Move the unfinished recording of a killed recorder away; return its new path.

    Args:
        bag: the bag to be recorded.
        keep_partial: the bag itself may exist already, without messages.

    Raises:
        UserError: the bag exists, or is being recorded.
        OSError: the unfinished recording cannot be moved.
    """
    if bag.exists() and not (keep_partial and holds_nothing(bag)):
        raise UserError(f'{bag} exists already; name a bag that does not')
    partial = beside(bag, PARTIAL)
    if not partial.exists():
        return None
    try:
        descriptor = lock(partial)
    except BlockingIOError:
        raise UserError(f'{bag} is being recorded by another process') from None
    number = 1
    while (target := beside(partial, f'-{number}')).exists():
        number += 1
    partial.rename(target)
    os.close(descriptor)
    return target


def lock(folder: Path) -> int:
    """Lock a folder until the returned descriptor is closed or the process ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor

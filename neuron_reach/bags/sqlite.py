# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Reads the SQLite files of ``ros2 bag`` up to any damage, and never changes them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from neuron_reach.bags.packed import LARGEST
from neuron_reach.bags.storage import MOST_TOPICS, Channel, DamageError, Message
from neuron_reach.common.files import open_regular
from neuron_reach.errors import UserError

MAGIC = b'SQLite format 3\0'

_HEADER_SIZE = 100
_DAMAGE = (sqlite3.Error, DamageError, MemoryError)  # MemoryError: an absurd length


class SqliteFile:
    """One SQLite file of a bag.

    Args:
        path: of the file.
        unpacked: its decompressed content if the file is compressed; may be unlinked afterwards.

    Attributes:
        incomplete: why recorded messages are known to be missing from the file, or None.
        logs: suffixes of the logs beside it; a finished recording has none, or empty ones.

    Raises:
        UserError: not the database of a bag, or truncated within its first page.
    """

    has_checksum = False

    def __init__(self, path: Path, unpacked: IO[bytes] | None = None) -> None:
        self.path = path
        self.incomplete: str | None = None
        # The logs of a linked database are beside the target of the link.
        self._content = path.resolve() if unpacked is None else Path(unpacked.name)
        self._copy: sqlite3.Connection | None = None
        self.logs = [end for end in ('-wal', '-journal') if _is_log(Path(f'{self._content}{end}'))]
        try:
            if not (self.logs and self._open_unclosed()):
                self._copy = self._cut_to_pages()
                if unpacked is not None and self._copy is None:
                    self._copy = _open(self._content, 'immutable=1')
                with self._connection() as database:
                    self._channels = _read_channels(database)
        except _DAMAGE as error:
            raise UserError(f'{path} is not a readable database of a bag ({error})') from None

    def channels(self) -> tuple[Channel, ...]:
        """Return all recorded channels, including those without messages."""
        return tuple(self._channels.values())

    def messages(self, wanted: Callable[[Channel], bool]) -> Iterator[Message]:
        """Yield the messages of the wanted channels up to damage, which sets `incomplete`."""
        unwanted = [str(key) for key, channel in self._channels.items() if not wanted(channel)]
        # Filtered by SQLite, which then does not load the data of the others. Messages of unknown
        # topics are included, because they are a sign of damage.
        query = (
            "SELECT id, topic_id, timestamp, CASE WHEN typeof(data) = 'blob' "
            f'AND length(data) <= {LARGEST} THEN data END '
            f'FROM messages WHERE topic_id NOT IN ({",".join(unwanted)})'
        )
        previous = None
        try:
            for row, key, time, data in self._rows(query):
                if not (type(row) is int and type(time) is int and type(data) is bytes):
                    raise DamageError('a message has values of the wrong kind')
                if key not in self._channels:
                    raise DamageError('a message belongs to no topic')
                if previous is not None and row <= previous:
                    raise DamageError('the messages are out of order')
                previous = row
                yield Message(self._channels[key], time, data)
        except _DAMAGE as error:
            self.incomplete = self.incomplete or str(error) or 'the database is damaged'

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query that has a WHERE clause, ordered by key, up to damage."""
        last: Any = None
        with self._connection() as database:
            try:
                for row in database.execute(f'{query} ORDER BY id'):
                    last = row[0]
                    yield row
            except sqlite3.Error:
                # Python fetches one row ahead, so the last row before the error was not returned.
                after = '' if last is None else f'AND id > {int(last)}'
                yield from database.execute(f'{query} {after} ORDER BY id LIMIT 1').fetchmany(1)
                raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if self._copy is not None:
            yield self._copy
            return
        # Without immutable=1 SQLite would leave lock files beside the database.
        with closing(_open(self._content, 'immutable=1')) as database:
            yield database

    def _open_unclosed(self) -> bool:
        """Open a database that was not closed, whose newest messages are in a log only.

        Returns:
            Whether it can be read; a log may belong to another database.
        """
        names = [f'{self._content}{end}' for end in self.logs]
        if all(Path(name).is_file() for name in names):
            self.incomplete = (
                'the database was not closed; its recorder was killed or is still running'
            )
            with suppress(*_DAMAGE):
                self._copy = self._open_with_logs()
                self._channels = _read_channels(self._copy)
                return True
        listed = ' and '.join(Path(name).name for name in names)
        self.incomplete = f'{listed}: not a log of this database'
        return False

    def _open_with_logs(self) -> sqlite3.Connection:
        if '-wal' in self.logs and Path(f'{self._content}-shm').is_file():
            # A recorder may still be writing; with mode=ro SQLite reads a consistent state.
            with suppress(sqlite3.Error):
                return _open(self._content, 'mode=ro')
        # SQLite would have to write beside the file in order to read the log.
        return self._copied(['', *self.logs])

    def _cut_to_pages(self) -> sqlite3.Connection | None:
        """Return a copy without the partial page at the end of a truncated file, else None.

        SQLite would read the missing bytes of the page as zeros, and return messages made of them.
        """
        with open_regular(self._content) as file:
            header = file.read(_HEADER_SIZE)
        if len(header) < _HEADER_SIZE:
            raise UserError(f'{self.path} is cut off within its header')
        size = self._content.stat().st_size
        page = int.from_bytes(header[16:18], 'big')
        page = page if page > 1 else 1 << 16  # 65536 does not fit in two bytes
        if size >= page * int.from_bytes(header[28:32], 'big'):
            return None
        self.incomplete = self.incomplete or 'the file was cut off'
        return self._copied([''], size - size % page) if size % page else None

    def _copied(self, suffixes: list[str], size: int | None = None) -> sqlite3.Connection:
        """Open a copy that is unlinked at once, so that it disappears with the connection.

        Args:
            suffixes: of the files to copy; '' is the database itself.
            size: bytes to truncate the database to.
        """
        try:
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder, 'copy.db3')
                for suffix in suffixes:
                    with (
                        open_regular(Path(f'{self._content}{suffix}')) as file,
                        Path(f'{copy}{suffix}').open('wb') as target,
                    ):
                        shutil.copyfileobj(file, target)
                        if not suffix:
                            target.truncate(size)
                return _open(copy, 'mode=rw')
        except OSError as error:
            raise UserError(
                f'{self.path}: can be read only from a copy, which cannot be made in '
                f'{tempfile.gettempdir()} ({error.strerror}); choose another place with TMPDIR'
            ) from None


def _is_log(path: Path) -> bool:
    return os.path.lexists(path) and not (path.is_file() and not path.stat().st_size)


def _open(path: Path, mode: str) -> sqlite3.Connection:
    database = sqlite3.connect(f'{path.absolute().as_uri()}?{mode}', uri=True)
    try:
        # Without this pragma a file without its last pages would be refused entirely.
        database.execute('PRAGMA writable_schema=ON')
        database.execute('PRAGMA trusted_schema=OFF')
        database.execute('PRAGMA cell_size_check=ON')
        database.execute('SELECT count(*) FROM sqlite_master').fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _read_channels(database: sqlite3.Connection) -> dict[int, Channel]:
    """Return the channels by their key in the table of topics."""
    _check_tables(database)
    channels = {}
    query = 'SELECT id, name, type, serialization_format FROM topics ORDER BY id'
    for key, *texts in database.execute(query):
        if type(key) is not int or not all(isinstance(text, str) for text in texts):
            raise DamageError('the table of topics is damaged')
        channels[key] = Channel(*texts)
        if len(channels) > MOST_TOPICS:
            raise DamageError(f'more than {MOST_TOPICS} topics')
    return channels


def _check_tables(database: sqlite3.Connection) -> None:
    """Raise DamageError unless topics and messages are plain tables.

    Views, virtual tables and computed columns could generate any amount of data.
    """
    # Only plain tables have a root page.
    tables = {
        name
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
        )
    }
    if not {'topics', 'messages'} <= tables:
        raise DamageError('the tables "topics" and "messages" are missing')
    for table in ('topics', 'messages'):
        if any(hidden for *_, hidden in database.execute(f'PRAGMA table_xinfo({table})')):
            raise DamageError(f'the table "{table}" has computed columns')

"""Reads the SQLite files of ``ros2 bag``, as far as they are whole, and never changes them."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from neuron_reach.bags.storage import DamageError, Message
from neuron_reach.errors import UserError

MAGIC = b'SQLite format 3\0'

_HEADER_SIZE = 100


class SqliteFile:
    """One SQLite file of a bag.

    Attributes:
        incomplete: why not everything that was recorded is in the file, as far as known; else None.

    Raises:
        UserError: not the database of a bag, or cut off before its first page ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.incomplete: str | None = None
        # A finished recording leaves no log, or an empty one.
        self._logs = [end for end in ('-wal', '-journal') if _size(f'{path}{end}')]
        if self._logs:
            self.incomplete = 'the database was not closed: its recorder was stopped'
        self._whole_pages = path if self._logs else self._cut_to_pages()
        try:
            with closing(self._connect()) as database:
                self._topics = _read_topics(database)
        except (sqlite3.Error, DamageError) as error:
            raise UserError(f'{path} is no readable database of a bag ({error})') from None

    def topics(self) -> dict[str, str]:
        """Message type of every topic."""
        return dict(self._topics.values())

    def messages(self, wanted: Callable[[str], bool]) -> Iterator[Message]:
        """Yield the messages of the wanted topics; damage ends it, and shows in `incomplete`."""
        unwanted = [str(key) for key, topic in self._topics.items() if not wanted(topic[0])]
        # Filtered by SQLite, as it then need not load the data of the others; a topic that is not
        # known comes too, as it is a sign of damage.
        query = (
            'SELECT id, topic_id, timestamp, data FROM messages '
            f'WHERE topic_id NOT IN ({",".join(unwanted)}) ORDER BY id'
        )
        previous = None
        try:
            with closing(self._connect()) as database:
                for row, key, time, data in database.execute(query):
                    if not (type(row) is int and type(time) is int and type(data) is bytes):
                        raise DamageError('a message has values of the wrong kind')
                    if key not in self._topics:
                        raise DamageError('a message belongs to no topic')
                    if previous is not None and row <= previous:
                        raise DamageError('the messages are out of order')
                    previous = row
                    yield Message(*self._topics[key], time, data)
        except (sqlite3.Error, DamageError) as error:
            self.incomplete = self.incomplete or str(error)

    def _cut_to_pages(self) -> Path:
        """Return a database without the half page at the end of a file that was cut.

        SQLite takes what is missing of a page for zeros, and would make up messages from them.
        """
        size = self.path.stat().st_size
        with self.path.open('rb') as file:
            header = file.read(_HEADER_SIZE)
            if len(header) < _HEADER_SIZE:
                raise UserError(f'{self.path} is cut off within its header')
            page = int.from_bytes(header[16:18], 'big')
            page = page if page > 1 else 1 << 16  # 65536 does not fit in two bytes
            if size >= page * int.from_bytes(header[28:32], 'big'):
                return self.path
            self.incomplete = 'the file was cut off'
            if size % page == 0:
                return self.path
            file.seek(0)
            self._copy = tempfile.NamedTemporaryFile(suffix='.db3')  # noqa: SIM115
            shutil.copyfileobj(file, self._copy)
            self._copy.truncate(size - size % page)
            self._copy.flush()
            return Path(self._copy.name)

    def _connect(self) -> sqlite3.Connection:
        # Only the write-ahead log of a stopped recorder asks for more than reading the file as it
        # is; SQLite would otherwise leave lock files next to it.
        if '-wal' in self._logs:
            with suppress(sqlite3.OperationalError):
                return _open(self._whole_pages, 'mode=ro')
        return _open(self._whole_pages, 'immutable=1')


def _size(path: str) -> int:
    file = Path(path)
    return file.stat().st_size if file.exists() else 0


def _open(path: Path, mode: str) -> sqlite3.Connection:
    database = sqlite3.connect(f'{path.absolute().as_uri()}?{mode}', uri=True)
    try:
        # Else a file that lost its last pages is refused as a whole.
        database.execute('PRAGMA writable_schema=ON')
        database.execute('PRAGMA trusted_schema=OFF')
        database.execute('PRAGMA cell_size_check=ON')
        database.execute('SELECT count(*) FROM sqlite_master').fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _read_topics(database: sqlite3.Connection) -> dict[int, tuple[str, str]]:
    """Name and message type of the topics, by their key in the table."""
    tables = {
        name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    if not {'topics', 'messages'} <= tables:
        raise DamageError('the tables "topics" and "messages" are missing')
    topics = {}
    query = 'SELECT id, name, type, serialization_format FROM topics ORDER BY id'
    for key, name, msgtype, encoding in database.execute(query):
        if not (type(key) is int and isinstance(name, str) and isinstance(msgtype, str)):
            raise DamageError('the table of topics is damaged')
        if encoding != 'cdr':
            raise DamageError(f'topic {name!r} is encoded as {encoding!r}, not as cdr')
        topics[key] = name, msgtype
    return topics

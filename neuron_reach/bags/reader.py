"""Reads recorded bags: our own and those of ``ros2 bag record``, whole or cut short."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from rosbags.serde import SerdeError
from ruamel.yaml import YAML

from neuron_reach.bags import layout, mcap, sqlite
from neuron_reach.bags.storage import StorageFile, humble_types
from neuron_reach.errors import UserError

_ALLOWED = 'a bag is a folder made by a recording, or one of its .mcap or .db3 files'


class BagReader:
    """Reads one or many bags, one after the other, message by message.

    Takes folders (also split recordings, and ``.partial`` ones of a killed recorder) and single
    storage files, and never writes. What is damaged or cut off is read up to the last whole record.

    Args:
        paths: one path, or several in the order in which to read them.

    Raises:
        UserError: a path is missing, empty, unreadable, or no bag.
    """

    def __init__(self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> None:
        if isinstance(paths, (str, os.PathLike)):
            paths = [paths]
        self._typestore = humble_types()
        self._notes: list[str] = []
        self._files: list[tuple[Path, StorageFile]] = []
        for path in map(Path, paths):
            try:
                self._add(path)
            except OSError as error:
                raise UserError(f'cannot read {path}: {error.strerror or error}') from error
        if not self._files:
            raise UserError(f'no bag given; {_ALLOWED}')

    @property
    def topics(self) -> dict[str, str]:
        """Message type of every recorded topic, by full name."""
        return {topic: kind for _, file in self._files for topic, kind in file.topics().items()}

    @property
    def storage(self) -> str:
        """The storage format, ``mcap`` or ``sqlite3``, or both."""
        kinds = {isinstance(file, mcap.McapFile) for _, file in self._files}
        return ' and '.join(
            name for name, kind in (('mcap', True), ('sqlite3', False)) if kind in kinds
        )

    @property
    def incomplete(self) -> str | None:
        """Why not everything recorded can be read, in one line; None if it can.

        Damage inside a file shows only when it has been read up to there.
        """
        files = [f'{path}: {file.incomplete}' for path, file in self._files if file.incomplete]
        return '; '.join(self._notes + files) or None

    def messages(
        self, topics: Iterable[str] | None = None, *, raw: bool = False
    ) -> Iterator[tuple[str, int, Any]]:
        """Yield the messages in the order of recording, bag after bag.

        Args:
            topics: relative names; each stands for that topic in any namespace. None: all.
            raw: give the serialised bytes instead of message objects.

        Yields:
            Full topic name, time of receipt in ns, message (an object of ``rosbags`` with the
            fields of the ROS message, arrays as numpy arrays). Messages of types that ROS 2
            Humble does not have come as bytes.

        Raises:
            UserError: a file cannot be read any more.
        """
        names = None if topics is None else tuple(topics)

        def wanted(topic: str) -> bool:
            return names is None or any(layout.is_topic(topic, name) for name in names)

        for path, file in self._files:
            try:
                for topic, msgtype, time, data in file.messages(wanted):
                    yield topic, time, data if raw else self._decode(msgtype, data)
            except SerdeError as error:
                file.incomplete = file.incomplete or f'a message cannot be decoded ({error})'
            except OSError as error:
                raise UserError(f'cannot read {path}: {error.strerror or error}') from error

    def decode(self, topic: str, data: bytes) -> Any:
        """Return the message object for serialised bytes of a topic.

        Raises:
            UserError: they are not a message of the topic's type.
        """
        try:
            return self._decode(self.topics[topic], data)
        except SerdeError as error:
            raise UserError(f'{topic}: a message cannot be decoded ({error})') from None

    def _decode(self, msgtype: str, data: bytes) -> object:
        if msgtype not in self._typestore.fielddefs:
            return data
        return self._typestore.deserialize_cdr(data, msgtype)

    def _add(self, path: Path) -> None:
        if not path.exists():
            raise UserError(f'{path} does not exist; {_ALLOWED}')
        if path.is_file():
            self._files.append((path, _open_file(path)))
            return
        members, note = _members(path)
        if note:
            self._notes.append(f'{path}: {note}')
        failures = []
        opened: list[tuple[Path, StorageFile]] = []
        for member in members:
            try:
                opened.append((member, _open_file(member)))
            except UserError as error:
                failures.append(error)
        if failures and not opened:
            raise failures[0]
        self._notes.extend(map(str, failures))
        self._files.extend(opened)


def _open_file(path: Path) -> StorageFile:
    with path.open('rb') as file:
        start = file.read(max(len(mcap.MAGIC), len(sqlite.MAGIC)))
    if not start:
        raise UserError(f'{path} is empty; {_ALLOWED}')
    if start.startswith(mcap.MAGIC):
        return mcap.McapFile(path)
    if start.startswith(sqlite.MAGIC):
        return sqlite.SqliteFile(path)
    raise UserError(f'{path} is neither an MCAP nor an SQLite file; {_ALLOWED}')


def _members(folder: Path) -> tuple[list[Path], str | None]:
    """Storage files of a bag in the order of recording, and what is wrong with the folder."""
    metadata = folder / 'metadata.yaml'
    listed: list[str] = []
    note = None
    try:
        listed = _listed_names(metadata)
    except FileNotFoundError:
        note = 'there is no metadata.yaml: the recorder was stopped'
    except (OSError, UserError):
        raise
    # Whatever a damaged text makes the parser raise, the storage files tell their own tale.
    except Exception:
        note = 'metadata.yaml is damaged'
    found = {item.name: item for item in folder.iterdir() if item.suffix in ('.mcap', '.db3')}
    if not found:
        raise UserError(f'{folder} holds no .mcap or .db3 file; {_ALLOWED}')
    if missing := [name for name in listed if name not in found]:
        note = f'{", ".join(missing)} is missing'
    names = [name for name in listed if name in found] or sorted(found, key=_by_number)
    return [found[name] for name in names], note


def _by_number(name: str) -> list[str | int]:
    """Sort key that puts part 10 of a split recording after part 9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', name)]


def _listed_names(metadata: Path) -> list[str]:
    """File names that a metadata.yaml lists, in the order of recording."""
    content = YAML(typ='safe', pure=True).load(metadata.read_text(encoding='utf-8'))
    information = content['rosbag2_bagfile_information']
    if information.get('compression_mode', '').lower() in ('file', 'message'):
        raise UserError(
            f'{metadata.parent} is compressed by file or message; only the compression of '
            'MCAP chunks can be read'
        )
    # Older recordings list paths from another folder's point of view.
    return [PurePosixPath(name).name for name in information['relative_file_paths']]

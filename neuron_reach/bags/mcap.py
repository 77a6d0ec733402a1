"""Reads MCAP files from front to back, as far as they are whole.

A linear scan needs no index, so it reads a file that a killed recorder left as well as a finished
one, in the order of recording and one chunk at a time. Format: https://mcap.dev/spec
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import lz4.frame  # type: ignore[import-untyped]
from backports import zstd

from neuron_reach.bags.storage import DamageError, Message
from neuron_reach.errors import UserError

MAGIC = b'\x89MCAP0\r\n'

_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 1, 2, 3, 4, 5, 6, 15
_RECORD = struct.Struct('<BQ')  # opcode, length
_MESSAGE_FIELDS = struct.Struct('<HIQQ')  # channel, sequence, log time, publish time
_CHUNK_FIELDS = struct.Struct('<QQQI')  # first and last time, size of the records, their CRC-32
_FOOTER_SIZE = 20
_TAIL_SIZE = _RECORD.size + _FOOTER_SIZE + len(MAGIC)


class McapFile:
    """One MCAP file.

    Attributes:
        incomplete: why not everything that was recorded is in the file, as far as known; else None.

    Raises:
        UserError: not an MCAP file of ROS 2, or cut off before its first record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size = path.stat().st_size
        self._schemas: dict[int, str] = {0: ''}
        self._channels: dict[int, tuple[str, str]] = {}
        self._topics: dict[str, str] = {}
        with path.open('rb') as file:
            self._data_start = self._read_header(file.read(1 << 16))
            file.seek(max(self._data_start, self._size - _TAIL_SIZE))
            tail = file.read()
        closed = tail.endswith(MAGIC) and tail[:1] == bytes([_FOOTER])
        self.incomplete = None if closed else 'the file has no end: its recorder was stopped'
        summary = int.from_bytes(tail[9:17], 'little') if closed else 0
        self._summary_start = summary if summary < self._size else 0

    def topics(self) -> dict[str, str]:
        """Message type of every topic; scans the whole file if it has no summary."""
        if not self._topics and self._summary_start:
            with suppress(DamageError):
                self._drain(self._scan(self._summary_start, lambda _: False))
        if not self._topics:
            self._drain(self.messages(lambda _: False))
        return self._topics

    def _drain(self, messages: Iterator[Message]) -> None:
        for _ in messages:
            pass
        self._topics = dict(self._channels.values())

    def messages(self, wanted: Callable[[str], bool]) -> Iterator[Message]:
        """Yield the messages of the wanted topics; damage ends it, and shows in `incomplete`."""
        try:
            yield from self._scan(self._data_start, wanted)
        except DamageError as error:
            self.incomplete = self.incomplete or str(error)

    def _read_header(self, start: bytes) -> int:
        """Check what the file begins with, and return where its data begin."""
        try:
            opcode, length = _RECORD.unpack_from(start, len(MAGIC))
            profile, _ = _read_text(start, len(MAGIC) + _RECORD.size)
        except (struct.error, DamageError):
            raise UserError(f'{self.path} is cut off before its first record') from None
        end = len(MAGIC) + _RECORD.size + int(length)
        if end > self._size:
            raise UserError(f'{self.path} is cut off before its first record')
        if opcode != _HEADER or profile != 'ros2':
            raise UserError(f'{self.path} is an MCAP file, but no recording of ROS 2')
        return end

    def _scan(self, start: int, wanted: Callable[[str], bool]) -> Iterator[Message]:
        chosen: dict[int, bool] = {}
        for block in self._blocks(start):
            position, end = 0, len(block)
            while position < end:
                opcode, position, stop = _read_record(block, position)
                if opcode == _MESSAGE:
                    if stop - position < _MESSAGE_FIELDS.size:
                        raise DamageError('a message is too short')
                    number, _, time, _ = _MESSAGE_FIELDS.unpack_from(block, position)
                    if number not in self._channels:
                        raise DamageError('a message belongs to no topic')
                    topic, msgtype = self._channels[number]
                    if number not in chosen:
                        chosen[number] = wanted(topic)
                    if chosen[number]:
                        data = block[position + _MESSAGE_FIELDS.size : stop]
                        yield Message(topic, msgtype, time, data)
                elif opcode == _SCHEMA:
                    number = _read_number(block, position, 2)
                    self._schemas[number], _ = _read_text(block, position + 2)
                elif opcode == _CHANNEL:
                    self._read_channel(block, position)
                position = stop

    def _read_channel(self, block: bytes, position: int) -> None:
        schema = _read_number(block, position + 2, 2)
        topic, after = _read_text(block, position + 4)
        encoding, _ = _read_text(block, after)
        if schema not in self._schemas:
            raise DamageError(f'topic {topic!r} has no message type')
        if encoding != 'cdr':
            raise DamageError(f'topic {topic!r} is encoded as {encoding!r}, not as cdr')
        self._channels[_read_number(block, position, 2)] = topic, self._schemas[schema]

    def _blocks(self, start: int) -> Iterator[bytes]:
        """Yield runs of whole records: the content of each chunk, and each record outside."""
        with self.path.open('rb') as file:
            file.seek(start)
            while True:
                head = file.read(_RECORD.size)
                if len(head) < _RECORD.size:
                    raise DamageError('the file ends before its closing record')
                opcode, length = _RECORD.unpack(head)
                if opcode in (_DATA_END, _FOOTER):
                    return
                if length > self._size - file.tell():
                    raise DamageError('the file ends within a record')
                if opcode == _CHUNK:
                    yield _unpack_chunk(file.read(length))
                elif opcode in (_SCHEMA, _CHANNEL, _MESSAGE):
                    yield head + file.read(length)
                else:
                    file.seek(length, 1)


def _read_record(block: bytes, position: int) -> tuple[int, int, int]:
    """Opcode, begin and end of the content of the record at a position."""
    if position + _RECORD.size > len(block):
        raise DamageError('a chunk ends within a record')
    opcode, length = _RECORD.unpack_from(block, position)
    begin = position + _RECORD.size
    if begin + length > len(block):
        raise DamageError('a chunk ends within a record')
    return opcode, begin, begin + length


def _read_number(block: bytes, position: int, size: int) -> int:
    if position + size > len(block):
        raise DamageError('a record is too short')
    return int.from_bytes(block[position : position + size], 'little')


def _read_text(block: bytes, position: int) -> tuple[str, int]:
    """Text at a position, and where it ends."""
    end = position + 4 + _read_number(block, position, 4)
    if end > len(block):
        raise DamageError('a record is too short')
    try:
        return block[position + 4 : end].decode(), end
    except UnicodeDecodeError:
        raise DamageError('a name is not UTF-8') from None


def _unpack_chunk(content: bytes) -> bytes:
    if len(content) < _CHUNK_FIELDS.size:
        raise DamageError('a chunk is too short')
    _, _, size, checksum = _CHUNK_FIELDS.unpack_from(content)
    compression, position = _read_text(content, _CHUNK_FIELDS.size)
    length = _read_number(content, position, 8)
    packed = content[position + 8 : position + 8 + length]
    try:
        # One byte of room more than promised shows a chunk that holds too much.
        if compression == '':
            records = packed
        elif compression == 'zstd':
            records = zstd.ZstdDecompressor().decompress(packed, max_length=size + 1)
        elif compression == 'lz4':
            records = lz4.frame.LZ4FrameDecompressor().decompress(packed, max_length=size + 1)
        else:
            raise DamageError(f'a chunk is compressed with {compression!r}, not zstd or lz4')
    except (zstd.ZstdError, RuntimeError, EOFError, MemoryError, OverflowError) as error:
        raise DamageError(f'a chunk cannot be decompressed ({error})') from None
    if len(records) != size:
        raise DamageError(f'a chunk holds {len(records)} bytes instead of {size}')
    if checksum and zlib.crc32(records) != checksum:
        raise DamageError('the checksum of a chunk is wrong')
    return records

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Reads MCAP files from front to back, up to any damage.

A linear scan needs no index, so it also reads the file of a killed recorder, in the order of
recording and one chunk at a time. Checksums are verified if present, and the summary at the end
must agree with the data before it. Format: https://mcap.dev/spec
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import lz4.frame  # type: ignore[import-untyped]
from backports import zstd

from neuron_reach.bags.packed import LARGEST, Allowance
from neuron_reach.bags.storage import MOST_TOPICS, Channel, DamageError, Message
from neuron_reach.common.files import open_regular
from neuron_reach.errors import UserError

MAGIC = b'\x89MCAP0\r\n'

_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 1, 2, 3, 4, 5, 6
_STATISTICS, _DATA_END = 11, 15
_RECORD = struct.Struct('<BQ')  # opcode, length
# Opcode, length, channel, sequence, log time, publish time.
_MESSAGE_HEAD = struct.Struct('<BQHIQQ')
_CHUNK_FIELDS = struct.Struct('<QQQI')  # first and last time, size of the records, their CRC-32
_FOOTER_FIELDS = struct.Struct('<QQI')  # starts of summary and summary offsets, CRC-32
_DATA_END_SIZE = _RECORD.size + 4
_TAIL_SIZE = _RECORD.size + _FOOTER_FIELDS.size + len(MAGIC)
_PART = 2**20
_LARGEST_SUMMARY = 64 * 2**20


@dataclass
class _Channels:
    """Content of the schema and channel records.

    Attributes:
        schemas: names of message types by number; 0 stands for none.
        by_number: channels by the number that messages refer to.
    """

    schemas: dict[int, str] = field(default_factory=lambda: {0: ''})
    by_number: dict[int, Channel] = field(default_factory=dict)

    def read(self, opcode: int, block: bytes, position: int) -> None:
        """Read a schema or channel record."""
        number = _read_number(block, position, 2)
        if opcode == _SCHEMA:
            name, _ = _read_text(block, position + 2)
            if self.schemas.setdefault(number, name) != name:
                raise DamageError(f'message type {number} has two names')
            return
        schema = _read_number(block, position + 2, 2)
        topic, after = _read_text(block, position + 4)
        encoding, _ = _read_text(block, after)
        if schema not in self.schemas:
            raise DamageError(f'topic {topic!r} has no message type')
        channel = Channel(topic, self.schemas[schema], encoding)
        if number not in self.by_number and len(self.by_number) >= MOST_TOPICS:
            raise DamageError(f'more than {MOST_TOPICS} topics')
        if self.by_number.setdefault(number, channel) != channel:
            raise DamageError(
                f'topics {self.by_number[number].topic!r} and {topic!r} have the same number'
            )


class McapFile:
    """One MCAP file.

    Args:
        path: of the file.
        unpacked: its decompressed content if the file is compressed.

    Attributes:
        incomplete: why recorded messages are known to be missing from the file, or None.
        has_checksum: whether there is a checksum over all messages.

    Raises:
        UserError: not an MCAP file, or truncated before its first record.
    """

    def __init__(self, path: Path, unpacked: IO[bytes] | None = None) -> None:
        self.path = path
        self.incomplete: str | None = None
        self._unpacked = unpacked  # keeps it open
        # Every pass opens it again, because several may run at the same time.
        self._content = path if unpacked is None else Path(f'/proc/self/fd/{unpacked.fileno()}')
        self._counts: dict[int, int] | None = None
        self._summary: dict[int, Channel] = {}
        self._data_end: int | None = None
        self.has_checksum = False
        with open_regular(self._content) as file:
            self._size = self._content.stat().st_size
            self._data_start = self._read_header(file.read(1 << 16))
            try:
                self._read_end(file)
            except DamageError as error:
                self.incomplete = str(error)

    def channels(self) -> tuple[Channel, ...]:
        """Return all recorded channels; scans the whole file if it has no summary."""
        if not self._summary:
            for _ in self.messages(lambda _: False):
                pass
        return tuple(self._summary.values())

    def messages(self, wanted: Callable[[Channel], bool]) -> Iterator[Message]:
        """Yield the messages of the wanted channels up to damage, which sets `incomplete`."""
        channels = _Channels()
        counts: Counter[int] = Counter()
        try:
            yield from self._scan(channels, counts, wanted)
            self._compare(channels, counts)
        except DamageError as error:
            self.incomplete = self.incomplete or str(error)
        self._summary = self._summary or channels.by_number

    def _compare(self, channels: _Channels, counts: Counter[int]) -> None:
        """Raise DamageError unless the summary agrees with the data."""
        for number, channel in channels.by_number.items():
            if self._summary.get(number, channel) != channel:
                raise DamageError(f'topic {channel.topic!r} differs in the summary')
        if self._counts is not None and self._counts != counts:
            expected, found = sum(self._counts.values()), counts.total()
            raise DamageError(f'there are {found} messages, but its statistics say {expected}')

    def _read_header(self, start: bytes) -> int:
        """Check the header, and return the offset of the data."""
        try:
            opcode, length = _RECORD.unpack_from(start, len(MAGIC))
        except struct.error:
            raise UserError(f'{self.path} is cut off before its first record') from None
        end = len(MAGIC) + _RECORD.size + int(length)
        if end > self._size:
            raise UserError(f'{self.path} is cut off before its first record')
        if opcode != _HEADER:
            raise UserError(f'{self.path} does not start like an MCAP file')
        return end

    def _read_end(self, file: IO[bytes]) -> None:
        """Read the end of the file: the offset where the data end, and the summary."""
        footer = self._size - _TAIL_SIZE
        file.seek(max(self._data_start, footer))
        tail = file.read()
        if not tail.endswith(MAGIC) or tail[:1] != bytes([_FOOTER]):
            raise DamageError(
                'the file does not end properly; its recorder was killed or is still running'
            )
        start, _, checksum = _FOOTER_FIELDS.unpack_from(tail, _RECORD.size)
        begin = start or footer
        data_end = begin - _DATA_END_SIZE
        if not self._data_start <= data_end < footer:
            raise DamageError('the end of the file is damaged')
        file.seek(data_end)
        if _RECORD.unpack(file.read(_RECORD.size)) != (_DATA_END, 4):
            raise DamageError('the end of the file is damaged')
        self.has_checksum = any(file.read(4))
        self._data_end = data_end
        if footer - begin > _LARGEST_SUMMARY:
            return
        summary = file.read(footer - begin)
        covered = summary + tail[: _RECORD.size + _FOOTER_FIELDS.size - 4]
        if checksum and zlib.crc32(covered) != checksum:
            raise DamageError('the checksum of the summary is wrong')
        self._read_summary(summary)

    def _read_summary(self, summary: bytes) -> None:
        channels, position = _Channels(), 0
        while position < len(summary):
            opcode, position, stop = _read_record(summary, position)
            if opcode in (_SCHEMA, _CHANNEL):
                channels.read(opcode, summary, position)
            elif opcode == _STATISTICS:
                self._counts = _read_counts(summary, position)
            position = stop
        self._summary = channels.by_number

    def _scan(
        self, channels: _Channels, counts: Counter[int], wanted: Callable[[Channel], bool]
    ) -> Iterator[Message]:
        chosen: dict[int, Channel | None] = {}
        unpack, head, fields = _MESSAGE_HEAD.unpack_from, _MESSAGE_HEAD.size, _RECORD.size
        for block in self._blocks():
            position, end = 0, len(block)
            while position < end:
                if block[position] != _MESSAGE:
                    opcode, position, stop = _read_record(block, position)
                    if opcode not in (_SCHEMA, _CHANNEL):
                        raise DamageError('a chunk contains a record of a wrong kind')
                    channels.read(opcode, block, position)
                    position = stop
                    continue
                if position + head > end:
                    raise DamageError('a message is too short')
                _, length, number, _, time, _ = unpack(block, position)
                stop = position + fields + length
                if stop > end or length < head - fields:
                    raise DamageError('a message has a wrong length')
                if number not in chosen:
                    channel = channels.by_number.get(number)
                    if channel is None:
                        raise DamageError('a message belongs to no topic')
                    chosen[number] = channel if wanted(channel) else None
                counts[number] += 1
                if (channel := chosen[number]) is not None:
                    yield Message(channel, time, block[position + head : stop])
                position = stop

    def _blocks(self) -> Iterator[bytes]:
        """Yield blocks of complete records: the content of each chunk, and each record outside."""
        allowance = Allowance(self._size)
        checksum = 0
        with open_regular(self._content) as file:

            def take(size: int) -> bytes:
                nonlocal checksum
                data = file.read(size)
                if self.has_checksum:
                    checksum = zlib.crc32(data, checksum)
                return data

            def skip(size: int) -> None:
                if not self.has_checksum:
                    file.seek(size, 1)
                while self.has_checksum and size > 0:
                    size -= len(take(min(size, _PART)))

            skip(self._data_start)
            while True:
                begin = file.tell()
                head = file.read(_RECORD.size)
                if len(head) < _RECORD.size:
                    raise DamageError('the file ends before its closing record')
                opcode, length = _RECORD.unpack(head)
                if opcode in (_DATA_END, _FOOTER):
                    break
                if length > self._size - file.tell():
                    raise DamageError('the file ends within a record')
                if self.has_checksum:
                    checksum = zlib.crc32(head, checksum)
                if opcode not in (_CHUNK, _SCHEMA, _CHANNEL, _MESSAGE):
                    skip(length)
                    continue
                if length > LARGEST:
                    raise DamageError(f'a record of {length} bytes is too long for a message')
                content = take(length)
                yield _unpack_chunk(content, allowance) if opcode == _CHUNK else head + content
            if self._data_end is None:
                return
            if begin != self._data_end:
                raise DamageError('the file ends too early, or its end is damaged')
            if self.has_checksum and int.from_bytes(file.read(4), 'little') != checksum:
                raise DamageError('the checksum of the file is wrong')


def _read_record(block: bytes, position: int) -> tuple[int, int, int]:
    """Return the opcode, and the start and end of the content, of the record at a position."""
    if position + _RECORD.size > len(block):
        raise DamageError('a record is cut off')
    opcode, length = _RECORD.unpack_from(block, position)
    begin = position + _RECORD.size
    if begin + length > len(block):
        raise DamageError('a record is cut off')
    return opcode, begin, begin + length


def _read_number(block: bytes, position: int, size: int) -> int:
    if position + size > len(block):
        raise DamageError('a record is too short')
    return int.from_bytes(block[position : position + size], 'little')


def _read_text(block: bytes, position: int) -> tuple[str, int]:
    """Return the text at a position, and the position after it."""
    end = position + 4 + _read_number(block, position, 4)
    if end > len(block):
        raise DamageError('a record is too short')
    try:
        return block[position + 4 : end].decode(), end
    except UnicodeDecodeError:
        raise DamageError('a name is not UTF-8') from None


def _read_counts(block: bytes, position: int) -> dict[int, int] | None:
    """Return the messages of each channel from the statistics, None if they are not there."""
    total = _read_number(block, position, 8)
    start = position + 42
    size = _read_number(block, start, 4)
    entries = block[start + 4 : start + 4 + size]
    if not size and total:
        return None
    if len(entries) != size or size % 10:
        raise DamageError('the statistics are damaged')
    counts = {number: count for number, count in struct.iter_unpack('<HQ', entries) if count}
    if sum(counts.values()) != total:
        raise DamageError('the statistics are damaged')
    return counts


def _unpack_chunk(content: bytes, allowance: Allowance) -> bytes:
    if len(content) < _CHUNK_FIELDS.size:
        raise DamageError('a chunk is too short')
    _, _, size, checksum = _CHUNK_FIELDS.unpack_from(content)
    compression, position = _read_text(content, _CHUNK_FIELDS.size)
    length = _read_number(content, position, 8)
    packed = content[position + 8 : position + 8 + length]
    if len(packed) != length:
        raise DamageError('a chunk is too short')
    allowance.take(size)
    try:
        # One byte more than the declared size reveals a chunk that is too long.
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

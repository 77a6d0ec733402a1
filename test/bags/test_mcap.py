# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""MCAP files: those of other recorders, damaged ones and hostile ones."""

import random
import struct

import pytest
from backports import zstd

from bags.contents import everything
from bags.mcap_bytes import MAGIC, chunk, mcap_file, message_record, name, record, topic_records
from bags.texts import STRING, TEXTS, read_all, text_records, texts_of
from neuron_reach.bags.reader import BagReader

pytestmark = pytest.mark.usefixtures('in_time')

GIB = 2**30


def lying_chunk(compression, content, size):
    packed = chunk(content, compression)
    return packed[:25] + struct.pack('<Q', size) + packed[33:]


def long_zstd(size):
    compressor = zstd.ZstdCompressor()
    block = bytes(2**24)
    parts = [compressor.compress(block) for _ in range(size // len(block))]
    return b''.join([*parts, compressor.flush()])


def huge_chunk(packed, compression, size):
    head = struct.pack('<QQQI', 0, 0, size, 0) + struct.pack('<I', len(compression))
    return record(6, head + compression.encode() + struct.pack('<Q', len(packed)) + packed)


BOMBS = {
    'declares gigabytes': [lying_chunk('zstd', b'', 40 * GIB)],
    'declares all there is': [lying_chunk('', b'', 2**64 - 1)],
    'holds a gigabyte': [huge_chunk(long_zstd(GIB), 'zstd', GIB)],
    'holds more than it says': [lying_chunk('zstd', bytes(2**26), 100)],
    'lz4': [lying_chunk('lz4', bytes(2**26), 40 * GIB)],
    'many': [chunk(bytes(2**23), 'zstd')] * 500,
    'records of nothing': [chunk(record(0x90, b'') * 2**20, 'zstd')] * 20,
    'a message of absurd length': [struct.pack('<BQ', 5, 2**60)],
    'a long record': [struct.pack('<BQ', 9, 2**63)],
    'a schema of absurd length': [record(3, struct.pack('<HI', 1, 2**32 - 1))],
}


@pytest.mark.parametrize('blocks', BOMBS.values(), ids=BOMBS)
def test_decompression_bombs_are_refused(tmp_path, text_message, blocks):
    good = topic_records('/checkpoint', STRING, 'cdr', 7) + message_record(7, text_message('text'))
    (tmp_path / 'x.mcap').write_bytes(mcap_file([good, *blocks]))
    payloads, told = everything(tmp_path / 'x.mcap')
    assert len(payloads) == 1
    assert told


def test_a_message_that_unpacks_to_too_much_ends_reading(tmp_path, text_message):
    topic = topic_records('/checkpoint', STRING, 'cdr', 7)
    good = message_record(7, zstd.compress(bytes(text_message('text'))))
    bomb = message_record(7, zstd.compress(bytes(2**28)))
    (tmp_path / 'x.mcap').write_bytes(mcap_file([topic, good, bomb, good]))
    payloads, told = everything(tmp_path / 'x.mcap')
    assert [data for _, _, data in payloads] == [bytes(text_message('text'))]
    assert told


def test_real_checksums_are_written(tmp_path, write_texts):
    file = write_texts(tmp_path / 'bag', 'mcap', ['x' * 50_000] * 60)  # three chunks
    data = file.read_bytes()
    chunks = [place for place in range(len(data)) if data.startswith(b'\6', place)]
    (summary,) = struct.unpack('<Q', data[-28:-20])
    starts = [p for p in chunks if data[p + 37 : p + 41] == bytes(4) and p < summary]
    sums = {struct.unpack_from('<I', data, place + 33)[0] for place in starts}
    assert 0 not in sums
    assert any(data[summary - 4 : summary])
    assert any(data[-12:-8])
    assert BagReader(file).incomplete is None


def test_a_summary_that_disagrees_is_detected(tmp_path, text_message):
    blocks = topic_records('/checkpoint', STRING, 'cdr', 7) + message_record(7, text_message('x'))
    for topic, kind, count, words in (
        ('/checkpoint', STRING, 2, '1 messages, but its statistics say 2'),
        ('/other', STRING, 1, 'differs in the summary'),
        ('/checkpoint', 'std_msgs/msg/Int32', 1, 'differs in the summary'),
    ):
        data = mcap_file([blocks])[:-50]  # without its end
        summary = topic_records(topic, kind, 'cdr', 7)
        numbers = struct.pack('<QHIIIIQQ', count, 1, 1, 0, 0, 0, 0, 0)
        summary += record(11, numbers + struct.pack('<IHQ', 10, 7, count))
        start = len(data) + 13
        end = record(2, struct.pack('<QQI', start, 0, 0)) + MAGIC
        (tmp_path / 'x.mcap').write_bytes(data + record(15, bytes(4)) + summary + end)
        reader = BagReader(tmp_path / 'x.mcap')
        assert len(list(reader.messages())) == 1
        assert words in reader.incomplete


@pytest.mark.parametrize('compression', ['', 'lz4', 'zstd'])
def test_chunks_of_other_recorders_are_read(tmp_path, text_message, compression):
    records = text_records(TEXTS, text_message)
    (tmp_path / 'x.mcap').write_bytes(mcap_file([chunk(records, compression)]))
    reader = BagReader(tmp_path / 'x.mcap')
    assert reader.topics == {'/checkpoint': STRING}
    assert texts_of(reader) == TEXTS
    assert reader.incomplete is None


def test_mcap_without_chunks_is_read(tmp_path, text_message):
    (tmp_path / 'x.mcap').write_bytes(mcap_file([text_records(TEXTS, text_message)]))
    reader = BagReader(tmp_path / 'x.mcap')
    assert texts_of(reader) == TEXTS
    assert reader.incomplete is None


@pytest.mark.parametrize(
    ('compression', 'checksum', 'words'),
    [('zstd', 1, 'checksum'), ('brotli', None, "'brotli'")],
)
def test_a_bad_chunk_ends_reading(tmp_path, text_message, compression, checksum, words):
    records = text_records(TEXTS, text_message)
    blocks = [chunk(records, 'zstd'), chunk(records, compression, checksum)]
    (tmp_path / 'x.mcap').write_bytes(mcap_file(blocks))
    reader = BagReader(tmp_path / 'x.mcap')
    assert texts_of(reader) == TEXTS
    assert words in reader.incomplete


@pytest.mark.parametrize('compression', ['lz4', 'zstd'])
def test_a_chunk_cannot_hold_more_than_it_says(tmp_path, text_message, compression):
    packed = chunk(bytes(10_000_000), compression)
    # The promised size stands after the record's head and two times.
    lying = packed[:25] + struct.pack('<Q', 100) + packed[33:]
    (tmp_path / 'x.mcap').write_bytes(mcap_file([text_records(TEXTS, text_message), lying]))
    reader = BagReader(tmp_path / 'x.mcap')
    assert texts_of(reader) == TEXTS
    assert 'holds 101 bytes instead of 100' in reader.incomplete


def test_messages_without_topic_end_reading(tmp_path, text_message):
    records = text_records(TEXTS, text_message, channel=8)
    (tmp_path / 'x.mcap').write_bytes(mcap_file([records]))
    reader = BagReader(tmp_path / 'x.mcap')
    assert texts_of(reader) == []
    assert 'belongs to no topic' in reader.incomplete


@pytest.mark.parametrize('profile', ['', 'ros1', 'x'])
@pytest.mark.parametrize('encoding', ['json', 'protobuf', 'ros1', ''])
def test_other_encodings_and_profiles_are_ignored(tmp_path, text_message, profile, encoding):
    theirs = topic_records('/theirs', 'x/Type', encoding, 9)
    theirs += topic_records('/checkpoint', STRING, encoding, 10)
    theirs += message_record(9, b'{}') + message_record(10, bytes(text_message('theirs')))
    for number, blocks in enumerate(
        ([theirs, text_records(TEXTS, text_message)], [text_records(TEXTS, text_message), theirs])
    ):
        file = tmp_path / f'{number}.mcap'
        file.write_bytes(mcap_file(blocks, profile))
        reader = BagReader(file)
        assert {(c.topic, c.encoding) for c in reader.channels} == {
            ('/theirs', encoding),
            ('/checkpoint', encoding),
            ('/checkpoint', 'cdr'),
        }
        found = [message for _, _, message in reader.messages()]
        assert [message.data for message in found if not isinstance(message, bytes)] == TEXTS
        assert sum(isinstance(message, bytes) for message in found) == 2
        assert reader.incomplete is None


def test_channels_without_schema_are_ignored(tmp_path, text_message):
    channel = record(4, struct.pack('<HH', 99, 0) + name('/raw') + name('') + struct.pack('<I', 0))
    blocks = [channel, message_record(99, b'abc'), text_records(TEXTS, text_message)]
    (tmp_path / 'x.mcap').write_bytes(mcap_file([chunk(b''.join(blocks), 'zstd')]))
    reader = BagReader(tmp_path / 'x.mcap')
    assert reader.topics == {'/raw': '', '/checkpoint': STRING}
    assert texts_of(reader, ['checkpoint']) == TEXTS
    assert reader.incomplete is None


@pytest.mark.parametrize('seed', range(2))
def test_flipped_bytes_in_packed_chunks_do_no_harm(tmp_path, text_message, seed):
    generator = random.Random(seed)
    damaged = tmp_path / 'damaged'
    for compression in ('lz4', 'zstd'):
        whole = mcap_file([chunk(text_records(TEXTS, text_message), compression, checksum=0)])
        for _ in range(200):
            content = bytearray(whole)
            content[generator.randrange(len(content))] = generator.randrange(256)
            damaged.write_bytes(content)
            read_all(damaged)

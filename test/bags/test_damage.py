# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Damaged and hostile bags: one line, no harm, and nothing wrong is taken for good."""

import os
import random
import socket
import sqlite3
import struct
import time
from contextlib import closing

import numpy as np
import pytest
from backports import zstd
from record_bags import FLOAT32, TYPES, multiarray, write_record

from bags.mcap_bytes import MAGIC, chunk, mcap_file, message_record, record, topic_records
from neuron_reach import messages
from neuron_reach.analysis import ActivityRecord
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.seal import seal
from neuron_reach.bags.summary import summarize
from neuron_reach.bags.writer import BagWriter
from neuron_reach.errors import UserError
from neuron_reach.records.recording import read_records

STRING = 'std_msgs/msg/String'
GIB = 2**30


@pytest.fixture
def record_small():
    draw = np.random.default_rng(0)
    return ActivityRecord(
        draw.random((4, 3, 9), np.float32),
        np.full(4, 3),
        ('input', 'hidden_1', 'output'),
        (4, 2, 3),
        draw.random((4, 2)),
        draw.random(4),
        {'path': '/x/checkpoint', 'version': 3},
    )


@pytest.fixture(autouse=True)
def _in_time():
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < 20  # some of these took minutes, and gigabytes


def everything(path):
    """Raw messages of a bag, and whether anything is said to be wrong with it."""
    try:
        reader = BagReader(path)
        payloads = list(reader.messages(raw=True))
        str(summarize(path))
        assert isinstance(reader.topics, dict)
    except UserError as error:
        assert '\n' not in str(error)
        return None, True
    assert reader.incomplete is None or '\n' not in reader.incomplete
    return payloads, reader.incomplete is not None


def activity(path):
    try:
        return read_records(path)
    except UserError as error:
        assert '\n' not in str(error)
        return None


def mutations(whole, count, seed):
    """Yield a file's bytes with one place changed, in the ways in which files get damaged."""
    draw = random.Random(seed)
    for _ in range(count):
        data, place = bytearray(whole), draw.randrange(len(whole))
        size = draw.choice([1, 4, 64])
        change = draw.choice(['flip', 'random', 'zero', 'ones', 'cut', 'delete', 'insert'])
        part = data[place : place + size]
        if change == 'flip':
            data[place] ^= 1 << draw.randrange(8)
        elif change == 'cut':
            del data[place:]
        elif change == 'insert':
            data[place:place] = draw.randbytes(size)
        else:
            values = {'random': draw.randbytes(len(part)), 'zero': bytes(len(part)), 'delete': b''}
            data[place : place + size] = values.get(change, b'\xff' * len(part))
        if data != whole:
            yield bytes(data)


@pytest.mark.parametrize('sealed', [False, True])
def test_damage_is_never_read_as_valid(tmp_path, storage, record_small, sealed):
    bag = tmp_path / 'bag'
    write_record(bag, record_small, storage, 2, checkpoints=[('/x/checkpoint', 3, 0)])
    if sealed:
        seal(bag, 4, 'a' * 64)
    (file,) = (item for item in bag.iterdir() if item.suffix in ('.mcap', '.db3'))
    whole, (payloads, _), good = file.read_bytes(), everything(bag), activity(bag)
    assert len(payloads) >= 20
    noticed = []
    for data in mutations(whole, 60, seed=1):
        file.write_bytes(data)
        found, told = everything(bag)
        read = activity(bag)
        noticed.append(told)
        if sealed or storage == 'mcap':  # an SQLite file has no checksums of its own
            assert told or found == payloads
            same = read is not None and np.array_equal(read.activations, good.activations)
            assert read is None or read.notes or same
        if sealed:
            assert read is None
    assert all(noticed) if sealed or storage == 'mcap' else sum(noticed) > 10


def test_a_sealed_bag_is_read_only_as_it_was(tmp_path, storage, record_small):
    bag = tmp_path / 'bag'
    write_record(bag, record_small, storage)
    assert not BagReader(bag).sealed
    assert 'No digest' in str(summarize(bag))
    seal(bag, 4, 'a' * 64)
    assert BagReader(bag).sealed
    assert 'No digest' not in str(summarize(bag))
    assert activity(bag).episodes == 4
    (file,) = (item for item in bag.iterdir() if item.suffix in ('.mcap', '.db3'))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    for path in (bag, file):
        with pytest.raises(UserError, match='is not as it was recorded'):
            read_records(path)
        assert 'is not as it was recorded' in summarize(path).incomplete
    file.unlink()
    write_record(tmp_path / 'other', record_small, storage)
    (tmp_path / 'other' / f'other{file.suffix}').rename(file.with_stem('other'))
    assert f'{file.name} of its recording.json is missing' in BagReader(bag).incomplete


# --- MCAP -------------------------------------------------------------------------------------


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


# --- SQLite -----------------------------------------------------------------------------------

COUNT = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)'
TOPICS = 'CREATE TABLE topics(id, name, type, serialization_format);'
MESSAGES = 'CREATE TABLE messages(id, topic_id, timestamp, data);'
TEXT = f"INSERT INTO topics VALUES(1, '/checkpoint', '{STRING}', 'cdr');"
SCHEMAS = {
    'views': f'CREATE VIEW topics AS SELECT 1; CREATE VIEW messages AS {COUNT} SELECT i FROM n',
    'a view of messages': f'{TOPICS} {TEXT} CREATE VIEW messages AS {COUNT} '
    "SELECT i id, 1 topic_id, 1 timestamp, x'00' data FROM n;",
    'computed': f'{TOPICS} {TEXT} CREATE TABLE messages(id, topic_id, timestamp, data AS '
    '(zeroblob(900000000))); INSERT INTO messages VALUES(1, 1, 1);',
    'virtual': f'{TOPICS} {TEXT} CREATE VIRTUAL TABLE messages USING fts5(id, topic_id, data);',
    'no format': 'CREATE TABLE topics(id, name, type);' + MESSAGES,
    'blobs': f"{TOPICS} {MESSAGES} INSERT INTO topics VALUES(1, x'00', x'01', x'02');",
    'no name': f"{TOPICS} {MESSAGES} INSERT INTO topics VALUES(1, NULL, '{STRING}', 'cdr');",
    'no key': f"{TOPICS} {MESSAGES} INSERT INTO topics VALUES('a', 'a', '{STRING}', 'cdr');",
    'texts': f"{TOPICS} {TEXT} {MESSAGES} INSERT INTO messages VALUES('a', 1, 'b', 'c');",
    'half a number': f"{TOPICS} {TEXT} {MESSAGES} INSERT INTO messages VALUES(1, 1, 0.5, x'00');",
    'no UTF-8': f"{TOPICS} {MESSAGES} INSERT INTO topics VALUES(1, CAST(x'ff' AS TEXT), '', '');",
}


@pytest.mark.parametrize('schema', SCHEMAS.values(), ids=SCHEMAS)
def test_databases_that_are_not_bags(tmp_path, schema):
    with closing(sqlite3.connect(tmp_path / 'x.db3')) as database:
        database.executescript(schema)
    payloads, told = everything(tmp_path / 'x.db3')
    assert not payloads
    assert told


def test_triggers_and_other_tables_do_nothing(tmp_path, write_texts):
    file = write_texts(tmp_path / 'bag', 'sqlite3', ['a', 'b'])
    with closing(sqlite3.connect(file)) as database:
        database.executescript(
            'CREATE TABLE other(a); CREATE TRIGGER x AFTER INSERT ON messages BEGIN '
            'DELETE FROM messages; END; CREATE VIEW more AS SELECT * FROM messages;'
        )
    payloads, told = everything(file)
    assert len(payloads) == 2
    assert not told


@pytest.mark.parametrize('kind', ['std_msgs/msg/Int32', FLOAT32, 'x', ''])
def test_a_database_with_other_types_of_topics(tmp_path, record_small, kind):
    write_record(tmp_path / 'bag', record_small, 'sqlite3')
    with closing(sqlite3.connect(tmp_path / 'bag' / 'bag.db3')) as database:
        database.execute('UPDATE topics SET type = ?', (kind,))
        database.commit()
    everything(tmp_path / 'bag')
    read = activity(tmp_path / 'bag')
    assert read is None or kind == FLOAT32


# --- what is around the messages --------------------------------------------------------------


@pytest.mark.parametrize('name', ['bag.mcap', 'bag.db3', 'bag.mcap.zstd', ''])
@pytest.mark.parametrize('make', ['pipe', 'socket', 'folder', 'device'])
def test_only_files_are_read(tmp_path, name, make):
    bag = tmp_path / 'bag'
    if name:
        bag.mkdir()
    place = bag / name if name else bag
    if make == 'pipe':
        os.mkfifo(place)
    elif make == 'socket':
        with closing(socket.socket(socket.AF_UNIX)) as server:
            server.bind(str(place))
    elif make == 'folder':
        place.mkdir()
    else:
        place.symlink_to('/dev/zero')
    words = r'is no regular file|is a folder|holds no \.mcap or \.db3 file'
    for path in (bag, place):
        with pytest.raises(UserError, match=words):
            BagReader(path)


@pytest.mark.parametrize('name', ['metadata.yaml', 'recording.json', 'bag.db3-wal'])
def test_pipes_beside_the_messages_do_not_block(tmp_path, storage, write_texts, name):
    write_texts(tmp_path / 'bag', storage, ['text'])
    (tmp_path / 'bag' / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / 'bag' / name)
    payloads, _ = everything(tmp_path / 'bag')
    assert payloads is None or len(payloads) == 1


def of_another(path):
    """Return the log of a database that is none of a bag."""
    with closing(sqlite3.connect(path)) as database:
        database.execute('PRAGMA journal_mode=WAL')
        database.executescript('CREATE TABLE a(b); INSERT INTO a VALUES(zeroblob(90000));')
        return path.with_name(f'{path.name}-wal').read_bytes()


@pytest.mark.parametrize('kind', ['another', 'garbage', 'zeros', 'pipe', 'folder', 'nowhere'])
@pytest.mark.parametrize('sealed', [False, True])
def test_a_log_that_does_not_belong_to_the_database(tmp_path, record_small, sealed, kind):
    write_record(tmp_path / 'bag', record_small, 'sqlite3')
    if sealed:
        seal(tmp_path / 'bag', 4, 'a' * 64)
    log = tmp_path / 'bag' / 'bag.db3-wal'
    if kind in ('another', 'garbage', 'zeros'):
        contents = {
            'another': of_another(tmp_path / 'x'),
            'garbage': random.Random(0).randbytes(9000),
            'zeros': bytes(9000),
        }
        log.write_bytes(contents[kind])
    else:
        {'pipe': os.mkfifo, 'folder': os.mkdir, 'nowhere': lambda log: log.symlink_to('x')}[kind](
            log
        )
    told = summarize(tmp_path / 'bag').incomplete
    if sealed:
        assert 'is not as it was recorded (now there is bag.db3-wal)' in told
        assert activity(tmp_path / 'bag') is None
    else:
        assert ('not closed' if kind in ('garbage', 'zeros') else 'bag.db3-wal') in told
        assert np.array_equal(activity(tmp_path / 'bag').activations, record_small.activations)


def test_texts_in_a_database_may_have_other_types(tmp_path, write_texts):
    file = write_texts(tmp_path / 'bag', 'sqlite3', ['one', 'two', 'three'])
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE messages SET data = CAST(X'FF00' AS TEXT) WHERE id = 2")
        database.commit()
    payloads, _ = everything(tmp_path / 'bag')
    assert len(payloads) == 1
    assert summarize(tmp_path / 'bag').incomplete.endswith('a message has values of the wrong kind')


ALIASES = 'a: &a [x, x]\n' + ''.join(
    f'{chr(98 + n)}: &{chr(98 + n)} [{", ".join([f"*{chr(97 + n)}"] * 9)}]\n' for n in range(20)
)


@pytest.mark.parametrize(
    'text',
    [
        ALIASES,
        '[' * 10**6,
        '{a: ' * 10**5,
        '- ' * 10**5,
        'x' * 10**7,
        'a: !!binary x',
        '? ' * 10**5,
    ],
    ids=['aliases', 'lists', 'maps', 'items', 'text', 'binary', 'keys'],
)
def test_metadata_is_small_and_flat(tmp_path, storage, write_texts, text):
    write_texts(tmp_path / 'bag', storage, ['text'])
    (tmp_path / 'bag' / 'metadata.yaml').write_text(text)
    begin = time.monotonic()
    payloads, told = everything(tmp_path / 'bag')
    assert time.monotonic() - begin < 5
    assert len(payloads) == 1
    assert told


def many_topics(path, storage, count):
    if storage == 'mcap':
        topics = (
            topic_records(f'/{n}/activations/input', FLOAT32, 'cdr', n) for n in range(1, count)
        )
        path.write_bytes(mcap_file(list(topics)))
        return
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            'CREATE TABLE topics(id INTEGER PRIMARY KEY, name, type, serialization_format)'
        )
        database.execute('CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id, timestamp, data)')
        rows = ((n, f'/{n}/activations/input', FLOAT32, 'cdr') for n in range(count))
        database.executemany('INSERT INTO topics VALUES(?, ?, ?, ?)', rows)
        database.commit()


@pytest.mark.parametrize(('count', 'refused'), [(1000, False), (20_000, True)])
def test_too_many_topics_are_damage(tmp_path, storage, count, refused):
    file = tmp_path / ('x.mcap' if storage == 'mcap' else 'x.db3')
    many_topics(file, storage, count)
    try:
        summary = summarize(file)
    except UserError as error:
        told = str(error)
    else:
        told = summary.incomplete
        assert max(map(len, str(summary).splitlines())) < 5000
    assert ('more than 10000 topics' in told) == refused


def test_foreign_names_do_not_control_the_terminal(tmp_path, write_texts):
    write_texts(tmp_path / 'bag', 'mcap', ['text'], topic='/a\x1b[31m\n/checkpoint')
    listed = 'rosbag2_bagfile_information: {relative_file_paths: ["x\\e[31m\\n.mcap", bag.mcap]}'
    (tmp_path / 'bag' / 'metadata.yaml').write_text(listed)
    text = str(summarize(tmp_path / 'bag'))
    assert text.count(r'\x1b[31m\n') == 2
    assert text.replace('\n', '').isprintable()


# --- what messages say ------------------------------------------------------------------------


def absurd(sizes, values, numbers=(0, 0)):
    message = TYPES.deserialize_cdr(
        multiarray(FLOAT32, messages.fill_fleet_step, values, 0, 0), FLOAT32
    )
    message.data = np.concatenate([np.float32(numbers), message.data[2:]])
    dimension = TYPES.types['std_msgs/msg/MultiArrayDimension']
    message.layout.dim = [dimension('', size, 0) for size in sizes]
    return TYPES.serialize_cdr(message, FLOAT32)


@pytest.mark.parametrize(
    'data',
    [
        absurd([2**32 - 1, 2**32 - 1], np.ones((1, 2))),
        absurd([2**32 - 1, 0], np.ones((1, 2))),
        absurd([0, 2**32 - 1], np.ones((1, 0))),
        absurd([0, 2**32 - 1, 2**32 - 1, 2**32 - 1], np.ones((1, 0))),
        absurd([2**32 - 1] * 5_000, np.ones((1, 2))),
        absurd([], np.ones((1, 2))),
        absurd([1, 2], np.ones((1, 2)), (2**60, 0)),
        absurd([1, 2], np.ones((1, 2)), (0, 2**30)),
        absurd([1, 2], np.ones((1, 2)), (2**30, 2**30)),
    ],
)
def test_large_numbers_in_messages_take_no_memory(tmp_path, storage, data):
    good = multiarray(FLOAT32, messages.fill_fleet_step, np.ones((1, 2)), 0, 0)
    with BagWriter(tmp_path / 'bag', storage) as bag:
        for layer in ('input', 'hidden_1', 'output'):
            bag.add_topic(f'/activations/{layer}', FLOAT32)
            for message in (data, good):
                bag.write(f'/activations/{layer}', 0, message)
    everything(tmp_path / 'bag')
    read = activity(tmp_path / 'bag')
    assert read is None or read.activations.nbytes < 10**6

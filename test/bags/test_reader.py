# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import errno
import os
import random
import shutil
import sqlite3
import struct
from contextlib import closing

import pytest

from bags.mcap_bytes import MAGIC, chunk, mcap_file, message_record, name, record, topic_records
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.writer import BagWriter
from neuron_reach.errors import UserError

STRING = 'std_msgs/msg/String'
TEXTS = [f'text {number} ' + 'x' * 60 for number in range(12)]


def texts_of(reader, topics=None):
    # Damage may turn a message into one of another type.
    return [getattr(message, 'data', None) for _, _, message in reader.messages(topics)]


def text_records(texts, text_message, encoding='cdr', channel=7):
    messages = (
        message_record(channel, bytes(text_message(text)), time) for time, text in enumerate(texts)
    )
    return topic_records('/checkpoint', STRING, encoding, 7) + b''.join(messages)


def humble_database(path, rows):
    """The tables that `ros2 bag record` of Humble makes."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            'CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,'
            ' serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);'
            'CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,'
            ' timestamp INTEGER NOT NULL, data BLOB NOT NULL);'
            'CREATE INDEX timestamp_idx ON messages (timestamp ASC);'
            f"INSERT INTO topics VALUES(1, '/checkpoint', '{STRING}', 'cdr', '');"
        )
        insert = 'INSERT INTO messages(topic_id, timestamp, data) VALUES(?, ?, ?)'
        database.executemany(insert, rows)
        database.commit()


def test_topics_are_chosen_by_name_in_any_namespace(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'a', storage, ['one'], topic='/left/checkpoint')
    write_texts(tmp_path / 'b', storage, ['two'], topic='/right/checkpoint')
    write_texts(tmp_path / 'c', storage, ['three'], topic='/other')
    reader = BagReader([tmp_path / 'a', tmp_path / 'b', tmp_path / 'c'])
    topics = ('/left/checkpoint', '/right/checkpoint', '/other')
    assert reader.topics == dict.fromkeys(topics, STRING)
    assert texts_of(reader) == ['one', 'two', 'three']
    assert texts_of(reader, ['checkpoint']) == ['one', 'two']
    assert texts_of(reader, ['right/checkpoint', 'other']) == ['two', 'three']
    assert texts_of(reader, ['point']) == []
    assert reader.incomplete is None


def test_raw_messages_are_the_bytes_written(tmp_path, storage, write_texts, text_message):
    write_texts(tmp_path / 'bag', storage, ['text'])
    messages = list(BagReader(tmp_path / 'bag').messages(raw=True))
    assert messages == [('/arm/checkpoint', 0, bytes(text_message('text')))]


def test_a_single_file_is_a_bag(tmp_path, storage, write_texts):
    reader = BagReader(str(write_texts(tmp_path / 'bag', storage, TEXTS)))
    assert texts_of(reader) == TEXTS
    assert reader.incomplete is None
    assert reader.storage == storage


def test_reading_leaves_no_trace(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'bag', storage, TEXTS)
    before = {item: item.read_bytes() for item in (tmp_path / 'bag').iterdir()}
    texts_of(BagReader(tmp_path / 'bag'))
    assert {item: item.read_bytes() for item in (tmp_path / 'bag').iterdir()} == before


@pytest.mark.parametrize('with_metadata', [True, False])
def test_parts_of_a_split_bag_are_read_in_order(tmp_path, storage, write_texts, with_metadata):
    split = tmp_path / 'split'
    split.mkdir()
    names = []
    for part in range(11):
        file = write_texts(tmp_path / f'part{part}', storage, [str(part)])
        names.append(f'split_{part}{file.suffix}')
        file.rename(split / names[-1])
    if with_metadata:
        text = (tmp_path / 'part0' / 'metadata.yaml').read_text()
        listed = ''.join(f'  - old_folder/{name_}\n' for name_ in names)
        text = text.replace(f'  - part0{file.suffix}\n', listed)
        (split / 'metadata.yaml').write_text(text)
    reader = BagReader(split)
    assert texts_of(reader) == [str(part) for part in range(11)]
    assert (reader.incomplete is None) == with_metadata
    (split / names[4]).unlink()
    reader = BagReader(split)
    assert len(texts_of(reader)) == 10
    assert with_metadata == (f'{names[4]} is missing' in reader.incomplete)


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


def test_databases_of_humble_are_read(tmp_path, text_message):
    humble_database(tmp_path / 'x.db3', [(1, 5, bytes(text_message('text')))])
    reader = BagReader(tmp_path / 'x.db3')
    assert reader.topics == {'/checkpoint': STRING}
    assert texts_of(reader) == ['text']
    assert reader.incomplete is None


@pytest.mark.parametrize('row', [(2, 5, b''), (1, 'now', b''), (1, 5, 'text')])
def test_invalid_rows_end_reading(tmp_path, text_message, row):
    good = (1, 5, bytes(text_message('text')))
    humble_database(tmp_path / 'x.db3', [good, row, good])
    reader = BagReader(tmp_path / 'x.db3')
    assert texts_of(reader) == ['text']
    assert reader.incomplete


def test_a_message_that_cannot_be_decoded_is_returned_as_bytes(tmp_path, text_message):
    good, bad = (1, 5, bytes(text_message('text'))), (1, 6, b'\0\1\0\0\xff\xff')
    humble_database(tmp_path / 'x.db3', [good, bad, good])
    reader = BagReader(tmp_path / 'x.db3')
    assert texts_of(reader) == ['text', None, 'text']
    assert reader.incomplete is None


def test_types_that_humble_does_not_have_are_returned_as_bytes(tmp_path):
    humble_database(tmp_path / 'x.db3', [(1, 5, b'bytes')])
    with closing(sqlite3.connect(tmp_path / 'x.db3')) as database:
        database.execute("UPDATE topics SET type = 'my_msgs/msg/Own'")
        database.commit()
    assert list(BagReader(tmp_path / 'x.db3').messages()) == [('/checkpoint', 5, b'bytes')]


def test_a_view_is_not_accepted_as_a_table(tmp_path):
    with closing(sqlite3.connect(tmp_path / 'x.db3')) as database:
        database.execute('CREATE VIEW topics AS SELECT 1 id')
        database.execute('CREATE VIEW messages AS SELECT 1 id')
    with pytest.raises(UserError, match='missing'):
        BagReader(tmp_path / 'x.db3')


def make_folder(path):
    path.mkdir()


def make_metadata_only(path):
    path.mkdir()
    (path / 'metadata.yaml').write_text('rosbag2_bagfile_information: {relative_file_paths: []}')


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (lambda path: None, 'does not exist'),
        (lambda path: path.touch(), 'is empty'),
        (lambda path: path.write_text('hello'), 'neither an MCAP nor an SQLite file'),
        (lambda path: path.write_bytes(MAGIC), 'cut off'),
        (lambda path: path.write_bytes(b'SQLite format 3\0'), 'cut off'),
        (
            lambda path: path.write_bytes(b'SQLite format 3\0' + bytes(5000)),
            'not a readable database',
        ),
        (lambda path: sqlite3.connect(path).execute('CREATE TABLE x(y)').close(), 'are missing'),
        (make_folder, 'holds no .mcap or .db3 file'),
        (make_metadata_only, 'holds no .mcap or .db3 file'),
    ],
)
def test_paths_that_are_not_bags_are_reported(tmp_path, make, words):
    path = tmp_path / 'thing'
    make(path)
    with pytest.raises(UserError, match=words) as caught:
        BagReader(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_no_path_is_an_error():
    with pytest.raises(UserError, match='no bag given'):
        BagReader([])


def test_metadata_is_never_turned_into_objects(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'bag', storage, TEXTS)
    victim = tmp_path / 'victim'
    metadata = tmp_path / 'bag' / 'metadata.yaml'
    metadata.write_text(f"!!python/object/apply:os.mkdir ['{victim}']")
    reader = BagReader(tmp_path / 'bag')
    assert texts_of(reader) == TEXTS
    assert 'damaged' in reader.incomplete
    assert not victim.exists()


@pytest.mark.parametrize('damage', ['', '[', 'a: 1', '- 1', '\0', 'a: &a [*a]', '[' * 500])
def test_without_usable_metadata_the_files_are_read(tmp_path, storage, write_texts, damage):
    write_texts(tmp_path / 'bag', storage, TEXTS)
    (tmp_path / 'bag' / 'metadata.yaml').write_text(damage)
    reader = BagReader(tmp_path / 'bag')
    assert texts_of(reader) == TEXTS
    assert 'metadata.yaml is damaged' in reader.incomplete


@pytest.mark.parametrize('paths', ['bag.mcap', '[1, 2]', '[[bag.mcap]]', '{bag.mcap: 1}', ''])
def test_metadata_without_a_list_of_paths_is_damaged(tmp_path, storage, write_texts, paths):
    write_texts(tmp_path / 'bag', storage, TEXTS)
    text = f'rosbag2_bagfile_information:\n  relative_file_paths: {paths}\n'
    (tmp_path / 'bag' / 'metadata.yaml').write_text(text)
    reader = BagReader(tmp_path / 'bag')
    assert texts_of(reader) == TEXTS
    assert 'metadata.yaml is damaged' in reader.incomplete


def test_files_that_metadata_does_not_list_are_ignored_and_reported(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'bag', storage, TEXTS)
    for other in ('a', 'b'):
        file = write_texts(tmp_path / other, storage, ['another'])
        file.rename(tmp_path / 'bag' / file.name)
    reader = BagReader(tmp_path / 'bag')
    assert texts_of(reader) == TEXTS
    left = f'a{file.suffix}, b{file.suffix} are not listed in metadata.yaml and ignored'
    assert left in reader.incomplete


def test_the_only_message_of_a_topic_is_read_also_before_damage(tmp_path, storage, text_message):
    with BagWriter(tmp_path / 'bag', storage) as bag:
        for topic, count in (('/checkpoint', 1), ('/other', 3000)):
            bag.add_topic(topic, STRING)
            for time in range(count):
                bag.write(topic, time, text_message(topic * 200))
    file = tmp_path / 'bag' / f'bag{".mcap" if storage == "mcap" else ".db3"}'
    os.truncate(file, file.stat().st_size * 4 // 5)
    reader = BagReader(file)
    assert texts_of(reader, ['checkpoint']) == ['/checkpoint' * 200]
    assert reader.incomplete
    assert 1000 < len(texts_of(reader, ['other'])) < 3000


def test_metadata_never_leads_out_of_the_folder(tmp_path, storage, write_texts):
    file = write_texts(tmp_path / 'secret', storage, ['secret'])
    write_texts(tmp_path / 'bag', storage, TEXTS)
    metadata = tmp_path / 'bag' / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace(f'- bag{file.suffix}', f'- {file}'))
    reader = BagReader(tmp_path / 'bag')
    assert texts_of(reader) == TEXTS
    assert 'is missing' in reader.incomplete


def read_all(path):
    """Everything a damaged file may be asked; nothing but a UserError may come out of it."""
    try:
        reader = BagReader(path)
        topics = reader.topics
        texts = texts_of(reader)
    except UserError as error:
        assert '\n' not in str(error)
        return None, None
    assert isinstance(topics, dict)
    return texts, reader.incomplete


def test_the_start_of_a_truncated_file_is_read(tmp_path, storage, write_texts):
    whole = write_texts(tmp_path / 'bag', storage, TEXTS).read_bytes()
    cut = tmp_path / 'cut'
    # SQLite's pages make its file 30 times as long.
    lengths = range(len(whole)) if storage == 'mcap' else range(0, len(whole), 64)
    found = set()
    for length in lengths:
        cut.write_bytes(whole[:length])
        texts, incomplete = read_all(cut)
        if texts is not None:
            assert texts == TEXTS[: len(texts)]
            assert incomplete
            found.add(len(texts))
    assert {0, len(TEXTS)} <= found


@pytest.mark.parametrize('seed', range(4))
def test_flipped_bytes_do_no_harm(tmp_path, storage, write_texts, seed):
    whole = write_texts(tmp_path / 'bag', storage, TEXTS).read_bytes()
    generator = random.Random(seed)
    damaged = tmp_path / 'damaged'
    for _ in range(100):
        content = bytearray(whole)
        for _ in range(generator.choice([1, 4, 64])):
            content[generator.randrange(len(content))] = generator.randrange(256)
        damaged.write_bytes(content)
        texts, incomplete = read_all(damaged)
        # The topic's own name may have been hit; else what is lost is told.
        assert texts is None or len(texts) <= len(TEXTS)
        assert incomplete is None or '\n' not in incomplete


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


@pytest.fixture
def logged_database(tmp_path, text_message):
    """A database whose newest messages are in its log only, as a power cut leaves it."""
    folder = tmp_path / 'logged'
    folder.mkdir()
    humble_database(tmp_path / 'x.db3', [(1, 5, bytes(text_message('old')))])
    with closing(sqlite3.connect(tmp_path / 'x.db3')) as database:
        database.execute('PRAGMA journal_mode=WAL')
        row = 1, 6, bytes(text_message('new'))
        database.execute('INSERT INTO messages(topic_id, timestamp, data) VALUES(?, ?, ?)', row)
        database.commit()
        for end in ('', '-wal'):
            shutil.copy(tmp_path / f'x.db3{end}', folder / f'x.db3{end}')
    return folder / 'x.db3'


@pytest.mark.parametrize('linked', [False, True])
def test_a_log_is_read_without_writing_beside_it(tmp_path, logged_database, linked):
    path = logged_database
    if linked:
        path = tmp_path / 'link.db3'
        path.symlink_to(logged_database)
    before = sorted(logged_database.parent.iterdir())
    reader = BagReader(path)
    assert texts_of(reader) == texts_of(reader) == ['old', 'new']
    assert 'its recorder was killed or is still running' in reader.incomplete
    assert sorted(logged_database.parent.iterdir()) == before


def test_a_log_that_cannot_be_copied_is_reported(logged_database, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('shutil.copyfileobj', full)
    with pytest.raises(UserError, match=r'cannot be made in .* \(No space left'):
        BagReader(logged_database)


def test_half_a_transaction_is_rolled_back(tmp_path, text_message):
    folder = tmp_path / 'logged'
    folder.mkdir()
    old, new = bytes(text_message('old')), bytes(text_message('new' * 300))
    humble_database(tmp_path / 'x.db3', [(1, 5, old)] * 50)
    with closing(sqlite3.connect(tmp_path / 'x.db3')) as database:
        database.execute('PRAGMA cache_size=1')  # so that pages get into the file at once
        database.execute('UPDATE messages SET data = ?', (new,))
        for end in ('', '-journal'):
            shutil.copy(tmp_path / f'x.db3{end}', folder / f'x.db3{end}')
    assert (folder / 'x.db3-journal').stat().st_size
    assert texts_of(BagReader(folder / 'x.db3')) == ['old'] * 50


@pytest.mark.parametrize('name', ['run#1', 'half?', '50%20', 'a b', 'ä', ':memory:'])
def test_paths_may_contain_any_character(tmp_path, storage, write_texts, name):
    write_texts(tmp_path / name, storage, TEXTS)
    assert [item.name for item in tmp_path.iterdir()] == [name]
    assert texts_of(BagReader(tmp_path / name)) == TEXTS

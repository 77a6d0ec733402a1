# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import os
import random
import sqlite3
from contextlib import closing

import pytest

from bags.mcap_bytes import MAGIC
from bags.texts import STRING, TEXTS, humble_database, read_all, texts_of
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.writer import BagWriter
from neuron_reach.errors import UserError


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


@pytest.mark.parametrize('name', ['run#1', 'half?', '50%20', 'a b', 'ä', ':memory:'])
def test_paths_may_contain_any_character(tmp_path, storage, write_texts, name):
    write_texts(tmp_path / name, storage, TEXTS)
    assert [item.name for item in tmp_path.iterdir()] == [name]
    assert texts_of(BagReader(tmp_path / name)) == TEXTS

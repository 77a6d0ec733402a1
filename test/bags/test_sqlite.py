# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Damaged and hostile SQLite files."""

import os
import random
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from record_bags import FLOAT32, write_record

from bags.contents import activity, everything
from neuron_reach.bags.seal import seal
from neuron_reach.bags.summary import summarize

pytestmark = pytest.mark.usefixtures('in_time')

STRING = 'std_msgs/msg/String'


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

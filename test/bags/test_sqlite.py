# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""SQLite files: those of other recorders, damaged ones and hostile ones."""

import errno
import os
import random
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from record_bags import FLOAT32, write_record

from bags.contents import activity, everything
from bags.texts import STRING, humble_database, texts_of
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.seal import seal
from neuron_reach.bags.summary import summarize
from neuron_reach.errors import UserError

pytestmark = pytest.mark.usefixtures('in_time')


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


def test_a_view_is_not_accepted_as_a_table(tmp_path):
    with closing(sqlite3.connect(tmp_path / 'x.db3')) as database:
        database.execute('CREATE VIEW topics AS SELECT 1 id')
        database.execute('CREATE VIEW messages AS SELECT 1 id')
    with pytest.raises(UserError, match='missing'):
        BagReader(tmp_path / 'x.db3')


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

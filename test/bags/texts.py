# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Bags of texts on one topic, and what is read of them."""

import sqlite3
from contextlib import closing

from bags.mcap_bytes import message_record, topic_records
from neuron_reach.bags.reader import BagReader
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


def read_all(path):
    """Return the texts of a damaged file and what is incomplete; only a UserError may be raised."""
    try:
        reader = BagReader(path)
        topics = reader.topics
        texts = texts_of(reader)
    except UserError as error:
        assert '\n' not in str(error)
        return None, None
    assert isinstance(topics, dict)
    return texts, reader.incomplete

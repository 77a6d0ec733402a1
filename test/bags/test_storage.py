# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What both storage formats have in common."""

import sqlite3
from contextlib import closing

import pytest
from record_bags import FLOAT32

from bags.mcap_bytes import mcap_file, topic_records
from neuron_reach.bags.storage import Channel
from neuron_reach.bags.summary import summarize
from neuron_reach.errors import UserError


@pytest.mark.parametrize(
    ('topic', 'kind', 'encoding', 'place'),
    [
        ('/left/activations/input', FLOAT32, 'cdr', ('/left', 'activations/input')),
        ('/observation', FLOAT32, 'cdr', ('', 'observation')),
        ('/observation', FLOAT32, 'json', None),
        ('/observation', 'std_msgs/msg/String', 'cdr', None),
        ('/camera', FLOAT32, 'cdr', None),
    ],
)
def test_only_channels_of_ros_are_topics_of_this_project(topic, kind, encoding, place):
    assert Channel(topic, kind, encoding).project_topic == place


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

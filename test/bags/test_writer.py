# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import errno
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from rosbags.rosbag2 import Reader

from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.writer import BagWriter
from neuron_reach.errors import UserError

STRING = 'std_msgs/msg/String'

KILLED_WRITER = """
import sys, time
from neuron_reach.bags.storage import humble_types
from neuron_reach.bags.writer import BagWriter
types = humble_types()
bag = BagWriter(sys.argv[1], sys.argv[2])
bag.add_topic('/checkpoint', 'std_msgs/msg/String')
def write(number, padding=''):
    message = types.types['std_msgs/msg/String'](str(number) + padding)
    bag.write('/checkpoint', number, types.serialize_cdr(message, 'std_msgs/msg/String'))
for number in range(500):
    write(number)
end = time.monotonic() + 1.2
while time.monotonic() < end:
    bag.flush_if_due()
# More than a database keeps in memory, so that some of what is not committed is in the file.
for number in range(500, 700):
    write(number, ' ' * 50_000)
print('killable', flush=True)
while True:
    number += 1
    write(number)
"""

LIMITED_WRITER = """
import resource, sys
from neuron_reach.bags.writer import BagWriter
from neuron_reach.errors import UserError
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
bag = BagWriter(sys.argv[1], sys.argv[2])
bag.add_topic('/checkpoint', 'std_msgs/msg/String')
try:
    for number in range(10_000):
        bag.write('/checkpoint', number, bytes(10_000))
        if sys.argv[2] == 'sqlite3' and number == 99:
            bag._next_flush = 0.0
except UserError as error:
    print(error)
bag.close()
"""


@pytest.fixture
def killed_bag(tmp_path, storage):
    """Where the bag of a writer that was killed would be."""
    path = tmp_path / 'run' / 'bag'
    command = [sys.executable, '-c', KILLED_WRITER, str(path), storage]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b'killable\n'
        writer.kill()
    assert writer.returncode == -signal.SIGKILL
    return path


def test_the_bag_is_one_that_rosbags_reads(tmp_path, storage, write_texts, types):
    write_texts(tmp_path / 'bag', storage, ['first', 'second'])
    with Reader(tmp_path / 'bag') as reader:
        assert reader.message_count == 2
        (connection,) = reader.connections
        assert connection.topic == '/arm/checkpoint'
        assert connection.msgdef.data.strip().startswith('string data')
        assert connection.ext.offered_qos_profiles[0].durability.name == 'TRANSIENT_LOCAL'
        messages = [
            (time, types.deserialize_cdr(data, STRING).data) for _, time, data in reader.messages()
        ]
    assert messages == [(0, 'first'), (1, 'second')]


def test_closing_leaves_no_other_files(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'bag', storage, ['text'])
    suffix = {'mcap': 'mcap', 'sqlite3': 'db3'}[storage]
    assert {item.name for item in tmp_path.iterdir()} == {'bag'}
    names = {item.name for item in (tmp_path / 'bag').iterdir()}
    assert names == {'metadata.yaml', f'bag.{suffix}'}
    metadata = (tmp_path / 'bag' / 'metadata.yaml').read_text()
    assert 'version: 8\n' in metadata
    assert f'- bag.{suffix}\n' in metadata
    assert 'partial' not in metadata


def test_until_it_is_closed_a_bag_has_another_name(tmp_path, storage, text_message):
    bag = BagWriter(tmp_path / 'bag', storage)
    bag.add_topic('/checkpoint', STRING)
    bag.write('/checkpoint', 1, text_message('early'))
    assert not (tmp_path / 'bag').exists()
    reader = BagReader(tmp_path / 'bag.partial')
    assert [message.data for _, _, message in reader.messages()] == ['early']
    assert reader.incomplete
    bag.close()
    assert bag.counts == {'/checkpoint': 1}
    assert not (tmp_path / 'bag.partial').exists()
    bag.close()


def test_reading_a_bag_while_it_is_closed_loses_no_message(tmp_path, text_message):
    with BagWriter(tmp_path / 'bag', 'sqlite3') as bag:
        bag.add_topic('/a', STRING)
        bag.write('/a', 0, text_message('one'))
        bag._storage().conn.execute('PRAGMA busy_timeout=0')  # else it waits for 5 s
        reading = sqlite3.connect(tmp_path / 'bag.partial' / 'bag.partial.db3')
        rows = reading.execute('SELECT * FROM topics, messages')  # as long as rows are left
        for number in range(100):
            bag.write('/a', number, text_message('two'))
    reader = BagReader(tmp_path / 'bag')
    assert len(list(reader.messages())) == 101
    assert reader.incomplete is None
    assert {item.name for item in (tmp_path / 'bag').iterdir()} == {'bag.db3', 'metadata.yaml'}
    assert rows.fetchone()
    reading.close()


def test_an_empty_bag_is_readable(tmp_path, storage):
    with BagWriter(tmp_path / 'bag', storage) as bag:
        bag.add_topic('/goal', 'geometry_msgs/msg/PoseArray')
    reader = BagReader(tmp_path / 'bag')
    assert reader.topics == {'/goal': 'geometry_msgs/msg/PoseArray'}
    assert list(reader.messages()) == []
    assert reader.incomplete is None


def test_an_existing_bag_is_never_overwritten(tmp_path, storage):
    (tmp_path / 'bag').mkdir()
    with pytest.raises(UserError, match='exists already'):
        BagWriter(tmp_path / 'bag', storage)


def test_a_bag_that_appears_meanwhile_is_not_overwritten(tmp_path, storage, text_message):
    bag = BagWriter(tmp_path / 'bag', storage)
    bag.add_topic('/checkpoint', STRING)
    bag.write('/checkpoint', 1, text_message('mine'))
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'other').touch()
    with pytest.raises(UserError, match=r'recorded so far is in .*bag\.partial'):
        bag.close()
    messages = BagReader(tmp_path / 'bag.partial').messages()
    assert [message.data for _, _, message in messages] == ['mine']


def test_two_writers_cannot_write_one_bag(tmp_path, storage):
    with BagWriter(tmp_path / 'bag', storage), pytest.raises(UserError, match='another process'):
        BagWriter(tmp_path / 'bag', storage)
    assert (tmp_path / 'bag').exists()


def test_unknown_storages_and_types_are_refused(tmp_path):
    with pytest.raises(UserError, match='mcap, sqlite3'):
        BagWriter(tmp_path / 'bag', 'rosbag1')
    with (
        BagWriter(tmp_path / 'bag') as bag,
        pytest.raises(UserError, match='not a message type'),
    ):
        bag.add_topic('/x', 'some_msgs/msg/Thing')


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path, storage):
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match=r'cannot write [^;]*$'):
        BagWriter(tmp_path / 'file' / 'bag', storage)


def test_ctrl_c_closes_the_bag(tmp_path, storage, text_message):
    with pytest.raises(KeyboardInterrupt), BagWriter(tmp_path / 'bag', storage) as bag:
        bag.add_topic('/checkpoint', STRING)
        bag.write('/checkpoint', 1, text_message('kept'))
        raise KeyboardInterrupt
    reader = BagReader(tmp_path / 'bag')
    assert [message.data for _, _, message in reader.messages()] == ['kept']
    assert reader.incomplete is None


def test_a_killed_writer_leaves_what_was_flushed(killed_bag):
    assert not killed_bag.exists()
    reader = BagReader(killed_bag.with_name('bag.partial'))
    texts = [message.data.rstrip() for _, _, message in reader.messages(['checkpoint'])]
    assert len(texts) >= 500
    assert texts == [str(number) for number in range(len(texts))]
    assert 'killed' in reader.incomplete
    assert '\n' not in reader.incomplete


@pytest.mark.parametrize('storage', ['sqlite3'])
def test_a_killed_writers_database_is_sound_without_repair(killed_bag):
    (file,) = killed_bag.with_name('bag.partial').glob('*.db3')
    with closing(sqlite3.connect(f'{file.as_uri()}?mode=ro', uri=True)) as database:
        assert database.execute('PRAGMA integrity_check').fetchall() == [('ok',)]
        assert database.execute('SELECT count(*) FROM messages').fetchone()[0] >= 500


def test_the_recording_of_a_killed_writer_is_moved_away(killed_bag, storage, text_message):
    for round_ in (1, 2):
        with BagWriter(killed_bag, storage) as bag:
            assert bag.set_aside == killed_bag.with_name(f'bag.partial-{round_}')
        assert killed_bag.exists()
        if round_ == 1:
            killed_bag.rename(killed_bag.with_name('bag.partial'))
    assert sum(1 for _ in BagReader(killed_bag.with_name('bag.partial-1')).messages()) >= 500


def test_a_full_disk_is_one_clear_error(tmp_path, storage):
    command = [sys.executable, '-c', LIMITED_WRITER, str(tmp_path / 'bag'), storage]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ''
    assert result.stdout.startswith(f'cannot write {tmp_path / "bag"}: ')
    assert result.stdout.rstrip().endswith(f'is in {tmp_path / "bag.partial"}')
    assert not (tmp_path / 'bag').exists()
    times = [time for _, time, _ in BagReader(tmp_path / 'bag.partial').messages(raw=True)]
    assert len(times) > 50
    assert times == list(range(len(times)))


def test_a_full_disk_is_reported_and_the_bag_abandoned(tmp_path, monkeypatch, text_message):
    bag = BagWriter(tmp_path / 'bag')
    bag.add_topic('/checkpoint', STRING)
    bag.write('/checkpoint', 1, text_message('kept'))

    def full(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('rosbags.rosbag2.storage_mcap.McapWriter.close_chunk', full)
    with pytest.raises(UserError, match='No space left on device'):
        for _ in range(200):
            bag.write('/checkpoint', 2, text_message('x' * 10_000))
    with pytest.raises(UserError, match='is closed'):
        bag.write('/checkpoint', 3, b'')
    bag.close()
    messages = BagReader(tmp_path / 'bag.partial').messages()
    assert [message.data for _, _, message in messages] == ['kept']

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Damaged bags in both formats: one line, no harm, and no damaged data taken for valid."""

import os
import random
import socket
from contextlib import closing

import numpy as np
import pytest
from record_bags import FLOAT32, TYPES, multiarray, write_record

from bags.contents import activity, everything
from neuron_reach import messages
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.seal import seal
from neuron_reach.bags.summary import summarize
from neuron_reach.bags.writer import BagWriter
from neuron_reach.errors import UserError
from neuron_reach.records.recording import read_records

pytestmark = pytest.mark.usefixtures('in_time')


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


def test_foreign_names_do_not_control_the_terminal(tmp_path, write_texts):
    write_texts(tmp_path / 'bag', 'mcap', ['text'], topic='/a\x1b[31m\n/checkpoint')
    listed = 'rosbag2_bagfile_information: {relative_file_paths: ["x\\e[31m\\n.mcap", bag.mcap]}'
    (tmp_path / 'bag' / 'metadata.yaml').write_text(listed)
    text = str(summarize(tmp_path / 'bag'))
    assert text.count(r'\x1b[31m\n') == 2
    assert text.replace('\n', '').isprintable()


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

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

from collections import Counter

import numpy as np
import pytest
from record_bags import FLOAT32, STRING, TYPES, multiarray, text_message

from neuron_reach import messages
from neuron_reach.bags import blocks
from neuron_reach.bags.blocks import Block, read_blocks
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.writer import BagWriter

INPUT, OUTPUT = '/a/activations/input', '/a/activations/output'


def step(values, episode, step):
    return multiarray(FLOAT32, messages.fill_fleet_step, np.asarray(values, 'f'), episode, step)


def write(path, storage, payloads):
    with BagWriter(path, storage) as bag:
        for topic in dict.fromkeys(topic for topic, _ in payloads):
            kind = STRING if topic.endswith('checkpoint') else FLOAT32
            bag.add_topic(topic, kind)
        for time, (topic, data) in enumerate(payloads):
            bag.write(topic, time, data)
    return BagReader(path)


def read(reader, ignored=0):
    found, others = {}, Counter()
    for item in read_blocks(reader, {INPUT, OUTPUT, '/a/checkpoint'}, others):
        if isinstance(item, Block):
            for episode, number, values in zip(*item[1:], strict=True):
                found.setdefault(item.topic, {})[int(episode), int(number)] = values
        else:
            found[item[0]] = item[1].data
    assert others.total() == ignored
    return found


@pytest.mark.parametrize('bytes_kept', [1, 300, 2**20])
def test_blocks_hold_what_was_written(tmp_path, storage, bytes_kept, monkeypatch):
    monkeypatch.setattr(blocks, 'BLOCK_BYTES', bytes_kept)
    draw = np.random.default_rng(0)
    written = {
        topic: {(e, s): draw.random((arms, 5), np.float32) for e in (0, 8) for s in range(3)}
        for topic, arms in ((INPUT, 1), (OUTPUT, 8))
    }
    payloads = [
        (topic, step(values, *key))
        for topic, entries in written.items()
        for key, values in entries.items()
    ]
    payloads.append(('/a/checkpoint', text_message('{}')))
    found = read(write(tmp_path / 'bag', storage, payloads))
    assert found.pop('/a/checkpoint') == '{}'
    for topic, entries in written.items():
        assert found[topic].keys() == entries.keys()
        assert all(np.array_equal(found[topic][key], entries[key]) for key in entries)


def test_equally_long_messages_with_another_layout_are_read_correctly(tmp_path):
    first, second = np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(3, 2)
    payloads = [(INPUT, step(first, 0, 0)), (INPUT, step(second, 2, 0)), (INPUT, step(first, 5, 1))]
    found = read(write(tmp_path / 'bag', 'mcap', payloads))[INPUT]
    assert np.array_equal(found[0, 0], first)
    assert np.array_equal(found[2, 0], second)
    assert np.array_equal(found[5, 1], first)


def test_big_endian_messages_are_read_too(tmp_path):
    values = np.arange(4.0).reshape(1, 4)
    message = TYPES.deserialize_cdr(step(values, 3, 2), FLOAT32)
    data = TYPES.serialize_cdr(message, FLOAT32, little_endian=False)
    found = read(write(tmp_path / 'bag', 'mcap', [(INPUT, data), (INPUT, step(values, 4, 2))]))
    assert np.array_equal(found[INPUT][3, 2], values)
    assert np.array_equal(found[INPUT][4, 2], values)


@pytest.mark.parametrize('number', [0.5, -1.0, np.nan, np.inf, 3e38])
@pytest.mark.parametrize('place', [0, 1])
@pytest.mark.parametrize('first', [0, 1])
def test_numbers_that_are_not_counts_are_ignored(tmp_path, number, place, first):
    good, bad = step(np.ones((1, 4)), 0, 0), bytearray(step(np.ones((1, 4)), 1, 1))
    start = len(bad) - 4 * (6 - place)
    bad[start : start + 4] = np.float32(number).tobytes()
    payloads = [(INPUT, good), (INPUT, bytes(bad))]
    reader = write(tmp_path / 'bag', 'mcap', payloads[::-1] if first else payloads)
    assert list(read(reader, ignored=1)[INPUT]) == [(0, 0)]


def test_episodes_may_have_any_number_that_is_exact(tmp_path):
    numbers = [(2**31, 0), (2**31, 1), (2**52, 0), (2**53, 2**53)]
    payloads = [(INPUT, step(np.ones((1, 4)), *key)) for key in numbers]
    assert list(read(write(tmp_path / 'bag', 'mcap', payloads))[INPUT]) == numbers


def test_other_messages_on_the_topic_are_ignored(tmp_path):
    plain = multiarray(FLOAT32, messages.fill_multiarray, np.ones(3, 'f'), ('neuron',))
    empty = multiarray(FLOAT32, messages.fill_multiarray, np.ones((0, 9), 'f'), 'ab', (0, 0))
    others = [plain, plain[:9], empty, b'']
    for number, data in enumerate(others):
        assert read(write(tmp_path / str(number), 'mcap', [(INPUT, data)]), ignored=1) == {}
    payloads = [(INPUT, data) for data in (*others, step(np.ones((1, 3)), 0, 0), *others)]
    found = read(write(tmp_path / 'all', 'mcap', payloads), ignored=8)
    assert list(found[INPUT]) == [(0, 0)]


def test_topics_of_other_types_are_ignored(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic(INPUT, STRING)
        bag.write(INPUT, 0, text_message('theirs'))
        bag.add_topic(OUTPUT, FLOAT32)
        bag.write(OUTPUT, 0, step(np.ones((1, 3)), 4, 5))
        bag.add_topic('/a/checkpoint', 'std_msgs/msg/Int32')
        bag.write('/a/checkpoint', 0, bytes(8))
    assert list(read(BagReader(tmp_path / 'bag'))) == [OUTPUT]

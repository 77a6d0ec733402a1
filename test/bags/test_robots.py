# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Bags recorded with `-a`, beside other programs and other robots of ours."""

import dataclasses

import numpy as np
import pytest
from record_bags import FLOAT32, FLOAT64, STRING, TYPES, multiarray, text_message, write_record

from bags.mcap_bytes import mcap_file, message_record, topic_records
from neuron_reach import messages
from neuron_reach.analysis import ActivityRecord
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.robots import Robot, choose_robot, find_robots
from neuron_reach.bags.summary import summarize
from neuron_reach.bags.writer import BagWriter
from neuron_reach.errors import UserError
from neuron_reach.records.recording import read_records

INT = 'std_msgs/msg/Int32'
LAYERS = ('input', 'hidden_1', 'output')
NUMBER = TYPES.serialize_cdr(TYPES.types[INT](7), INT)
PLAIN = multiarray(FLOAT32, messages.fill_multiarray, np.ones((2, 3), 'f'), ('channel', 'sample'))
SIX = multiarray(FLOAT64, messages.fill_multiarray, np.ones((2, 5)), ('row', 'column'))
OTHERS = {
    'observation': ('/camera/observation', STRING, text_message('hello')),
    'observation laid out otherwise': ('/camera/observation', FLOAT32, PLAIN),
    'episode': ('/game/episode', INT, NUMBER),
    'episode laid out otherwise': ('/game/episode', FLOAT64, SIX),
    'checkpoint': ('/other/checkpoint', STRING, text_message('hello')),
    'activations': ('/eeg/activations/left', INT, NUMBER),
    'activations of no layer': ('/eeg/activations/left', FLOAT32, PLAIN),
    'activations of another type': ('/eeg/activations/input', FLOAT64, SIX),
    'activations laid out otherwise': ('/eeg/activations/input', FLOAT32, PLAIN),
    'rubbish': ('/eeg/activations/input', FLOAT32, b'\0\1\0\0\xff'),
    'nothing': ('/eeg/activations/input', FLOAT32, b''),
    'a deeper name': ('/activations/input/raw', FLOAT32, PLAIN),
    'our own names': ('/arm/activations/input', FLOAT32, PLAIN),
    'our own checkpoint': ('/arm/checkpoint', STRING, text_message('hello')),
    'our own episode': ('/arm/episode', FLOAT64, SIX),
}


@pytest.fixture
def record():
    draw = np.random.default_rng(0)
    return ActivityRecord(
        draw.random((4, 3, 9), np.float32),
        np.full(4, 3),
        LAYERS,
        (4, 2, 3),
        draw.random((4, 2)),
        draw.random(4),
        {'path': '/x/checkpoint', 'version': 3},
    )


@pytest.fixture
def write_beside(tmp_path, record):
    """Writes a bag of a robot in `/arm`, and messages of others before, between and behind."""

    def write(storage, topic, kind, data):
        write_record(tmp_path / 'own', record, storage, 2, namespace='/arm', checkpoints=[
            ('/x/checkpoint', 3, 0)
        ])  # fmt: skip
        own = BagReader(tmp_path / 'own')
        with BagWriter(tmp_path / 'bag', storage) as bag:
            for channel in dict.fromkeys([(topic, kind), *own.topics.items()]):
                bag.add_topic(*channel)
            for number, (name, time, own_data) in enumerate(own.messages(raw=True)):
                if number % 5 == 0:
                    bag.write(topic, time, data)
                bag.write(name, time, own_data)
            bag.write(topic, time, data)
        return tmp_path / 'bag'

    return write


def same(found, expected):
    for name in ('activations', 'lengths', 'goals', 'rewards'):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


@pytest.mark.parametrize(('topic', 'kind', 'data'), OTHERS.values(), ids=OTHERS)
def test_topics_of_other_programs_are_ignored(write_beside, storage, record, topic, kind, data):
    bag = write_beside(storage, topic, kind, data)
    found = read_records(bag)
    same(found, record)
    assert found.network['path'] == '/x/checkpoint'
    summary = summarize(bag)
    assert list(summary.robots) == ['/arm']
    assert summary.robots['/arm'].episodes == 4
    assert summary.robots['/arm'].neurons == dict(zip(LAYERS, (4, 2, 3), strict=True))
    alone = [one for one in summary.continuity if one.startswith('/arm/activations')]
    assert all(summary.continuity[one].unbroken for one in alone)
    assert summary.types[topic] == kind
    assert summary.messages[topic] >= 5
    assert 'bag.' not in summary.incomplete  # nothing is wrong with the file
    if topic.startswith('/arm/'):
        count = summary.ignored[topic]
        assert f'{count} with another layout' in str(summary)
        assert f'{count} messages on {topic} are laid out in another way' in ' '.join(found.notes)
    else:
        assert found.notes == ()


def test_a_topic_with_two_types_is_read_with_the_right_one(tmp_path, record):
    write_record(tmp_path / 'own', record)
    own = BagReader(tmp_path / 'own')
    numbers = {topic: number for number, topic in enumerate(own.topics, 1)}
    blocks = [topic_records('/activations/input', INT, 'cdr', 90), message_record(90, NUMBER)]
    blocks += [topic_records(name, own.topics[name], 'cdr', numbers[name]) for name in numbers]
    blocks += [message_record(numbers[name], data) for name, _, data in own.messages(raw=True)]
    (tmp_path / 'x.mcap').write_bytes(mcap_file([*blocks, message_record(90, NUMBER)], 'merged'))
    same(read_records(tmp_path / 'x.mcap'), record)
    assert summarize(tmp_path / 'x.mcap').types['/activations/input'] == f'{FLOAT32}, {INT}'


def as_mcap(bag, encodings=None, slashes='/'):
    """Return the messages of a bag as another program might record them."""
    own = BagReader(bag)
    numbers = {topic: number for number, topic in enumerate(own.topics, 1)}
    blocks = []
    for topic, number in numbers.items():
        encoding = (encodings or {}).get(topic, 'cdr')
        name = slashes + topic.lstrip('/')
        blocks.append(topic_records(name, own.topics[topic], encoding, number))
    return [
        *blocks,
        *(message_record(numbers[name], data) for name, _, data in own.messages(raw=True)),
    ]


@pytest.mark.parametrize('slashes', ['', '//'])
def test_names_need_not_start_with_exactly_one_slash(tmp_path, record, slashes):
    write_record(tmp_path / 'own', record, namespace='/a/arm', observations=True)
    (tmp_path / 'x.mcap').write_bytes(mcap_file(as_mcap(tmp_path / 'own', slashes=slashes)))
    same(read_records(tmp_path / 'x.mcap'), record)
    for summary in (summarize(tmp_path / 'x.mcap'), summarize(tmp_path / 'x.mcap', 'a/arm')):
        assert list(summary.robots) == ['/a/arm']
        assert str(summary).count('no gaps') == 4
        assert summary.incomplete is None


@pytest.mark.parametrize('encoding', ['json', 'protobuf', 'ros1', ''])
def test_other_encodings_are_ignored(tmp_path, record, encoding):
    write_record(tmp_path / 'own', record, observations=True)
    topics = BagReader(tmp_path / 'own').topics
    foreign = as_mcap(tmp_path / 'own', dict.fromkeys(topics, encoding))
    (tmp_path / 'x.mcap').write_bytes(mcap_file(foreign))
    summary = summarize(tmp_path / 'x.mcap')
    assert (summary.robots, summary.ignored, summary.incomplete) == ({}, {}, None)
    with pytest.raises(UserError, match='holds no activations'):
        read_records(tmp_path / 'x.mcap')
    beside = [topic_records('/activations/input', FLOAT32, encoding, 99), message_record(99, b'{}')]
    (tmp_path / 'y.mcap').write_bytes(mcap_file([*beside, *as_mcap(tmp_path / 'own')]))
    found = read_records(tmp_path / 'y.mcap')
    same(found, record)
    assert found.notes == ()


def test_long_names_do_not_break_the_table(tmp_path, record):
    long = topic_records('/' + 'x' * 60_000, 'y' * 60_000, 'cdr', 1)
    (tmp_path / 'x.mcap').write_bytes(mcap_file([long]))
    assert max(map(len, str(summarize(tmp_path / 'x.mcap')).splitlines())) < 300


@pytest.fixture
def two_robots(tmp_path, storage, record):
    other = dataclasses.replace(record, activations=record.activations + 1.0)
    bags = [(tmp_path / 'a', '', record), (tmp_path / 'b', '/right/arm', other.first(2))]
    for path, namespace, one in bags:
        write_record(path, one, storage, namespace=namespace, checkpoints=[(str(path), 1, 0)])
    readers = [BagReader(path) for path, *_ in bags]
    with BagWriter(tmp_path / 'bag', storage) as bag:
        for reader in readers:
            for channel in reader.topics.items():
                bag.add_topic(*channel)
        for reader in readers:
            for message in reader.messages(raw=True):
                bag.write(*message)
    return tmp_path / 'bag', record, other.first(2)


def test_two_robots_are_distinguished(two_robots):
    bag, _, _ = two_robots
    summary = summarize(bag)
    assert {name: robot.episodes for name, robot in summary.robots.items()} == {
        '': 4,
        '/right/arm': 2,
    }
    assert all(track.unbroken for track in summary.continuity.values())
    lines = str(summary).splitlines()
    assert [line for line in lines if line.startswith('Robot')] == [
        'Robot      /',
        'Robot      /right/arm',
    ]
    only = summarize(bag, 'right/arm')
    assert list(only.robots) == ['/right/arm']
    assert all(topic.startswith('/right/arm/') for topic in only.messages)
    with pytest.raises(UserError, match="no robot in namespace 'left', but in /, /right/arm"):
        summarize(bag, 'left')


def test_one_of_two_robots_is_chosen(two_robots):
    bag, first, second = two_robots
    with pytest.raises(UserError, match='several robots; name one of the namespaces /, /right/arm'):
        read_records(bag)
    same(read_records(bag, namespace='/'), first)
    for name in ('right/arm', '/right/arm', '/right/arm/'):
        found = read_records(bag, namespace=name)
        same(found, second)
        assert found.network['path'].endswith('b')
    with pytest.raises(UserError, match="in namespace 'left', but in /, /right/arm"):
        read_records(bag, namespace='left')


def test_layers_that_were_announced_but_never_sent_belong_to_the_robot(tmp_path, record):
    with BagWriter(tmp_path / 'bag') as bag:
        for layer in LAYERS:
            bag.add_topic(f'/a/activations/{layer}', FLOAT32)
            bag.add_topic(f'/b/activations/{layer}', FLOAT32)
        step = multiarray(FLOAT32, messages.fill_fleet_step, np.ones((1, 2), 'f'), 0, 0)
        bag.write('/a/activations/hidden_1', 0, step)
    reader = BagReader(tmp_path / 'bag')
    assert find_robots(reader) == [Robot('/a', LAYERS)]
    assert choose_robot(tmp_path / 'bag', reader).topic('episode') == '/a/episode'


def test_a_bag_of_others_holds_no_robot(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/eeg/activations/input', FLOAT32)
        bag.write('/eeg/activations/input', 0, PLAIN)
        bag.add_topic('/game/episode', INT)
        bag.write('/game/episode', 0, NUMBER)
    with pytest.raises(UserError, match='holds no activations'):
        read_records(tmp_path / 'bag')


@pytest.mark.parametrize(('value', 'layer'), [(np.nan, 'hidden_1'), (-np.inf, 'input')])
def test_activations_that_are_not_finite_are_reported(tmp_path, storage, record, value, layer):
    record.layer(layer)[2, 1, 1] = value
    write_record(tmp_path / 'bag', record, storage, first=5)
    with pytest.raises(UserError, match=f'activations of {layer} in episode 2 are not finite'):
        read_records(tmp_path / 'bag')
    read_records(tmp_path / 'bag', episodes=range(2))

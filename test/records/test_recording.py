# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses
import random

import numpy as np
import pytest
import torch
from record_bags import FLOAT32, multiarray, write_record

from neuron_reach import messages
from neuron_reach.analysis import ActivityRecord
from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.arm.task import ReachingTask
from neuron_reach.bags.writer import BagWriter
from neuron_reach.common.random_streams import training_streams
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import describe, load_checkpoint, save_checkpoint
from neuron_reach.learning.qnetwork import QNetwork, greedy
from neuron_reach.learning.rollout import play
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member
from neuron_reach.records import assembly
from neuron_reach.records.recording import read_records, record_checkpoint

SIZES = (4, 3, 2, 5)
LAYERS = ('input', 'hidden_1', 'hidden_2', 'output')


@pytest.fixture
def record():
    draw = np.random.default_rng(0)
    return ActivityRecord(
        draw.random((6, 4, sum(SIZES)), np.float32),
        np.full(6, 4),
        LAYERS,
        SIZES,
        draw.random((6, 2)),
        draw.random(6),
        {'path': '/x/checkpoint', 'version': 3},
    )


@pytest.fixture
def checkpoint(tmp_path):
    values = {'joints': 1, 'hidden': [6, 5], 'episode_steps': 6, 'reach_steps': 6, 'arms': 4}
    setup = Setup.from_values({**values, 'seed': 7}, 'test')
    network = QNetwork(setup.layer_sizes)
    network.initialize([torch.Generator().manual_seed(1)], 1.0)
    path = save_checkpoint(
        tmp_path / 'run' / 'checkpoint', network, describe(setup, Member(7), None)
    )
    return load_checkpoint(path)


def same(found, expected, episodes=slice(None)):
    for name in ('activations', 'lengths', 'goals', 'rewards'):
        assert np.array_equal(getattr(found, name), getattr(expected, name)[episodes]), name
    assert (found.layers, found.sizes) == (expected.layers, expected.sizes)


NAMED = [('/x/checkpoint', 3, 0)]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize(
    ('arms', 'first', 'namespace'), [(1, 0, ''), (3, 7, '/arm'), (6, 90, '/a/b')]
)
def test_a_bag_gives_the_record_back_to_the_bit(tmp_path, record, storage, arms, first, namespace):
    write_record(tmp_path / 'bag', record, storage, arms, first, namespace, checkpoints=NAMED)
    found = read_records(tmp_path / 'bag')
    same(found, record)
    assert found.network == record.network
    assert found.notes == ()


@pytest.mark.parametrize('limit', ['memory', 'file'])
def test_messages_may_come_in_any_order(tmp_path, record, limit, monkeypatch):
    if limit == 'file':
        monkeypatch.setattr(assembly, 'MEMORY_LIMIT', 0)
    monkeypatch.setattr('neuron_reach.bags.blocks.BLOCK_BYTES', 200)

    def shuffle(cycles):
        return random.Random(4).sample(cycles, len(cycles))

    write_record(tmp_path / 'bag', record, first=50, order=shuffle)
    found = read_records(tmp_path / 'bag')
    same(found, record)
    assert isinstance(found.activations, np.memmap) == (limit == 'file')


def test_records_larger_than_memory_are_made_in_files(tmp_path, record, checkpoint, monkeypatch):
    expected = record_checkpoint(checkpoint, 8)
    monkeypatch.setattr(assembly, 'MEMORY_LIMIT', 0)
    found = record_checkpoint(checkpoint, 8)
    assert isinstance(found.activations, np.memmap)
    same(found, expected)
    write_record(tmp_path / 'bag', record)
    found = read_records([tmp_path / 'bag', tmp_path / 'bag'])
    assert isinstance(found.activations, np.memmap)
    assert np.array_equal(found.activations[:6], record.activations)


def test_a_full_disk_is_one_line(record, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, 'No space left on device')

    write_record(tmp_path / 'bag', record)
    monkeypatch.setattr(assembly, 'MEMORY_LIMIT', 0)
    monkeypatch.setattr('os.posix_fallocate', full)
    with pytest.raises(UserError, match='No space left on device; choose another folder'):
        read_records(tmp_path / 'bag')


def test_layers_and_episodes_can_be_selected(tmp_path, record):
    write_record(tmp_path / 'bag', record, arms=2, first=10)
    found = read_records(tmp_path / 'bag', ['hidden_1', 'hidden_2'], range(1, 4))
    same(found, record.select(['hidden_1', 'hidden_2']), slice(1, 4))
    with pytest.raises(UserError, match="no layer 'hidden_3'; it has input, hidden_1"):
        read_records(tmp_path / 'bag', ['hidden_3'])
    with pytest.raises(UserError, match='no whole episode'):
        read_records(tmp_path / 'bag', episodes=range(6, 9))


def test_several_bags_follow_each_other(tmp_path, record):
    write_record(tmp_path / 'a', record, arms=2, checkpoints=NAMED)
    write_record(tmp_path / 'b', record.first(2), 'sqlite3', checkpoints=NAMED)
    found = read_records([tmp_path / 'a', tmp_path / 'b'])
    assert found.episodes == 8
    assert np.array_equal(found.activations[6:], record.activations[:2])
    assert np.array_equal(found.goals[6:], record.goals[:2])


def test_bags_of_different_networks_are_refused(tmp_path, record):
    write_record(tmp_path / 'a', record, checkpoints=NAMED)
    write_record(tmp_path / 'b', record, checkpoints=[('/y/checkpoint', 3, 0)])
    with pytest.raises(UserError, match='another network'):
        read_records([tmp_path / 'a', tmp_path / 'b'])


DIGEST = 'a' * 64


def test_networks_are_told_apart_by_content_not_by_path(tmp_path, record):
    for name, checkpoint in (
        ('a', ('/x/checkpoint', 3, 0, DIGEST, 6)),
        ('moved', ('/y/checkpoint', 1, 0, DIGEST, 6)),
        ('trained anew', ('/x/checkpoint', 3, 0, 'b' * 64, 6)),
    ):
        write_record(tmp_path / name, record, checkpoints=[checkpoint])
    found = read_records([tmp_path / 'a', tmp_path / 'moved'])
    assert found.network == {
        'path': '/x/checkpoint',
        'version': 3,
        'digest': DIGEST,
        'episodes': 12,
    }
    assert found.notes == ()
    with pytest.raises(UserError, match='another network'):
        read_records([tmp_path / 'a', tmp_path / 'trained anew'])


def test_fewer_episodes_than_asked_for_are_told(tmp_path, record):
    write_record(tmp_path / 'bag', record, checkpoints=[('/x/checkpoint', 3, 0, DIGEST, 50)])
    assert read_records(tmp_path / 'bag').notes == ('6 of 50 episodes',)
    assert read_records(tmp_path / 'bag', episodes=range(5)).notes == ()
    assert read_records(tmp_path / 'bag', episodes=range(20)).notes == ('6 of 20 episodes',)


def test_gaps_are_found_and_the_episodes_left_out(tmp_path, record):
    lost = [('hidden_2', 2, 1), ('input', 2, 3), ('output', 4, 0)]
    write_record(tmp_path / 'bag', record, lost=lost)
    found = read_records(tmp_path / 'bag')
    same(found, record, [0, 1, 3, 5])
    assert found.notes == ('2 episodes left out, as steps of them are missing',)


def test_a_bag_may_begin_with_a_gap(tmp_path, record):
    lost = [('input', 20, step) for step in range(4)]
    write_record(tmp_path / 'bag', record, lost=lost, first=20)
    same(read_records(tmp_path / 'bag'), record, slice(1, None))


def test_missing_episodes_are_told(tmp_path, record):
    lost = [(layer, 3, step) for layer in LAYERS for step in range(4)]
    write_record(tmp_path / 'bag', record, lost=lost)
    found = read_records(tmp_path / 'bag')
    same(found, record, [0, 1, 2, 4, 5])
    assert found.notes == ('1 episodes missing between others',)


def test_what_comes_twice_counts_once(tmp_path, record):
    write_record(tmp_path / 'bag', record, arms=2, order=lambda cycles: [*cycles, *cycles[:3]])
    found = read_records(tmp_path / 'bag')
    same(found, record)
    assert found.notes == ('24 activations of a layer came twice; the last ones count',)


def test_episodes_without_an_end_are_left_out(tmp_path, record):
    write_record(tmp_path / 'bag', record, results=[0, 1, 2, 4])
    found = read_records(tmp_path / 'bag')
    same(found, record, [0, 1, 2, 4])
    assert found.notes == ('2 episodes left out, as they have no end',)


def test_without_results_an_episode_is_as_long_as_the_longest(tmp_path, record):
    write_record(tmp_path / 'bag', record, results=False)
    found = read_records(tmp_path / 'bag')
    assert np.array_equal(found.activations, record.activations)
    assert np.isnan(found.goals).all()
    assert np.isnan(found.rewards).all()


def test_weights_that_changed_meanwhile_are_refused(tmp_path, record):
    changes = [('/x/checkpoint', 1, 0), ('/x/checkpoint', 2, 13), ('/x/checkpoint', 2, 13)]
    write_record(tmp_path / 'bag', record, first=10, checkpoints=changes)
    with pytest.raises(
        UserError, match='the weights changed while these episodes were played, at episode 3;'
    ):
        read_records(tmp_path / 'bag')
    assert read_records(tmp_path / 'bag', episodes=range(3)).network['version'] == 1
    assert read_records(tmp_path / 'bag', episodes=range(3, 6)).network['version'] == 2


def test_several_robots_in_one_bag_are_told_apart(tmp_path, record):
    other = dataclasses.replace(record, activations=record.activations + 1.0)
    write_record(tmp_path / 'a', record, namespace='/left')
    write_record(tmp_path / 'b', other, namespace='/right')
    both = tmp_path / 'both'
    both.mkdir()
    for name in 'ab':
        (tmp_path / name / f'{name}.mcap').rename(both / f'{name}.mcap')
    with pytest.raises(UserError, match='name one of the namespaces /left, /right'):
        read_records(both)
    same(read_records(both, namespace='right'), other)
    with pytest.raises(UserError, match="namespace 'up', but in /left, /right"):
        read_records(both, namespace='up')


def test_two_networks_in_one_bag_are_refused(tmp_path, record):
    topic = '/activations/input'
    with BagWriter(tmp_path / 'bag', 'mcap') as bag:
        bag.add_topic(topic, FLOAT32)
        for width in (3, 4):
            values = np.zeros((1, width))
            bag.write(topic, 0, multiarray(FLOAT32, messages.fill_fleet_step, values, 0, 0))
    with pytest.raises(UserError, match='two networks'):
        read_records(tmp_path / 'bag')


def test_bags_without_activity_are_refused(tmp_path, record):
    with BagWriter(tmp_path / 'bag', 'mcap') as bag:
        bag.add_topic('/observation', FLOAT32)
    with pytest.raises(UserError, match='holds no activations'):
        read_records(tmp_path / 'bag')
    with pytest.raises(UserError, match='no bag given'):
        read_records([])


def test_a_recording_in_process_is_what_the_network_did(checkpoint):
    found = record_checkpoint(checkpoint, 8)
    setup = checkpoint.setup
    task, fleet = ReachingTask(setup.task, setup.arm), FleetSimulator(setup.arm, 4)
    goals = training_streams(7)['record']
    for start in (0, 4):
        drawn = task.sample_goals(goals, 4)
        rollout = play(fleet, task, drawn[None], lambda seen: greedy(checkpoint.network, seen))
        assert np.array_equal(found.goals[start : start + 4], drawn)
        assert np.array_equal(found.rewards[start : start + 4], rollout.rewards[-1, 0])
        seen = rollout.observations[:-1, 0].transpose(1, 0, 2)
        assert np.array_equal(found.layer('input')[start : start + 4], seen)
    inputs = torch.from_numpy(found.layer('input').reshape(1, 48, 4).copy())
    values = torch.cat(checkpoint.network.activations(inputs), dim=2).numpy()
    assert np.allclose(found.activations.reshape(values.shape), values, rtol=1e-5, atol=1e-6)


def test_another_generator_gives_other_episodes(checkpoint):
    usual = record_checkpoint(checkpoint, 4)
    assert np.array_equal(usual.goals, record_checkpoint(checkpoint, 4).goals)
    other = record_checkpoint(checkpoint, 4, np.random.default_rng(1))
    assert not np.array_equal(usual.goals, other.goals)

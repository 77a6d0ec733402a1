# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import hashlib
import json
import pickle
import re
import shutil
import struct
import time

import numpy as np
import pytest
import safetensors.torch
import torch

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.arm.task import action_table
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import (
    METADATA,
    MODEL,
    STATE_COUNTERS,
    STATE_TENSORS,
    describe,
    load_checkpoint,
    load_training,
    network_digest,
    save_checkpoint,
    write_metadata,
)
from neuron_reach.learning.rollout import greedy_successes
from neuron_reach.learning.setup import Setup


def load_all(folder, setup):
    load_checkpoint(folder)
    load_training(folder, setup)


def assert_refused(file, call, *arguments):
    """The call fails with one line that begins with the file."""
    with pytest.raises(UserError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert '\n' not in message
    assert message.startswith(str(file)), message


# --- what is in it ------------------------------------------------------------------------------


def test_a_network_comes_back_bit_by_bit(own, saved):
    loaded = load_checkpoint(saved)
    assert torch.equal(loaded.network.flat, own.learner.target.flat)
    assert loaded.network.sizes == (6, 8, 5, 9)
    assert loaded.setup == own.setup
    assert loaded.path == saved


def test_a_network_is_known_by_its_content(own, saved, tmp_path):
    digest = network_digest(own.saved_network(0))
    elsewhere = shutil.copytree(saved, tmp_path / 'elsewhere')
    loaded = load_checkpoint(elsewhere).network
    assert network_digest(loaded) == digest
    # Said once more, for other programs, from nothing but the file.
    tensors = safetensors.torch.load_file(saved / MODEL)
    expected = hashlib.sha256()
    for name in sorted(tensors):
        expected.update(json.dumps([name, 'float32', list(tensors[name].shape)]).encode())
        expected.update(tensors[name].numpy().tobytes())
    assert digest == expected.hexdigest()
    for parameters in (*loaded.weights, *loaded.biases):
        last = parameters.reshape(-1)[-1:]
        last.copy_(torch.nextafter(last, torch.tensor(9.0)))
        changed, digest = digest, network_digest(loaded)
        assert changed != digest


def test_the_folder_holds_what_other_programs_need(own, saved):
    assert {path.name for path in saved.iterdir()} == {
        'model.safetensors',
        'metadata.json',
        'training_state.safetensors',
        'training_state.json',
    }
    tensors = safetensors.torch.load_file(saved / 'model.safetensors')
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {
        'layers.0.weight': (8, 6),
        'layers.0.bias': (8,),
        'layers.1.weight': (5, 8),
        'layers.1.bias': (5,),
        'layers.2.weight': (9, 5),
        'layers.2.bias': (9,),
    }
    metadata = json.loads((saved / 'metadata.json').read_text())
    assert metadata['joints'] == 2
    assert metadata['hidden'] == [8, 5]
    assert metadata['link_lengths'] == [0.5, 0.5]
    assert metadata['start_pose'] == own.setup.arm.start_pose.tolist()
    assert np.array_equal(metadata['actions'], action_table(2))
    assert metadata['goals'] == 'upper'
    assert metadata['seed'] == 3
    assert metadata['options'] == own.setup.values()
    assert metadata['versions'].keys() == {
        'neuron_reach',
        'git_revision',
        'python',
        'numpy',
        'torch',
    }
    validation = metadata['validation']
    assert validation['episodes'] == 300
    assert validation['history'] == [list(entry) for entry in own.members[0].validations]
    assert validation['accuracy']['value'] == pytest.approx(290 / 300)
    low, high = validation['accuracy']['interval_95']
    assert low < 290 / 300 < high


def test_without_a_training_only_the_network_is_written(own, tmp_path):
    metadata = describe(own.setup, own.members[0], None)
    folder = save_checkpoint(tmp_path / 'new', own.saved_network(0), metadata)
    assert {path.name for path in folder.iterdir()} == {MODEL, METADATA}
    assert 'accuracy' not in json.loads((folder / METADATA).read_text())['validation']
    assert_refused(folder / STATE_TENSORS, load_training, folder, own.setup)


def read_safetensors(path):
    """The format in ten lines, so that nothing of ours or theirs is needed to read a network."""
    data = path.read_bytes()
    (size,) = struct.unpack('<Q', data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop('__metadata__', None)
    arrays = {}
    for name, entry in header.items():
        assert entry['dtype'] == 'F32'
        start, end = entry['data_offsets']
        values = np.frombuffer(data[8 + size + start : 8 + size + end], np.float32)
        arrays[name] = values.reshape(entry['shape'])
    return arrays


def test_two_files_and_numpy_are_enough_to_act_as_the_network_does(own, saved):
    """Another program: reads the two files, knows the task from the paper, plays episodes."""
    goals = own.task.sample_goals(np.random.default_rng(0), 60)
    fleet = FleetSimulator(own.setup.arm, 60)
    network = load_checkpoint(saved).network
    expected = greedy_successes(fleet, own.task, network, goals[None])[0]
    assert 0 < expected.sum() < 60

    arrays = read_safetensors(saved / 'model.safetensors')
    metadata = json.loads((saved / 'metadata.json').read_text())
    actions, lengths = np.array(metadata['actions']), np.array(metadata['link_lengths'])
    options = metadata['options']
    targets = np.tile(metadata['start_pose'], (60, 1))
    angles = fleet.reset()
    for _ in range(options['episode_steps']):
        values = np.empty((60, 2 * metadata['joints'] + 2), np.float32)
        values[:, 0:-2:2], values[:, 1:-2:2] = np.sin(angles), np.cos(angles)
        values[:, -2:] = goals
        for layer in range(len(metadata['hidden']) + 1):
            values = values @ arrays[f'layers.{layer}.weight'].T + arrays[f'layers.{layer}.bias']
            if layer < len(metadata['hidden']):
                values = np.maximum(values, 0)
        targets += actions[values.argmax(axis=1)]
        fleet.send(targets)
        angles = fleet.receive()
    tips = (lengths * np.exp(1j * np.cumsum(angles, axis=1))).sum(axis=1)
    rewards = (1 / (1 + np.abs(tips - goals @ [1, 1j]))) ** 2
    assert (rewards >= options['success_reward']).sum() == expected.sum()


def test_saving_again_replaces_the_folder(own, saved):
    (saved / 'stray').touch()
    own.learner.target.flat.add_(1.0)
    own._boundary = own._snapshot()
    metadata = describe(own.setup, own.members[0], None)
    save_checkpoint(saved, own.saved_network(0), metadata)
    for found, expected in zip(
        load_checkpoint(saved).network.weights, own.learner.target.weights, strict=True
    ):
        assert torch.equal(found, expected)
    assert {path.name for path in saved.iterdir()} == {MODEL, METADATA}
    assert [path.name for path in saved.parent.iterdir()] == ['checkpoint']


def test_metadata_can_be_rewritten(own, saved):
    metadata = describe(own.setup, own.members[0], (100, 200))
    write_metadata(saved, metadata)
    assert load_checkpoint(saved).metadata['validation']['accuracy']['episodes'] == 200
    assert_refused(saved / 'none', write_metadata, saved / 'none', metadata)


def test_the_training_state_comes_back_bit_by_bit(own, saved):
    loaded = load_training(saved, own.setup)
    (tensors, counters), (expected, expected_counters) = loaded.state(), own.state()
    assert counters == expected_counters
    assert tensors.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(tensors[name], value)


# --- what is refused ----------------------------------------------------------------------------


def test_a_place_without_a_checkpoint(tmp_path):
    assert_refused(tmp_path / 'none', load_checkpoint, tmp_path / 'none')
    (tmp_path / 'file').touch()
    assert_refused(tmp_path / 'file', load_checkpoint, tmp_path / 'file')
    assert_refused(tmp_path / METADATA, load_checkpoint, tmp_path)


FILES = [MODEL, METADATA, STATE_TENSORS, STATE_COUNTERS]


@pytest.mark.parametrize('name', FILES)
def test_a_missing_file(own, saved, name):
    (saved / name).unlink()
    assert_refused(saved / name, load_all, saved, own.setup)


@pytest.mark.parametrize('name', FILES)
def test_a_file_cut_off_anywhere(own, saved, name):
    whole = (saved / name).read_bytes()
    lengths = {0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 4, len(whole) - 1}
    lengths |= set(np.random.default_rng(0).integers(len(whole), size=20).tolist())
    for length in sorted(lengths):
        (saved / name).write_bytes(whole[:length])
        assert_refused(saved / name, load_all, saved, own.setup)


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ('a pickle was executed',))


FOREIGN = {
    'text': b'hello world, this is no checkpoint at all',
    'zeros': bytes(1000),
    'ones': b'\xff' * 1000,
    'list': b'[]',
    'number': b'7',
    'null': b'null',
    'object': b'{}',
    'deep': b'[' * 100_000,
    'pickle': pickle.dumps(Bomb()),
    'header': struct.pack('<Q', 2**62) + b'{}',
}


@pytest.mark.parametrize('content', FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize('name', FILES)
def test_a_foreign_file(own, saved, name, content):
    (saved / name).write_bytes(content)
    assert_refused(saved, load_all, saved, own.setup)
    with pytest.raises(UserError, match=re.escape(name)):
        load_all(saved, own.setup)


def test_a_file_that_torch_pickled(own, saved):
    torch.save({'layers.0.weight': torch.zeros(8, 6), 'bomb': Bomb()}, saved / MODEL)
    assert_refused(saved / MODEL, load_checkpoint, saved)


def change_tensors(path, change):
    """As a program would that keeps no digest, or an older version."""
    tensors = safetensors.torch.load_file(path)
    change(tensors)
    safetensors.torch.save_file(tensors, path)


def change_json(path, change):
    """As an older version would have written it: without a digest."""
    values = json.loads(path.read_text())
    del values['sha256']
    change(values)
    path.write_text(json.dumps(values))


TENSOR_CHANGES = {
    'missing': lambda tensors: tensors.pop('layers.1.weight'),
    'missing bias': lambda tensors: tensors.pop('layers.2.bias'),
    'extra': lambda tensors: tensors.update({'layers.3.weight': torch.zeros(2, 9)}),
    'transposed': lambda tensors: tensors.update(
        {'layers.1.weight': tensors['layers.1.weight'].T.contiguous()}
    ),
    'scalar': lambda tensors: tensors.update({'layers.1.bias': torch.tensor(0.0)}),
    'double': lambda tensors: tensors.update({'layers.0.bias': tensors['layers.0.bias'].double()}),
    'nan': lambda tensors: tensors['layers.1.weight'][0, 0].fill_(float('nan')),
    'infinite': lambda tensors: tensors['layers.2.bias'][0].fill_(float('-inf')),
}


@pytest.mark.parametrize('change', TENSOR_CHANGES.values(), ids=TENSOR_CHANGES.keys())
def test_a_network_that_is_not_what_its_metadata_says(saved, change):
    change_tensors(saved / MODEL, change)
    assert_refused(saved / MODEL, load_checkpoint, saved)


def test_large_weights_are_no_fault(saved):
    change_tensors(saved / MODEL, lambda tensors: tensors['layers.0.weight'].fill_(3e38))
    load_checkpoint(saved)


@pytest.mark.parametrize('options', [{'joints': 3}, {'hidden': [8, 6]}, {'hidden': [8]}])
def test_a_network_of_another_shape_than_the_options(saved, options):
    change_json(saved / METADATA, lambda metadata: metadata['options'].update(options))
    assert_refused(saved, load_checkpoint, saved)


METADATA_KEYS = ['format', 'joints', 'hidden', 'link_lengths', 'start_pose', 'actions', 'goals']
METADATA_KEYS += ['seed', 'options', 'versions', 'validation']


@pytest.mark.parametrize('key', METADATA_KEYS)
@pytest.mark.parametrize('value', ['missing', None, 'text', [1, 2, 3]])
def test_metadata_with_a_key_missing_or_of_the_wrong_kind(saved, key, value):
    if value == 'missing':
        change_json(saved / METADATA, lambda metadata: metadata.pop(key))
    else:
        change_json(saved / METADATA, lambda metadata: metadata.update({key: value}))
    assert_refused(saved / METADATA, load_checkpoint, saved)


@pytest.mark.parametrize('field', Setup.fields(), ids=lambda field: field.name)
def test_a_missing_option_is_no_default(saved, field):
    change_json(saved / METADATA, lambda metadata: metadata['options'].pop(field.name))
    with pytest.raises(UserError, match=rf'metadata\.json: option {field.name} is missing'):
        load_checkpoint(saved)


def test_an_unknown_option_is_not_left_out(saved):
    change_json(saved / METADATA, lambda metadata: metadata['options'].update(gama=0.7))
    with pytest.raises(UserError, match=r"metadata\.json: option 'gama' is unknown"):
        load_checkpoint(saved)


@pytest.mark.parametrize('options', [{'joints': 0}, {'hidden': 'x'}, {'goals': 5}, {'gamma': None}])
def test_options_out_of_range(saved, options):
    change_json(saved / METADATA, lambda metadata: metadata['options'].update(options))
    assert_refused(saved / METADATA, load_checkpoint, saved)


@pytest.mark.parametrize('hidden', [[4096] * 1000, [4096] * 14, [1] * 10**6])
def test_a_network_larger_than_memory_is_refused_at_once(saved, hidden):

    def change(metadata):
        metadata['hidden'] = metadata['options']['hidden'] = hidden

    change_json(saved / METADATA, change)
    start = time.monotonic()
    assert_refused(saved, load_checkpoint, saved)
    assert time.monotonic() - start < 5


STATE_CHANGES = {
    'missing': lambda tensors: tensors.pop('first_moment'),
    'replay missing': lambda tensors: tensors.pop('replay'),
    'scalar': lambda tensors: tensors.update({'target': torch.tensor(0.0)}),
    'narrow': lambda tensors: tensors.update({'online': tensors['online'][:, :1].contiguous()}),
    'replay short': lambda tensors: tensors.update({'replay': tensors['replay'][:, :1].clone()}),
    'replay narrow': lambda tensors: tensors.update(
        {'replay': tensors['replay'][..., :1].contiguous()}
    ),
    'nan': lambda tensors: tensors['online'][0, 0].fill_(float('nan')),
    'double': lambda tensors: tensors.update({'online': tensors['online'].double()}),
    'no action': lambda tensors: tensors['replay'][0, 0, -1].fill_(9),
    'negative action': lambda tensors: tensors['replay'][0, 0, -1].fill_(-1),
    'half an action': lambda tensors: tensors['replay'][0, 0, -1].fill_(0.5),
}


@pytest.mark.parametrize('change', STATE_CHANGES.values(), ids=STATE_CHANGES.keys())
def test_a_training_state_with_other_tensors(own, saved, change):
    change_tensors(saved / STATE_TENSORS, change)
    assert_refused(saved, load_training, saved, own.setup)


COUNTER_CHANGES = {
    'no streams': lambda counters: counters.pop('streams'),
    'other streams': lambda counters: counters.update(streams=[{}]),
    'bad stream': lambda counters: counters['streams'][0]['goals'].update(state='x'),
    'two streams': lambda counters: counters['streams'].append(counters['streams'][0]),
    'no member': lambda counters: counters.update(members=[]),
    'two members': lambda counters: counters['members'].append(counters['members'][0]),
    'bad member': lambda counters: counters.update(members=['x']),
    'no episodes': lambda counters: counters.pop('episodes'),
    'text': lambda counters: counters.update(episodes='many'),
    'negative': lambda counters: counters.update(updates=-1),
    'fraction': lambda counters: counters.update(updates=1.5),
    'nan': lambda counters: counters.update(updates=float('nan')),
    'huge': lambda counters: counters.update(updates=10**30),
    'more than can be': lambda counters: counters.update(updates=10**6),
    'not in rounds': lambda counters: counters.update(episodes=23),
    'true': lambda counters: counters.update(episodes=True),
    'test of text': lambda counters: counters['members'][0].update(validations=[['x', 1, 2]]),
    'test of two': lambda counters: counters['members'][0].update(validations=[[1, 2]]),
    'test to come': lambda counters: counters['members'][0].update(validations=[[10**6, 1, 2]]),
    'too many won': lambda counters: counters['members'][0].update(validations=[[10, 3, 2]]),
    'trained later': lambda counters: counters['members'][0].update(trained=10**6),
    'other seed': lambda counters: counters['members'][0].update(seed=4),
    'huge stream': lambda counters: counters['streams'][0]['goals']['state'].update(state=2**200),
    'negative stream': lambda counters: counters['streams'][0]['goals']['state'].update(state=-1),
    'full': lambda counters: counters.update(replay_size=10**6),
    'beyond': lambda counters: counters.update(replay_position=10**6),
    'empty': lambda counters: counters.update(replay_size=0),
}


@pytest.mark.parametrize('change', COUNTER_CHANGES.values(), ids=COUNTER_CHANGES.keys())
def test_a_training_state_with_other_counters(own, saved, change):
    change_json(saved / STATE_COUNTERS, change)
    assert_refused(saved, load_training, saved, own.setup)


@pytest.mark.parametrize('changes', [{'joints': 3}, {'hidden': [8]}, {'replay_capacity': 120}])
def test_the_training_state_of_another_setup(setup, saved, changes):
    other = setup(**{'joints': 2, 'seed': 3, **changes})
    assert_refused(saved, load_training, saved, other)


# --- a place that cannot be written -------------------------------------------------------------


def test_a_place_under_a_file(own, tmp_path):
    (tmp_path / 'file').touch()
    metadata = describe(own.setup, own.members[0], None)
    place = tmp_path / 'file' / 'checkpoint'
    assert_refused(place, save_checkpoint, place, own.saved_network(0), metadata, own)


def test_a_failed_save_leaves_the_old_checkpoint(own, saved, full_disk):
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    metadata = describe(own.setup, own.members[0], None)
    with full_disk(1500):
        assert_refused(saved, save_checkpoint, saved, own.saved_network(0), metadata, own)
    with full_disk(500):
        assert_refused(saved, write_metadata, saved, metadata)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert [path.name for path in saved.parent.iterdir()] == ['checkpoint']


def test_a_copied_checkpoint_is_as_good(own, saved, tmp_path):
    shutil.copytree(saved, tmp_path / 'copy')
    shutil.rmtree(saved)
    load_all(tmp_path / 'copy', own.setup)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A folder of results is that of one command and its inputs."""

import errno
import json
import os

import pytest

from neuron_reach.common.paths import RESULTS
from neuron_reach.common.results import replaced_results, write_json

FEW = ['--episodes', '4']
PRUNE = [*FEW, '--samples', '1']


pytestmark = pytest.mark.usefixtures('no_figures')


def test_results_are_replaced_by_the_same_command_for_the_same_input_only(
    tmp_path, untrained, command, refused
):
    one, other = untrained('one').path, untrained('other', seed=1).path
    commands = {
        'analyze': ['analyze', one, '-o', tmp_path / 'analyze', *FEW],
        'prune': ['prune', one, '-o', tmp_path / 'prune', *PRUNE],
        'map': ['map', one, other, '-o', tmp_path / 'map', *FEW, '--lambda', 0],
    }
    for words in commands.values():
        assert command(*words)[0] == 0
    for name in commands:
        file = RESULTS[name]
        folder = tmp_path / name
        before = {item.name: item.read_bytes() for item in folder.glob('*.*')}
        for foreign in commands:
            words = [folder if word == tmp_path / foreign else word for word in commands[foreign]]
            if foreign != name:
                said = [str(folder), f'holds results of {name}', file, 'another folder']
                refused(*words, words=said)
            words[1] = other
            said = [str(folder), 'holds results of', 'another folder']
            refused(*words, words=said)
        refused('prune-train', one, '-o', folder, '--steps', 1, words=['holds results of'])
        assert {item.name: item.read_bytes() for item in folder.glob('*.*')} == before
        assert command(*commands[name])[0] == 0


@pytest.mark.parametrize('name', ['analyze', 'prune', 'map'])
def test_results_stay_until_all_new_ones_are_written(
    tmp_path, untrained, command, refused, monkeypatch, name
):
    out = tmp_path / 'out'
    inputs = {'map': [untrained('one').path, untrained('other', seed=1).path, '--lambda', 0]}
    words = [name, *inputs.get(name, [untrained().path]), '-o', out]
    words += PRUNE if name == 'prune' else FEW
    changed = [*words, {'analyze': '--tau', 'prune': '--tau', 'map': '--tolerance'}[name], 0.4]
    assert command(*words)[0] == 0
    before = everything(out)
    with monkeypatch.context() as patch:
        patch.setattr('neuron_reach.common.results.write_json', full_disk)
        refused(*changed, words=['cannot be written: No space left on device'])
    assert everything(out) == before
    assert command(*changed)[0] == 0
    after = everything(out)
    assert after.keys() == before.keys()
    file = RESULTS[name]
    assert json.loads(after[file])['options'] != json.loads(before[file])['options']


@pytest.mark.parametrize('file', ['metadata.json', 'bag_0.mcap'])
def test_a_checkpoint_or_bag_takes_no_results(tmp_path, untrained, refused, file):
    folder = tmp_path / 'own'
    folder.mkdir()
    (folder / file).touch()
    for name in ('analyze', 'prune', 'prune-train'):
        refused(name, untrained().path, '-o', folder, words=['own: is a', 'another folder'])
    refused('map', untrained().path, untrained('b').path, '-o', folder, words=['own: is a'])
    assert [item.name for item in folder.iterdir()] == [file]


def test_what_a_kill_leaves_of_new_results_is_not_taken_for_results(tmp_path, untrained, command):
    words = ['prune', untrained().path, '-o', tmp_path / 'out', *PRUNE]
    left = tmp_path / 'out' / 'pruning.json.partial' / 'pruned'
    left.mkdir(parents=True)
    (left / 'model.safetensors').touch()
    assert command(*words)[0] == 0
    assert not left.parent.exists()
    assert (tmp_path / 'out' / 'pruned' / 'metadata.json').exists()


def test_what_only_earlier_results_had_is_removed_and_what_others_put_there_stays(tmp_path):
    def write(folder, *names):
        with replaced_results(folder, 'map', {}) as new:
            for name in names:
                (new / name).mkdir() if name.endswith('_dir') else (new / name).touch()

    out = tmp_path / 'out'
    write(out, 'same.svg', 'gone.svg', 'gone_dir')
    (out / 'notes.txt').touch()
    write(out, 'same.svg', 'new.svg')
    assert {item.name for item in out.iterdir()} == {
        'same.svg',
        'new.svg',
        'notes.txt',
        'mapping.json',
    }
    (tmp_path / 'other').touch()
    write_json(out / 'mapping.json', {'files': ['../other', '..', '.', '', 3, 'notes.txt/x']})
    write(out)
    assert {item.name for item in tmp_path.iterdir()} == {'out', 'other'}
    assert (out / 'notes.txt').exists()


def full_disk(path, _):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def everything(folder):
    return {
        str(item.relative_to(folder)): item.read_bytes()
        for item in folder.rglob('*')
        if item.is_file()
    }

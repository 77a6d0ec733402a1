# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What lies at a path is told by the names of files and folders."""

import json

import pytest

from neuron_reach.common.paths import (
    PathKind,
    bag_in,
    checkpoint_in,
    kind_of,
    networks_in,
    owner_of,
    saved_states,
)
from neuron_reach.errors import UserError

ADDRESS = '0a' + 'b' * 38
SUMMARY = json.dumps({'finished': True, 'steps': [1, 2]})
CHECKPOINT = ['metadata.json', 'model.safetensors']
BAG = ['metadata.yaml', 'x.mcap']
REDUCTION = ['reduction.json', *(f'step_{k}/checkpoint/metadata.json' for k in (1, 2))]
RESULT = ['record.json', 'result.json', 'checkpoints/a/metadata.json']


def below(folder, files):
    return [f'{folder}/{file}' for file in files]


@pytest.fixture
def make(tmp_path):
    """Makes a folder with these files, empty but for summaries of reductions."""

    def made(*files, name='x'):
        for file in files:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(SUMMARY if file == 'summary.json' else '')
        return tmp_path / name

    return made


PLACES = [
    (CHECKPOINT, 'CHECKPOINT', '.'),
    (['model.safetensors'], 'CHECKPOINT', '.'),
    (below('checkpoint', CHECKPOINT), 'RUN', 'checkpoint'),
    (['checkpoint/metadata.json', 'analysis.json'], 'RUN', 'checkpoint'),
    (below('checkpoints/episode_000000400', CHECKPOINT), 'UNFINISHED_RUN', None),
    (['checkpoints/episode_000000400/metadata.json', 'pruning.json'], 'UNFINISHED_RUN', None),
    (BAG, 'BAG', None),
    (['x.db3.zstd'], 'BAG', None),
    (below('bag', BAG), 'RECORDING', None),
    ([*below('bag', BAG), 'mapping.json'], 'RECORDING', None),
    (['bag.partial/x.mcap'], 'UNFINISHED_RECORDING', None),
    (['bag.partial-3/x.mcap'], 'UNFINISHED_RECORDING', None),
    (['analysis.json'], 'ANALYSIS', None),
    (['mapping.json'], 'MAPPING', None),
    (['pruning.json', 'pruned/metadata.json'], 'PRUNING', 'pruned'),
    (['pruning.json', 'pruned/metadata.json', 'bag/x.mcap'], 'PRUNING', 'pruned'),
    (['pruning.json'], 'PRUNING', None),
    ([*REDUCTION, 'summary.json'], 'REDUCTION', 'step_2/checkpoint'),
    ([*REDUCTION, 'summary.json', 'step_3/pruning.json'], 'UNFINISHED_REDUCTION', None),
    ([*REDUCTION[:2], 'summary.json'], 'UNFINISHED_REDUCTION', None),
    (REDUCTION, 'UNFINISHED_REDUCTION', None),
    (['reduction.json'], 'UNFINISHED_REDUCTION', None),
    (RESULT, 'JOB_RESULT', 'checkpoints/a'),
    ([*RESULT, 'checkpoints/b/metadata.json'], 'JOB_RESULT', None),
    (RESULT[:2], 'JOB_RESULT', None),
    (below(f'0a/{ADDRESS}', RESULT), 'STORE', None),
    (below(ADDRESS, RESULT), 'STORE', None),
    (below(f'results/0a/{ADDRESS}', RESULT), 'STUDY', None),
    (['results/.lock'], 'STUDY', None),
    (['report.html'], 'REPORT', None),
    (['quick/report.html'], 'REPORT', None),
    (['tree/usr/bin/gzserver', 'plugins-12/x.so'], 'GAZEBO', None),
    (['a/checkpoint/metadata.json', 'b/x.mcap', 'c/note.txt'], 'NETWORKS', None),
    (['a/b/checkpoint/metadata.json'], 'OTHER', None),
    (['results/note.txt'], 'OTHER', None),
    (['note.txt', 'checkpoint/note.txt'], 'OTHER', None),
]


@pytest.mark.parametrize(('files', 'kind', 'network'), PLACES)
def test_every_folder_is_told_apart_and_has_one_network_or_none(make, files, kind, network):
    path = make(*files)
    assert kind_of(path) == PathKind[kind]
    assert checkpoint_in(path) == (None if network is None else path / network)


def test_steps_are_known_by_the_reduction_around_them(make, monkeypatch):
    path = make(*REDUCTION, 'step_3/pruning.json', 'step_3/pruned/metadata.json')
    assert [kind_of(path / f'step_{k}') for k in (1, 3)] == [PathKind.STEP] * 2
    assert checkpoint_in(path / 'step_1') == path / 'step_1' / 'checkpoint'
    assert checkpoint_in(path / 'step_3') is None  # its network is still to be retrained
    monkeypatch.chdir(path / 'step_1')
    assert kind_of(path.__class__('.')) == PathKind.STEP
    (path / 'reduction.json').unlink()
    assert kind_of(path / 'step_1') == PathKind.RUN
    assert kind_of(path / 'step_3') == PathKind.PRUNING


def test_a_damaged_summary_of_a_reduction_is_not_passed_over(make):
    path = make(*REDUCTION, 'summary.json')
    (path / 'summary.json').write_text('{"finished": ')
    with pytest.raises(UserError, match=r'summary.json: is truncated or not JSON$'):
        kind_of(path)


@pytest.mark.parametrize(
    ('name', 'kind'),
    [
        ('x.mcap', 'BAG'),
        (f'{ADDRESS}.error.txt', 'JOB_FAILURE'),
        ('arm.gif', 'FILM'),
        ('arm.png', 'FILM'),
        ('note.txt', 'OTHER'),
    ],
)
def test_files_that_stand_alone(make, name, kind):
    path = make(name) / name
    assert kind_of(path) == PathKind[kind]
    assert owner_of(path) is None


def test_nothing_and_what_cannot_be_looked_up(tmp_path):
    assert kind_of(tmp_path / 'no') == PathKind.MISSING
    with pytest.raises(UserError, match='cannot be read: File name too long'):
        kind_of(tmp_path / ('x' * 300))


def test_a_loop_of_links_ends(make):
    path = make('note.txt')
    (path / 'again').symlink_to(path)
    assert kind_of(path) == PathKind.OTHER
    (path / 'itself').symlink_to('itself')
    assert kind_of(path / 'itself') == PathKind.MISSING


def test_a_bag_is_finished_when_it_has_its_name(make):
    path = make('bag.partial/x.mcap', 'y.partial/note.txt')
    assert kind_of(path / 'bag.partial') == PathKind.UNFINISHED_BAG
    assert kind_of(path / 'y.partial') == PathKind.OTHER
    assert bag_in(path) is None


@pytest.mark.parametrize(
    ('files', 'name', 'owner'),
    [
        (CHECKPOINT, 'model.safetensors', '.'),
        (BAG, 'metadata.yaml', '.'),
        (BAG, 'x.mcap', None),
        (['analysis.json', 'raster.svg'], 'raster.svg', '.'),
        (['mapping.json', 'projection_a.safetensors'], 'projection_a.safetensors', '.'),
        (['checkpoint/metadata.json', 'arm.png'], 'arm.png', None),
        ([*REDUCTION, 'summary.csv'], 'summary.csv', '.'),
        (['report.html', 'figures/a.svg'], 'figures/a.svg', '.'),
        (['report.html', 'figures/a.svg'], 'figures', '.'),
        (['checkpoint/metadata.json', 'note.txt'], 'note.txt', None),
        (['summary.csv'], 'summary.csv', None),
    ],
)
def test_files_belong_to_what_lies_around_them(make, files, name, owner):
    path = make(*files)
    assert owner_of(path / name) == (None if owner is None else path / owner)


def test_members_with_a_network_or_a_bag_are_found_in_order(make):
    path = make(
        'b/checkpoint/metadata.json',
        'a/x.mcap',
        'd/pruning.json',
        'd/pruned/metadata.json',
        'c/checkpoints/episode_000000100/metadata.json',
        'e.txt',
    )
    assert [member.name for member in networks_in(path)] == ['a', 'b', 'd']
    assert networks_in(make(*RESULT, name='y'))[0].name == 'a'
    assert networks_in(path / 'e.txt') == []


def test_states_are_listed_from_the_oldest_on(make):
    names = ['episode_000000200', 'episode_000000100', 'episode_000000300.partial', 'other']
    path = make(*(f'checkpoints/{name}/metadata.json' for name in names))
    assert [state.name for state in saved_states(path)] == names[1::-1]

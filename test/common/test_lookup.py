# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What does not fit is named in one line, and what to name instead."""

import json

import pytest

from neuron_reach.common.lookup import check_holder, find_bag, find_checkpoint, find_members
from neuron_reach.errors import UserError


@pytest.fixture
def make(tmp_path):
    """Makes a folder with these files and contents."""

    def made(files):
        for file, values in files.items():
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        return tmp_path

    return made


STATE = 'checkpoints/episode_000000400'
PLACES = [
    (
        {'analysis.json': {'sources': ['a/bag']}},
        'holds results of analyze, which has no network (name a/bag)',
        'holds results of analyze, which has no bag',
    ),
    (
        {'mapping.json': {'source': 'a', 'target': 'b'}},
        'holds results of map, which has no network (name a or b)',
        'holds results of map, which has no bag',
    ),
    (
        {'mapping.json': {}},
        'has no network (name the network that map was given)',
        'holds results of map',
    ),
    (
        {f'{STATE}/metadata.json': {}},
        f'is not finished (name a state of it, such as {{path}}/{STATE})',
        'is a training that is not finished, which has no bag',
    ),
    (
        {'reduction.json': {}, 'step_1/checkpoint/metadata.json': {}},
        'is a prune-train that is not finished (name one of its steps, such as {path}/step_1)',
        'is a prune-train that is not finished, which has no bag',
    ),
    (
        {'a/metadata.json': {}, 'b/metadata.json': {}},
        'holds 2 networks (name one, such as {path}/a)',
        'is a folder of networks, which has no bag',
    ),
    ({'results/.lock': {}}, 'is the output folder of reproduce, which has no network', 'no bag'),
    ({'note.txt': {}}, 'is no checkpoint; expected a checkpoint or a run folder', 'is no bag;'),
]


@pytest.mark.parametrize(('files', 'network', 'bag'), PLACES)
def test_a_folder_that_does_not_fit_is_named(make, files, network, bag):
    path = make(files)
    for find, words in ((find_checkpoint, network), (find_bag, bag)):
        with pytest.raises(UserError) as error:
            find(path)
        assert str(error.value).startswith(str(path))
        assert words.format(path=path) in str(error.value)
        assert '\n' not in str(error.value)


def test_a_step_without_a_trained_network_names_its_pruned_one(make):
    path = make({'reduction.json': {}, 'step_1/pruned/metadata.json': {}}) / 'step_1'
    for find in (find_checkpoint, find_members):
        with pytest.raises(UserError, match=r'not begun \(name its pruned network, .*/pruned\)'):
            find(path)


def test_members_of_a_reduction_that_is_not_finished_are_not_networks_to_compare(make):
    path = make({'reduction.json': {}, 'step_1/checkpoint/metadata.json': {}})
    with pytest.raises(UserError, match='prune-train that is not finished'):
        find_members(path)


def test_nothing_else_is_put_into_a_checkpoint_or_a_bag(make):
    path = make({'a/metadata.json': {}, 'b/x.mcap': {}, 'c/note.txt': {}})
    for name, what in (('a', 'a checkpoint'), ('b', 'a bag')):
        with pytest.raises(UserError, match=f'is {what}, and can hold nothing else'):
            check_holder(path / name)
    check_holder(path / 'c')

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
import os

import pytest

from neuron_reach.bags.seal import SEAL, Seal, StoredFile, read_seal, seal
from neuron_reach.errors import UserError

NETWORK = 'ab' * 32


@pytest.fixture
def bag(tmp_path):
    for name in ('bag_0.mcap', 'bag_1.db3', 'metadata.yaml'):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    return tmp_path


def test_a_seal_contains_the_digests_of_the_storage_files(bag):
    seal(bag, 300, NETWORK)
    content = b'bag_0.mcap' * 1000
    found = read_seal(bag)
    assert found == Seal(300, NETWORK, found.files)
    assert list(found.files) == ['bag_0.mcap', 'bag_1.db3']
    assert found.files['bag_0.mcap'] == StoredFile(10_000, hashlib.sha256(content).hexdigest())
    assert read_seal(bag / 'bag_0.mcap') == found


def test_bags_of_other_programs_have_no_seal(bag):
    assert read_seal(bag) is None


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path)])
def test_an_unreadable_seal_is_not_ignored(bag, make):
    make(bag / SEAL)
    with pytest.raises(UserError, match=r'recording\.json: cannot be read'):
        read_seal(bag)


@pytest.mark.parametrize(
    'change',
    [
        {'format': 2},
        {'episodes': -1},
        {'episodes': '300'},
        {'network': None},
        {'files': None},
        {'files': {'bag_0.mcap': 3}},
        {'files': {'bag_0.mcap': {'size': 1}}},
        {'files': {'bag_0.mcap': {'size': 1.5, 'sha256': ''}}},
    ],
)
def test_a_damaged_seal_is_reported(bag, change):
    seal(bag, 300, NETWORK)
    values = json.loads((bag / SEAL).read_text())
    changed = json.dumps({**values, **change})
    (bag / SEAL).write_text(changed)
    with pytest.raises(UserError, match=r'recording\.json: is damaged'):
        read_seal(bag)
    del values['sha256']
    for text in ('', '[]', 'null', '{}', json.dumps({**values, **change})):
        (bag / SEAL).write_text(text)
        with pytest.raises(UserError, match=r'recording\.json: '):
            read_seal(bag)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The files that metadata.yaml lists, and metadata that is damaged or hostile."""

import time

import pytest

from bags.contents import everything
from bags.texts import TEXTS, texts_of
from neuron_reach.bags.reader import BagReader

pytestmark = pytest.mark.usefixtures('in_time')

ALIASES = 'a: &a [x, x]\n' + ''.join(
    f'{chr(98 + n)}: &{chr(98 + n)} [{", ".join([f"*{chr(97 + n)}"] * 9)}]\n' for n in range(20)
)


@pytest.mark.parametrize(
    'text',
    [
        ALIASES,
        '[' * 10**6,
        '{a: ' * 10**5,
        '- ' * 10**5,
        'x' * 10**7,
        'a: !!binary x',
        '? ' * 10**5,
    ],
    ids=['aliases', 'lists', 'maps', 'items', 'text', 'binary', 'keys'],
)
def test_metadata_is_small_and_flat(tmp_path, storage, write_texts, text):
    write_texts(tmp_path / 'bag', storage, ['text'])
    (tmp_path / 'bag' / 'metadata.yaml').write_text(text)
    begin = time.monotonic()
    payloads, told = everything(tmp_path / 'bag')
    assert time.monotonic() - begin < 5
    assert len(payloads) == 1
    assert told


def test_metadata_is_never_turned_into_objects(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'bag', storage, TEXTS)
    victim = tmp_path / 'victim'
    metadata = tmp_path / 'bag' / 'metadata.yaml'
    metadata.write_text(f"!!python/object/apply:os.mkdir ['{victim}']")
    reader = BagReader(tmp_path / 'bag')
    assert texts_of(reader) == TEXTS
    assert 'damaged' in reader.incomplete
    assert not victim.exists()


@pytest.mark.parametrize('damage', ['', '[', 'a: 1', '- 1', '\0', 'a: &a [*a]', '[' * 500])
def test_without_usable_metadata_the_files_are_read(tmp_path, storage, write_texts, damage):
    write_texts(tmp_path / 'bag', storage, TEXTS)
    (tmp_path / 'bag' / 'metadata.yaml').write_text(damage)
    reader = BagReader(tmp_path / 'bag')
    assert texts_of(reader) == TEXTS
    assert 'metadata.yaml is damaged' in reader.incomplete


@pytest.mark.parametrize('paths', ['bag.mcap', '[1, 2]', '[[bag.mcap]]', '{bag.mcap: 1}', ''])
def test_metadata_without_a_list_of_paths_is_damaged(tmp_path, storage, write_texts, paths):
    write_texts(tmp_path / 'bag', storage, TEXTS)
    text = f'rosbag2_bagfile_information:\n  relative_file_paths: {paths}\n'
    (tmp_path / 'bag' / 'metadata.yaml').write_text(text)
    reader = BagReader(tmp_path / 'bag')
    assert texts_of(reader) == TEXTS
    assert 'metadata.yaml is damaged' in reader.incomplete


def test_files_that_metadata_does_not_list_are_ignored_and_reported(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'bag', storage, TEXTS)
    for other in ('a', 'b'):
        file = write_texts(tmp_path / other, storage, ['another'])
        file.rename(tmp_path / 'bag' / file.name)
    reader = BagReader(tmp_path / 'bag')
    assert texts_of(reader) == TEXTS
    left = f'a{file.suffix}, b{file.suffix} are not listed in metadata.yaml and ignored'
    assert left in reader.incomplete


def test_metadata_never_leads_out_of_the_folder(tmp_path, storage, write_texts):
    file = write_texts(tmp_path / 'secret', storage, ['secret'])
    write_texts(tmp_path / 'bag', storage, TEXTS)
    metadata = tmp_path / 'bag' / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace(f'- bag{file.suffix}', f'- {file}'))
    reader = BagReader(tmp_path / 'bag')
    assert texts_of(reader) == TEXTS
    assert 'is missing' in reader.incomplete

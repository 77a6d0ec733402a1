# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Archives from others are read with limits, and nothing in them is executed."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from neuron_reach.errors import UserError
from neuron_reach.policies.archives import Archive, load_tensors, open_archive


def zipped(members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def refused(path, content, problem, *, reading=None):
    path.write_bytes(content)
    with pytest.raises(UserError, match=problem) as error, open_archive(path) as archive:
        archive.read(reading)
    assert str(error.value).startswith(str(path))
    assert '\n' not in str(error.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'policy.zip'


def test_members_are_read(path):
    path.write_bytes(zipped([('data', b'one'), ('a/b', b'two')]))
    with open_archive(path) as archive:
        assert archive.names == ('data', 'a/b')
        assert archive.read('a/b') == b'two'
        with pytest.raises(UserError, match='has no c'):
            archive.read('c')
        with pytest.raises(UserError, match='data is too large: 3 bytes; at most 2'):
            archive.read('data', 2)


def test_files_that_are_no_archives_are_one_line(path, tmp_path):
    whole = zipped([('data', bytes(1000))])
    for content in (b'', b'PK', b'nothing', whole[:-5], whole[: len(whole) // 2]):
        refused(path, content, 'is truncated or no zip archive')
    for missing in (tmp_path / 'missing.zip', tmp_path):
        with pytest.raises(UserError, match='cannot be read'), open_archive(missing):
            pass
    os.mkfifo(tmp_path / 'pipe.zip')
    with pytest.raises(UserError, match='no regular file'), open_archive(tmp_path / 'pipe.zip'):
        pass


def test_archives_that_expand_too_far_are_not_read(path):
    bomb = zipped([('data', bytes(2 << 20))], zipfile.ZIP_DEFLATED)
    refused(path, bomb, r'data would expand from \d+ to 2097152 bytes; at most 100 times')
    plain = zipped([('data', b'12345678')])
    declared = plain.replace((8).to_bytes(4, 'little') * 2, b'\x08\0\0\0\xff\xff\xff\xef')
    refused(path, declared, 'would expand to more than')
    less = plain.replace((8).to_bytes(4, 'little') * 2, b'\x08\0\0\0\x02\0\0\0')
    refused(path, less, 'data is damaged', reading='data')  # is larger than declared
    many = zipped([(str(number), b'') for number in range(1001)])
    refused(path, many, 'has 1001 members; at most 1000')


@pytest.mark.parametrize('name', ['/etc/x', '../x', 'a/../../x', 'C:/x', 'a\\..\\..\\x'])
def test_names_that_lead_out_are_refused(path, name):
    refused(path, zipped([('data', b''), (name, b'')]), 'whose name leads out of it')
    assert not path.with_name('x').exists()
    assert not path.parent.with_name('x').exists()


def test_names_that_would_break_the_line_are_escaped(path):
    refused(path, zipped([('x\ny', bytes(2 << 20))], zipfile.ZIP_DEFLATED), r'x\\ny would expand')


@pytest.mark.filterwarnings('ignore:Duplicate')
def test_two_members_of_one_name_are_refused(path):
    refused(path, zipped([('data', b'1'), ('data', b'2')]), "more than one member 'data'")


def test_encrypted_and_damaged_members_are_one_line(path):
    plain = zipped([('data', b'12345678')])
    flags = plain.index(b'PK\x01\x02') + 8
    encrypted = plain[:flags] + b'\x01' + plain[flags + 1 :]
    refused(path, encrypted, 'data is encrypted', reading='data')
    refused(path, plain.replace(b'12345678', b'12345679'), 'data is damaged', reading='data')


def test_damage_anywhere_is_one_line(path):
    whole = zipped([('data', b'1' * 50), ('other', bytes(50))], zipfile.ZIP_DEFLATED)
    random = np.random.default_rng(0)
    for _ in range(300):
        content = bytearray(whole)
        for place in random.integers(len(whole), size=2):
            content[place] = random.integers(256)
        try:
            archive = Archive(path, io.BytesIO(bytes(content)))
            for name in archive.names:
                archive.read(name)
        except UserError as error:
            assert '\n' not in str(error)


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_pickles_that_would_run_code_are_not_loaded(path, tmp_path):
    harmful = Harmful(tmp_path / 'made')
    file = io.BytesIO()
    torch.save({'weight': torch.ones(2), 'other': harmful}, file)
    old = io.BytesIO()
    torch.save({'other': harmful}, old, _use_new_zipfile_serialization=False)
    for content in (file.getvalue(), old.getvalue(), pickle.dumps(harmful)):
        with pytest.raises(UserError, match='policy') as error:
            load_tensors(path, content)
        assert '\n' not in str(error.value)
    assert 'could run code' in str(error.value)
    assert not (tmp_path / 'made').exists()
    pickle.loads(pickle.dumps(harmful))  # it would have
    assert (tmp_path / 'made').exists()


@pytest.mark.parametrize('zip_format', [True, False])
def test_tensors_are_read_from_both_formats_of_torch(path, zip_format):
    file = io.BytesIO()
    torch.save({'weight': torch.ones(2)}, file, _use_new_zipfile_serialization=zip_format)
    assert torch.equal(load_tensors(path, file.getvalue())['weight'], torch.ones(2))
    for content in (b'', b'PK', file.getvalue()[:-40], file.getvalue()[:200]):
        with pytest.raises(UserError, match=r'policy\.zip: is ') as error:
            load_tensors(path, content)
        assert '\n' not in str(error.value)


def test_tensors_that_expand_too_far_are_not_read(path):
    file = io.BytesIO()
    torch.save({'weight': torch.zeros(1 << 20)}, file)
    with zipfile.ZipFile(file) as old:
        bomb = zipped([(n, old.read(n)) for n in old.namelist()], zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match='would expand'):
        load_tensors(path, bomb)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

import numpy as np
import pytest
import safetensors.numpy
from mutations import mutations

from neuron_reach.common.files import (
    atomic_folder,
    json_bytes,
    lock_folder,
    read_bytes,
    read_document,
    read_json,
    set_aside,
    write_bytes,
    write_text,
)
from neuron_reach.common.tensors import read_tensors, tensor_bytes
from neuron_reach.errors import UserError


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob('*'))
    }


@pytest.mark.parametrize('before', [False, True])
def test_a_folder_appears_as_a_whole(tmp_path, before):
    target = tmp_path / 'deep' / 'folder'
    if before:
        target.mkdir(parents=True)
        (target / 'old').write_text('old')
    with atomic_folder(target) as aside:
        (aside / 'one').write_text('1')
        assert target.exists() == before
        (aside / 'two').write_text('2')
    assert content(target.parent) == {'folder': None, 'folder/one': '1', 'folder/two': '2'}


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize('before', [False, True])
def test_after_an_error_all_is_as_before(tmp_path, before, error):
    target = tmp_path / 'folder'
    if before:
        target.mkdir()
        (target / 'old').write_text('old')
    kept = content(tmp_path)
    with pytest.raises(error), atomic_folder(target) as aside:
        (aside / 'one').write_text('1')
        raise error
    assert content(tmp_path) == kept


def test_what_a_killed_writer_left_is_in_nobodys_way(tmp_path):
    for left in ('folder.partial', 'folder.old'):
        (tmp_path / left).mkdir()
        (tmp_path / left / 'junk').write_text('junk')
    (tmp_path / 'folder').mkdir()
    with atomic_folder(tmp_path / 'folder') as aside:
        (aside / 'one').write_text('1')
    assert content(tmp_path) == {'folder': None, 'folder/one': '1'}


def test_a_text_is_replaced_as_a_whole(tmp_path):
    file = tmp_path / 'file.json'
    write_text(file, 'first')
    write_text(file, 'zweite, größer')
    assert file.read_text(encoding='utf-8') == 'zweite, größer'
    assert [path.name for path in tmp_path.iterdir()] == ['file.json']


def test_a_full_disk_leaves_nothing_behind_and_the_file_as_it_was(tmp_path, full_disk):
    file = tmp_path / 'file.json'
    write_text(file, 'first')
    with full_disk(10), pytest.raises(OSError, match='too large'):
        write_bytes(file, bytes(1000))
    assert content(tmp_path) == {'file.json': 'first'}
    with full_disk(10), pytest.raises(OSError, match='too large'):  # noqa: SIM117
        with atomic_folder(tmp_path / 'folder') as aside:
            (aside / 'one').write_bytes(bytes(1000))
    assert content(tmp_path) == {'file.json': 'first'}


def test_a_folder_that_a_link_leads_to_is_replaced_not_the_link(tmp_path):
    (tmp_path / 'real').mkdir()
    (tmp_path / 'link').symlink_to('real')
    with atomic_folder(tmp_path / 'link') as aside:
        (aside / 'one').write_text('1')
    assert (tmp_path / 'link').is_symlink()
    assert (tmp_path / 'real' / 'one').read_text() == '1'


def test_a_file_is_not_replaced_by_a_folder(tmp_path):
    (tmp_path / 'file').write_text('kept')
    with pytest.raises(NotADirectoryError), atomic_folder(tmp_path / 'file'):
        pass
    assert content(tmp_path) == {'file': 'kept'}


# --- killed at any moment -----------------------------------------------------------------------

KILLED = """
import os, pathlib, signal, sys
from neuron_reach.common import files

step, exchange = int(sys.argv[2]), sys.argv[3] == 'True'
def count(call):
    def counted(*arguments, **named):
        global step
        if step == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        step -= 1
        return call(*arguments, **named)
    return counted

if not exchange:
    files._exchange = lambda one, other: False
for module, name in ((files, '_exchange'), (files, 'fsync'), (os, 'rename'), (os, 'rmdir')):
    setattr(module, name, count(getattr(module, name)))
with files.atomic_folder(pathlib.Path(sys.argv[1])) as aside:
    (aside / 'number').write_text('new')
"""


@pytest.mark.parametrize('exchange', [True, False])
def test_kill_9_at_any_step_loses_no_folder(tmp_path, exchange):
    path = tmp_path / 'folder'
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    for step in range(20):
        if not path.exists():
            path.mkdir()
            (path / 'number').write_text('old')
        command = [sys.executable, '-c', KILLED, str(path), str(step), str(exchange)]
        ended = subprocess.run(command, env=environment, check=False).returncode
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        if exchange:  # at every moment there is one
            assert (path / 'number').read_text() in ('old', 'new')
        with pytest.raises(ValueError, match='stop'), atomic_folder(path):
            assert (path / 'number').read_text() in ('old', 'new')
            raise ValueError('stop')
        assert (path / 'number').read_text() in ('old', 'new')
        assert [item.name for item in tmp_path.iterdir()] == ['folder']
    assert ended == 0
    assert step > 4
    assert content(tmp_path) == {'folder': None, 'folder/number': 'new'}


# --- reading ------------------------------------------------------------------------------------

VALUES = {'format': 1, 'numbers': [1, 2.5, -0.0, 1e300, None, True], 'text': 'größer', 'more': {}}


def assert_refused(call, file, message=''):
    with pytest.raises(UserError) as caught:
        call()
    assert str(caught.value).startswith(f'{file}: ')
    assert message in str(caught.value)
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_json_file_ends_with_its_digest_and_comes_back_without(tmp_path):
    file = tmp_path / 'file.json'
    write_bytes(file, json_bytes({**VALUES, 'pair': (1, 2), 'by number': {3: 4}}))
    plain = json.loads(file.read_text())
    assert list(plain)[-1] == 'sha256'
    assert read_json(file) == {**VALUES, 'pair': [1, 2], 'by number': {'3': 4}}
    assert read_document(file)[1]
    file.write_text(json.dumps(dict(reversed(plain.items())), indent=7))
    assert read_document(file)[1]  # the layout is nobody's business
    write_bytes(file, json_bytes(read_json(file)))
    assert read_document(file)[1]
    plain['numbers'][1] = 2.4
    file.write_text(json.dumps(plain))
    assert_refused(lambda: read_json(file), file, 'does not fit its digest')
    del plain['sha256']
    file.write_text(json.dumps(plain))
    assert read_document(file) == (plain, False)


def test_damage_to_json_is_never_read_as_good(tmp_path):
    file = tmp_path / 'file.json'
    refused = 0
    for changed in mutations(json_bytes(VALUES), 300):
        file.write_bytes(changed)
        try:
            assert read_document(file) == (VALUES, True)
        except UserError:
            refused += 1
    assert refused > 250


ARRAYS = {'a': np.arange(6, dtype=np.float32).reshape(2, 3), 'b': np.array(7), 'c': np.zeros(0)}


def same(found):
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


def test_damage_to_tensors_is_never_read_as_good(tmp_path):
    file = tmp_path / 'file.safetensors'
    refused = 0
    for changed in mutations(tensor_bytes(ARRAYS), 300):
        file.write_bytes(changed)
        try:
            found, has_digest = read_tensors(file, 1000)
        except UserError:
            refused += 1
        else:
            assert has_digest
            same(found)
    assert refused > 250


def test_tensors_are_read_by_other_programs_and_those_of_others_by_us(tmp_path):
    file = tmp_path / 'file.safetensors'
    write_bytes(file, tensor_bytes(ARRAYS, {'note': 'more'}))
    same(safetensors.numpy.load_file(file))
    assert read_tensors(file, 1000)[1]
    for notes in (None, {'format': 'pt'}):
        write_bytes(file, safetensors.numpy.save(ARRAYS, notes))
        found, has_digest = read_tensors(file, 1000)
        same(found)
        assert not has_digest
    turned = tensor_bytes({'a': np.arange(6.0).reshape(2, 3).T, 'b': ARRAYS['a'][:, 1]})
    write_bytes(file, turned)
    assert np.array_equal(read_tensors(file, 1000)[0]['a'], np.arange(6.0).reshape(2, 3).T)


@pytest.mark.parametrize(
    'text',
    [
        '',
        '[]',
        'null',
        '3',
        '"text"',
        '{',
        '{}}',
        '[' * 10**6,
        '{"a":' * 10**5,
        '\xff',
        '{"a": 1' * 99,
    ],
)
def test_what_is_no_json_object_is_named(tmp_path, text):
    (tmp_path / 'file').write_text(text, encoding='latin-1')
    assert_refused(lambda: read_json(tmp_path / 'file'), tmp_path / 'file')


@pytest.mark.parametrize('depth', [60, 400, 900])
def test_deep_nesting_is_refused_before_it_can_do_harm(tmp_path, depth):
    (tmp_path / 'file').write_text('{"a": ' + '[' * depth + ']' * depth + '}')
    assert_refused(lambda: read_json(tmp_path / 'file'), tmp_path / 'file', 'nested')


KINDS = {'a': int, 'b': [float], 'c': {'d': str | None}}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'a': 1.0}, 'a must be a whole number, not 1.0'),
        ({'a': True}, 'a must be a whole number, not True'),
        ({'a': '1'}, 'a must be a whole number, not text'),
        ({'a': 10**400}, 'a must be a whole number, not 1000'),
        ({'b': 3}, 'b must be a list, not 3'),
        ({'b': [1, 2, float('nan')]}, 'b[2] must be a number, not nan'),
        ({'b': [None]}, 'b[0] must be a number, not null'),
        ({'c': None}, 'c must be an object, not null'),
        ({'c': {}}, 'has no c.d'),
        ({'c': {'d': 3}}, 'c.d must be text or null, not 3'),
    ],
)
def test_keys_and_their_kinds_are_checked(tmp_path, change, message):
    file, good = tmp_path / 'file', {'a': 1, 'b': [1, 2.5], 'c': {'d': None}, 'more': 1}
    write_bytes(file, json_bytes(good))
    assert read_json(file, KINDS) == good
    write_bytes(file, json_bytes({**good, **change}))
    assert_refused(lambda: read_json(file, KINDS), file, message)


class Part(TypedDict):
    d: str | None


class Whole(TypedDict, total=False):
    a: int
    b: list[float]
    c: Part
    e: dict[str, list[int]]
    f: list[float] | None


HINTED = [
    ({}, None),
    ({'a': 1, 'b': [1, 2.5], 'c': {'d': None}, 'e': {'x': [1]}, 'f': None, 'more': 1}, None),
    ({'f': [1.5]}, None),
    ({'a': 1.0}, 'a must be a whole number, not 1.0'),
    ({'b': [1, 2, float('nan')]}, 'b[2] must be a number, not nan'),
    ({'c': None}, 'c must be an object, not null'),
    ({'c': {}}, 'has no c.d'),
    ({'c': {'d': 3}}, 'c.d must be text or null, not 3'),
    ({'e': {'x': [1], 'y': [None]}}, 'e.y[0] must be a whole number, not null'),
    ({'f': ['x']}, 'f[0] must be a number, not text'),
    ({'f': {}}, 'f must be a list or null, not an object'),
]


@pytest.mark.parametrize(('values', 'message'), HINTED)
def test_typed_dictionaries_are_checked_down_to_their_parts(tmp_path, values, message):
    file = tmp_path / 'file'
    write_bytes(file, json_bytes(values))
    if message is None:
        assert read_json(file, Whole) == values
    else:
        assert_refused(lambda: read_json(file, Whole), file, message)


def test_only_regular_files_of_a_modest_size_are_read(tmp_path):
    """And none of the others is waited for."""
    places = {name: tmp_path / name for name in ('fifo', 'folder', 'loop', 'missing', 'socket')}
    os.mkfifo(places['fifo'])
    places['folder'].mkdir()
    places['loop'].symlink_to('loop')
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(places['socket']))
        for file in (
            *places.values(),
            Path('/dev/zero'),
            tmp_path / 'a\0b',
            tmp_path / ('x' * 300),
        ):
            assert_refused(lambda file=file: read_bytes(file, 100), file, 'cannot be read: ')
    large = tmp_path / 'large'
    large.touch()
    os.truncate(large, 2**40)
    assert_refused(lambda: read_json(large), large, 'has 1099511627776 bytes')
    assert_refused(lambda: read_tensors(large, 2**20), large, 'has 1099511627776 bytes')


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    (tmp_path / 'file').write_text('{}')
    (tmp_path / 'file').chmod(0)
    assert_refused(lambda: read_json(tmp_path / 'file'), tmp_path / 'file', 'Permission denied')


def test_what_is_damaged_is_set_aside_over_what_was_before(tmp_path):
    for text in ('first', 'second'):
        (tmp_path / 'folder').mkdir()
        (tmp_path / 'folder' / 'file').write_text(text)
        assert set_aside(tmp_path / 'folder') == tmp_path / 'folder.damaged'
    assert content(tmp_path) == {'folder.damaged': None, 'folder.damaged/file': 'second'}
    with pytest.raises(UserError, match='cannot be set aside'):
        set_aside(tmp_path / 'none')


def test_a_lock_is_no_way_to_empty_another_file(tmp_path):
    (tmp_path / 'other').write_text('kept')
    (tmp_path / '.lock').symlink_to('other')
    lock_folder(tmp_path).close()
    assert (tmp_path / 'other').read_text() == 'kept'

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import itertools
import math
import os
import re
import time

import pytest

from neuron_reach.common.plain_yaml import LIMIT, PlainYamlError, load, parse
from neuron_reach.errors import UserError


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('', None),
        ('# nothing', None),
        ('a:', {'a': None}),
        ('a: ~', {'a': None}),
        ('a: ~/x', {'a': '~/x'}),
        ('12', 12),
        ('-0', 0),
        ('+7', 7),
        ('1e-3', 0.001),  # text to YAML 1.1
        ('1E3', 1000.0),
        ('.5', 0.5),
        ('-5.', -5.0),
        ('1e999', math.inf),
        ('9' * 5000, math.inf),
        ('-.INF', -math.inf),
        ('True', True),
        ('FALSE', False),
        ('on', 'on'),  # true to YAML 1.1, and so are these four
        ('Yes', 'Yes'),
        ('off', 'off'),
        ('n', 'n'),
        ('1:30', '1:30'),  # 90 to YAML 1.1
        ('2020-13-45', '2020-13-45'),
        ('0,7', '0,7'),
        ('"010"', '010'),
        ("'true'", 'true'),
        ('a: |\n  010\n', {'a': '010\n'}),
        ('[8, 8.5, x]', [8, 8.5, 'x']),
        ('---\na: {b: [1]}\n...\n', {'a': {'b': [1]}}),
        ('2: x', {'2': 'x'}),
        ('a: 1\r\nb: 2\r\n', {'a': 1, 'b': 2}),
    ],
)
def test_plain_values_are_what_they_look_like(text, expected):
    found = parse(text)
    assert found == expected
    assert type(found) is type(expected)


def test_not_a_number_is_one():
    assert math.isnan(parse('.nan'))


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('a: 1\na: 2', "line 2: key 'a' is given twice"),
        ('a: {b: 1, "b": 2}', "line 1: key 'b' is given twice"),
        ('seed: 010', 'line 1: seed: 010 is one number to some readers of YAML and another to'),
        ('hidden:\n- 8\n- 08', 'line 3: hidden: 08 is one number to some'),
        *((text, f'line 1: {text} is one number') for text in ('0x1F', '0o17', '0b1', '1_000')),
        ('a: &x 1', 'line 1: a: anchors (&) and aliases (*) are not allowed'),
        ('a: *x', 'line 1: a: anchors (&) and aliases (*) are not allowed'),
        ('a: !!python/object/apply:os.getcwd []', 'line 1: a: YAML tags such as !!python/'),
        ('a: !!int "5"', 'line 1: a: YAML tags such as !!int are'),
        ('a: ! 5', 'line 1: a: YAML tags such as ! are'),
        ('!!map {a: 1}', 'line 1: YAML tags such as !!map are'),
        ('? [a]\n: 1', 'line 1: a key must be text'),
        ('? !!str a\n: 1', 'line 1: a key must be text'),
        ('a: 1\n---\na: 2\n', 'line 2: a second document'),
        ('a: ' + '[' * 5000, 'line 1: a: nested more than 20 levels deep'),
        ('{a: ' * 5000, 'line 1: a: nested more than 20 levels deep'),
        ('a:\t3', 'line 1: is not YAML: a tab, where YAML has spaces'),
        ('\ta: 3', 'line 1: is not YAML: a tab, where YAML has spaces'),
        ('a: [1, 2', 'line 1: is not YAML: expected'),
        ('a: b: c', 'line 1: is not YAML: mapping values are not allowed here'),
        ('a: \0', 'is not YAML: unacceptable character'),
        ('a: "\\z"', 'line 1: is not YAML: found unknown escape character'),
        ('%YAML 3.0\n---\na: 1', 'line 1: is not YAML: found incompatible YAML document'),
        ('0' * 10000, 'line 1: 0000'),
    ],
    ids=lambda text: text[:24],
)
def test_what_readers_take_differently_or_nobody_needs_is_refused_in_one_line(text, problem):
    with pytest.raises(PlainYamlError, match=re.escape(problem)) as caught:
        parse(text)
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_file_is_read_with_its_byte_order_mark_and_line_ends(tmp_path):
    file = tmp_path / 'a.yaml'
    file.write_bytes(b'\xef\xbb\xbfa: 1\r\nb: \xc3\xa9\r\n')
    assert load(file) == load(str(file)) == {'a': 1, 'b': 'é'}


@pytest.mark.parametrize(
    ('content', 'problem'),
    [
        (b'\xff\xfea\x00', 'is not YAML: its text is not UTF-8'),
        (b'a: \xe9', 'is not YAML: its text is not UTF-8'),
        (b'\x7fELF\x02\x01\x01\0\0', 'is not YAML: unacceptable character'),
        (b'a: 1\na: 2', "line 2: key 'a' is given twice"),
        (b'#' * (LIMIT + 1), 'is too large'),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_bad_file_is_named(tmp_path, content, problem):
    file = tmp_path / 'a.yaml'
    file.write_bytes(content)
    with pytest.raises(UserError, match=problem) as caught:
        load(file)
    assert str(caught.value).startswith(f'{file}: ')
    assert '\n' not in str(caught.value)


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for path in (tmp_path / 'pipe', '/dev/zero', '/dev/tty'):
        with pytest.raises(UserError, match='cannot be read: it is no regular file'):
            load(path)
    with pytest.raises(UserError, match='cannot be read: it is a folder'):
        load(tmp_path)
    with pytest.raises(UserError, match='cannot be read: No such file'):
        load(tmp_path / 'none')
    with pytest.raises(UserError, match='cannot be read: no file can have this name'):
        load('a\0b')


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path):
    lines = ['a: &a [x, x, x, x, x, x, x, x, x]']
    names = 'abcdefghij'
    for before, name in itertools.pairwise(names):
        lines.append(f'{name}: &{name} [{", ".join([f"*{before}"] * 9)}]')
    file = tmp_path / 'bomb.yaml'
    file.write_text('\n'.join(lines))
    start = time.monotonic()
    with pytest.raises(UserError, match='line 1: a: anchors'):
        load(file)
    assert time.monotonic() - start < 1.0

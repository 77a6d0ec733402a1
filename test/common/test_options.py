# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses
import math
import re
from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuron_reach.common.options import allowed, check_keys, fill, load_yaml, option
from neuron_reach.errors import UserError


@dataclasses.dataclass(frozen=True)
class Options:
    count: int = option(3, 'how many', low=1, high=9)
    share: float = option(0.5, 'of all', low=0.0, high=1.0)
    least: float = option(0.5, 'no upper limit', low=-2.0)
    most: int = option(0, 'no lower limit', high=7)
    free: float = option(0.0, 'any')
    switch: bool = option(False, 'on or off')
    kind: str = option('round', 'of two', choices=('round', 'square'))
    name: str = option('', 'any text')
    widths: tuple[int, ...] = option((4, 4), 'of layers', low=1, high=9)


ALLOWED = {
    'count': 'a whole number from 1 to 9',
    'share': 'a number from 0 to 1',
    'least': 'a number of at least -2',
    'most': 'a whole number of at most 7',
    'free': 'a number',
    'switch': 'true or false',
    'kind': 'one of round, square',
    'name': 'text',
    'widths': 'a whole number or a list of whole numbers, each from 1 to 9',
}


@pytest.mark.parametrize('field', dataclasses.fields(Options), ids=lambda field: field.name)
def test_what_is_allowed_is_said(field):
    assert allowed(field) == ALLOWED[field.name]


@pytest.mark.parametrize(
    ('key', 'value', 'expected'),
    [
        ('count', 5, 5),
        ('count', 5.0, 5),
        ('count', '5', 5),
        ('count', ' 5 ', 5),
        ('share', 1, 1.0),
        ('share', '1e-3', 0.001),  # text to YAML 1.1
        ('share', '.5', 0.5),
        ('free', -1e300, -1e300),
        ('switch', True, True),
        ('switch', 'false', False),
        ('switch', 'on', True),
        ('kind', 'square', 'square'),
        ('name', 'true', 'true'),
        ('name', '5', '5'),
        ('widths', 4, (4,)),
        ('widths', '4', (4,)),
        ('widths', [4, 2.0], (4, 2)),
        ('widths', '[4, 2]', (4, 2)),
        ('widths', array('q', [4, 2]), (4, 2)),
        ('widths', (4,), (4,)),
    ],
)
def test_values_are_read_in_every_form_they_come_in(key, value, expected):
    found = getattr(fill(Options, {key: value}, 'test'), key)
    assert found == expected
    assert type(found) is type(expected)


WRONG = [
    *(('count', value) for value in (0, 10, 2.5, '2.5', None, 'three', '', [3], {}, 10**400)),
    *((key, value) for key in ('count', 'share', 'widths') for value in (True, False, 'true')),
    *(
        (key, value)
        for key in ('count', 'share', 'free', 'least', 'most')
        for value in (math.nan, math.inf, -math.inf, '.nan', '.inf', 'nan', 'inf', '1e999')
    ),
    ('share', -1e-9),
    ('share', 1.0000001),
    ('share', '1:30'),  # 90 to YAML 1.1
    ('share', '0,7'),
    ('count', '010'),  # 8 to YAML 1.1
    ('count', '0x5'),
    ('count', '0_5'),
    ('count', '&a 5'),
    ('widths', '[,]'),
    ('widths', '[010, 8]'),
    ('widths', '4, 4'),
    ('kind', 'on'),
    ('share', '[0.5'),
    ('share', '[' * 3000),
    ('share', '!!python/object/apply:os.getcwd []'),
    ('share', '9' * 5000),
    ('least', -2.1),
    ('most', 8),
    ('free', 10**400),
    ('switch', 0),
    ('switch', 1),
    ('switch', 'maybe'),
    ('switch', None),
    ('kind', 'triangle'),
    ('kind', 'Round'),
    ('kind', ''),
    ('kind', None),
    ('name', None),
    ('name', True),
    ('name', 5),
    ('name', ['a']),
    ('name', {'a': 1}),
    ('widths', []),
    ('widths', '[]'),
    ('widths', [4, 0]),
    ('widths', [4, 10]),
    ('widths', [4, None]),
    ('widths', [4, True]),
    ('widths', [4, math.nan]),
    ('widths', [[4]]),
    ('widths', 'abc'),
    ('widths', {4: 2}),
    ('widths', '{4: 2}'),
    ('widths', b'\x04'),
    ('widths', None),
]


@pytest.mark.parametrize(('key', 'value'), WRONG, ids=lambda value: str(value)[:20])
def test_a_wrong_value_gets_one_line_with_source_key_and_what_is_allowed(key, value):
    with pytest.raises(
        UserError, match=re.escape(f'a.yaml: {key} must be {ALLOWED[key]}, not')
    ) as e:
        fill(Options, {key: value}, 'a.yaml')
    assert '\n' not in str(e.value)


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(sorted(ALLOWED)),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
    )
)
def test_whatever_comes_is_read_or_refused(values):
    try:
        options = fill(Options, values, 'test')
    except UserError:
        return
    for field in dataclasses.fields(Options):
        value = getattr(options, field.name)
        assert type(value) is type(field.default)
        items = value if isinstance(value, tuple) else (value,)
        if isinstance(items[0], int | float):
            assert all(field.metadata['low'] <= item <= field.metadata['high'] for item in items)


def test_numpys_numbers_are_read():
    assert fill(Options, {'share': np.float64(0.25)}, 'test').share == 0.25
    assert fill(Options, {'widths': np.array([1, 2]).tolist()}, 'test').widths == (1, 2)


def test_keys_of_others_are_left_alone_by_fill_and_found_by_check_keys():
    assert fill(Options, {'foreign': 1}, 'test') == Options()
    with pytest.raises(UserError, match=r"a\.yaml: unknown key 'foreign'; allowed: count, share"):
        check_keys({'share': 1, 'foreign': 1}, {'share', 'count'}, 'a.yaml')
    with pytest.raises(UserError, match="unknown key '5'"):
        check_keys({5: 1}, {'share'}, 'a.yaml')
    check_keys({'share': 1}, {'share', 'count'}, 'a.yaml')


@pytest.mark.parametrize('key', ['share', 'shares', 'Share', 'shear', 'sh-are', 'free_shares'])
def test_a_misspelt_key_gets_a_guess(key):
    try:
        check_keys({key: 1}, {'share', 'free_share'}, 'a.yaml')
    except UserError as error:
        meant = 'free_share' if key.startswith('free') else 'share'
        assert f"unknown key '{key}' (did you mean {meant}?); allowed: " in str(error)
    else:
        assert key == 'share'


def test_text_that_yaml_takes_for_a_number_needs_quotes_and_nothing_is_said_to_be_nothing():
    with pytest.raises(UserError, match='name must be text, not 2024; put text in quotes'):
        fill(Options, {'name': 2024}, 'a.yaml')
    with pytest.raises(UserError, match=r'count must be .*, not nothing'):
        fill(Options, {'count': None}, 'a.yaml')
    with pytest.raises(UserError) as caught:
        fill(Options, {'count': 'x' * 1000}, 'a.yaml')
    assert len(str(caught.value)) < 150


def test_a_yaml_file_is_a_mapping(tmp_path):
    file = tmp_path / 'a.yaml'
    file.write_text('# comment\ncount: 3\nwidths: [1, 2]\n')
    assert load_yaml(file) == load_yaml(str(file)) == {'count': 3, 'widths': [1, 2]}
    file.write_text('# nothing else\n')
    assert load_yaml(file) == {}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'- 1\n- 2\n', 'must hold `key: value` lines, not a list'),
        (b'just words', "must hold `key: value` lines, not 'just words' alone"),
        (b'dqn_policy:\n ros__parameters: {joints: 2}', 'is a ROS parameter file; only the'),
        (b'/**: {ros__parameters: {joints: 2}}', 'is a ROS parameter file; only the'),
        (b'/a/b: {c: {ros__parameters: {joints: 2}}}', 'is a ROS parameter file; only the'),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_no_yaml_mapping_gets_one_line_with_the_file(tmp_path, content, message):
    file = tmp_path / 'a.yaml'
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load_yaml(file)
    assert str(caught.value).startswith(f'{file}: ')
    assert '\n' not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r'none\.yaml: cannot be read: No such file'):
        load_yaml(tmp_path / 'none.yaml')
    with pytest.raises(UserError, match='cannot be read: it is a folder'):
        load_yaml(tmp_path)


@dataclasses.dataclass(frozen=True)
class Lists:
    shares: tuple[float, ...] = option((0.5,), 'of all', low=0.0, flag='share')
    kinds: tuple[str, ...] = option((), 'of two', choices=('round', 'square'), item=str)
    widths: tuple[int, ...] | None = option(None, 'of layers', low=1, item=int)
    files: tuple[str, ...] = option(('a',), 'to read', path=True)


def test_lists_know_what_their_items_are():
    values = {'shares': ['0', 1], 'kinds': ['square'], 'widths': [3], 'files': ['-x', '~']}
    lists = fill(Lists, values, 'test')
    assert lists.shares == (0.0, 1.0)
    assert all(isinstance(share, float) for share in lists.shares)
    assert lists.kinds == ('square',)
    assert lists.widths == (3,)
    assert all(file.startswith('/') for file in lists.files)
    assert fill(Lists, {}, 'test') == Lists((0.5,), (), None, ('a',))


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (
            {'shares': ['1', '-2']},
            "--share must be a number or a list of numbers, each of at least 0, not '-2'",
        ),
        ({'shares': ['nan']}, "not 'nan'"),
        (
            {'kinds': ['square', 'roud']},
            "--kinds must be any of round, square, not 'roud' (did you mean round?)",
        ),
        ({'widths': [3, 0]}, 'each of at least 1, not 0'),
    ],
)
def test_the_item_of_a_list_that_is_not_allowed_is_named(values, message):
    def spell(field):
        return f'--{field.metadata["flag"] or field.name}'

    with pytest.raises(UserError) as error:
        fill(Lists, values, 'test', spell)
    assert message in str(error.value)

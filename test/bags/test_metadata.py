# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Hostile metadata.yaml files."""

import time

import pytest

from bags.contents import everything

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

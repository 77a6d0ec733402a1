# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest

from neuron_reach.errors import UserError
from neuron_reach.study.engine.jobs import Success
from neuron_reach.study.engine.store import Store
from study.engine import study_functions as functions


def test_only_one_study_uses_a_folder(tmp_path):
    first, second = Store(tmp_path), Store(tmp_path)
    first.lock()
    with pytest.raises(UserError, match='another study is using this folder'):
        second.lock()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot be used'):
        Store(tmp_path / 'file' / 'results').lock()
    store = Store(tmp_path / 'file')
    with pytest.raises(UserError, match='cannot be written'):
        store.save(functions.add.job('a', first=1), Success({}, 1.0, 1.0, {}))


def test_the_record_says_how_a_result_came_about(store, complete):
    base = functions.add.job('base', first=1)
    left = functions.add.job('left', first=base)
    complete(left)
    record = store.record(left)
    assert record['label'] == 'left'
    assert record['function'] == 'test.add'
    assert record['version'] == 1
    assert record['arguments'] == {'first': {'$job': base.address}, 'second': 10}
    assert record['seconds'] > 0
    assert {'neuron_reach', 'git_revision', 'numpy', 'torch'} <= record['versions'].keys()
    files = {path.name for path in store.folder(left).iterdir()}
    assert files == {'record.json', 'result.json'}
    assert store.folder(left).parent.name == left.address[:2]

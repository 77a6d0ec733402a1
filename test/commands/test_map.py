# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest
from workflow_fixtures import write_run_bag

from neuron_reach.cli import main


def failing(*arguments):
    return ['map', *map(str, arguments)]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            ['--lambda', '-1'],
            "--lambda must be a number or a list of numbers, each of at least 0, not '-1'",
        ),
        (['--lambda', 'nan'], "each of at least 0, not 'nan'"),
        (['--episodes', '0'], '--episodes must be a whole number of at least 1'),
        (['--tolerance', '-0.1'], '--tolerance must be a number of at least 0'),
        (['--random-hidden', '5', '0'], "of whole numbers, each of at least 1, not '0'"),
        (['--transform', 'best'], 'naive, balanced, duplicate or a .yaml file'),
        (['--transform', 'missing.yaml'], 'missing.yaml: cannot be read'),
    ],
)
def test_bad_options_end_in_one_line(runs, tmp_path, capsys, change, message):
    command = failing(runs / 'joints2' / 'seed0', runs / 'joints3' / 'seed0', '-o', tmp_path)
    assert main([*command, *change]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert '\n' not in error


def test_bad_paths_end_in_one_line(runs, tmp_path, capsys):
    one, empty = runs / 'joints2' / 'seed0', tmp_path / 'empty'
    empty.mkdir()
    gone = write_run_bag(tmp_path / 'gone', one / 'checkpoint', 2, announced='/nowhere')
    for source, target, message in (
        (one, tmp_path / 'nowhere', 'nowhere: no such file or folder'),
        (empty, one, 'is no checkpoint, run folder or bag, and holds none'),
        (gone, one, 'the checkpoint it was recorded with is gone'),
        (one, gone, 'or --validation BAG given'),
    ):
        assert main(failing(source, target, '-o', tmp_path / 'out')) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert '\n' not in error
    matrix = tmp_path / 'wrong.yaml'
    matrix.write_text('matrix: [[1, 0]]\n')
    command = failing(one, runs / 'joints3' / 'seed0', '-o', tmp_path, '--transform', matrix)
    assert main(command) == 2
    assert '2 rows (source joints) of 3 numbers' in capsys.readouterr().err

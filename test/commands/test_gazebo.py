# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach gazebo ...`; test/gazebo tests the simulation itself."""

import pytest


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['validate', 'x', '--episodes', '0'], '--episodes and --arms must be at least 1'),
        (['validate', 'x', '--arms', '0'], '--episodes and --arms must be at least 1'),
        (['validate', 'x', '--payload', '6'], '--payload must be a number from 0 to 5, not'),
        (['film', 'x', 'arm.gif', '--episodes', '0'], '--episodes must be at least 1'),
        (['validate', 'x'], 'Gazebo is not installed in'),
        (['film', 'x', 'arm.gif'], 'install it with: neuron_reach gazebo install'),
    ],
)
def test_options_are_checked_first_and_a_missing_gazebo_is_reported(
    refused, monkeypatch, tmp_path, arguments, words
):
    monkeypatch.setenv('NEURON_REACH_GAZEBO', str(tmp_path))
    refused('gazebo', *arguments, words=[words])


def test_a_validation_prints_a_table_with_a_row_for_each_network(gazebo, command, untrained):
    network = untrained(joints=2, hidden=[8], episode_steps=4, reach_steps=4).path
    code, text, _ = command('gazebo', 'validate', network, '--episodes', 2, '--arms', 2)
    assert code == 0
    table = [line.split('|')[1:-1] for line in text.splitlines() if line.startswith('|')]
    heading, _, row = table
    assert len(heading) == len(row) == 6
    assert [cell.strip() for cell in row[:2]] == [str(network), '2']
    assert all('/2 = ' in cell for cell in row[2:4])

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Networks played in the real Gazebo."""

import pytest

from neuron_reach.cli import main
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.gazebo.validate import validate


def test_both_simulations_play_all_episodes(gazebo, checkpoint):
    for simulation in (None, GazeboOptions()):
        result = validate(checkpoint, simulation, 5, 2)
        assert (result.joints, result.successes, result.episodes) == (1, 5, 5)
        assert str(result).startswith('5/5 = 1.000 [0.5')
        assert 0.0 <= result.physics_share < 1.0
    assert result.physics_share > 0.0


def test_the_command_prints_a_table(gazebo, checkpoint, capsys):
    assert main(['gazebo', 'validate', str(checkpoint), '--episodes', '2']) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('| /')]
    assert len(rows) == 1
    assert rows[0].count('2/2') == 2


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['validate', 'nowhere', '--payload', '-1'], 'payload must be a number from 0 to 5'),
        (['validate', 'nowhere', '--episodes', '0'], 'at least 1'),
        (['validate', 'nowhere'], 'nowhere'),
        (['film', 'nowhere', 'a.txt'], '.gif or .png'),
        (['film', 'nowhere', 'a.gif', '--episodes', '0'], 'at least 1'),
    ],
)
def test_bad_input_ends_in_one_line(gazebo, capsys, arguments, words):
    assert main(['gazebo', *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count('\n') == 1

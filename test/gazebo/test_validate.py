# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Networks played and filmed in the real Gazebo."""

import shutil

import numpy as np
import pytest
from PIL import Image

from neuron_reach.cli import main
from neuron_reach.errors import UserError
from neuron_reach.gazebo.film import film
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.gazebo.validate import validate
from neuron_reach.learning.checkpoint import describe, save_checkpoint
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Training


@pytest.fixture
def checkpoint(tmp_path):
    """An untrained network of a 1-joint arm, with short episodes in which any reward will do."""
    values = {'joints': 1, 'hidden': [8], 'episode_steps': 6, 'reach_steps': 6}
    setup = Setup.from_values({**values, 'success_reward': 0.0}, 'test')
    training = Training(setup)
    metadata = describe(setup, training.members[0], None)
    return save_checkpoint(tmp_path / 'checkpoint', training.saved_network(0), metadata)


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


def test_a_film_shows_arm_and_sphere(gazebo, checkpoint, tmp_path, monkeypatch):
    if shutil.which('Xvfb') is None:
        pytest.skip('Xvfb is not installed')
    monkeypatch.delenv('DISPLAY', raising=False)
    count = film(checkpoint, tmp_path / 'arm.gif', 3)
    with Image.open(tmp_path / 'arm.gif') as pictures:
        assert pictures.n_frames == count >= 2
        pictures.seek(count - 1)
        colours = np.asarray(pictures.convert('RGB'), int)
    red, green, blue = np.moveaxis(colours, -1, 0)
    assert ((blue > 100) & (red < 60) & (green < 60)).sum() > 50
    assert ((green > 80) & (red < 90) & (blue < 110) & (green > blue + 20)).sum() > 50


def test_without_a_display_it_says_what_to_install(gazebo, checkpoint, tmp_path, monkeypatch):
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.setattr('shutil.which', lambda name: None)
    with pytest.raises(UserError, match='apt install xvfb'):
        film(checkpoint, tmp_path / 'arm.gif', 1)

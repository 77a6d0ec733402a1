# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Films of networks in the real Gazebo."""

import shutil

import numpy as np
import pytest
from PIL import Image

from neuron_reach.errors import UserError
from neuron_reach.gazebo.film import film


def test_a_film_shows_arm_and_sphere(gazebo, checkpoint, tmp_path, monkeypatch):
    if shutil.which('Xvfb') is None:
        pytest.skip('Xvfb is not installed')
    monkeypatch.delenv('DISPLAY', raising=False)
    count = film(checkpoint, tmp_path / 'arm.gif', 3)
    with Image.open(tmp_path / 'arm.gif') as pictures:
        assert pictures.n_frames == count >= 2
        pictures.seek(count - 1)
        colors = np.asarray(pictures.convert('RGB'), int)
    red, green, blue = np.moveaxis(colors, -1, 0)
    assert ((blue > 100) & (red < 60) & (green < 60)).sum() > 50
    assert ((green > 80) & (red < 90) & (blue < 110) & (green > blue + 20)).sum() > 50


def test_without_a_display_it_says_what_to_install(gazebo, checkpoint, tmp_path, monkeypatch):
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.setattr('shutil.which', lambda name: None)
    with pytest.raises(UserError, match='apt install xvfb'):
        film(checkpoint, tmp_path / 'arm.gif', 1)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import numpy as np
import pytest
from PIL import Image

from neuron_reach.common.animation import write_animation
from neuron_reach.errors import UserError


def frames(count):
    pictures = []
    for index in range(count):
        pixels = np.full((20, 30, 3), 40, np.uint8)
        pixels[:, 3 * index : 3 * index + 3] = (250, 10, 10)
        pictures.append(Image.fromarray(pixels))
    return pictures


@pytest.mark.parametrize('name', ['a.gif', 'a.png'])
def test_frames_come_back_with_their_colors_and_durations_in_a_loop(tmp_path, name):
    write_animation(frames(5), tmp_path / name, [50, 50, 50, 50, 900])
    with Image.open(tmp_path / name) as picture:
        assert picture.n_frames == 5
        assert picture.info['loop'] == 0
        for index, frame in enumerate(frames(5)):
            picture.seek(index)
            assert picture.info['duration'] == (900 if index == 4 else 50)
            read = np.asarray(picture.convert('RGB'), int)
            assert np.abs(read - np.asarray(frame, int)).max() < 8
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_other_endings_and_folders_that_are_not_there_are_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r'must end in \.gif or \.png'):
        write_animation(frames(1), tmp_path / 'a.mp4', [50])
    with pytest.raises(UserError, match='cannot be written'):
        write_animation(frames(1), tmp_path / 'nowhere' / 'a.gif', [50])

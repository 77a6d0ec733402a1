# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest
from PIL import Image


def test_a_film_has_a_frame_for_every_control_step_of_the_episodes_asked_for(
    command, untrained, tmp_path
):
    file = tmp_path / 'arm.gif'
    network = untrained(episode_steps=4, reach_steps=4).path
    code, output, _ = command('film', network, '-o', file, '--show', 7, 2, '--episodes', 8)
    assert (code, output) == (0, f'{file}: 8 frames\n')
    with Image.open(file) as film:
        assert film.size == (880, 440)
        assert film.n_frames == 8
        durations = []
        for frame in range(film.n_frames):
            film.seek(frame)
            durations.append(film.info['duration'])
    assert durations == [50, 50, 50, 900] * 2


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['nowhere', '-o', 'a.gif'], ['nowhere', 'no such checkpoint']),
        (['nowhere', '-o', 'a.txt'], ['a.txt', '.gif or .png']),
        (['nowhere', '-o', 'a.gif', '--show', '0', '300'], ['--show', '0 to 299', '300']),
        (['nowhere', '-o', 'a.gif', '--show', '-1'], ['--show', '-1']),
        (['nowhere', '-o', 'a.gif', '--episodes', '0'], ['--episodes', 'at least 1']),
    ],
)
def test_bad_input_ends_in_one_line(refused, arguments, words):
    refused('film', *arguments, words=words)


def test_a_film_that_cannot_be_written_ends_in_one_line(refused, untrained, tmp_path):
    network = untrained(episode_steps=2, reach_steps=2).path
    file = tmp_path / 'nowhere' / 'arm.gif'
    refused('film', network, '-o', file, '--show', 0, '--episodes', 2, words=['cannot be written'])

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import itertools

import matplotlib as mpl
import numpy as np
import pytest
import safetensors.numpy
import torch
from easy import EASY

from neuron_reach.arm.kinematics import forward_kinematics
from neuron_reach.figures.film import SIZE, draw_film, scene
from neuron_reach.learning.checkpoint import describe, load_checkpoint, save_checkpoint
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member
from neuron_reach.records.recording import record_checkpoint

LENGTHS = np.array([0.5, 0.5])
ORDER = {'hidden_1': [3, 0, 1, 2, 4, 5]}


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    options = {'joints': 2, 'hidden': [6, 5], 'episode_steps': 8, 'reach_steps': 8}
    setup = Setup.from_values({**EASY, **options}, 'test')
    network = QNetwork(setup.layer_sizes)
    network.initialize([torch.Generator().manual_seed(4)], 1.0)
    folder = tmp_path_factory.mktemp('film') / 'checkpoint'
    return load_checkpoint(save_checkpoint(folder, network, describe(setup, Member(0), None)))


@pytest.fixture(scope='module')
def record(checkpoint):
    return record_checkpoint(checkpoint, 20)


@pytest.fixture(scope='module')
def shown(record):
    return scene(record, 3, ORDER, record.maxima(), LENGTHS)


def test_hidden_neurons_are_as_bright_as_the_network_computes(checkpoint, record, shown):
    layers = safetensors.numpy.load_file(checkpoint.path / 'model.safetensors')
    values, activations = record.layer('input'), {}
    for index, name in enumerate(('hidden_1', 'hidden_2', 'output')):
        values = values @ layers[f'layers.{index}.weight'].T + layers[f'layers.{index}.bias']
        if name != 'output':
            values = np.maximum(values, 0.0)
        activations[name] = values
    for name in ('hidden_1', 'hidden_2'):
        maxima = activations[name].max((0, 1))
        expected = np.divide(
            activations[name][3], maxima, out=np.zeros((8, len(maxima))), where=maxima > 0
        )
        expected = expected[:, ORDER.get(name, slice(None))]
        np.testing.assert_allclose(shown.brightness[name], expected, atol=1e-5)
    q_values = activations['output'][3]
    np.testing.assert_allclose(
        shown.advantages, q_values - q_values.mean(1, keepdims=True), atol=1e-5
    )
    np.testing.assert_array_equal(shown.brightness['output'].argmax(1), q_values.argmax(1))


def test_the_arm_stands_where_the_observed_angles_put_it(checkpoint, record, shown):
    seen = record.layer('input')[3].astype(float)
    angles = np.arctan2(seen[:, 0:4:2], seen[:, 1:4:2])
    np.testing.assert_allclose(shown.links[:, -1], forward_kinematics(angles, LENGTHS), atol=1e-6)
    np.testing.assert_allclose(shown.links[0, 0], (0.0, 0.0))
    np.testing.assert_array_equal(shown.goal, record.goals[3])


def test_every_frame_has_the_colors_of_the_neurons_now_from_top_to_bottom(shown):
    frames = list(draw_film([shown], 0.05))
    assert len(frames) == 8
    colors = mpl.colormaps['inferno']
    for step, frame in enumerate(frames):
        assert frame.size == SIZE
        column = np.asarray(frame)[:, round(0.975 * SIZE[0])]
        drawn = iter([tuple(map(int, color)) for color, _ in itertools.groupby(map(tuple, column))])
        brightness = np.concatenate([part[step] for part in shown.brightness.values()])
        expected = [tuple(map(int, color)) for color in colors(brightness, bytes=True)[:, :3]]
        for color, _ in itertools.groupby(expected):
            assert color in drawn, f'step {step}'  # leaves the iterator behind what was found


def test_activity_after_the_step_shown_is_not_drawn_yet(shown):
    first, *_, last = (np.asarray(frame) for frame in draw_film([shown], 0.05))
    right = slice(round(0.7 * SIZE[0]), round(0.93 * SIZE[0]))
    body = slice(round(0.15 * SIZE[1]), round(0.85 * SIZE[1]))
    assert len(np.unique(first[body, right].reshape(-1, 3), axis=0)) == 2  # panels and gaps
    assert len(np.unique(last[body, right].reshape(-1, 3), axis=0)) > 10

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Film a trained network: the arm reaching for its goals beside the activity of all neurons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neuron_reach.analysis.clusters import cluster_tree, leaves
from neuron_reach.analysis.distances import neuron_distances
from neuron_reach.arm.simulator import CONTROL_PERIOD
from neuron_reach.common.animation import check_name, write_animation
from neuron_reach.errors import UserError
from neuron_reach.figures.film import draw_film, scene
from neuron_reach.records.networks import load_network
from neuron_reach.records.recording import record_checkpoint

PAUSE = 900
"""Duration of the last frame of an episode, ms."""


def film(network: Path, file: Path, episodes: int, show: Sequence[int]) -> int:
    """Play sample episodes of a network and film some of them, one frame a control step.

    The neurons of a hidden layer stand in the order of its cluster tree (equation 3), whose
    distances come from all episodes that are played.

    Args:
        network: a checkpoint or a run folder.
        file: where to write, `.gif` or `.png` (animated).
        episodes: how many are played, at least 1.
        show: which of them are filmed, counted from 0; at least one.

    Returns:
        The number of frames.

    Raises:
        UserError: no such network or episode, or the file cannot be written.
    """
    check_name(file)
    for episode in show:
        if not 0 <= episode < episodes:
            raise UserError(f'--show must be episodes from 0 to {episodes - 1}, not {episode}')
    loaded = load_network(network)
    record = record_checkpoint(loaded, episodes)
    order = {}
    for layer in record.hidden:
        tree = cluster_tree(neuron_distances(record.select([layer])))
        order[layer] = leaves(tree, 2 * len(tree))
    maxima, lengths = record.maxima(), loaded.setup.arm.link_lengths
    scenes = [scene(record, episode, order, maxima, lengths) for episode in show]
    frames = list(draw_film(scenes, CONTROL_PERIOD))
    durations: list[int] = []
    for shown in scenes:
        durations += [round(1000 * CONTROL_PERIOD)] * (len(shown.links) - 1) + [PAUSE]
    write_animation(frames, file, durations)
    return len(frames)

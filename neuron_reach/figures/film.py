# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Frames of a film: an arm reaching for its goals beside the activity of its neurons."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from neuron_reach.analysis.transforms import joint_angles
from neuron_reach.arm.kinematics import link_ends
from neuron_reach.common.arrays import Array
from neuron_reach.figures.activity import layer_title
from neuron_reach.records.record import ActivityRecord

SIZE = (880, 440)
"""Width and height of a frame, pixels."""

DOTS_PER_INCH = 100
BACKGROUND, PANEL, TEXT, FAINT = '#10151f', '#1a2130', '#e8ecf2', '#8b96a8'
ARM, GOAL, TAKEN = '#56b4e9', '#3ddc97', '#ffb000'
COLOR_MAP = 'inferno'
SHOWN_ADVANTAGES = 0.97
"""Share of the advantages whose bars are not cut off."""

SMALLEST_LAYER = 0.04
"""Height of a layer in the heat map, at least this share of all neurons."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """One episode as a film shows it.

    Attributes:
        links: base and ends of all links, (steps, joints + 1, 2), m.
        goal: (2,), m.
        brightness: by layer, in [0, 1], (steps, neurons of the layer), in the order of rows.
        advantages: Q value of each action minus the mean of all actions, (steps, actions).
    """

    links: Array
    goal: Array
    brightness: Mapping[str, Array]
    advantages: Array


def scene(
    record: ActivityRecord,
    episode: int,
    order: Mapping[str, Sequence[int]],
    maxima: Array,
    link_lengths: Array,
) -> Scene:
    """Return what a film shows of an episode.

    A hidden neuron is as bright as its activation relative to its maximum Z_n, an input x as
    (x + 1) / 2, clipped to [0, 1]. Outputs with a Q value at or below the mean of their step are
    dark, the one with the highest Q value is bright.

    Args:
        record: of all layers of a reaching network.
        episode: which one.
        order: neurons of a layer from top to bottom; layers that are not named keep theirs.
        maxima: Z_n, (neurons,).
        link_lengths: of the arm, (joints,), m.
    """
    length = int(record.lengths[episode])
    values = np.array(record.activations[episode, :length], dtype=np.float64)
    inputs = values[:, record.columns('input')]
    ends = link_ends(joint_angles(inputs), link_lengths)
    brightness = {}
    for name in record.layers:
        columns = record.columns(name)
        part = values[:, columns]
        if name == 'input':
            part = np.clip((part + 1.0) / 2.0, 0.0, 1.0)
        elif name == 'output':
            advantages = np.maximum(_advantages(part), 0.0)
            part = _ratio(advantages, advantages.max(1, keepdims=True))
        else:
            part = _ratio(part, maxima[columns])
        brightness[name] = part[:, list(order.get(name, range(part.shape[1])))]
    return Scene(
        np.concatenate((np.zeros_like(ends[:, :1]), ends), axis=1),
        record.goals[episode],
        brightness,
        _advantages(values[:, record.columns('output')]),
    )


def _advantages(q_values: Array) -> Array:
    """Return Q minus the mean of all actions, (steps, actions)."""
    advantages: Array = q_values - q_values.mean(1, keepdims=True)
    return advantages


def _ratio(values: Array, scale: Array) -> Array:
    """Return values / scale, zero where the scale is zero."""
    return np.divide(values, scale, out=np.zeros_like(values), where=scale > 0.0)


def draw_film(scenes: Sequence[Scene], period: float) -> Iterator[Image.Image]:
    """Draw every control step of some scenes, one frame each.

    Args:
        scenes: episodes of the same network.
        period: of a control step, s.
    """
    figure = Figure(
        figsize=(SIZE[0] / DOTS_PER_INCH, SIZE[1] / DOTS_PER_INCH),
        dpi=DOTS_PER_INCH,
        facecolor=BACKGROUND,
    )
    canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
    longest = max(len(shown.links) for shown in scenes)
    panels = (
        _ArmPanel(figure, scenes),
        _ActionPanel(figure, scenes),
        _NeuronPanel(figure, scenes[0], longest, period),
    )
    canvas.draw()
    empty = canvas.copy_from_bbox(figure.bbox)
    for number, shown in enumerate(scenes, start=1):
        for step in range(len(shown.links)):
            canvas.restore_region(empty)
            for panel in panels:
                for artist in panel.update(shown, step, f'goal {number} of {len(scenes)}'):
                    figure.draw_artist(artist)
            yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _style(axis: Axes) -> Axes:
    axis.set_facecolor(PANEL)
    axis.spines[:].set_visible(False)
    axis.tick_params(colors=FAINT, labelsize=8, length=0)
    return axis


class _ArmPanel:
    """The arm, the trail of its tip, and the goal."""

    def __init__(self, figure: Figure, scenes: Sequence[Scene]) -> None:
        axis = _style(figure.add_axes((0.02, 0.345, 0.44, 0.555)))
        points = np.concatenate([np.vstack((s.links.reshape(-1, 2), s.goal)) for s in scenes])
        low, high = points.min(0) - 0.12, points.max(0) + 0.12
        middle, size = (low + high) / 2, np.array(axis.get_window_extent().size)
        half = size / 2 * ((high - low) / size).max()  # the same scale in x and z
        low, high = middle - half, middle + half
        axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
        axis.axhline(0.0, color=FAINT, linewidth=0.6, alpha=0.5, zorder=0)
        self.title = figure.text(0.02, 0.935, '', color=TEXT, fontsize=11, animated=True)
        (self.halo,) = axis.plot([], [], 'o', color=GOAL, markersize=24, alpha=0.25)
        (self.goal,) = axis.plot([], [], 'o', color=GOAL, markersize=11)
        (self.trail,) = axis.plot([], [], color=GOAL, linewidth=1.6, alpha=0.8)
        (self.arm,) = axis.plot([], [], color=ARM, linewidth=7, solid_capstyle='round')
        (self.joints,) = axis.plot([], [], 'o', color=TEXT, markersize=6)
        (self.tip,) = axis.plot([], [], 'o', color=TAKEN, markersize=7)
        self.artists = (
            self.halo,
            self.goal,
            self.trail,
            self.arm,
            self.joints,
            self.tip,
            self.title,
        )
        for artist in self.artists:
            artist.set_animated(True)

    def update(self, shown: Scene, step: int, title: str) -> Sequence[Artist]:
        """Show a step and return what is to be drawn."""
        links = shown.links[step]
        distance = float(np.hypot(*(links[-1] - shown.goal)))
        for artist in (self.halo, self.goal):
            artist.set_data([shown.goal[0]], [shown.goal[1]])
        self.trail.set_data(*shown.links[: step + 1, -1].T)
        self.arm.set_data(*links.T)
        self.joints.set_data(*links[:-1].T)
        self.tip.set_data([links[-1, 0]], [links[-1, 1]])
        self.title.set_text(f'tip {100.0 * distance:.0f} cm from {title}')
        return self.artists


class _ActionPanel:
    """The advantage of every action as a bar, the action taken in another color."""

    def __init__(self, figure: Figure, scenes: Sequence[Scene]) -> None:
        axis = _style(figure.add_axes((0.02, 0.06, 0.44, 0.19)))
        advantages = np.concatenate([shown.advantages for shown in scenes])
        actions = advantages.shape[1]
        limit = float(np.quantile(np.abs(advantages), SHOWN_ADVANTAGES)) or 1.0
        axis.set(xlim=(-0.7, actions - 0.3), ylim=(-limit, limit), xticks=[], yticks=[])
        title = f'Q values of the {actions} actions minus their mean'
        figure.text(0.02, 0.272, title, color=TEXT, fontsize=9)
        self.bars = axis.bar(range(actions), np.zeros(actions), 0.75)
        for bar in self.bars:
            bar.set_animated(True)

    def update(self, shown: Scene, step: int, _: str) -> Sequence[Artist]:
        """Show a step and return what is to be drawn."""
        advantages = shown.advantages[step]
        for action, (bar, advantage) in enumerate(zip(self.bars, advantages, strict=True)):
            bar.set_height(advantage)
            bar.set_color(TAKEN if action == advantages.argmax() else ARM)
        return list(self.bars)


class _NeuronPanel:
    """The activity of all neurons so far, layer by layer, over time; at the right, now."""

    def __init__(self, figure: Figure, first: Scene, steps: int, period: float) -> None:
        layers = {name: part.shape[1] for name, part in first.brightness.items()}
        neurons = sum(layers.values())
        heights = [max(size, SMALLEST_LAYER * neurons) for size in layers.values()]
        grid = figure.add_gridspec(
            len(layers),
            2,
            left=0.555,
            right=0.985,
            top=0.9,
            bottom=0.11,
            hspace=0.09,
            wspace=0.03,
            height_ratios=heights,
            width_ratios=(16, 1),
        )
        figure.text(
            0.555,
            0.935,
            f'activity of {neurons} neurons, similar ones side by side',
            color=TEXT,
            fontsize=11,
        )
        self.images: dict[str, AxesImage] = {}
        self.strips: dict[str, AxesImage] = {}
        lines = []
        self.steps = steps
        for row, name in enumerate(layers):
            past, now = (_style(figure.add_subplot(grid[row, column])) for column in (0, 1))
            for axis, images, width in ((past, self.images, steps), (now, self.strips, 1)):
                axis.set(xticks=[], yticks=[])
                images[name] = axis.imshow(
                    np.full((layers[name], width), np.nan),
                    cmap=COLOR_MAP,
                    vmin=0.0,
                    vmax=1.0,
                    aspect='auto',
                    interpolation='nearest',
                    extent=(0.0, width * period, 0.0, 1.0),
                    animated=True,
                )
            past.set_ylabel(
                layer_title(name).replace(' layer', ''),
                color=FAINT,
                fontsize=9,
                rotation=0,
                ha='right',
                va='center',
            )
            lines.append(past.axvline(0.0, color=TEXT, linewidth=1, animated=True))
        seconds = np.arange(0.0, (steps - 1) * period, 1.0)
        past.set_xticks(seconds, [f'{second:.0f} s' for second in seconds])
        now.set_xticks([period / 2], ['now'])
        self.lines, self.period = lines, period

    def update(self, shown: Scene, step: int, _: str) -> Sequence[Artist]:
        """Show a step and return what is to be drawn."""
        for name, brightness in shown.brightness.items():
            values = np.full((brightness.shape[1], self.steps), np.nan)
            values[:, : step + 1] = brightness[: step + 1].T
            self.images[name].set_data(values)
            self.strips[name].set_data(brightness[step][:, None])
        for line in self.lines:
            line.set_xdata([(step + 1) * self.period] * 2)
        return [*self.images.values(), *self.strips.values(), *self.lines]

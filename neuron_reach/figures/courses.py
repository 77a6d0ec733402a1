# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Line plots over steps, layers or thresholds: means of groups of networks with intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import ArrayLike

from neuron_reach.analysis.intervals import mean_interval
from neuron_reach.common.arrays import Array
from neuron_reach.figures.style import COLORS

MARKERS = 'osD^vP*X'
LINES = ('-', '--', '-.', ':', (0, (5, 1, 1, 1, 1, 1)))


@dataclasses.dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        x: places of the values.
        groups: values by group, (networks, places); NaN if a network has none.
        references: other lines by name, one value per place or one for all.
        limits: of the vertical axis; None: from zero.
        logarithmic: whether the vertical axis is logarithmic.
        whole: whether to mark every place on the horizontal axis.
        title: of the panel.
    """

    x_label: str
    y_label: str
    x: Sequence[float]
    groups: Mapping[str, ArrayLike]
    references: Mapping[str, ArrayLike] = dataclasses.field(default_factory=dict)
    limits: tuple[float, float] | None = None
    logarithmic: bool = False
    whole: bool = False
    title: str = ''


def courses(panels: Sequence[Panel], columns: int = 3, dots: bool = True) -> Figure:
    """Draw panels side by side.

    Args:
        panels: each with one line per group.
        columns: panels in a row.
        dots: whether to draw single networks too.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.6 * columns, 3.1 * rows + 0.3), layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        _draw(axis, panel, dots)
    return figure


def _draw(axis: Axes, panel: Panel, dots: bool) -> None:
    places = np.asarray(panel.x, float)
    gap = float(np.diff(places).min()) if len(places) > 1 else 1.0
    count = len(panel.groups)
    for number, (name, group) in enumerate(panel.groups.items()):
        values = np.asarray(group, float)
        shift = 0.12 * gap * (number - (count - 1) / 2) / max(1, count - 1) if count > 1 else 0.0
        color = COLORS[number % len(COLORS)]
        if dots:
            spread = gap * np.linspace(-0.12, 0.12, len(values))[:, None]
            axis.plot(
                (places + spread).T.ravel(), values.T.ravel(), '.', ms=3, color=color, alpha=0.35
            )
        mean, low, high = _summary(values)
        axis.errorbar(
            places + shift,
            mean,
            [mean - low, high - mean],
            color=color,
            marker=MARKERS[number % len(MARKERS)],
            ms=4,
            lw=1.3,
            capsize=2,
            linestyle=LINES[number % len(LINES)],
            label=name,
        )
    for number, (name, line) in enumerate(panel.references.items()):
        heights = np.broadcast_to(np.asarray(line, float), places.shape)
        axis.plot(
            places, heights, color='black', lw=1.2, ls=LINES[(number + 3) % len(LINES)], label=name
        )
    axis.set_xlabel(panel.x_label)
    axis.set_ylabel(panel.y_label)
    axis.set_title(panel.title, fontsize=9)
    if panel.logarithmic:
        axis.set_yscale('log')
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0, 7.0)))
        axis.yaxis.set_major_formatter(StrMethodFormatter('{x:,.0f}'))
        axis.yaxis.set_minor_formatter(NullFormatter())
    elif panel.limits is not None:
        axis.set_ylim(*panel.limits)
    else:
        axis.set_ylim(bottom=0.0)
    if panel.whole:
        axis.set_xticks(places, [f'{place:g}' for place in places])
    axis.spines[['top', 'right']].set_visible(False)
    if count + len(panel.references) > 1:
        axis.legend(frameon=False, fontsize=7)


def _summary(values: Array) -> Array:
    """Return means and their 95 % intervals of the networks that have a value, (3, places)."""
    summary = np.full((3, values.shape[1]), np.nan)
    for place, column in enumerate(values.T):
        own = column[np.isfinite(column)]
        if len(own):
            interval = mean_interval(own)
            summary[:, place] = interval.value, interval.low, interval.high
    return summary

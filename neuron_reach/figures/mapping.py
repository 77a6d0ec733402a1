# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Figures of mappings between networks: metrics, layer tables, and the projection itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

from neuron_reach.analysis.intervals import Interval
from neuron_reach.analysis.projection import Projection
from neuron_reach.common.arrays import Array, Flags
from neuron_reach.figures.style import COLORS, HATCHES, Figure

Values = TypeVar('Values')
Bars = dict[str, dict[str, dict[str, Values]]]
"""A value for each bar: by metric, by group on the x axis, by series side by side."""

VECTOR_LINES = 4000
"""With more lines, vector drawings contain them as pixels, as viewers would be too slow."""


def metric_bars(
    metrics: Bars[Interval],
    values: Bars[list[float]],
    *,
    stacked: bool = False,
) -> Figure:
    """Draw a panel for each metric: means as bars, bootstrap intervals, and pairs as dots.

    Series are named `kind` or `kind, method`; kinds differ in color, methods in hatching.

    Args:
        metrics: mean and interval of each bar.
        values: of single pairs.
        stacked: stack the panels vertically, for many bars, instead of side by side.
    """
    groups = next(iter(metrics.values()))
    names = list(dict.fromkeys(name for by_name in groups.values() for name in by_name))
    kinds = list(dict.fromkeys(name.partition(', ')[0] for name in names))
    methods = list(dict.fromkeys(name.partition(', ')[2] for name in names))
    most = max(map(len, groups.values()))
    width = 0.8 / most
    panel = 2.6 * max(1.0, len(groups) * most / 8.0)
    figure, axes, legend = _panels(len(metrics), panel, 1 + len(names) // 12, stacked)
    bars = {}
    for axis, (metric, by_group) in zip(axes, metrics.items(), strict=True):
        for group, by_name in by_group.items():
            middle = list(groups).index(group)
            for number, (name, interval) in enumerate(by_name.items()):
                kind, _, method = name.partition(', ')
                place = middle + (number - (len(by_name) - 1) / 2) * width
                bars[name] = axis.bar(
                    place,
                    interval.value,
                    width,
                    color=COLORS[kinds.index(kind) % len(COLORS)],
                    hatch=HATCHES[methods.index(method) % len(HATCHES)],
                    edgecolor='black',
                    linewidth=0.6,
                )
                _spread(axis, place, interval, values[metric][group][name], width)
        axis.set_title(metric)
        axis.set_xticks(range(len(groups)), [name.replace(' ', '\n') for name in groups])
        axis.set_xlim(-0.6, len(groups) - 0.4)
        axis.set_ylim(bottom=0.0)
        if metric in ('saturation', 'coverage'):
            axis.set_ylim(0.0, 1.0)
        if stacked or axis is axes[0]:
            axis.set_ylabel('mean over pairs, 95 % interval' if not stacked else 'mean over pairs')
    legend.set_axis_off()
    handles = [bars[name] for name in names]
    legend.legend(handles, names, loc='center', ncol=4, frameon=False, fontsize=8)
    return figure


def _panels(count: int, width: float, lines: int, stacked: bool) -> tuple[Figure, list[Axes], Axes]:
    """Return a figure with panels, and one below them for a legend of this many lines."""
    if stacked:
        figure = Figure(figsize=(max(7.0, 0.6 * width + 2.0), 2.3 * count + 0.5))
        figure.set_layout_engine('constrained')
        grid = figure.add_gridspec(count + 1, 1, height_ratios=[2.3] * count + [0.4 * lines])
        axes = [figure.add_subplot(grid[number]) for number in range(count)]
        return figure, axes, figure.add_subplot(grid[count])
    figure = Figure(figsize=(0.5 + width * count, 4.0), layout='constrained')
    grid = figure.add_gridspec(2, count, height_ratios=(8, lines))
    axes = [figure.add_subplot(grid[0, number]) for number in range(count)]
    return figure, axes, figure.add_subplot(grid[1, :])


def _spread(
    axis: Axes, place: float, interval: Interval, values: Sequence[float], width: float
) -> None:
    """Add the interval and, next to it, the single pairs."""
    if np.isfinite(interval.low):
        reach = [[interval.value - interval.low], [interval.high - interval.value]]
        axis.errorbar(place, interval.value, np.maximum(reach, 0.0), color='black', capsize=3)
    if len(values) > 1:
        spots = place + np.linspace(-0.3, 0.3, len(values)) * width
        axis.plot(spots, values, 'o', color='black', markersize=2, alpha=0.5)


def layer_tables(
    tables: Mapping[str, tuple[Array, Sequence[str], Sequence[str]]],
) -> Figure:
    """Draw layer-to-layer projections (equation 9) as heat maps with their numbers.

    Args:
        tables: by title: (source layers, target layers), names of the source's and of the
            target's layers.
    """
    columns = min(3, len(tables))
    rows = -(-len(tables) // columns)
    figure = Figure(figsize=(3.6 * columns + 0.8, 3.4 * rows), layout='constrained')
    grid = figure.subplots(rows, columns, squeeze=False)
    for axis in grid.flat[len(tables) :]:
        axis.set_visible(False)
    image = None
    for axis, (title, (table, sources, targets)) in zip(grid.flat, tables.items(), strict=False):
        image = axis.imshow(table, cmap='cividis', vmin=0.0, vmax=1.0, aspect='auto')
        for (row, column), value in np.ndenumerate(table):
            if np.isfinite(value):
                color = 'black' if value > 0.5 else 'white'
                text = f'{value:.2f}'.lstrip('0') if value < 0.995 else '1'
                axis.text(column, row, text, ha='center', va='center', color=color, fontsize=7)
        axis.set_xticks(range(len(targets)), [short_layer(name) for name in targets])
        axis.set_yticks(range(len(sources)), [short_layer(name) for name in sources])
        axis.set_xlabel('target layer')
        axis.set_ylabel('source layer')
        axis.set_title(title, fontsize=9)
    if image is not None:
        figure.colorbar(image, ax=grid, label='share of the source layer', shrink=0.8)
    return figure


def short_layer(name: str) -> str:
    """Return a short name of a layer for an axis: in, 1, 2, ..., out."""
    return {'input': 'in', 'output': 'out'}.get(name, name.rpartition('_')[2])


def projection_drawing(
    projection: Projection,
    *,
    source_layers: Mapping[str, int],
    target_layers: Mapping[str, int],
    names: tuple[str, str],
) -> Figure:
    """Draw both networks neuron by neuron and their projection, as in figure 4 of the paper.

    The source network is on the left, the target network on the right, the first layer on top.
    The opacity of a line is its share of the target neuron's column, its color that of the source
    layer. Dead neurons are open circles.

    Args:
        projection: the projection.
        source_layers: number of neurons of each layer of the source network.
        target_layers: number of neurons of each layer of the target network.
        names: names of the source and the target network.
    """
    figure = Figure(figsize=(7.0, 8.0), layout='constrained')
    axis = figure.subplots()
    heights = [_stack(list(layers.values())) for layers in (source_layers, target_layers)]
    colors = np.repeat(
        [to_rgb(COLORS[layer % len(COLORS)]) for layer in range(len(source_layers))],
        list(source_layers.values()),
        axis=0,
    )
    sums = projection.matrix.sum(axis=0)
    shares = projection.matrix / np.where(sums > 0.0, sums, 1.0)
    source, column = np.nonzero(shares > 0.01)
    order = np.argsort(shares[source, column])
    source, column = source[order], column[order]
    starts = np.stack((np.zeros(source.size), heights[0][source]), axis=-1)
    ends = np.stack((np.ones(source.size), heights[1][projection.targets[column]]), axis=-1)
    opacity = np.clip(shares[source, column], 0.02, 1.0)[:, None]
    lines = LineCollection(
        list(np.stack((starts, ends), axis=1)),
        colors=np.hstack((colors[source], opacity)).tolist(),
        linewidths=(0.3 + 0.9 * shares[source, column]).tolist(),
        rasterized=source.size > VECTOR_LINES,
    )
    axis.add_collection(lines)
    scales = (projection.source_scale, projection.target_scale)
    sides = zip((0.0, 1.0), (source_layers, target_layers), heights, scales, names, strict=True)
    for x, layers, height, scale, name in sides:
        _neurons(axis, x, layers, height, scale > 0.0)
        axis.text(x, 1.04, name, ha='center', va='bottom', fontsize=10)
    axis.set_xlim(-0.25, 1.25)
    axis.set_ylim(-0.02, 1.1)
    axis.set_axis_off()
    return figure


def _stack(sizes: Sequence[int]) -> Array:
    """Return a height in [0, 1] for each neuron, first layer on top, with gaps between layers."""
    gap = 0.04
    step = (1.0 - gap * (len(sizes) - 1)) / max(1, sum(sizes) - 1)
    layer = np.repeat(np.arange(len(sizes)), sizes)
    return 1.0 - step * np.arange(sum(sizes)) - gap * layer


def _neurons(
    axis: Axes,
    x: float,
    layers: Mapping[str, int],
    heights: Array,
    alive: Flags,
) -> None:
    """Draw the neurons of one network with the names of its layers."""
    size = float(np.clip(500.0 / len(heights), 0.8, 4.0))
    axis.plot(np.full(alive.sum(), x), heights[alive], 'o', color='black', markersize=size)
    dead = np.full(int((~alive).sum()), x)
    axis.plot(dead, heights[~alive], 'o', markersize=size, color='grey', markerfacecolor='none')
    side = -1.0 if x == 0.0 else 1.0
    first = 0
    for name, neurons in layers.items():
        middle = heights[first : first + neurons].mean()
        axis.text(
            x + 0.03 * side,
            middle,
            f'{name.replace("_", " ")} ({neurons})',
            ha='right' if side < 0 else 'left',
            va='center',
            fontsize=8,
        )
        first += neurons

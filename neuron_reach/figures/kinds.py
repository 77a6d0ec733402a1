# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Kinds of networks side by side: densities of their distances, and their trees."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuron_reach.common.arrays import Array, Flags, Integers
from neuron_reach.figures.activity import draw_tree, layer_title
from neuron_reach.figures.style import COLORS

Tree = tuple[Array, Integers, Flags]
"""A linkage matrix, the cluster of each neuron, which neurons are dead."""

LINES = ('-', '--', '-.', ':')
SHOWN = 0.999
"""Share of all pairs that the axis of distances includes."""


def kind_densities(
    edges: Array, everything: Mapping[str, Array], by_layer: Mapping[str, Mapping[str, Array]]
) -> Figure:
    """Draw densities of distances by kind: mean over networks, and interquartile range as a band.

    Args:
        edges: of the bins, (bins + 1,).
        everything: all-to-all densities by kind, (networks, bins).
        by_layer: densities of pairs on the same layer, by layer and kind.
    """
    figure = Figure(figsize=(10.5, 4.4), layout='constrained')
    grid = figure.add_gridspec(2, 5)
    top = figure.add_subplot(grid[:, :2])
    end = _end(edges, [everything, *by_layer.values()])
    peak = _densities(top, edges, everything)
    top.set_title('all-to-all', fontsize=9)
    top.set_ylim(0.0, 1.05 * peak)
    top.set_xlim(0.0, end)
    top.set_ylabel('density')
    top.legend(frameon=False, fontsize=8)
    axes, peaks = [], []
    for number, (name, kinds) in enumerate(by_layer.items()):
        axis = figure.add_subplot(grid[number // 3, 2 + number % 3])
        peaks.append(_densities(axis, edges, kinds))
        axis.set_title(layer_title(name), fontsize=9)
        axis.set_xlim(0.0, end)
        axes.append(axis)
    for axis in axes:
        axis.set_ylim(0.0, 1.05 * max(peaks))
    figure.supxlabel('distance of two neurons', fontsize=9)
    return figure


def _end(edges: Array, groups: list[Mapping[str, Array]]) -> float:
    """Return the end of the axis of distances."""
    end = 0.0
    for group in groups:
        for heights in group.values():
            total = np.cumsum(heights.mean(axis=0))
            place = int(np.searchsorted(total, SHOWN * total[-1]))
            end = max(end, float(edges[min(place + 2, len(edges) - 1)]))
    return end


def _densities(axis: Axes, edges: Array, kinds: Mapping[str, Array]) -> float:
    """Draw lines and bands; return the peak of the lines beyond the first bin (dead pairs)."""
    middle = (edges[1:] + edges[:-1]) / 2
    peak = 0.0
    for number, (kind, heights) in enumerate(kinds.items()):
        low, high = np.quantile(heights, (0.25, 0.75), axis=0)
        mean = heights.mean(axis=0)
        color = COLORS[number % len(COLORS)]
        axis.fill_between(middle, low, high, color=color, alpha=0.2, linewidth=0)
        axis.plot(middle, mean, LINES[number % len(LINES)], color=color, lw=1.4, label=kind)
        peak = max(peak, float(mean[1:].max()))
    axis.spines[['top', 'right']].set_visible(False)
    return peak


def tree_grid(trees: Mapping[str, Mapping[str, Tree]]) -> Figure:
    """Draw the trees of networks, one row per network and one column per layer.

    Args:
        trees: by the network's name and by layer.
    """
    layers = list(next(iter(trees.values())))
    figure = Figure(figsize=(1.9 * len(layers), 1.9 * len(trees) + 0.4), layout='constrained')
    axes = figure.subplots(len(trees), len(layers), squeeze=False)
    highest = max(
        float(tree[:, 2].max(initial=0.0)) for row in trees.values() for tree, _, _ in row.values()
    )
    for row, (kind, own) in zip(axes, trees.items(), strict=True):
        for axis, (name, (tree, clusters, dead)) in zip(row, own.items(), strict=True):
            draw_tree(axis, tree, clusters, dead)
            axis.set_ylim(-0.04 * highest, 1.05 * highest)
            axis.set_title(f'{layer_title(name)}: {len(clusters)}', fontsize=8)
            axis.tick_params(labelleft=bool(axis is row[0]), labelsize=7)
        row[0].set_ylabel(f'{kind}\ncluster distance', fontsize=8)
    figure.supxlabel('neurons (gray squares: never active); thick: clusters at the cut', fontsize=9)
    return figure

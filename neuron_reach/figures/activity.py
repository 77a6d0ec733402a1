# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Figures of neuron activity: densities of distances, dendrograms, sizes, rasters, reductions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from neuron_reach.analysis.clusters import leaves
from neuron_reach.analysis.merging import Clustering
from neuron_reach.common.arrays import Array, Flags, Integers
from neuron_reach.figures.style import COLORS, HATCHES, Figure
from neuron_reach.records.record import ActivityRecord

BINS = 60
COLUMNS = 3
GREY = '#777777'


def density_figure(everything: Array, by_layer: Mapping[str, Array]) -> Figure:
    """Draw the density of distances all-to-all, and of each layer.

    Args:
        everything: distances of all pairs, (pairs,).
        by_layer: distances of pairs on the same layer.
    """
    names = [name for name, distances in by_layer.items() if len(distances)]
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(7.5, 2.6 + 1.8 * rows), layout='constrained')
    grid = figure.add_gridspec(rows + 1, COLUMNS, height_ratios=[1.4, *[1.0] * rows])
    top = figure.add_subplot(grid[0, :])
    highest = max((float(d.max()) for d in (everything, *by_layer.values()) if len(d)), default=1.0)
    edges = np.linspace(0.0, highest or 1.0, BINS + 1)
    top.set_ylim(0.0, 1.05 * _density(top, everything, edges))
    top.set_title(f'all-to-all, {len(everything):,} pairs', fontsize=9)
    axes = [
        figure.add_subplot(grid[1 + place // COLUMNS, place % COLUMNS])
        for place in range(len(names))
    ]
    peak = 0.0
    for axis, name in zip(axes, names, strict=True):
        peak = max(peak, _density(axis, by_layer[name], edges))
        axis.axvline(float(np.median(by_layer[name])), color='black', linestyle=':', linewidth=1)
        axis.set_title(layer_title(name), fontsize=9)
    for axis in axes:
        axis.set_ylim(0.0, 1.05 * peak)
    figure.supxlabel('distance of two neurons (dotted: median of the layer)', fontsize=9)
    figure.supylabel('density', fontsize=9)
    return figure


def _density(axis: Axes, distances: Array, edges: Array) -> float:
    """Draw a density and return its peak."""
    axis.set_xlim(0.0, edges[-1])
    if not len(distances):
        return 1.0
    heights, _ = np.histogram(distances, edges, density=True)
    axis.stairs(heights, edges, fill=True, color=COLORS[0], alpha=0.35)
    axis.stairs(heights, edges, color=COLORS[0])
    return float(heights.max())


def layer_title(name: str) -> str:
    """Return the title of a layer, such as `hidden layer 2`."""
    kind, _, number = name.partition('_')
    return f'{kind} layer {number}'.strip()


def dendrogram_figure(clustering: Clustering, dead: Mapping[str, Flags]) -> Figure:
    """Draw the tree of each layer, its clusters at the cut, and its dead neurons.

    Args:
        clustering: of the layers.
        dead: by layer, whether neurons were never active, (neurons,).
    """
    names = list(clustering.trees)
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(3.2 * columns + 0.6, 2.5 * rows + 0.4), layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, names, strict=False):
        draw_tree(axis, clustering.trees[name], clustering.clusters[name], dead[name])
        threshold = clustering.thresholds[name]
        axis.axhline(threshold, color=COLORS[1], linestyle='--', linewidth=1)
        count = int(clustering.clusters[name].max()) + 1
        axis.set_title(
            f'{layer_title(name)}: {len(dead[name])} neurons, {count} clusters', fontsize=8
        )
    figure.supxlabel(
        'neurons (gray squares: never active); thick: a cluster at the cut (dashed)', fontsize=9
    )
    figure.supylabel('cluster distance', fontsize=9)
    return figure


def draw_tree(axis: Axes, tree: Array, clusters: Integers, dead: Flags) -> None:
    """Draw a tree; scipy's function is recursive and fails for long chains."""
    count = len(tree) + 1
    order = leaves(tree, 2 * count - 2)
    across, height = np.zeros(2 * count - 1), np.zeros(2 * count - 1)
    across[order] = np.arange(count)
    cluster = np.concatenate((clusters, np.full(len(tree), -1)))
    inside, outside = [], []
    for step, (first, second, distance, _) in enumerate(tree):
        a, b, node = int(first), int(second), count + step
        across[node], height[node] = (across[a] + across[b]) / 2, distance
        corners = [(across[n], height[n]) for n in (a, b)]
        line = [corners[0], (across[a], distance), (across[b], distance), corners[1]]
        if cluster[a] == cluster[b] != -1:
            cluster[node] = cluster[a]
            inside.append(line)
        else:
            outside.append(line)
    axis.add_collection(LineCollection(outside, colors='black', linewidths=0.5))
    axis.add_collection(LineCollection(inside, colors=COLORS[0], linewidths=1.8))
    places = across[np.flatnonzero(dead)]
    axis.plot(places, np.zeros(len(places)), 's', color=GREY, markersize=3, zorder=3)
    axis.set_xlim(-1.0, count)
    highest = float(height.max()) or 1.0
    axis.set_ylim(-0.04 * highest, 1.05 * highest)
    axis.set_xticks([])


def sizes_figure(sizes: Mapping[str, Sequence[int]], layers: Sequence[str]) -> Figure:
    """Draw the numbers of neurons by layer as groups of bars.

    Args:
        sizes: by quantity, such as `neurons` or `clusters`: a number for each layer.
        layers: their names.
    """
    figure = Figure(figsize=(7.0, 3.2), layout='constrained')
    axis = figure.subplots()
    width = 0.8 / len(sizes)
    for number, (label, counts) in enumerate(sizes.items()):
        places = np.arange(len(layers)) + (number - (len(sizes) - 1) / 2) * width
        bars = axis.bar(
            places,
            counts,
            width,
            label=label,
            color=COLORS[number % len(COLORS)],
            hatch=HATCHES[number % len(HATCHES)],
            edgecolor='black',
            linewidth=0.6,
        )
        axis.bar_label(bars, fontsize=7)
    axis.set_xticks(range(len(layers)), [name.replace('_', ' ') for name in layers])
    axis.set_ylabel('neurons')
    axis.margins(y=0.1)
    axis.legend(frameon=False, ncol=len(sizes), loc='lower center', bbox_to_anchor=(0.5, 1.0))
    return figure


def raster_figure(record: ActivityRecord, episode: int, maxima: Array) -> Figure:
    """Draw the activity of all neurons in one episode, each relative to its maximum.

    Args:
        record: of any layers.
        episode: number of the episode.
        maxima: Z_n, (neurons,).
    """
    length = int(record.lengths[episode])
    values = np.array(record.activations[episode, :length], dtype=np.float64).T
    scale = np.divide(1.0, maxima, out=np.zeros_like(maxima), where=maxima > 0.0)
    values *= scale[:, None]
    signed = bool((values < 0.0).any())
    figure = Figure(figsize=(7.0, 1.5 + 6.5 * min(1.0, record.neurons / 300)), layout='constrained')
    heights = [max(size, record.neurons / 25) for size in record.sizes]
    axes = figure.subplots(
        len(record.layers), 1, sharex=True, squeeze=False, gridspec_kw={'height_ratios': heights}
    )
    image = None
    for axis, name in zip(axes.flat, record.layers, strict=True):
        image = axis.imshow(
            values[record.columns(name)],
            cmap='PuOr' if signed else 'Greys',
            vmin=-1.0 if signed else 0.0,
            vmax=1.0,
            aspect='auto',
            interpolation='nearest',
        )
        axis.set_yticks([])
        axis.set_ylabel(
            {'input': 'in', 'output': 'out'}.get(name, name.rpartition('_')[2]),
            rotation=0,
            ha='right',
            va='center',
        )
    axes[-1, 0].set_xlabel('control step')
    title = f'episode {episode}'
    if np.isfinite(record.goals[episode]).all():
        x, z = record.goals[episode]
        title += f', goal ({x:.2f}, {z:.2f}) m, final reward {record.rewards[episode]:.2f}'
    figure.suptitle(title, fontsize=10)
    if image is not None:
        figure.colorbar(image, ax=axes, label="activation / the neuron's maximum", shrink=0.7)
    return figure


def reduction_figure(
    hidden: Sequence[Sequence[int]],
    accuracies: Sequence[Sequence[float]],
    durations: Sequence[int | None],
    unit: str = 'episodes',
) -> Figure:
    """Draw a pruning procedure: sizes, initial accuracy and training duration by step.

    Args:
        hidden: neurons of each hidden layer, before the first step and after each.
        accuracies: initial accuracies of the samples of each step.
        durations: training episodes of each step; None if it is not trained.
        unit: of the durations, where it is another one.
    """
    figure = Figure(figsize=(9.5, 3.2), layout='constrained')
    layers, initial, duration = figure.subplots(1, 3)
    markers = 'osD^vP*X'
    for step, sizes in enumerate(hidden):
        layers.plot(
            range(1, len(sizes) + 1),
            sizes,
            marker=markers[step % len(markers)],
            color=COLORS[step % len(COLORS)],
            linestyle=('-', '--', '-.', ':')[step % 4],
            label='before' if step == 0 else f'step {step}',
        )
    layers.set_xlabel('hidden layer')
    layers.set_ylabel('neurons')
    layers.set_xticks(range(1, len(hidden[0]) + 1))
    layers.set_ylim(bottom=0.0)
    layers.legend(frameon=False, fontsize=8)
    for step, values in enumerate(accuracies, start=1):
        spots = step + np.linspace(-0.15, 0.15, len(values))
        initial.plot(spots, values, 'o', color=GREY, markersize=3, label='_')
        mean, deviation = float(np.mean(values)), float(np.std(values))
        initial.errorbar(step + 0.25, mean, deviation, fmt='D', color=COLORS[0], capsize=3)
    initial.set_xlabel('step')
    initial.set_ylabel('initial accuracy')
    initial.set_ylim(0.0, 1.0)
    trained = [(step, value) for step, value in enumerate(durations, 1) if value is not None]
    bars = duration.bar(
        [step for step, _ in trained],
        [value for _, value in trained],
        0.6,
        color=COLORS[1],
        edgecolor='black',
        hatch=HATCHES[1],
        linewidth=0.6,
    )
    duration.bar_label(bars, fontsize=8)
    for step, value in enumerate(durations, 1):
        if value is None:
            duration.text(step, 0.0, 'not\ntrained', ha='center', va='bottom', fontsize=8)
    duration.set_xlabel('step')
    duration.set_ylabel(f'{unit} until the test is passed')
    for axis in (initial, duration):
        axis.set_xticks(range(1, max(2, len(durations) + 1)))
        axis.set_xlim(0.4, len(durations) + 0.6)
    return figure

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Study of figure 2: distances between neurons in random, trained and pruned networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from neuron_reach.common.arrays import Array
from neuron_reach.figures.courses import Panel, courses
from neuron_reach.figures.kinds import Tree, kind_densities, tree_grid
from neuron_reach.study import paper
from neuron_reach.study.engine.jobs import AnyJob
from neuron_reach.study.fig2.activity_jobs import (
    DRAWN,
    KINDS,
    PRUNED,
    RANDOM,
    TRAINED,
    ActivityResult,
    Course,
    courses_of,
    whole,
)
from neuron_reach.study.findings import finding, listed, spread
from neuron_reach.study.html_report import Finding, Picture, Section, Table
from neuron_reach.study.reductions import ANALYSED, TAU, sources
from neuron_reach.study.studies import Plan, Results, Scale
from neuron_reach.study.verdict import judge_difference, judge_positive

DistanceKey = Literal[
    'mean', 'deviation', 'high_95', 'high_99', 'maximum', 'bimodality', 'alive_mean'
]
LayerKey = Literal['mean', 'cluster_distance', 'neurons', 'dead', 'clusters', 'high', 'bimodality']

UNIFORM = 5 / 9
"""Bimodality of a uniform distribution; unimodal ones are below, bimodal ones above."""


def plan(scale: Scale) -> Plan:
    """Return the plan at a scale."""
    networks = courses_of(sources(ANALYSED, scale.networks, scale.stack), scale)
    jobs: list[AnyJob] = []
    for course in networks:
        jobs += [*course.steps, *course.activities.values()]
    return Plan(jobs, lambda results: [section(networks, results, scale)])


class ActivityMeasures:
    """Measures of all networks by kind, in the same order.

    Attributes:
        found: results by kind.
    """

    def __init__(self, found: dict[str, list[ActivityResult]]) -> None:
        self.found = found

    def everything(self, kind: str, key: DistanceKey) -> Array:
        """Return a measure of the all-to-all distances, (networks,)."""
        return np.array([result.values['everything'][key] for result in self.found[kind]])

    def layers(self, kind: str, key: LayerKey) -> Array:
        """Return a measure of every layer, (networks, layers)."""
        rows = [[layer[key] for layer in result.values['layers']] for result in self.found[kind]]
        return np.array(rows, np.float64)


def section(networks: Sequence[Course], results: Results, scale: Scale) -> Section:
    """Return the section of the report."""
    measures = ActivityMeasures(whole(networks, results))
    count = len(measures.found[TRAINED])
    text = (
        f'Distances of neurons (equation 2) over {scale.distance_episodes} greedy sample episodes '
        f'of {count} of {len(networks)} networks: those that could be trained and reduced in all '
        f'steps (tau = {TAU:g}). Each is compared with an untrained network of the same layers '
        '(Xavier initialization, zero biases) on the same inputs, and with itself after '
        'pruning and retraining; the goals of the sample episodes are the same.\n\n'
        'Neurons that are never active count as zero activation, so two such neurons have the '
        'distance zero; the table also gives the mean without such pairs. Cluster distance is the '
        "mean height of a layer's tree, the distance at which clusters merge."
    )
    if not count:
        return Section('Figure 2: neuron activity', text)
    return Section(
        'Figure 2: neuron activity',
        text,
        _findings(measures),
        [*_pictures(measures), *_tables(measures)],
    )


def _pictures(measures: ActivityMeasures) -> list[Picture]:
    def stacked(kind: str, layer: int | None) -> Array:
        rows = [
            result.arrays['everything'] if layer is None else result.arrays['layers'][layer]
            for result in measures.found[kind]
        ]
        return np.stack(rows)

    example = measures.found[TRAINED][0]
    names = [name.removeprefix('tree_') for name in example.arrays if name.startswith('tree_')]
    edges = example.arrays['edges']
    everything = {kind: stacked(kind, None) for kind in DRAWN}
    by_layer = {
        name: {kind: stacked(kind, number) for kind in DRAWN} for number, name in enumerate(names)
    }
    trees: dict[str, dict[str, Tree]] = {}
    for kind in DRAWN:
        arrays = measures.found[kind][0].arrays
        trees[kind] = {
            name: (arrays[f'tree_{name}'], arrays[f'clusters_{name}'], arrays[f'dead_{name}'])
            for name in names
        }
    drawn: tuple[tuple[str, LayerKey], ...] = (
        ('mean distance', 'mean'),
        ('mean cluster distance', 'cluster_distance'),
        ('neurons', 'neurons'),
        ('neurons never active', 'dead'),
        ('clusters at the cut', 'clusters'),
        ('share of high distances', 'high'),
    )
    panels = [
        Panel(
            'hidden layer',
            label,
            range(1, len(names) + 1),
            {kind: measures.layers(kind, key) for kind in DRAWN},
            whole=True,
        )
        for label, key in drawn
    ]
    return [
        Picture(
            'fig2_densities',
            kind_densities(edges, everything, by_layer),
            'Densities of distances; lines: mean over networks, bands: interquartile range. '
            'The first bin, with pairs of neurons that are never active, may be cut off.',
            'Densities of neuron distances of random, trained and pruned networks.',
        ),
        Picture(
            'fig2_dendrograms',
            tree_grid(trees),
            'Trees of the layers of one network, untrained, trained and pruned; titles give the '
            'numbers of neurons.',
            'Dendrograms by layer of a random, a trained and a pruned network.',
        ),
        Picture(
            'fig2_layers',
            courses(panels, dots=False),
            'By layer: mean over networks and its 95 % interval. High distances are the 5 % '
            'largest of all pairs on the same layer.',
            'Distances, clusters and neurons by layer.',
        ),
    ]


def _tables(measures: ActivityMeasures) -> list[Table]:
    columns: dict[str, tuple[DistanceKey, int]] = {
        'mean': ('mean', 2),
        'standard deviation': ('deviation', 2),
        '95th percentile': ('high_95', 2),
        '99th percentile': ('high_99', 2),
        'largest': ('maximum', 2),
        'mean without zeros': ('alive_mean', 2),
        'bimodality': ('bimodality', 3),
    }
    rows = [
        [kind, *(spread(measures.everything(kind, key), n) for key, n in columns.values())]
        for kind in KINDS
    ]
    rows_by_layer: tuple[tuple[str, LayerKey, int], ...] = (
        ('mean distance', 'mean', 2),
        ('cluster distance', 'cluster_distance', 2),
        ('neurons', 'neurons', 1),
        ('never active', 'dead', 1),
    )
    layers = []
    for kind in KINDS:
        for label, key, digits in rows_by_layer:
            own = measures.layers(kind, key).T
            layers.append([f'{kind}: {label}', *(spread(column, digits) for column in own)])
    count = len(layers[0]) - 1
    return [
        Table(['networks', *columns], rows, 'All-to-all distances: mean ± deviation of networks.'),
        Table(
            ['', *(f'layer {number + 1}' for number in range(count))],
            layers,
            'By layer: mean ± standard deviation of networks.',
        ),
    ]


def _findings(measures: ActivityMeasures) -> list[Finding]:
    return [*_of_distances(measures), *_of_layers(measures), *_of_pruning(measures)]


def _larger(
    measures: ActivityMeasures, name: str, key: DistanceKey, kinds: tuple[str, str], what: str
) -> Finding:
    """Judge that a measure of all-to-all distances is larger in the first kind."""
    larger, smaller = (measures.everything(kind, key) for kind in kinds)
    ours = f'{kinds[0]} {spread(larger)}, {kinds[1]} {spread(smaller)}'
    judged = judge_difference(larger, smaller, paired=True)
    return finding(name, ours, f'{what} all-to-all, {kinds[0]} minus {kinds[1]}', judged)


def _of_distances(measures: ActivityMeasures) -> list[Finding]:
    bell = np.column_stack(
        (measures.everything(RANDOM, 'bimodality'), measures.layers(RANDOM, 'bimodality'))
    )
    return [
        finding(
            'fig2_bell',
            f'bimodality {listed(bell.mean(axis=0))} (all-to-all, then by layer)',
            '5/9 minus the coefficient of bimodality (unimodal: below 5/9), all-to-all and each '
            'layer',
            *(judge_positive(UNIFORM - column) for column in bell.T),
        ),
        _larger(measures, 'fig2_trained_mean', 'mean', (RANDOM, TRAINED), 'mean distance'),
        _larger(
            measures, 'fig2_trained_deviation', 'deviation', (RANDOM, TRAINED), 'standard deviation'
        ),
    ]


def _of_layers(measures: ActivityMeasures) -> list[Finding]:
    high = measures.layers(TRAINED, 'high')
    half = high.shape[1] // 2
    means = measures.layers(TRAINED, 'mean')
    clusters = {kind: measures.layers(kind, 'cluster_distance') for kind in DRAWN}
    drop = clusters[RANDOM] - clusters[TRAINED]
    ends, middle = drop[:, [0, -1]].mean(axis=1), drop[:, 1:-1].mean(axis=1)
    trained = clusters[TRAINED]
    return [
        finding(
            'fig2_high_distances_late',
            f'share of high distances by layer {listed(high.mean(axis=0), 3)}',
            'share of pairs among the 5 % largest distances of all pairs on the same layer, '
            'second half of the layers minus first half',
            judge_difference(high[:, half:].mean(axis=1), high[:, :half].mean(axis=1), paired=True),
        ),
        finding(
            'fig2_middle_clusters',
            f'random minus trained by layer {listed(drop.mean(axis=0))}',
            'decrease of the mean cluster distance from random to trained: on the middle layers, '
            'and there minus that on the first and last layer',
            judge_positive(middle),
            judge_difference(middle, ends, paired=True),
        ),
        finding(
            'fig2_first_layer_distinct',
            f'cluster distance by layer {listed(trained.mean(axis=0))}',
            'mean cluster distance of trained networks, layer 1 minus each other layer',
            *(judge_difference(trained[:, 0], other, paired=True) for other in trained[:, 1:].T),
        ),
        finding(
            'fig2_ends_higher',
            f'mean distance by layer {listed(means.mean(axis=0))}',
            'mean distance in trained networks, layer 1 and the last layer minus the mean of the '
            'others',
            *(
                judge_difference(means[:, end], means[:, 1:-1].mean(axis=1), paired=True)
                for end in (0, -1)
            ),
        ),
    ]


def _of_pruning(measures: ActivityMeasures) -> list[Finding]:
    before, after = (measures.layers(kind, 'cluster_distance') for kind in (TRAINED, PRUNED))
    rise = after - before
    middle, ends = rise[:, 1:-1].mean(axis=1), np.abs(rise[:, [0, -1]].mean(axis=1))
    left = measures.layers(PRUNED, 'neurons')
    others = [number for number in range(left.shape[1]) if number != left.shape[1] - 2]
    deviation = [measures.everything(kind, 'deviation') ** 2 for kind in (TRAINED, PRUNED)]
    published = paper.number('sizes_of_wide_networks')
    mean = measures.everything(PRUNED, 'mean')
    return [
        finding(
            'fig2_pruned_mean',
            f'{PRUNED}: {spread(mean)}, trained {spread(measures.everything(TRAINED, "mean"))}',
            'mean distance all-to-all, pruned minus trained',
            judge_difference(mean, measures.everything(TRAINED, 'mean'), paired=True),
        ),
        finding(
            'fig2_pruned_variance',
            f'trained {spread(deviation[0])}, {PRUNED} {spread(deviation[1])}',
            'variance all-to-all, trained minus pruned',
            judge_difference(deviation[0], deviation[1], paired=True),
        ),
        _larger(measures, 'fig2_pruned_outliers', 'high_99', (TRAINED, PRUNED), '99th percentile'),
        finding(
            'fig2_pruned_middle',
            f'pruned minus trained by layer {listed(rise.mean(axis=0))}',
            'increase of the mean cluster distance by pruning: on the middle layers, and there '
            'minus the change of the first and last layer',
            judge_positive(middle),
            judge_difference(middle, ends, paired=True),
        ),
        finding(
            'fig2_penultimate',
            f'neurons left by layer {listed(left.mean(axis=0), 1)} (the paper, from wider '
            f'networks: {listed(published.several, 1)})',
            'neurons left after all steps, each other layer minus the penultimate one',
            *(judge_difference(left[:, n], left[:, -2], paired=True) for n in others),
        ),
    ]

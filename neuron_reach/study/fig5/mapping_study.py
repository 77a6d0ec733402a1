# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Study of figure 5: mappings between networks for arms with 2, 3 and 4 joints."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from neuron_reach.analysis.intervals import Interval, Pairs, mean_interval
from neuron_reach.analysis.metrics import bootstrap_pairs
from neuron_reach.analysis.transforms import input_transform
from neuron_reach.common.random_streams import resampling_stream
from neuron_reach.figures.mapping import Bars, layer_tables, metric_bars
from neuron_reach.study.engine.jobs import AnyJob, Job
from neuron_reach.study.fig5.mapping_findings import findings
from neuron_reach.study.fig5.mapping_jobs import (
    BALANCED,
    BASELINE,
    EPISODES,
    JOINTS,
    LASSO,
    LASSOS,
    METRICS,
    NAIVE,
    PATIENCE,
    RANDOM,
    RANDOM_BOTH,
    REFLEXIVE,
    TRAINED,
    MapValues,
    NetworkJob,
    RandomValues,
    ReducedValues,
    map_onto,
    method_name,
    random_networks,
    reduced_networks,
)
from neuron_reach.study.fig5.mapping_values import DIRECTIONS, NATIVE, Chosen, Maps
from neuron_reach.study.html_report import Picture, Section, Table
from neuron_reach.study.reductions import jobs_of, reduction, sources
from neuron_reach.study.studies import Plan, Results, Scale

SHOWN = ('error', 'hidden_error', *METRICS[1:])


def pruned_networks(scale: Scale) -> tuple[dict[int, list[NetworkJob]], list[AnyJob]]:
    """Return the networks to map by joints, and the jobs that make them."""
    networks: dict[int, list[NetworkJob]] = {}
    jobs: list[AnyJob] = []
    count = scale.networks_by_joints
    for joints in JOINTS:
        options = {'joints': joints, 'hidden': scale.compared_width}
        own, limits = sources(options, scale.trained(joints), scale.stack), scale
        if joints == BASELINE:  # the first networks of the study of sizes
            own = own[:count]
        else:  # not shared with another study
            limits = dataclasses.replace(scale, retraining_episodes=PATIENCE)
        candidates = []
        for source in own:
            steps = reduction(source, limits)
            jobs += jobs_of(steps)
            candidates.append({'result': steps[-1].trained, 'name': steps[-1].trained_name})
        label = f'reduced networks, {joints} joints'
        picked = reduced_networks.job(label, candidates=candidates, count=count)
        jobs.append(picked)
        networks[joints] = [{'result': picked, 'name': f'network_{n}'} for n in range(count)]
    return networks, jobs


def plan(scale: Scale) -> Plan:
    """Return the plan at a scale."""
    networks, jobs = pruned_networks(scale)
    return plan_of(networks, jobs)


def plan_of(networks: Mapping[int, Sequence[NetworkJob]], jobs: Sequence[AnyJob]) -> Plan:
    """Return the plan for networks by joints.

    Args:
        networks: by joints.
        jobs: those that make them.
    """
    randoms = {
        joints: random_networks.job(
            f'random networks of the mean size, {joints} joints',
            trained=list(own),
            seed=0,
            count=len(own),
        )
        for joints, own in networks.items()
    }
    maps = {}
    for target_joints, targets in networks.items():
        for source_joints in networks:
            for transform in _transforms(source_joints, target_joints):
                maps[source_joints, target_joints, transform] = [
                    _map_job(networks, randoms, (source_joints, target_joints), number, transform)
                    for number in range(len(targets))
                ]
    every = [*jobs, *randoms.values(), *(job for group in maps.values() for job in group)]
    return Plan(every, lambda results: sections(maps, randoms, results))


def _transforms(source_joints: int, target_joints: int) -> list[str]:
    """Return the transforms that differ from each other, the paper's choice first."""
    balanced, naive = (
        input_transform(target=target_joints, source=source_joints, kind=kind)
        for kind in (BALANCED, NAIVE)
    )
    return [BALANCED] if np.array_equal(balanced, naive) else [BALANCED, NAIVE]


def _map_job(
    networks: Mapping[int, Sequence[NetworkJob]],
    randoms: Mapping[int, Job[RandomValues]],
    joints: tuple[int, int],
    number: int,
    transform: str,
) -> Job[MapValues]:
    """Return the job of mapping all networks of one arm onto one network of another."""
    same = joints[0] == joints[1]
    trained = networks[joints[0]]

    def random(arm: int, index: int) -> NetworkJob:
        return {'result': randoms[arm], 'name': f'random_{index}'}

    def network(kind: str, index: int) -> NetworkJob:
        return trained[index] if kind in (TRAINED, REFLEXIVE) else random(joints[0], index)

    kinds = [(TRAINED, index) for index in range(len(trained)) if not (same and index == number)]
    if same:
        kinds.append((REFLEXIVE, number))
    compared = joints == (BASELINE, BASELINE)
    if transform == BALANCED:
        kinds += [(RANDOM, index) for index in range(len(trained))]
    if compared:
        kinds += [(RANDOM_BOTH, index) for index in range(len(trained)) if index != number]
    return map_onto.job(
        f'map {joints[0]}-{joints[1]}, {transform}, target {number}',
        target=networks[joints[1]][number],
        stand_in=random(joints[1], number),
        sources=[{'kind': kind, 'number': index, **network(kind, index)} for kind, index in kinds],
        transform=transform,
        episodes=EPISODES,
        lassos=list(LASSOS) if compared else sorted({0.0 if same else LASSO, LASSO}),
        greedy=compared,
    )


def sections(
    jobs: Mapping[tuple[int, int, str], Sequence[Job[MapValues]]],
    randoms: Mapping[int, Job[RandomValues]],
    results: Results,
) -> list[Section]:
    """Return the report's part on figure 5."""
    maps = Maps(jobs, results)
    return [
        Section(
            'Mapping between networks (figure 5)',
            f'Networks that were pruned in three steps predict each other, neuron by neuron. '
            f'"2-4" is a mapping from networks for 2 joints onto networks for 4 joints. X are the '
            f'inputs of {EPISODES} episodes of the target, without duplicates; the error is '
            f'measured in {EPISODES} fresh episodes. Inputs of other arms are transformed with '
            'the balanced transform unless marked as naive. Hidden and output neurons are '
            'included, so that the 3^n outputs have a large weight in the error if the target '
            'has many joints; the error of the hidden neurons alone is given too.\n\n'
            '"random": a random network (Glorot, of the mean size of the pruned networks) predicts '
            'a trained one. "random-both": a random network predicts another one, on the inputs of '
            'a trained target. The paper does not say which of them its untrained networks are; '
            'its statements about them are judged by "random", which shows whether the source '
            'has learned anything that the target needs.',
            findings(maps),
            [
                *_methods(maps),
                *_directions(maps),
                *_layers(maps),
                _table(maps),
                _random_sizes(randoms, results),
            ],
        )
    ]


# --- pictures and tables ------------------------------------------------------------------------


def _interval(pairs: Pairs) -> Interval:
    same = pairs.sources == pairs.targets
    return bootstrap_pairs(pairs.values, resampling_stream(), same_networks=same)


def _bars(
    maps: Maps, wanted: Mapping[str, Mapping[str, Chosen]]
) -> tuple[Bars[Interval], Bars[list[float]]]:
    """Return means and single values by metric, group and series; missing ones are omitted."""
    means: Bars[Interval] = {}
    values: Bars[list[float]] = {}
    for group, series in wanted.items():
        for (name, chosen), metric in itertools.product(series.items(), METRICS):
            try:
                pairs = maps.pairs(chosen, metric)
            except ValueError:  # the job failed, or no neuron is mapped
                continue
            known = pairs.values[np.isfinite(pairs.values)]
            means.setdefault(metric, {}).setdefault(group, {})[name] = _interval(pairs)
            values.setdefault(metric, {}).setdefault(group, {})[name] = sorted(known.tolist())
    return means, values


def _methods(maps: Maps) -> list[Picture]:
    wanted = {
        method_name(lasso): {
            kind: Chosen(NATIVE, kind, lasso) for kind in (REFLEXIVE, TRAINED, RANDOM, RANDOM_BOTH)
        }
        for lasso in (None, *LASSOS)
    }
    bars = _bars(maps, wanted)
    if not bars[0]:
        return []
    return [
        Picture(
            'fig5_methods',
            metric_bars(*bars, stacked=True),
            f'Mappings among {BASELINE}-joint networks by method: networks onto themselves '
            '(reflexive), onto each other, and random networks. Means over pairs with 95 % '
            'intervals over networks; dots are pairs.',
            'Error, saturation and coverage by method of mapping.',
        )
    ]


def _directions(maps: Maps) -> list[Picture]:
    wanted = {}
    for direction in DIRECTIONS:
        series = {TRAINED: Chosen(direction)}
        if (*direction, NAIVE) in maps.jobs:
            series[f'{TRAINED}, naive inputs'] = Chosen(direction, transform=NAIVE)
        wanted[Chosen(direction).title] = {**series, RANDOM: Chosen(direction, RANDOM)}
    bars = _bars(maps, wanted)
    if not bars[0]:
        return []
    return [
        Picture(
            'fig5_directions',
            metric_bars(*bars, stacked=True),
            f'Linear mappings with {method_name(LASSO)} in all directions. Means over pairs with '
            '95 % intervals over networks; dots are pairs.',
            'Error, saturation and coverage by joints of source and target.',
        )
    ]


def _layers(maps: Maps) -> list[Picture]:
    tables = {}
    for direction in DIRECTIONS:
        chosen = Chosen(direction)
        table = maps.table(chosen)
        if table is not None:
            names = [str(number) for number in range(1, len(table))] + ['output']
            tables[chosen.title] = (table, names, names)
    if not tables:
        return []
    return [
        Picture(
            'fig5_layers',
            layer_tables(tables),
            'Mean layer-to-layer projections: share of each source layer in the prediction of a '
            f'target layer; columns sum to 1. Trained networks, {method_name(LASSO)}.',
            'Layer-to-layer tables of all directions.',
        )
    ]


def _table(maps: Maps) -> Table:
    rows = []
    for direction, transform, kind in itertools.product(
        DIRECTIONS, (BALANCED, NAIVE), (TRAINED, RANDOM, RANDOM_BOTH)
    ):
        chosen = Chosen(direction, kind, transform=transform)
        count = np.isfinite(maps.values(chosen, 'error')).sum()
        if count:
            cells = [_cell(maps, chosen, metric) for metric in SHOWN]
            rows.append([chosen.title, kind, str(count), *cells])
    return Table(
        [
            'direction',
            'networks',
            'pairs',
            *(name.replace('hidden_error', 'error, hidden only') for name in SHOWN),
        ],
        rows,
        f'Linear mappings with {method_name(LASSO)}: means over pairs, 95 % intervals over '
        'networks. An error above 1 is worse than predicting zero.',
    )


def _cell(maps: Maps, chosen: Chosen, metric: str) -> str:
    try:
        return str(mean_interval(maps.pairs(chosen, metric)))
    except ValueError:
        return 'unknown'


def _random_sizes(randoms: Mapping[int, Job[RandomValues]], results: Results) -> Table:
    rows = []
    for joints, job in randoms.items():
        result = results.get(job)
        if result is not None and result.values['hidden'] is not None:
            sizes = ' '.join(f'{size:.1f}' for size in result.values['hidden'])
            rows.append([str(joints), _reduced(job, results), sizes])
    return Table(
        ['joints', 'networks', 'mean neurons per hidden layer'],
        rows,
        'Mean sizes of the pruned networks; rounded, those of the random ones (the paper: '
        '46 22 16 13 8 20 for 3 joints). Networks: the number of mapped networks, and the number '
        'that had to be pruned and retrained until enough passed the test after every step.',
    )


def _reduced(randoms: Job[RandomValues], results: Results) -> str:
    """Format the number of networks of an arm."""
    networks = randoms.arguments['trained']
    picked: Job[ReducedValues] = networks[0]['result']
    found = results.get(picked)
    if picked.function is not reduced_networks or found is None:
        return str(len(networks))
    return f'{len(found.checkpoints())} of {found.values["tried"]}'

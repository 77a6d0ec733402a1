# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Study: which interpretation of open details best reproduces the sizes in the paper?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from neuron_reach.analysis.intervals import Interval, Pairs, Statistic, statistic_interval
from neuron_reach.common.arrays import Array
from neuron_reach.figures.courses import Panel, courses
from neuron_reach.learning.setup import Setup
from neuron_reach.study import paper, verdict
from neuron_reach.study.engine.jobs import AnyJob
from neuron_reach.study.fig3.reading_jobs import DEFAULT, HE, READINGS, Reading, train_otherwise
from neuron_reach.study.fig3.size_study import ReductionMeasures
from neuron_reach.study.fig3.tau_study import (
    Sweep,
    TauMeasures,
    findings,
    jobs_of_sweeps,
    sweeps_of,
)
from neuron_reach.study.findings import listed, spread
from neuron_reach.study.html_report import Finding, Picture, Section, Table
from neuron_reach.study.networks import (
    TRAINED_TEST_EPISODES,
    Options,
    condition,
)
from neuron_reach.study.reductions import ANALYSED, STEPS, Source, Step, jobs_of, reduction, sources
from neuron_reach.study.studies import Plan, Results, Scale

Groups = Mapping[str, Sequence[tuple[Source, Sequence[Step]]]]
Curves = Mapping[str, Sequence[Sweep]]

CURVE_TAUS, CURVE_SAMPLES = (0.0, 0.1, 0.2, 0.3, 0.5), 3
"""Values of tau and number of samples with which the curves of figure 3 are compared."""


# --- the plan ---------------------------------------------------------------------------------


def networks_of(name: str, scale: Scale, width: int) -> list[Source]:
    """Return the networks of a reading."""
    reading = READINGS[name]
    options = {**ANALYSED, 'hidden': width, **reading.task}
    made = sources(options, scale.networks, scale.stack)[: scale.networks_by_reading]
    if reading.start != HE or reading.past:
        return [_otherwise(options, source.seed, name, reading) for source in made]
    if name != DEFAULT:
        return [dataclasses.replace(source, what=f'{source.what}, {name}') for source in made]
    return made


def groups_of(scale: Scale) -> dict[str, list[tuple[Source, list[Step]]]]:
    """Return the networks of every reading and their reduction steps."""
    return {
        name: [
            (source, reduction(source, scale, **reading.pruning))
            for source in networks_of(name, scale, scale.compared_width)
        ]
        for name, reading in READINGS.items()
    }


def curve_scale(scale: Scale) -> Scale:
    """Return the scale at which the curves against tau are compared."""
    return dataclasses.replace(scale, taus=CURVE_TAUS, samples=CURVE_SAMPLES)


def curves_of(scale: Scale) -> dict[str, list[Sweep]]:
    """Return the networks of every reading, pruned once with several tau."""
    width = int(paper.number('analysed_width').single)
    return {
        name: sweeps_of(networks_of(name, scale, width), curve_scale(scale), **reading.pruning)
        for name, reading in READINGS.items()
    }


def _otherwise(options: Options, seed: int, name: str, reading: Reading) -> Source:
    setup = Setup.from_values(options, 'study')
    values = setup.values()
    del values['seed']
    what = f'{condition(setup)}, {name}'
    job = train_otherwise.job(
        f'train {what}, seed {seed}',
        options=values,
        seed=seed,
        start=reading.start,
        past=reading.past,
        test_episodes=TRAINED_TEST_EPISODES,
    )
    return Source(job, seed, what)


def plan(scale: Scale) -> Plan:
    """Return the plan at a scale."""
    groups, curves = groups_of(scale), curves_of(scale)
    jobs: list[AnyJob] = []
    for group in groups.values():
        for source, steps in group:
            jobs += [source.job, *jobs_of(steps)]
    for sweeps in curves.values():
        jobs += jobs_of_sweeps(sweeps)
    return Plan(jobs, lambda results: [section(groups, curves, results, scale)])


# --- the report -------------------------------------------------------------------------------


def section(groups: Groups, curves: Curves, results: Results, scale: Scale) -> Section:
    """Return the section of the report on the readings."""
    outcomes = {name: ReductionMeasures(group, results) for name, group in groups.items()}
    known = {name: outcome for name, outcome in outcomes.items() if len(outcome)}
    swept = {
        name: TauMeasures(sweeps, results, curve_scale(scale)) for name, sweeps in curves.items()
    }
    drawn = {name: found for name, found in swept.items() if len(found.neurons)}
    judged = {name: findings(found) for name, found in drawn.items()}
    published = paper.number('sizes_of_wide_networks')
    text = (
        f'The paper does not specify how clusters grow, how the threshold is defined, how weights '
        f'are merged, the reward, the region of goals, when training ends, and the initial '
        f'weights. Each reading changes one of these in the default. {scale.networks_by_reading} '
        f'networks per reading, of {scale.compared_width} neurons per hidden layer, are reduced in '
        f'{STEPS} steps. The paper ({published.where}) has '
        f'{listed(published.several, 1)} neurons after '
        'three steps from 256 or 512.\n\n'
        'Distance: the mean over the hidden layers of |ln(mean size / published size)|, so that '
        '0.69 is a factor of 2. Networks of a reading with the same seeds as the default are '
        'drawn together in the bootstrap of the difference.\n\n'
        f'As many networks of {ANALYSED["hidden"]} neurons per hidden layer are pruned once with '
        'several values of tau and retrained; the statements of the paper about these curves '
        '(figure 3, left) are judged for each reading by the same rule.\n\n'
        'Candidates are the reading that is nearest by size and those that do not differ '
        'significantly from it. The best supported reading is the candidate for which the fewest '
        'statements about the curves differ; the default is preferred if several are equal.'
    )
    title = 'Readings of the paper'
    if not known:
        return Section(title, text)
    items: list[Picture | Table] = [_sizes_picture(known), _table(outcomes)]
    if drawn:
        items += [_curves_picture(drawn), _statements_table(judged)]
    return Section(title, f'{text}\n\n{_conclusion(known, judged)}', items=items)


def _samples(outcome: ReductionMeasures, name: str) -> dict[str, Pairs]:
    """Return the sizes of every layer after the last step, of the networks of a reading."""
    sizes = outcome.hidden[:, -1]
    # Only complete groups have the same networks in the same places.
    networks = 'seeds' if len(outcome) == outcome.tried else name
    return {f'{name} {layer}': Pairs(sizes[:, layer], networks) for layer in range(sizes.shape[1])}


def _distance(name: str) -> Statistic:
    """Return the distance of a reading's mean sizes from the published ones."""
    published = paper.number('sizes_of_wide_networks').several

    def statistic(mean: Mapping[str, Array]) -> Array:
        ratios = [
            np.abs(np.log(np.maximum(mean[f'{name} {layer}'], 1.0) / size))
            for layer, size in enumerate(published)
        ]
        distance: Array = np.mean(ratios, axis=0)
        return distance

    return statistic


def distance(outcome: ReductionMeasures, name: str) -> Interval:
    """Return the distance of a reading from the published sizes."""
    return statistic_interval(_distance(name), _samples(outcome, name))


def farther(outcomes: Mapping[str, ReductionMeasures], name: str, than: str) -> Interval:
    """Return the distance of one reading from the published sizes minus that of another."""
    samples = {**_samples(outcomes[name], name), **_samples(outcomes[than], than)}
    first, second = _distance(name), _distance(than)
    return statistic_interval(lambda mean: first(mean) - second(mean), samples)


def contradicted(judged: Sequence[Finding]) -> int:
    """Return the number of statements that differ."""
    return [finding.verdict for finding in judged].count(verdict.DIFFERS)


def _conclusion(
    known: Mapping[str, ReductionMeasures], judged: Mapping[str, Sequence[Finding]]
) -> str:
    distances = {name: distance(outcome, name) for name, outcome in known.items()}
    nearest = min(distances, key=lambda name: distances[name].value)
    level = [name for name in known if name != nearest and farther(known, name, nearest).low <= 0.0]
    text = f'Nearest by size: {nearest}, at a distance of {distances[nearest]}.'
    text += (
        f' Not significantly farther: {", ".join(level)}.' if level else ' All others are farther.'
    )
    candidates = [name for name in (nearest, *level) if name in judged]
    if not candidates:
        return text
    fewest = min(contradicted(judged[name]) for name in candidates)
    best = [name for name in candidates if contradicted(judged[name]) == fewest]
    return f'{text} Best supported: {DEFAULT if DEFAULT in best else best[0]}.'


def _sizes_picture(known: Mapping[str, ReductionMeasures]) -> Picture:
    layers = range(1, next(iter(known.values())).hidden.shape[2] + 1)
    published = paper.number('sizes_of_wide_networks').value
    own = known.get(DEFAULT)
    panels = [
        Panel(
            'hidden layer',
            'neurons',
            layers,
            {
                **({DEFAULT: own.hidden[:, -1]} if own is not None and name != DEFAULT else {}),
                name: outcome.hidden[:, -1],
            },
            references={'paper': published},
            whole=True,
            title=name,
        )
        for name, outcome in known.items()
    ]
    return Picture(
        'readings_sizes',
        courses(panels, columns=3, dots=False),
        f'Neurons per hidden layer after {STEPS} reduction steps by reading, compared with the '
        'default and the published sizes: means with 95 % intervals.',
        'Sizes by layer of every reading.',
    )


def _curves_picture(drawn: Mapping[str, TauMeasures]) -> Picture:
    panels = []
    for name, found in drawn.items():
        for label, of, limits in (
            ('initial accuracy', 'accuracy', (0.0, 1.0)),
            ('training duration, episodes', 'bounded', None),
        ):
            shown = {name: found} if name == DEFAULT else {DEFAULT: drawn.get(DEFAULT), name: found}
            groups = {key: getattr(one, of) for key, one in shown.items() if one is not None}
            taus = found.taus.tolist()
            panels.append(Panel('tau', label, taus, groups, limits=limits, title=name))
    return Picture(
        'readings_curves',
        courses(panels, columns=4, dots=False),
        'Initial accuracy and training duration against tau by reading, compared with the default: '
        'means with 95 % intervals. Networks that were given up count with the limit of episodes.',
        'Initial accuracy and training duration against tau of every reading.',
    )


def _statements_table(judged: Mapping[str, Sequence[Finding]]) -> Table:
    statements = next(iter(judged.values()))
    rows = [
        [finding.statement, *(own[row].verdict for own in judged.values())]
        for row, finding in enumerate(statements)
    ]
    rows.append(['statements that differ', *(str(contradicted(own)) for own in judged.values())])
    return Table(
        ['statement of the paper', *judged],
        rows,
        f'Statements of the paper about figure 3, left, for networks of '
        f'{ANALYSED["hidden"]} neurons per hidden layer.',
    )


def _table(outcomes: Mapping[str, ReductionMeasures]) -> Table:
    rows = []
    for name, outcome in outcomes.items():
        row = [name, f'{len(outcome)} of {outcome.tried}']
        if len(outcome):
            row += [
                listed(outcome.hidden[:, 1].mean(axis=0).tolist(), 1),
                listed(outcome.hidden[:, -1].mean(axis=0).tolist(), 1),
                str(distance(outcome, name)),
                str(farther(outcomes, name, DEFAULT))
                if name != DEFAULT and len(outcomes[DEFAULT])
                else '',
                ' → '.join(spread(values) for values in outcome.accuracy[:, 1:].T),
                ' → '.join(spread(values, 0) for values in outcome.duration.T),
            ]
        rows.append(row)
    return Table(
        [
            'reading',
            'networks',
            'sizes after step 1',
            f'sizes after step {STEPS}',
            'distance',
            'distance minus that of the default',
            'initial accuracy by step',
            'training duration, episodes: first, then by step',
        ],
        rows,
        'Means (and standard deviations) of the networks that could be retrained after every '
        'step; distances with 95 % intervals.',
    )

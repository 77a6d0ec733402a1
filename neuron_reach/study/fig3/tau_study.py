# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Study of figure 3, left: effect of the threshold tau on networks that are pruned once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from neuron_reach.common.arrays import Array, Integers
from neuron_reach.figures.courses import Panel, courses
from neuron_reach.learning.setup import Setup
from neuron_reach.study.engine.jobs import AnyJob, Job
from neuron_reach.study.findings import finding, listed, spread, unknown
from neuron_reach.study.html_report import Finding, Picture, Section, Table
from neuron_reach.study.networks import TrainingValues, member_of
from neuron_reach.study.reductions import (
    ANALYSED,
    TAU,
    PruneSamplesValues,
    PruneValues,
    Source,
    prune_job,
    prune_samples_job,
    retrain_job,
    sources,
    tau_name,
)
from neuron_reach.study.studies import Plan, Results, Scale
from neuron_reach.study.verdict import judge_alike, judge_difference, judge_positive

ACCURACY_MARGIN = {'tau 0': 0.02, 'small tau': 0.1}
"""Largest differences of similar accuracies, where the paper gives no number."""

DURATION_MARGIN = 0.25
"""The same for training durations, as a share of the mean duration of the first training."""

LINEAR = 0.95
"""Share of the variance of size that a line over tau must explain to be nearly linear."""

SMALL, MIDDLE_END = 0.1, 0.22
"""Bounds of the paper's ranges of tau: small, middle and large."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The jobs of one network: pruned with every tau, measured, retrained."""

    source: Source
    pruned: Job[PruneValues]
    samples: Job[PruneSamplesValues]
    retrained: Mapping[float, Job[TrainingValues]]


def sweeps_of(networks: Sequence[Source], scale: Scale, **pruning: str) -> list[Sweep]:
    """Return the jobs for every network; `pruning` as of `reduction`."""
    made = []
    for source in networks:
        pruned = prune_job(source, scale, scale.taus, **pruning)
        samples = prune_samples_job(source, scale, scale.taus, **pruning)
        retrained = {tau: retrain_job(source, scale, pruned, tau) for tau in scale.taus}
        made.append(Sweep(source, pruned, samples, retrained))
    return made


def plan(scale: Scale) -> Plan:
    """Return the plan at a scale."""
    sweeps = sweeps_of(sources(ANALYSED, scale.networks, scale.stack), scale)
    return Plan(jobs_of_sweeps(sweeps), lambda results: [_section(sweeps, results, scale)])


def jobs_of_sweeps(sweeps: Sequence[Sweep]) -> list[AnyJob]:
    """Return the jobs of all networks."""
    jobs: list[AnyJob] = []
    for sweep in sweeps:
        jobs += [sweep.pruned, sweep.samples, *sweep.retrained.values()]
    return jobs


class TauMeasures:
    """Size, accuracy and duration of all networks against tau.

    Attributes:
        taus: thresholds.
        neurons: after pruning, input and output included, (networks, taus).
        before: neurons before it.
        accuracy: right after pruning, mean over the samples, (networks, taus).
        deviation: of the accuracy between samples, (networks, taus).
        accuracy_before: before it, (networks,).
        duration: training episodes until the first passed test, (networks, taus); NaN: given up.
        bounded: the same, with the limit of episodes for networks that were given up.
        duration_before: of the first training, (networks,).
        retrained: accuracy after retraining, (networks, taus).
    """

    def __init__(self, sweeps: Sequence[Sweep], results: Results, scale: Scale) -> None:
        self.taus = np.array(scale.taus)
        found = (_row(sweep, results) for sweep in sweeps)
        rows = [row for row in found if row is not None]
        self.neurons = np.array([row['neurons'] for row in rows], float)
        self.accuracy = np.array([row['accuracy'] for row in rows], float)
        self.deviation = np.array([row['deviation'] for row in rows], float)
        self.accuracy_before = np.array([row['accuracy_before'] for row in rows], float)
        self.duration = np.array([row['duration'] for row in rows], float)
        self.bounded = np.where(np.isnan(self.duration), scale.retraining_episodes, self.duration)
        self.duration_before = np.array([row['duration_before'] for row in rows], float)
        self.retrained = np.array([row['retrained'] for row in rows], float)
        self.before = sum(Setup.from_values(ANALYSED, 'study').layer_sizes)

    def at(self, tau: float) -> int:
        """Return the index of a tau; IndexError if it is not one of those compared."""
        return int(np.flatnonzero(self.taus == tau)[0])


class _Row(TypedDict):
    """Measures of one network, by tau, and before pruning; see `TauMeasures`."""

    neurons: list[int]
    accuracy: list[float]
    deviation: list[float]
    accuracy_before: float | None
    duration: list[int | None]
    duration_before: int | None
    retrained: list[float | None]


def _row(sweep: Sweep, results: Results) -> _Row | None:
    """Return the measures of a network; None if any of its jobs is missing."""
    trained, pruned = results.get(sweep.source.job), results.get(sweep.pruned)
    samples = results.get(sweep.samples)
    retrained = [results.get(job) for job in sweep.retrained.values()]
    if trained is None or pruned is None or samples is None or None in retrained:
        return None
    if not pruned.values['pruned']:
        return None  # the network itself could not be trained
    before = member_of(trained, sweep.source.seed)
    names = [tau_name(tau) for tau in sweep.retrained]
    sizes = Setup.from_values(ANALYSED, 'study').layer_sizes
    ends = sizes[0] + sizes[-1]
    accuracies = [samples.values['samples'][name]['accuracies'] for name in names]
    members = [result.values['members'][0] for result in retrained if result is not None]
    return {
        'neurons': [ends + sum(pruned.values['pruned'][name]['hidden']) for name in names],
        'accuracy': [float(np.mean(own)) for own in accuracies],
        'deviation': [float(np.std(own, ddof=1)) if len(own) > 1 else np.nan for own in accuracies],
        'accuracy_before': before['accuracy'],
        'duration': [m['first_pass'] if m['trained'] is not None else None for m in members],
        'duration_before': before['first_pass'],
        'retrained': [member['accuracy'] for member in members],
    }


def _section(sweeps: Sequence[Sweep], results: Results, scale: Scale) -> Section:
    found = TauMeasures(sweeps, results, scale)
    title = 'Figure 3, left: the threshold tau'
    text = (
        f'{len(found.neurons)} of {len(sweeps)} networks, each pruned once by '
        f'{scale.pruning_episodes} sample episodes, with each tau from the same trees. Initial '
        f'accuracy: right after pruning, before any training, mean over {scale.samples} '
        'independent samples of episodes by which the network is pruned and as many tests of 300 '
        'episodes, as it depends strongly on the sample. Training duration: training episodes '
        'until the validation test is passed, 0 if the pruned network passes without retraining; a '
        f'second test must confirm it. A network is given up after {scale.retraining_episodes:,} '
        'episodes. All tau of a network share goals, random actions and tests.'
    )
    if not len(found.neurons):
        return Section(title, text)
    return Section(title, text, findings(found), [_picture(found), _table(found)])


def _picture(found: TauMeasures) -> Picture:
    panel = functools.partial(Panel, 'tau', x=found.taus.tolist())
    given_up = 1.0 * np.isnan(found.duration)
    panels = [
        panel(
            'neurons',
            groups={'networks': found.neurons},
            references={'before pruning': float(found.before)},
        ),
        panel(
            'initial accuracy',
            groups={'networks': found.accuracy},
            limits=(0.0, 1.0),
            references={'before pruning': float(found.accuracy_before.mean())},
        ),
        panel(
            'training duration, episodes',
            groups={'networks': found.duration},
            references={'first training': found.duration_before.mean()},
        ),
        panel('share of networks given up', groups={'networks': given_up}, limits=(-0.02, 1.02)),
    ]
    return Picture(
        'fig3_left',
        courses(panels, columns=2),
        'Size, initial accuracy and training duration against tau: mean over networks with its '
        '95 % interval; dots: networks. Durations are of the networks that passed again within '
        'the limit of episodes; the others were given up.',
        'Size, initial accuracy and training duration of pruned networks against tau.',
    )


def _table(found: TauMeasures) -> Table:
    failed = np.isnan(found.duration)
    rows = [
        [
            f'{tau:g}',
            spread(found.neurons[:, n], 1),
            spread(found.accuracy[:, n], 3),
            spread(found.deviation[:, n], 3),
            spread(found.duration[:, n], 0),
            f'{int(failed[:, n].sum())} of {len(failed)}',
            spread(found.retrained[:, n], 3),
        ]
        for n, tau in enumerate(found.taus)
    ]
    header = [
        'tau',
        'neurons (input and output too)',
        'initial accuracy',
        'standard deviation between samples',
        'training duration',
        'given up',
        'accuracy after retraining',
    ]
    caption = (
        'Mean ± standard deviation of networks. Before pruning: accuracy '
        f'{spread(found.accuracy_before, 3)}, training duration {spread(found.duration_before, 0)}.'
    )
    return Table(header, rows, caption)


def findings(found: TauMeasures) -> list[Finding]:
    """Judge the statements of the paper about size, accuracy and duration against tau."""
    tau0 = found.at(0.0)
    slopes = [np.polyfit(found.taus, row, 1)[0] for row in found.neurons]
    explained = np.array([np.corrcoef(found.taus, row)[0, 1] ** 2 for row in found.neurons])
    return [
        finding(
            'fig3_size_linear',
            f'share of variance explained by a line {spread(explained, 3)}',
            f'share minus {LINEAR:g}; slope, downwards',
            judge_positive(explained - LINEAR),
            judge_positive(-np.array(slopes)),
        ),
        finding(
            'fig3_tau0_accuracy',
            f'before {spread(found.accuracy_before, 3)}, '
            f'after {spread(found.accuracy[:, tau0], 3)}',
            'accuracy after minus before',
            judge_alike(
                found.accuracy[:, tau0],
                found.accuracy_before,
                margin=ACCURACY_MARGIN['tau 0'],
                paired=True,
            ),
        ),
        finding(
            'fig3_tau0_size',
            f'{spread(found.neurons[:, tau0], 1)} of {found.before} neurons left',
            'neurons before minus after',
            judge_positive(found.before - found.neurons[:, tau0]),
        ),
        *_of_ranges(found),
    ]


def _of_ranges(found: TauMeasures) -> list[Finding]:
    """Judge the statements of the paper about small, middle and large tau."""
    taus, tau0, tau1 = found.taus, found.at(0.0), found.at(SMALL)
    small = np.flatnonzero((taus > 0.0) & (taus <= SMALL))
    middle = np.flatnonzero((taus > SMALL) & (taus <= MIDDLE_END))
    large = np.flatnonzero(taus > MIDDLE_END)
    margin = DURATION_MARGIN * float(found.duration_before.mean())
    if not (len(small) and len(middle) and len(large)):
        return [unknown('fig3_small_tau', 'too few values of tau at this scale')]
    accuracy, duration = found.accuracy, found.bounded

    def said(values: Array, places: Sequence[int] | Integers, digits: int) -> str:
        return listed(values[:, places].mean(axis=0).tolist(), digits)

    return [
        finding(
            'fig3_small_tau',
            f'accuracy {said(accuracy, [tau0, *small], 3)}; '
            f'duration {said(duration, [tau0, *small], 0)} (tau = 0, then up to {SMALL:g})',
            f'accuracy at tau = 0 minus that at tau up to {SMALL:g}; durations in reverse order',
            *(
                judge_alike(
                    accuracy[:, tau0],
                    accuracy[:, place],
                    margin=ACCURACY_MARGIN['small tau'],
                    paired=True,
                )
                for place in small
            ),
            *(
                judge_alike(duration[:, place], duration[:, tau0], margin=margin, paired=True)
                for place in small
            ),
        ),
        finding(
            'fig3_middle_tau_accuracy',
            f'{said(accuracy, [tau1, *middle], 3)} (tau = {SMALL:g}, then up to {MIDDLE_END:g})',
            f'accuracy at tau = {SMALL:g} minus that at the largest tau up to {MIDDLE_END:g}',
            judge_difference(accuracy[:, tau1], accuracy[:, middle[-1]], paired=True),
        ),
        finding(
            'fig3_middle_tau_duration',
            f'{said(duration, [tau1, *middle], 0)} episodes (tau = {SMALL:g}, then up to '
            f'{MIDDLE_END:g})',
            f'duration at the largest tau up to {MIDDLE_END:g} minus that at {SMALL:g}; the margin '
            f'is {DURATION_MARGIN:g} of the first training',
            judge_alike(duration[:, middle[-1]], duration[:, tau1], margin=margin, paired=True),
        ),
        finding(
            'fig3_large_tau_duration',
            f'{said(duration, [middle[-1], *large], 0)} episodes (tau = {TAU:g}, then larger)',
            'duration at the largest tau minus that at the largest one up to '
            f'{MIDDLE_END:g}, minus {DURATION_MARGIN:g} of the first training; networks that were '
            'given up count with the limit',
            judge_positive(duration[:, large[-1]] - duration[:, middle[-1]] - margin),
        ),
    ]

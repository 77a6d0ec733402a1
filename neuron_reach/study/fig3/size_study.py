# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Study of figure 3, right: sizes of networks of different widths over the reduction steps."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from neuron_reach.common.arrays import Array
from neuron_reach.figures.courses import Panel, courses
from neuron_reach.study import paper, verdict
from neuron_reach.study.findings import finding, listed, spread, unknown
from neuron_reach.study.html_report import Finding, Picture, Section, Table
from neuron_reach.study.networks import member_of
from neuron_reach.study.reductions import (
    ANALYSED,
    STEPS,
    TAU,
    Source,
    Step,
    jobs_of,
    reduction,
    sources,
)
from neuron_reach.study.studies import Plan, Results, Scale
from neuron_reach.study.verdict import judge_alike, judge_difference, judge_number, judge_positive

Reductions = Mapping[int, Sequence[tuple[Source, Sequence[Step]]]]
"""By width: every network and its reduction steps."""

WIDE = int(paper.number('wide_width').single)
LARGEST = (256, 512)
"""Initial widths whose mean sizes the paper gives."""

ALIKE = 0.2
"""Largest difference of similar sizes, as a share of their mean."""

PLATEAU = 0.1
"""Largest share of neurons that a step removes on a plateau."""


def reductions_of(scale: Scale) -> dict[int, list[tuple[Source, list[Step]]]]:
    """Return the networks of every width and their reduction steps."""
    return {
        width: [
            (source, reduction(source, scale))
            for source in sources({**ANALYSED, 'hidden': width}, scale.networks, scale.stack)
        ]
        for width in scale.widths
    }


def plan(scale: Scale) -> Plan:
    """Return the plan at a scale."""
    networks = reductions_of(scale)
    jobs = [job for group in networks.values() for _, steps in group for job in jobs_of(steps)]
    return Plan(jobs, lambda results: [_section(networks, results, scale)])


class ReductionMeasures:
    """Sizes, accuracies and durations of networks over the reduction steps.

    Attributes:
        tried: number of networks.
        hidden: neurons before and after every step, (networks, steps + 1, layers), of networks
            that could be retrained after every step.
        accuracy: before, and right after pruning in every step, (networks, steps + 1).
        duration: of the first training and of every step's, episodes, (networks, steps + 1).
        lost: networks given up, by step.
    """

    def __init__(self, group: Sequence[tuple[Source, Sequence[Step]]], results: Results) -> None:
        self.tried = len(group)
        self.lost = [0] * STEPS
        rows: list[_Row] = []
        for source, steps in group:
            row = _row(source, steps, results)
            if isinstance(row, int):
                self.lost[row] += 1
            elif row is not None:
                rows.append(row)
        self.hidden = np.array([row.hidden for row in rows], float)
        self.accuracy = np.array([row.accuracy for row in rows], float)
        self.duration = np.array([row.duration for row in rows], float)

    @property
    def total(self) -> Array:
        """Hidden neurons before and after every step, (networks, steps + 1)."""
        total: Array = self.hidden.sum(axis=2)
        return total

    def __len__(self) -> int:
        return len(self.hidden)


class _Row(NamedTuple):
    """Hidden sizes, accuracies and durations of one network, before and after every step."""

    hidden: list[list[int]]
    accuracy: list[float | None]
    duration: list[int | None]


def _row(source: Source, steps: Sequence[Step], results: Results) -> _Row | int | None:
    """Return the measures; the place of the step that was given up; None if jobs are missing."""
    trained = results.get(source.job)
    if trained is None:
        return None
    before = member_of(trained, source.seed)
    if before['trained'] is None:
        return None
    hidden = [trained.checkpoint(source.name).metadata['hidden']]
    accuracy: list[float | None] = [before['accuracy']]
    duration = [before['first_pass']]
    for number, step in enumerate(steps):
        pruned, retrained = results.get(step.pruned), results.get(step.trained)
        if pruned is None or retrained is None:
            return None
        values = pruned.values['pruned'][step.pruned_name]
        (member,) = retrained.values['members']
        if member['trained'] is None:
            return number
        hidden.append(values['hidden'])
        accuracy.append(values['accuracy'])
        duration.append(member['first_pass'])
    return _Row(hidden, accuracy, duration)


def _section(networks: Reductions, results: Results, scale: Scale) -> Section:
    found = {width: ReductionMeasures(group, results) for width, group in networks.items()}
    title = 'Figure 3, right: reduction steps by initial width'
    text = (
        f'Networks of {", ".join(map(str, networks))} neurons per hidden layer, reduced in {STEPS} '
        f'steps with tau = {TAU:g}: {scale.pruning_episodes} sample episodes, prune, retrain until '
        'the validation test is passed. Initial accuracy is that of the pruned network in '
        'one test of 300 episodes. Results are of the networks that could be retrained in '
        f'every step within {scale.retraining_episodes:,} episodes.'
    )
    known = {width: outcome for width, outcome in found.items() if len(outcome)}
    if not known:
        return Section(title, text)
    return Section(title, text, _findings(known), [*_pictures(known), _table(found)])


def _pictures(found: Mapping[int, ReductionMeasures]) -> list[Picture]:
    steps = list(range(STEPS + 1))
    layers = range(1, next(iter(found.values())).hidden.shape[2] + 1)
    published = paper.number('sizes_of_wide_networks').value

    by_step = functools.partial(Panel, 'reduction step', x=steps, whole=True)
    named = {f'6 x {width}': own for width, own in found.items()}
    courses_by_step = [
        by_step(
            'hidden neurons', groups={w: own.total for w, own in named.items()}, logarithmic=True
        ),
        by_step(
            'initial accuracy',
            groups={w: own.accuracy for w, own in named.items()},
            limits=(0.0, 1.0),
        ),
        by_step(
            'training duration, episodes', groups={w: own.duration for w, own in named.items()}
        ),
    ]
    shapes = [
        Panel(
            'hidden layer',
            'neurons',
            layers,
            {f'step {step}': own.hidden[:, step] for step in steps[1:]},
            references={'paper, mean of 256 and 512, step 3': published} if width >= WIDE else {},
            whole=True,
            title=f'initial width {width}',
        )
        for width, own in found.items()
    ]
    return [
        Picture(
            'fig3_right',
            courses(courses_by_step, dots=False),
            'By reduction step and initial width: mean over networks and its 95 % interval. Step 0 '
            'is before pruning.',
            'Size, initial accuracy and training duration by reduction step.',
        ),
        Picture(
            'fig3_right_layers',
            courses(shapes, dots=False),
            'Neurons per layer by reduction step, one panel per initial width.',
            'Neurons per layer after each reduction step.',
        ),
    ]


def _table(found: Mapping[int, ReductionMeasures]) -> Table:
    rows = []
    for width, own in found.items():
        for step in range(STEPS + 1) if len(own) else ():
            lost = f'{own.lost[step - 1]} of {own.tried}' if step else ''
            rows.append(
                [
                    f'{width}, step {step}',
                    listed(own.hidden[:, step].mean(axis=0).tolist(), 1),
                    spread(own.total[:, step], 1),
                    spread(own.accuracy[:, step], 3),
                    spread(own.duration[:, step], 0),
                    lost,
                ]
            )
    header = [
        'initial width',
        'neurons by layer, mean',
        'hidden neurons',
        'initial accuracy',
        'training duration',
        'given up',
    ]
    return Table(header, rows, 'Mean ± standard deviation of networks; step 0: before pruning.')


def _findings(found: Mapping[int, ReductionMeasures]) -> list[Finding]:
    wide = {width: own for width, own in found.items() if width >= WIDE}
    small = {width: own for width, own in found.items() if width < WIDE}
    removed = {width: -np.diff(own.total, axis=1) for width, own in found.items()}
    findings = [
        finding(
            'fig3_first_step',
            _by_width({w: listed(own.mean(axis=0).tolist(), 0) for w, own in removed.items()}),
            'neurons removed in step 1 minus those in each later one, every width',
            *(
                judge_difference(own[:, 0], own[:, step], paired=True, what=f'{width}:')
                for width, own in removed.items()
                for step in range(1, STEPS)
            ),
        ),
        _wide_alike(wide),
        finding(
            'fig3_plateau',
            _by_width({w: listed(own.total.mean(axis=0).tolist(), 0) for w, own in found.items()}),
            f'share of neurons removed in each step after the first, to be below {PLATEAU:g}; '
            'every width',
            *(
                judge_positive(
                    PLATEAU - removed[width][:, step] / own.total[:, step],
                    what=f'{width}, step {step + 1}: {PLATEAU:g} minus that share',
                )
                for width, own in found.items()
                for step in range(1, STEPS)
            ),
        ),
        _taper(small),
        _hourglass(wide),
    ]
    return [*findings, *_published_sizes(found)]


def _by_width(texts: Mapping[int, str]) -> str:
    return '; '.join(f'{width}: {text}' for width, text in texts.items())


def _last_sizes(found: Mapping[int, ReductionMeasures]) -> str:
    return _by_width(
        {w: listed(own.hidden[:, -1].mean(axis=0).tolist(), 1) for w, own in found.items()}
    )


def _wide_alike(wide: Mapping[int, ReductionMeasures]) -> Finding:
    if len(wide) < 2:
        return unknown('fig3_wide_alike', f'fewer than two widths of at least {WIDE} at this scale')
    sizes = {width: own.total[:, 1] for width, own in wide.items()}
    return finding(
        'fig3_wide_alike',
        _by_width({width: spread(own, 0) for width, own in sizes.items()}),
        f'hidden neurons after step 1; similar within {ALIKE:.0%} of their mean',
        *(
            judge_alike(
                sizes[b],
                sizes[a],
                margin=ALIKE * float(sizes[a].mean() + sizes[b].mean()) / 2,
                paired=False,
                what=f'{b} minus {a}:',
            )
            for a, b in itertools.combinations(sizes, 2)
        ),
    )


def _taper(small: Mapping[int, ReductionMeasures]) -> Finding:
    if not small:
        return unknown('fig3_taper', f'no width below {WIDE} at this scale')
    return finding(
        'fig3_taper',
        _last_sizes(small),
        'neurons after all steps: slope of a line over depth, downwards, neurons per layer; first '
        'layer minus last layer',
        *(
            judge_positive(-_slopes(own.hidden[:, -1]), what=f'{width}, downward slope')
            for width, own in small.items()
        ),
        *(
            judge_difference(own.hidden[:, -1, 0], own.hidden[:, -1, -1], paired=True)
            for own in small.values()
        ),
    )


def _slopes(sizes: Array) -> Array:
    """Return the slope over depth of every network, (networks,)."""
    slopes: Array = np.polyfit(np.arange(sizes.shape[1]), sizes.T, 1)[0]
    return slopes


def _hourglass(wide: Mapping[int, ReductionMeasures]) -> Finding:
    if not wide:
        return unknown('fig3_hourglass', f'no width of at least {WIDE} at this scale')
    verdicts = []
    for width, own in wide.items():
        last = own.hidden[:, -1]
        waist = last[:, 2:-1].mean(axis=1)
        for name, end in (('first', last[:, 0]), ('last', last[:, -1])):
            what = f'{width}, {name} layer minus the waist'
            verdicts.append(judge_difference(end, waist, paired=True, what=what))
    return finding(
        'fig3_hourglass',
        _last_sizes(wide),
        'neurons after all steps in the first and the last layer, minus the mean of the waist '
        '(layers 3 to 5)',
        *verdicts,
    )


def _published_sizes(found: Mapping[int, ReductionMeasures]) -> list[Finding]:
    """Compare the sizes after all steps with the paper's means, by layer."""
    published = paper.number('sizes_of_wide_networks')
    own = [outcome.hidden[:, -1] for width, outcome in found.items() if width in LARGEST]
    values = published.several
    if len(own) < len(LARGEST):
        text = f'Sizes of wide networks after all steps: {listed(values, 1)}.'
        why = f'no networks of {" and ".join(map(str, LARGEST))} at this scale'
        return [Finding(text, published.where, '', verdict.INCONCLUSIVE, why)]
    sizes = np.concatenate(own)
    findings = []
    for layer, value in enumerate(values):
        judged = judge_number(sizes[:, layer], value, published.networks or len(sizes))
        statement = f'Mean size of hidden layer {layer + 1} of wide networks after all steps: '
        findings.append(
            Finding(
                f'{statement}{value:g}.',
                published.where,
                spread(sizes[:, layer], 1),
                judged.word,
                judged.reason,
            )
        )
    return findings

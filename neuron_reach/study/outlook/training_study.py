# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Study: whether networks of every width and arm learn to reach, and after how many episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from neuron_reach.figures.strips import strips
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.validation import required_successes
from neuron_reach.study import paper, verdict
from neuron_reach.study.engine.jobs import Job
from neuron_reach.study.html_report import Finding, Picture, Section, Table
from neuron_reach.study.networks import (
    TRAINED_TEST_EPISODES,
    MemberValues,
    TrainingValues,
    condition,
    training_jobs,
)
from neuron_reach.study.studies import Plan, Results, Scale


def conditions(scale: Scale) -> dict[str, list[Job[TrainingValues]]]:
    """Return the training jobs of every condition by its name."""
    wanted = [(3, width, scale.networks) for width in scale.widths]
    wanted += [(joints, scale.compared_width, scale.trained(joints)) for joints in (2, 4)]
    jobs = {}
    for joints, width, networks in wanted:
        options = {'joints': joints, 'hidden': width}
        name = condition(Setup.from_values(options, 'study'))
        jobs[name] = training_jobs(options, range(networks), scale.stack)
    return jobs


def plan(scale: Scale) -> Plan:
    """Return the plan at a scale."""
    jobs = conditions(scale)
    every = [job for group in jobs.values() for job in group]
    return Plan(every, lambda results: [_section(jobs, results)])


def _section(jobs: dict[str, list[Job[TrainingValues]]], results: Results) -> Section:
    members = {
        name: [m for result in results.all(group) for m in result.values['members']]
        for name, group in jobs.items()
    }
    trained = {name: [m for m in own if m['trained'] is not None] for name, own in members.items()}
    rows = []
    for name, own in members.items():
        good = trained[name]
        rows.append(
            [
                name,
                f'{len(good)} of {len(own)}',
                _spread(_numbers(good, 'first_pass')),
                f'{max(_numbers(good, "trained")):,}' if good else '',
                _spread(_numbers(good, 'updates')),
                _spread(_numbers(good, 'accuracy'), 3),
            ]
        )
    header = [
        'arm, network',
        'trained',
        'training duration, episodes',
        'maximum until confirmed',
        'updates',
        f'accuracy on {TRAINED_TEST_EPISODES} fresh goals',
    ]
    durations = {name: _numbers(good, 'first_pass') for name, good in trained.items()}
    return Section(
        'Training',
        f'A network is trained once it has passed a validation test ({required_successes()} of 300 '
        'fresh goals) and a second one immediately after it. Its training duration is, as in the '
        'paper, the number of training episodes until the first passed test.',
        [_finding(members)],
        [
            Picture(
                'training_durations',
                strips(durations, 'training duration, episodes'),
                'Training episodes until the validation test was first passed; dots: networks, '
                'bars: medians.',
                'Training durations by arm and width.',
            ),
            Table(header, rows, 'Median (interquartile range) of the trained networks.'),
        ],
    )


def _finding(members: dict[str, list[MemberValues]]) -> Finding:
    own = [member for group in members.values() for member in group]
    passed = sum(member['trained'] is not None for member in own)
    published = paper.statement('trained')
    word = verdict.CONFIRMED if passed == len(own) else verdict.DIFFERS
    if len(own) < verdict.FEWEST_NETWORKS:
        word = verdict.INCONCLUSIVE
    return Finding(
        published.text,
        published.where,
        f'{passed} of {len(own)} networks passed, twice in a row',
        word,
        'a count, not an estimate: all networks must pass',
    )


def _numbers(
    members: Sequence[MemberValues],
    key: Literal['first_pass', 'trained', 'updates', 'accuracy'],
) -> list[float]:
    """Return a number of every network that has it."""
    return [value for member in members if (value := member[key]) is not None]


def _spread(values: Sequence[float], digits: int = 0) -> str:
    if not values:
        return ''
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f'{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})'

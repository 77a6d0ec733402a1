# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Make the report of studies from their results: sections, failures, and origin of the numbers."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence

from neuron_reach.common.files import NO_DIGEST
from neuron_reach.common.names import RECORD
from neuron_reach.errors import UserError
from neuron_reach.study import paper, verdict
from neuron_reach.study.engine.executors import processors
from neuron_reach.study.engine.jobs import AnyJob, Job, with_inputs
from neuron_reach.study.engine.results import StoredResult, Values
from neuron_reach.study.engine.runner import Outcome
from neuron_reach.study.engine.store import Store
from neuron_reach.study.html_report import HtmlReport, Section, Table
from neuron_reach.study.studies import SCALES, Plan, Results, Scale


def make_report(
    name: str, scale: Scale, plans: Sequence[Plan], store: Store, outcome: Outcome, command: str
) -> HtmlReport:
    """Return the report of studies whose jobs are done, except those that failed.

    Args:
        name: of the study, or `all`.
        scale: of the studies.
        plans: the studies.
        store: holds the results.
        outcome: of the run.
        command: that reproduces the report.
    """

    def find(job: Job[Values], /) -> StoredResult[Values] | None:
        return store.load(job) if store.has(job) else None

    results = Results(find)
    jobs = [
        job for job in with_inputs([job for plan in plans for job in plan.jobs]) if store.has(job)
    ]
    old = [job for job in jobs if not store.load(job).digests]
    try:
        sections = [section for plan in plans for section in plan.sections(results)]
    except UserError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        if not old:
            raise
        raise UserError(
            f'{store.root}: a result is damaged ({error!r}), one of the {len(old)} with {NO_DIGEST}'
        ) from error
    if _mark(scale):
        sections = [
            dataclasses.replace(section, title=f'{section.title} ({scale.name})')
            for section in sections
        ]
    if outcome.failures:
        sections.insert(0, _failures(outcome))
    return HtmlReport(
        title=f'{name}, at the scale "{scale.name}"',
        introduction=f'Experiments of "{paper.title()}", repeated.',
        rule=(verdict.__doc__ or '').replace('\n* ', '\n\n').replace('**', ''),
        sections=sections,
        command=command,
        origin=_origin(jobs, store, len(old)),
        mark=_mark(scale),
    )


def _mark(scale: Scale) -> str:
    full = SCALES['paper']
    if scale == full:
        return ''
    return (
        f"{scale.name}: {scale.networks} networks per condition instead of the paper's "
        f'{full.networks}, {scale.networks_by_joints} instead of {full.networks_by_joints} per arm'
    )


def _failures(outcome: Outcome) -> Section:
    rows = [[job.label, failure.reason] for job, failure in outcome.failures]
    rows += [[job.label, 'not tried: a job that it depends on failed'] for job in outcome.skipped]
    return Section(
        'Missing results',
        'These jobs failed; the report omits their results. The same command tries them again.',
        items=[Table(['job', 'reason'], rows)],
    )


def _origin(jobs: Sequence[AnyJob], store: Store, old: int) -> list[Table]:
    groups: dict[str, list[tuple[float, float]]] = {}
    versions: dict[str, set[str]] = {}
    seeds: dict[str, set[int]] = {}
    for job in jobs:
        record = store.record(job)
        name = job.function.name
        groups.setdefault(name, []).append((record['seconds'], record['cpu_seconds']))
        for part, version in record['versions'].items():
            versions.setdefault(part, set()).add(str(version))
        own = job.arguments.get('seeds', job.arguments.get('seed', []))
        seeds.setdefault(name, set()).update([own] if isinstance(own, int) else own)
    work = [
        [
            name,
            str(len(times)),
            f'{sum(wall for wall, _ in times):,.0f}',
            f'{sum(cpu for _, cpu in times):,.0f}',
            _ranges(seeds[name]),
        ]
        for name, times in groups.items()
    ]
    parts = [[part.replace('_', ' '), ', '.join(sorted(own))] for part, own in versions.items()]
    parts.append(['report created on', f'{platform.platform()}, {processors()} processors'])
    note = f' {old} of {len(jobs)} results have {NO_DIGEST}.' if old else ''
    return [
        Table(
            ['job', 'done', 'time, s', 'CPU time, s', 'seeds'],
            work,
            f'Jobs by kind. The arguments of each are in the {RECORD} of its result folder.' + note,
        ),
        Table(['component', 'version'], parts),
    ]


def _ranges(numbers: set[int]) -> str:
    """Format a set of whole numbers: `0 to 19, 30`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ', '.join(f'{r[0]} to {r[-1]}' if len(r) > 1 else f'{r[0]}' for r in runs)

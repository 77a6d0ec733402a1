"""The studies by name, their two scales, and what a study is made of.

Imports no torch, scipy or matplotlib, so that the command line loads at once.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from neuron_reach.errors import UserError
from neuron_reach.study.jobs import Job, StoredResult

if TYPE_CHECKING:
    from neuron_reach.figures.report import Section


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much of everything; nothing else differs between the scales.

    Attributes:
        name: 'paper' or 'quick'.
        networks: per condition.
        networks_by_joints: per number of joints, where arms are compared.
        widths: neurons per hidden layer of the networks of the 3-joint arm.
        compared_width: that of the networks of all arms that are compared.
        stack: networks trained as one; part of the jobs, so not left to the machine.
    """

    name: str
    networks: int
    networks_by_joints: int
    widths: tuple[int, ...]
    compared_width: int
    stack: int


SCALES = {
    scale.name: scale
    for scale in (
        Scale('paper', 20, 5, (32, 48, 128, 256, 512), 256, 5),
        Scale('quick', 6, 3, (32, 48), 48, 3),
    )
}


class Results:
    """What the jobs of a study gave: `results.get(job)`, None for one that failed."""

    def __init__(self, get: Callable[[Job], StoredResult | None]) -> None:
        self.get = get

    def all(self, jobs: Sequence[Job]) -> list[StoredResult]:
        """Return the results of those jobs that have one."""
        return [result for result in map(self.get, jobs) if result is not None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """A study at one scale.

    Attributes:
        jobs: those whose results the report needs; what they depend on follows from them.
        report: makes sections of the report from the results; must bear with missing ones.
    """

    jobs: list[Job]
    report: Callable[[Results], list[Section]]


@dataclasses.dataclass(frozen=True)
class Study:
    """An experiment.

    Attributes:
        description: what it finds out, in one line.
        module: has `plan(scale) -> Plan`.
    """

    description: str
    module: str

    def plan(self, scale: Scale) -> Plan:
        """Return what to do at a scale."""
        plan: Plan = importlib.import_module(self.module).plan(scale)
        return plan


STUDIES = {
    'training': Study(
        'do networks of every width and arm learn to reach, and after how many episodes',
        'neuron_reach.study.training_study',
    ),
}


def plans(name: str, scale: Scale) -> list[Plan]:
    """Return the plans of a study, or of all of them for `all`; UserError for another name."""
    if name == 'all':
        return [study.plan(scale) for study in STUDIES.values()]
    if name not in STUDIES:
        raise UserError(f'no study {name!r}; there are {", ".join([*STUDIES, "all"])}')
    return [STUDIES[name].plan(scale)]

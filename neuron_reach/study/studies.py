# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The studies by name, their two scales, and the parts of a study.

Imports no torch, scipy or matplotlib, so that the command line loads at once.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from neuron_reach.errors import UserError
from neuron_reach.study.engine.jobs import AnyJob, Job
from neuron_reach.study.engine.results import StoredResult, Values

if TYPE_CHECKING:
    from neuron_reach.study.html_report import Section


@dataclasses.dataclass(frozen=True)
class Scale:
    """Numbers of networks and episodes; nothing else differs between the scales.

    Attributes:
        name: 'paper' or 'quick'.
        networks: per condition.
        networks_by_joints: per number of joints, if arms are compared.
        networks_by_reading: per reading of the paper, at most `networks`.
        widths: neurons per hidden layer of the networks of the 3-joint arm.
        compared_width: neurons per hidden layer of networks for arms that are compared.
        stack: networks trained together; part of the jobs, so independent of the machine.
        distance_episodes: sample episodes for the distances of figure 2.
        pruning_episodes: sample episodes by which networks are pruned.
        taus: thresholds that are compared.
        samples: of pruning_episodes each, over which the accuracy after pruning is averaged.
        retraining_episodes: training episodes after which a pruned network is given up.
    """

    name: str
    networks: int
    networks_by_joints: int
    networks_by_reading: int
    widths: tuple[int, ...]
    compared_width: int
    stack: int
    distance_episodes: int
    pruning_episodes: int
    taus: tuple[float, ...]
    samples: int
    retraining_episodes: int

    def trained(self, joints: int) -> int:
        """Return the number of networks of `compared_width` that are trained for an arm.

        Networks for 3 joints are shared with the studies of figures 2 and 3. For 4 joints, twice as
        many are trained as compared, as not all can be retrained after pruning.
        """
        if joints == 3:
            return self.networks
        return self.networks_by_joints * (2 if joints > 3 else 1)


SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            name='paper',
            networks=20,
            networks_by_joints=5,
            networks_by_reading=20,
            widths=(32, 48, 128, 256, 512),
            compared_width=256,
            stack=5,
            distance_episodes=500,
            pruning_episodes=300,
            taus=(0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
            samples=10,
            retraining_episodes=20_000,
        ),
        Scale(
            name='quick',
            networks=5,
            networks_by_joints=3,
            networks_by_reading=3,
            widths=(32, 48, 128),
            compared_width=48,
            stack=3,
            distance_episodes=200,
            pruning_episodes=300,
            taus=(0.0, 0.1, 0.2, 0.3, 0.5),
            samples=3,
            retraining_episodes=8_000,
        ),
    )
}


class Find(Protocol):
    """Finds the result of a job; None if it failed."""

    def __call__(self, job: Job[Values], /) -> StoredResult[Values] | None:
        """Return the result."""


class Results:
    """The results of the jobs of a study.

    Attributes:
        get: `results.get(job)` is the result of a job, None if it failed.
    """

    def __init__(self, get: Find) -> None:
        self.get = get

    def all(self, jobs: Sequence[Job[Values]]) -> list[StoredResult[Values]]:
        """Return the results of the jobs that did not fail."""
        return [result for result in map(self.get, jobs) if result is not None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """A study at one scale.

    Attributes:
        jobs: those whose results the report needs; their inputs follow from them.
        sections: makes sections of the report from the results; must tolerate missing results.
    """

    jobs: Sequence[AnyJob]
    sections: Callable[[Results], list[Section]]


@dataclasses.dataclass(frozen=True)
class Study:
    """An experiment.

    Attributes:
        description: its question, in one line.
        module: has `plan(scale) -> Plan`.
        published: whether it repeats an experiment of the paper, and so is part of `all`.
    """

    description: str
    module: str
    published: bool = True

    def plan(self, scale: Scale) -> Plan:
        """Return the plan at a scale."""
        plan: Plan = importlib.import_module(self.module).plan(scale)
        return plan


STUDIES = {
    'training': Study(
        'whether networks of every width and arm learn to reach, and after how many episodes',
        'neuron_reach.study.outlook.training_study',
    ),
    'fig2': Study(
        'figure 2: distances and clusters of neurons, random, trained and pruned',
        'neuron_reach.study.fig2.activity_study',
    ),
    'fig3-left': Study(
        'figure 3, left: size, accuracy and training duration against the threshold tau',
        'neuron_reach.study.fig3.tau_study',
    ),
    'fig3-right': Study(
        'figure 3, right: sizes in three reduction steps for several initial widths',
        'neuron_reach.study.fig3.size_study',
    ),
    'fig5': Study(
        'figure 5: mappings between networks for arms with 2, 3 and 4 joints',
        'neuron_reach.study.fig5.mapping_study',
    ),
    'readings': Study(
        'which interpretation of open details best reproduces the sizes in the paper',
        'neuron_reach.study.fig3.reading_study',
        published=False,
    ),
    'transfer': Study(
        'whether networks learn faster if they start from a network for another arm',
        'neuron_reach.study.outlook.transfer_study',
        published=False,
    ),
    'layers': Study(
        'how many hidden layers can be removed',
        'neuron_reach.study.outlook.layer_study',
        published=False,
    ),
}


def plans(name: str, scale: Scale) -> list[Plan]:
    """Return the plans of a study, or of `all` of the paper; UserError for unknown names."""
    if name == 'all':
        return [study.plan(scale) for study in STUDIES.values() if study.published]
    if name not in STUDIES:
        raise UserError(f'no study {name!r}; there are {", ".join([*STUDIES, "all"])}')
    return [STUDIES[name].plan(scale)]

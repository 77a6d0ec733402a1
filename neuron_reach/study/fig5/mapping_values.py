# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Metrics of mappings between networks, by pair of networks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from neuron_reach.analysis.intervals import Pairs
from neuron_reach.common.arrays import Array
from neuron_reach.study.engine.jobs import Job
from neuron_reach.study.fig5.mapping_jobs import (
    BALANCED,
    BASELINE,
    JOINTS,
    LASSO,
    RANDOM,
    RANDOM_BOTH,
    REFLEXIVE,
    TRAINED,
    MapValues,
)
from neuron_reach.study.studies import Results

Direction = tuple[int, int]
"""Joints of the source and of the target."""

DIRECTIONS = tuple(itertools.product(JOINTS, JOINTS))
NATIVE = (BASELINE, BASELINE)


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A selection of mappings.

    Attributes:
        direction: joints of sources and targets.
        kind: of the networks.
        lasso: lambda; None: greedy.
        transform: of the inputs.
    """

    direction: Direction
    kind: str = TRAINED
    lasso: float | None = LASSO
    transform: str = BALANCED

    @property
    def title(self) -> str:
        """`source-target` by joints, as in the paper, and the transform if it is not balanced."""
        return title(self.direction, self.transform)


class Maps:
    """Values of the mapping jobs, by pair."""

    def __init__(
        self, jobs: Mapping[tuple[int, int, str], Sequence[Job[MapValues]]], results: Results
    ) -> None:
        self.jobs, self.results = jobs, results
        self.counts = {joints: len(jobs[joints, joints, BALANCED]) for joints in JOINTS}

    def values(self, chosen: Chosen, name: str) -> Array:
        """Return an array of the jobs by pair, (sources, targets, ...), NaN for missing pairs."""
        source, target = chosen.direction
        found = {}
        for place, job in enumerate(self.jobs.get((source, target, chosen.transform), ())):
            result = self.results.get(job)
            if result is None:
                continue
            for number, entry in enumerate(result.values['mappings']):
                if (entry['kind'], entry['lasso']) == (chosen.kind, chosen.lasso):
                    found[entry['number'], place] = result.arrays[name][number]
        shape = np.shape(next(iter(found.values()))) if found else ()
        values = np.full((self.counts[source], self.counts[target], *shape), np.nan)
        for pair, value in found.items():
            values[pair] = value
        return values

    def pairs(self, chosen: Chosen, name: str, of: Callable[[Array], Array] | None = None) -> Pairs:
        """Return the values of pairs of networks.

        Args:
            chosen: the mappings.
            name: of the metric, or `layers`.
            of: makes one number per pair from layer tables (sources, targets, layers, layers).

        Raises:
            ValueError: there are no values.
        """
        values = self.values(chosen, name)
        source, target = (f'{joints} joints' for joints in chosen.direction)
        if of is not None and values.ndim == 4:
            values = of(values)
        if chosen.kind == REFLEXIVE:
            return Pairs(np.diagonal(values), target)
        if chosen.kind in (RANDOM, RANDOM_BOTH):
            source = f'random, {source}'
        if chosen.kind == RANDOM_BOTH:
            target = f'random, {target}'
        return Pairs(values, source, target)

    def table(self, chosen: Chosen) -> Array | None:
        """Return the mean of the layer tables over pairs; None if there are none."""
        values = self.values(chosen, 'layers')
        if values.ndim != 4:
            return None
        flat = values.reshape(-1, *values.shape[2:])
        there = np.isfinite(flat)
        count = np.where(there.any(axis=0), there.sum(axis=0), np.nan)
        mean: Array = np.where(there, flat, 0.0).sum(axis=0) / count
        return mean


def title(direction: Direction, transform: str = BALANCED) -> str:
    """Return `source-target` by joints, as in the paper."""
    name = f'{direction[0]}-{direction[1]}'
    return name if transform == BALANCED else f'{name} {transform}'

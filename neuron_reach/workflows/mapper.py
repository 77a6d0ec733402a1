# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Mapping all pairs of networks: what networks of the reaching task and others have in common."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from neuron_reach.analysis.mapping import map_records
from neuron_reach.analysis.options import REFLEXIVE, TRANSFORMS, MapOptions
from neuron_reach.analysis.projection import Projection
from neuron_reach.common.arrays import Integers
from neuron_reach.common.options import load_yaml
from neuron_reach.errors import UserError
from neuron_reach.records.networks import Network
from neuron_reach.records.record import ActivityRecord
from neuron_reach.workflows.mapping_summary import TRAINED, Example, GroupKey, Pair

Runs = tuple[ActivityRecord, ActivityRecord]
"""One network in the sample episodes X and in the validation episodes X_V."""


class Mapper(abc.ABC):
    """Maps every source network onto every target network.

    A network is mapped onto itself only as a baseline, or if it is the only pair.

    Attributes:
        same_networks: sources and targets are the same networks.
        notes: defects of the recordings, a line each.
    """

    def __init__(
        self,
        *,
        sources: Sequence[Network],
        targets: Sequence[Network],
        options: MapOptions,
        validation: Path | None,
    ) -> None:
        """Compare the networks, and read the transforms.

        Args:
            sources: networks that predict.
            targets: networks that are predicted.
            options: how.
            validation: a bag with the fresh episodes of a single target, if there is one.

        Raises:
            UserError: a transform cannot be read, or options contradict each other.
        """
        if validation is not None and len(targets) > 1:
            raise UserError('--validation is for a single target network')
        self.options, self.validation = options, validation
        self.targets = targets
        self.alone = len(sources) == len(targets) == 1
        self.same_networks = all(
            any(network.same(other) for other in others)
            for networks, others in ((sources, targets), (targets, sources))
            for network in networks
        )
        self.files = {
            name: load_yaml(name) for name in options.transforms if name not in TRANSFORMS
        }
        self.notes: list[str] = []
        self._sources = len(sources)

    def run(self, report: Callable[[int, str], None]) -> tuple[list[Pair], list[Example]]:
        """Map all pairs.

        Args:
            report: called with how many of the sources times targets are done, and what is next.

        Returns:
            The results, and for each group of trained or reflexive pairs its first projection.

        Raises:
            UserError: a network or bag cannot be used.
        """
        pairs: list[Pair] = []
        examples: dict[GroupKey, Example] = {}
        for number, target in enumerate(self.targets):
            done = number * self._sources
            report(done, f'episodes of {target.name}')
            for pair, projection, index in self._onto(number, target):
                pairs.append(pair)
                if pair.kind in (TRAINED, REFLEXIVE):
                    examples.setdefault(pair.group, Example(pair, projection))
                report(done + index, f'{pair.source} to {pair.target}')
            report(done + self._sources, '')
        return pairs, list(examples.values())

    @abc.abstractmethod
    def _onto(self, number: int, target: Network) -> Iterator[tuple[Pair, Projection, int]]:
        """Yield the mappings onto one target, with the number of the source."""

    def project(
        self, *, runs: Runs, onto: Runs, samples: Integers, **place: Any
    ) -> Iterator[tuple[Pair, Projection]]:
        """Yield the mappings of one pair, one for each method.

        Args:
            runs: the source on the inputs of the target.
            onto: the target.
            samples: indices of the steps in X, see `input_samples`.
            place: fields of `Pair` that identify it.
        """
        for mapping in map_records(
            source=runs[0],
            target=onto[0],
            source_validation=runs[1],
            target_validation=onto[1],
            samples=samples,
            lams=self.options.lams,
            greedy=self.options.greedy,
            inputs=self.options.inputs,
        ):
            yield Pair.of(mapping, **place), mapping.projection

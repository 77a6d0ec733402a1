# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Map networks from disk onto each other: all pairs, and baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from neuron_reach.analysis.mapping import (
    input_samples,
    permute_steps,
    run_network,
)
from neuron_reach.analysis.options import (
    PERMUTED,
    RANDOM,
    RANDOM_BOTH,
    REFLEXIVE,
    TRANSFORMS,
    MapOptions,
)
from neuron_reach.analysis.projection import Projection
from neuron_reach.analysis.samples import random_network
from neuron_reach.analysis.transforms import input_transform, transform_from_values
from neuron_reach.common.arrays import Array
from neuron_reach.common.lookup import find_bag
from neuron_reach.common.progress import ShowProgress
from neuron_reach.common.random_streams import (
    SOURCE,
    TARGET,
    map_fresh_goals,
    permutation_stream,
    stand_in_seed,
)
from neuron_reach.common.results import claimed_folder, to_json
from neuron_reach.common.versions import versions
from neuron_reach.errors import UserError
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.records.belonging import check_layers
from neuron_reach.records.networks import Network, find_networks
from neuron_reach.records.recording import check_finite, record_checkpoint
from neuron_reach.workflows.map_policies import PolicyMapper
from neuron_reach.workflows.mapper import Mapper, Runs
from neuron_reach.workflows.mapping_summary import (
    TRAINED,
    MappingSummary,
    Pair,
    summarize,
    write_mapping,
)

Task = tuple[str, int, str, Array]
"""Kind of mapping, number of the source, name of the transform, and its matrix."""


def run_mapping(
    *,
    source: Path,
    target: Path,
    folder: Path,
    options: MapOptions,
    progress: ShowProgress,
    namespaces: Sequence[str] = (),
    bag: Path | None = None,
    validation: Path | None = None,
) -> MappingSummary:
    """Map the networks at one path onto those at another, and write the results to a folder.

    Args:
        source: networks that predict, see `find_networks`.
        target: networks that are predicted.
        folder: of the results; earlier results of the same paths are replaced.
        options: how.
        progress: shows how many pairs are done.
        namespaces: of the topics of all bags, or of those of the source and of the target; needed
            only where a bag holds several robots.
        bag: sample episodes of a single target that is a policy of other origin; None: those of its
            bag.
        validation: a bag with the fresh episodes of a single target; None: they are played.

    Raises:
        UserError: a path cannot be used, there is no pair to map, or the folder cannot be used.
    """
    spaces: Sequence[str | None] = namespaces or [None]
    sources = find_networks(source, spaces[0])
    targets = find_networks(target, spaces[-1])
    mapper = _mapper(sources, targets, options, bag, validation)
    inputs = {'source': str(source.resolve()), 'target': str(target.resolve())}

    def report(done: int, note: str) -> None:
        progress('mapping', done, len(sources) * len(targets), 'pairs', note)

    with claimed_folder(folder, 'map', inputs):
        pairs, examples = mapper.run(report)
        if not pairs:
            raise UserError('source and target are the same network; nothing else to map')
        summary = MappingSummary(
            source=inputs['source'],
            target=inputs['target'],
            notes=tuple(mapper.notes),
            options={
                **to_json(options),
                'validation': None if validation is None else str(validation),
            },
            versions=versions(),
            groups=tuple(summarize(pairs, mapper.same_networks, options.seed)),
        )
        write_mapping(folder, summary, examples)
    return summary


def _mapper(
    sources: Sequence[Network],
    targets: Sequence[Network],
    options: MapOptions,
    bag: Path | None,
    validation: Path | None,
) -> Mapper:
    if any(network.policy for network in (*sources, *targets)):
        return PolicyMapper(
            sources=sources, targets=targets, options=options, bag=bag, validation=validation
        )
    if bag is not None:
        raise UserError('--bag is for policies of other libraries; name the bag as TARGET')
    return PairMapper(sources=sources, targets=targets, options=options, validation=validation)


class PairMapper(Mapper):
    """Maps networks of the reaching task, and the networks of baselines."""

    def __init__(
        self,
        *,
        sources: Sequence[Network],
        targets: Sequence[Network],
        options: MapOptions,
        validation: Path | None = None,
    ) -> None:
        """Load the source networks.

        Args:
            sources: networks that predict.
            targets: networks that are predicted.
            options: how.
            validation: a bag with the fresh episodes of a single target; None: they are played.

        Raises:
            UserError: a source has no checkpoint, or options contradict each other.
        """
        super().__init__(sources=sources, targets=targets, options=options, validation=validation)
        self.sources = [(source, source.load('a source is run anew')) for source in sources]

    def _onto(self, number: int, target: Network) -> Iterator[tuple[Pair, Projection, int]]:
        """Yield the mappings onto one target, see `Mapper`."""
        options = self.options
        episodes = self._episodes(target)
        joints = (episodes[0].sizes[0] - 2) // 2
        samples = input_samples(episodes[0], options.tolerance)
        noise = episodes
        if RANDOM_BOTH in options.baselines:
            noise = _run_both(self._random(episodes[0].sizes, TARGET, number), episodes, None)
        for kind, index, transform, matrix in self._tasks(target, joints):
            onto = noise if kind == RANDOM_BOTH else episodes
            if kind == REFLEXIVE:
                runs, source, source_joints = episodes, target.name, joints
            else:
                runs = self._source_runs(kind, index, number, episodes, matrix)
                source = self.sources[index][0].name
                source_joints = self.sources[index][1].setup.arm.joints
            for pair, projection in self.project(
                runs=runs,
                onto=onto,
                samples=samples,
                kind=kind,
                source=source,
                target=target.name,
                source_joints=source_joints,
                target_joints=joints,
                transform=transform,
            ):
                yield pair, projection, index

    def _tasks(self, target: Network, joints: int) -> Iterator[Task]:
        """Yield the mappings to compute onto a target with this number of joints."""
        others = [kind for kind in self.options.baselines if kind != REFLEXIVE]
        same = [source.same(target) for source, _ in self.sources]
        if REFLEXIVE in self.options.baselines or (self.alone and same[0]):
            yield REFLEXIVE, 0, 'none', np.eye(joints)
        for index, (_, checkpoint) in enumerate(self.sources):
            if same[index] and not self.alone:
                continue
            kinds = others if same[index] else [TRAINED, *others]
            for transform, matrix in self._transforms(
                source=checkpoint.setup.arm.joints, target=joints
            ):
                for kind in kinds:
                    yield kind, index, transform, matrix

    def _source_runs(
        self, kind: str, index: int, number: int, episodes: Runs, matrix: Array
    ) -> Runs:
        """Run a source, or the random network in its place, on the episodes of target `number`."""
        network = self.sources[index][1].network
        name = self.sources[index][0].name
        if kind in (RANDOM, RANDOM_BOTH):
            network = self._random(network.sizes, SOURCE, index)
        runs = _run_both(network, episodes, matrix)
        for run in runs:
            check_finite(run, f'{name} on the inputs of {self.targets[number].name}')
        if kind == PERMUTED:
            generator = permutation_stream(self.options.seed, number, index)
            runs = permute_steps(runs[0], generator), permute_steps(runs[1], generator)
        return runs

    def _episodes(self, target: Network) -> Runs:
        """Return the target's sample episodes and as many fresh ones."""
        options = self.options
        if target.bag is not None:
            record = target.recorded()
            self.notes += [f'{target.bag}: {note}' for note in record.notes]
            if record.episodes < options.episodes:
                self.notes.append(f'{target.bag}: {record.episodes} of {options.episodes} episodes')
            record = record.first(options.episodes)
        else:
            record = record_checkpoint(target.load('a target'), options.episodes)
        if self.validation is not None:
            bag = find_bag(self.validation)
            fresh = dataclasses.replace(target, bag=bag).recorded()
            self.notes += [f'{bag}: {note}' for note in fresh.notes]
        else:
            checkpoint = target.load('fresh episodes have to be played (or --validation BAG given)')
            goals = map_fresh_goals(options.seed, checkpoint.setup.training.seed)
            fresh = record_checkpoint(checkpoint, options.episodes, goals)
        for where, episodes in ((target.bag, record), (self.validation or target.bag, fresh)):
            check_layers(episodes, where or target.checkpoint)
        if record.sizes != fresh.sizes:
            raise UserError(
                f'{target.name}: its network has layers of {record.sizes} neurons, but the '
                f'validation episodes are of one with {fresh.sizes}'
            )
        return record, fresh

    def _transforms(self, *, source: int, target: int) -> Iterator[tuple[str, Array]]:
        """Yield the transforms for these joint counts, except repetitions of an earlier one."""
        seen: list[Array] = []
        for name in self.options.transforms:
            if name in TRANSFORMS:
                matrix = input_transform(name, source=source, target=target)
            else:
                matrix = transform_from_values(self.files[name], name, source=source, target=target)
            if any(np.array_equal(matrix, other) for other in seen):
                continue
            seen.append(matrix)
            identity = np.array_equal(matrix, np.eye(target))
            yield 'none' if identity else Path(name).stem, matrix

    def _random(self, sizes: Sequence[int], side: int, number: int) -> QNetwork:
        """Return the random network that replaces a source or a target."""
        hidden = self.options.random_hidden or sizes[1:-1]
        seed = stand_in_seed(self.options.seed, side, number)
        generator = torch.Generator().manual_seed(seed)
        return random_network((sizes[0], *hidden, sizes[-1]), generator)


def _run_both(network: QNetwork, episodes: Runs, matrix: Array | None) -> Runs:
    return run_network(network, episodes[0], matrix), run_network(network, episodes[1], matrix)

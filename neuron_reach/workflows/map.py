"""Mapping networks from disk onto each other: all pairs, baselines, and their statistics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuron_reach.analysis.intervals import Interval
from neuron_reach.analysis.mapping import (
    Mapping,
    input_samples,
    map_records,
    permute_steps,
    run_network,
)
from neuron_reach.analysis.metrics import bootstrap_pairs
from neuron_reach.analysis.projection import REGULARISATION, Projection
from neuron_reach.analysis.samples import random_network
from neuron_reach.analysis.transforms import KINDS, input_transform, transform_from_values
from neuron_reach.common.lookup import find_bag
from neuron_reach.common.options import load_yaml
from neuron_reach.common.random_streams import (
    SOURCE,
    TARGET,
    map_fresh_goals,
    permutation_stream,
    resampling_stream,
    stand_in_seed,
)
from neuron_reach.errors import UserError
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.validation import VALIDATION_EPISODES
from neuron_reach.records.networks import Network
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import check_finite, record_checkpoint

Runs = tuple[ActivityRecord, ActivityRecord]
"""One network in the sample episodes X and in the validation episodes X_V."""

Task = tuple[str, int, str, NDArray[np.float64]]
"""Kind of mapping, number of the source, name of the transform, and its matrix."""

TRAINED = 'trained'
REFLEXIVE, RANDOM, RANDOM_BOTH, PERMUTED = 'reflexive', 'random', 'random-both', 'permuted'

METRICS = ('error', 'sample_error', 'saturation', 'coverage')


@dataclasses.dataclass(frozen=True)
class MapOptions:
    """How networks are mapped.

    Attributes:
        transforms: input transforms by name (see `input_transform`) or as YAML files.
        regularisations: lambda of each linear projection.
        greedy: make greedy projections as well.
        baselines: some of reflexive (each target onto itself), random (a random network as
            source), random-both (as source and as target, on the inputs of the real target) and
            permuted (the source on the same inputs in another order).
        random_hidden: hidden layer sizes of random networks; None: those of the network that they
            stand for.
        inputs: the input neurons take part.
        tolerance: observations that differ by at most this are duplicates.
        episodes: sample episodes, and as many fresh ones for validation.
        seed: root of the random streams.
        validation: a bag with the fresh episodes, of a single target.
    """

    transforms: tuple[str, ...] = ('balanced',)
    regularisations: tuple[float, ...] = (REGULARISATION,)
    greedy: bool = False
    baselines: tuple[str, ...] = ()
    random_hidden: tuple[int, ...] | None = None
    inputs: bool = False
    tolerance: float = 0.0
    episodes: int = VALIDATION_EPISODES
    seed: int = 0
    validation: Path | None = None


@dataclasses.dataclass(frozen=True)
class Pair:
    """One mapping of one pair of networks, in plain numbers."""

    kind: str
    source: str
    target: str
    source_joints: int
    target_joints: int
    transform: str
    method: str
    regularisation: float | None
    error: float
    sample_error: float
    saturation: float
    coverage: float
    samples: int
    live_sources: int
    live_targets: int
    dead_targets: int
    unmapped_targets: int
    kkt_residual: float | None
    source_layers: dict[str, int]
    target_layers: dict[str, int]
    layers: NDArray[np.float64]

    @property
    def group(self) -> tuple[Any, ...]:
        """What the pairs that are averaged have in common."""
        return (
            self.kind,
            self.source_joints,
            self.target_joints,
            self.transform,
            self.method,
            self.regularisation,
        )


@dataclasses.dataclass(frozen=True)
class Group:
    """Pairs of the same kind, joint counts, transform and method.

    Attributes:
        pairs: all of them.
        metrics: mean and 95 % bootstrap interval over networks, by `METRICS`.
        layers: mean layer-to-layer projection, (source layers, target layers); None where the
            networks have different numbers of layers.
    """

    pairs: list[Pair]
    metrics: dict[str, Interval]
    layers: NDArray[np.float64] | None


@dataclasses.dataclass(frozen=True)
class Example:
    """The projection of the first pair of a group, to be drawn or saved."""

    pair: Pair
    projection: Projection


class PairMapper:
    """Maps every source network onto every target network.

    A network is mapped onto itself only where that is asked for: as a baseline, or as the only
    pair there is.

    Attributes:
        same_networks: sources and targets are the same networks.
        notes: what was found wrong with recordings, a line each.
    """

    def __init__(
        self, sources: Sequence[Network], targets: Sequence[Network], options: MapOptions
    ) -> None:
        """Load the source networks.

        Raises:
            UserError: a source has no checkpoint, or options contradict each other.
        """
        self.options = options
        self.targets = targets
        self.notes: list[str] = []
        self.sources = [(source, source.load('a source is run anew')) for source in sources]
        self.alone = len(sources) == len(targets) == 1
        self.same_networks = all(
            any(one.same(other) for other in others)
            for these, others in ((sources, targets), (targets, sources))
            for one in these
        )
        self.files = {name: load_yaml(name) for name in options.transforms if name not in KINDS}
        if options.validation is not None and len(targets) > 1:
            raise UserError('a validation bag is for a single target network')

    def run(self, report: Callable[[int, str], None]) -> tuple[list[Pair], list[Example]]:
        """Map all pairs.

        Args:
            report: told how many of the sources times targets are done, and what comes next.

        Returns:
            The results, and for each group of trained or reflexive pairs its first projection.

        Raises:
            UserError: a checkpoint or bag cannot be used.
        """
        pairs: list[Pair] = []
        examples: dict[tuple[Any, ...], Example] = {}
        for number, target in enumerate(self.targets):
            done = number * len(self.sources)
            report(done, f'episodes of {target.name}')
            for pair, projection, index in self._onto(number, target):
                pairs.append(pair)
                if pair.kind in (TRAINED, REFLEXIVE):
                    examples.setdefault(pair.group, Example(pair, projection))
                report(done + index, f'{pair.source} to {pair.target}')
            report(done + len(self.sources), '')
        return pairs, list(examples.values())

    def _onto(self, number: int, target: Network) -> Iterator[tuple[Pair, Projection, int]]:
        """Yield the mappings onto one target, with the number of the source."""
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
            for mapping in map_records(
                target=onto[0],
                source=runs[0],
                target_validation=onto[1],
                source_validation=runs[1],
                samples=samples,
                regularisations=options.regularisations,
                greedy=options.greedy,
                inputs=options.inputs,
            ):
                pair = _pair(
                    mapping,
                    kind=kind,
                    source=source,
                    target=target.name,
                    source_joints=source_joints,
                    target_joints=joints,
                    transform=transform,
                )
                yield pair, mapping.projection, index

    def _tasks(self, target: Network, joints: int) -> Iterator[Task]:
        """Yield what is to be mapped onto a target with so many joints."""
        others = [kind for kind in self.options.baselines if kind != REFLEXIVE]
        same = [source.same(target) for source, _ in self.sources]
        if REFLEXIVE in self.options.baselines or (self.alone and same[0]):
            yield REFLEXIVE, 0, 'none', np.eye(joints)
        for index, (_, checkpoint) in enumerate(self.sources):
            if same[index] and not self.alone:
                continue
            kinds = others if same[index] else [TRAINED, *others]
            for transform, matrix in self._transforms(joints, checkpoint.setup.arm.joints):
                for kind in kinds:
                    yield kind, index, transform, matrix

    def _source_runs(
        self, kind: str, index: int, number: int, episodes: Runs, matrix: NDArray[np.float64]
    ) -> Runs:
        """Run a source, or what stands for it, on the episodes of target `number`."""
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
        if options.validation is not None:
            bag = find_bag(options.validation)
            fresh = dataclasses.replace(target, bag=bag).recorded()
            self.notes += [f'{bag}: {note}' for note in fresh.notes]
        else:
            checkpoint = target.load('fresh episodes have to be played (or --validation BAG given)')
            goals = map_fresh_goals(options.seed, checkpoint.setup.training.seed)
            fresh = record_checkpoint(checkpoint, options.episodes, goals)
        for where, found in ((target.bag, record), (options.validation or target.bag, fresh)):
            _check_layers(where or target.checkpoint, found)
        if record.sizes != fresh.sizes:
            raise UserError(
                f'{target.name}: its network has layers of {record.sizes} neurons, but the '
                f'validation episodes are of one with {fresh.sizes}'
            )
        return record, fresh

    def _transforms(
        self, target_joints: int, source_joints: int
    ) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yield the transforms that are not the same as one before, by name."""
        seen: list[NDArray[np.float64]] = []
        for name in self.options.transforms:
            if name in KINDS:
                matrix = input_transform(target=target_joints, source=source_joints, kind=name)
            else:
                matrix = transform_from_values(
                    self.files[name], name, target=target_joints, source=source_joints
                )
            if any(np.array_equal(matrix, other) for other in seen):
                continue
            seen.append(matrix)
            identity = target_joints == source_joints and np.array_equal(
                matrix, np.eye(target_joints)
            )
            yield 'none' if identity else Path(name).stem, matrix

    def _random(self, sizes: Sequence[int], side: int, number: int) -> QNetwork:
        """Return the random network that stands for a source or a target."""
        hidden = self.options.random_hidden or sizes[1:-1]
        seed = stand_in_seed(self.options.seed, side, number)
        generator = torch.Generator().manual_seed(seed)
        return random_network((sizes[0], *hidden, sizes[-1]), generator)


def _check_layers(path: Path | None, record: ActivityRecord) -> None:
    hidden = tuple(f'hidden_{number}' for number in range(1, len(record.sizes) - 1))
    if record.layers != ('input', *hidden, 'output'):
        raise UserError(f'{path}: a mapping needs all layers, there are {", ".join(record.layers)}')


def _run_both(network: QNetwork, episodes: Runs, matrix: NDArray[np.float64] | None) -> Runs:
    return run_network(network, episodes[0], matrix), run_network(network, episodes[1], matrix)


def _pair(mapping: Mapping, **place: Any) -> Pair:
    """Return the numbers of a mapping; `place` are the fields of `Pair` that say what of."""
    projection = mapping.projection
    return Pair(
        **place,
        method=mapping.method,
        regularisation=projection.regularisation,
        error=mapping.error,
        sample_error=mapping.sample_error,
        saturation=mapping.saturation,
        coverage=mapping.coverage,
        samples=mapping.samples,
        live_sources=projection.sources,
        live_targets=len(projection.targets),
        dead_targets=len(projection.dead_targets),
        unmapped_targets=len(projection.unmapped_targets),
        kkt_residual=mapping.residual,
        source_layers=mapping.source_layers,
        target_layers=mapping.target_layers,
        layers=mapping.layers,
    )


def summarise(pairs: Sequence[Pair], same_networks: bool, seed: int) -> list[Group]:
    """Average the pairs of each group, with bootstrap intervals over networks.

    Args:
        pairs: results of `PairMapper.run`.
        same_networks: the attribute of `PairMapper`.
        seed: of the bootstrap.
    """
    groups: dict[tuple[Any, ...], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.group, []).append(pair)
    return [_summarise(members, same_networks, seed) for members in groups.values()]


def _summarise(pairs: list[Pair], same_networks: bool, seed: int) -> Group:
    sources = list(dict.fromkeys(pair.source for pair in pairs))
    targets = list(dict.fromkeys(pair.target for pair in pairs))
    first = pairs[0]
    # Random sources and targets are other networks, also where they stand for the same ones.
    same = same_networks and first.kind in (TRAINED, PERMUTED)
    metrics = {}
    for metric in METRICS:
        values = np.full((len(sources), len(targets)), np.nan)
        for pair in pairs:
            place = sources.index(pair.source), targets.index(pair.target)
            values[place] = getattr(pair, metric)
        metrics[metric] = bootstrap_pairs(
            np.diagonal(values) if first.kind == REFLEXIVE else values,
            resampling_stream(seed),
            same_networks=same and first.source_joints == first.target_joints,
        )
    layers = None
    if len({pair.layers.shape for pair in pairs}) == 1:
        stacked = np.stack([pair.layers for pair in pairs])
        there = np.isfinite(stacked)
        count = np.where(there.any(axis=0), there.sum(axis=0), np.nan)
        layers = np.where(there, stacked, 0.0).sum(axis=0) / count
    return Group(pairs, metrics, layers)

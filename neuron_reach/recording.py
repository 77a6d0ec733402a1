"""Activity records from bags, or straight from a checkpoint without ROS."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuron_reach.analysis.record import ActivityRecord
from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.arm.task import ReachingTask
from neuron_reach.bags import layout
from neuron_reach.bags.blocks import Block, read_blocks
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.robots import choose_robot
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.rollout import Arms, Watcher, play
from neuron_reach.learning.setup import whole_rounds
from neuron_reach.learning.training import random_streams

MEMORY_LIMIT = 4 * 2**30
"""Bytes above which a record lies in a temporary file that is mapped into memory."""

MOST_EPISODES = 10_000_000
"""More than this between two episodes of a bag is damage, not a recording."""

LEAST_ROOM, ROOM_RATIO = 2**28, 100
"""Bytes that may be taken for the activations of a bag: this many, or so many times its own."""


# --- in process -------------------------------------------------------------------------------


def record_checkpoint(
    checkpoint: Checkpoint,
    episodes: int,
    generator: np.random.Generator | None = None,
    watcher: Watcher | None = None,
) -> ActivityRecord:
    """Play greedy sample episodes and record every layer.

    With the default generator these are the numbers that a bag recorded by `record` holds.

    Args:
        checkpoint: its network, arm and task.
        episodes: how many, at least 1.
        generator: draws the goals; by default the stream `record` of the checkpoint's seed.
        watcher: told of every observation.
    """
    setup = checkpoint.setup
    if generator is None:
        generator = random_streams(setup.training.seed)['record']
    arms = whole_rounds(episodes, setup.learning.arms)
    fleet = FleetSimulator(setup.arm, arms)
    return record_arms(checkpoint, fleet, episodes, generator, watcher)


def record_arms(
    checkpoint: Checkpoint,
    arms: Arms,
    episodes: int,
    generator: np.random.Generator,
    watcher: Watcher | None = None,
) -> ActivityRecord:
    """Play greedy sample episodes with any arms, such as Gazebo's, and record every layer.

    Args:
        checkpoint: its network and task.
        arms: a fleet whose size divides `episodes`.
        episodes: how many.
        generator: draws the goals.
        watcher: told of every observation.

    Raises:
        UserError: the network computes infinity, or what is no number.
    """
    setup, network = checkpoint.setup, checkpoint.network
    task = ReachingTask(setup.task, setup.arm)
    steps = setup.task.episode_steps
    activations = _allocate((episodes, steps, sum(network.sizes)))
    goals = np.empty((episodes, 2))
    rewards = np.empty(episodes)
    for start in range(0, episodes, arms.arms):
        rows = slice(start, start + arms.arms)
        goals[rows] = task.sample_goals(generator, arms.arms)
        choose = _Recorder(network, activations[rows])
        rewards[rows] = play(arms, task, goals[rows][None], choose, watcher=watcher).rewards[-1, 0]
    record = ActivityRecord(
        activations,
        np.full(episodes, steps),
        layout.layer_names(len(network.sizes) - 2),
        network.sizes,
        goals,
        rewards,
        {'path': str(checkpoint.path.resolve()), 'version': 0},
    )
    return check_finite(record, checkpoint.path)


def check_finite(record: ActivityRecord, source: object) -> ActivityRecord:
    """Return a record without infinity and what is no number.

    Args:
        record: of any network.
        source: what its network is called in the message.

    Raises:
        UserError: it has such activations; names the first layer and episode.
    """
    if found := record.not_finite():
        raise UserError(f'{source}: {_not_finite(*found)}')
    return record


def _not_finite(episode: int, layer: str) -> str:
    return f'the activations of {layer} in episode {episode} are not finite numbers'


class _Recorder:
    """Acts greedily and writes down what the network does, step by step."""

    def __init__(self, network: QNetwork, place: NDArray[np.float32]) -> None:
        """Write to `place`, (arms, steps, neurons)."""
        self.network = network
        self.place = place
        self.step = 0

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        layers = self.network.activations(torch.from_numpy(observations))
        self.place[:, self.step] = torch.cat(layers, dim=2)[0].numpy()
        self.step += 1
        best: NDArray[np.int64] = layers[-1].argmax(-1).numpy()
        return best


def _allocate(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return zeros, in memory or, if they are many, in a file that has no name.

    Raises:
        UserError: there is no room for that file.
    """
    size = 4 * int(np.prod(shape, dtype=object))
    if size <= MEMORY_LIMIT:
        return np.zeros(shape, np.float32)
    try:
        with tempfile.TemporaryFile() as file:  # the mapping keeps it alive
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk would be a crash later
            return np.memmap(file, np.float32, 'r+', shape=shape)
    except OSError as error:
        raise UserError(
            f'{tempfile.gettempdir()}: no room for {size / 1e9:.1f} GB of activations: '
            f'{error.strerror}; choose another place with TMPDIR'
        ) from None


# --- from bags --------------------------------------------------------------------------------


def read_records(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    layers: Sequence[str] | None = None,
    episodes: range | None = None,
    namespace: str | None = None,
) -> ActivityRecord:
    """Read the activity of one network from bags.

    Episodes of which anything is missing are left out; the record's notes say so.

    Args:
        paths: bags of the same network; their episodes are put one behind the other.
        layers: names of layers that follow each other; by default all.
        episodes: which episodes of each bag, counted from its first; by default all.
        namespace: of the topics, needed only where a bag holds several robots.

    Raises:
        UserError: no bag, nothing usable in it, or recordings of different networks.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    bags = [Path(path) for path in paths]
    records = [_read_bag(bag, layers, episodes, namespace) for bag in bags]
    if not records:
        BagReader([])  # says what a bag is
    first = records[0]
    for bag, record in zip(bags, records, strict=True):
        if record.sizes != first.sizes or _identity(record, first) != _identity(first, record):
            raise UserError(
                f'{bag}: is of another network ({record.network.get("path", "unknown")}) '
                f'than {bags[0]} ({first.network.get("path", "unknown")})'
            )
    return first if len(records) == 1 else _concatenate(records)


def _identity(record: ActivityRecord, other: ActivityRecord) -> tuple[Any, ...]:
    """Return what tells the network of a record from that of another one."""
    known = 'digest' in record.network and 'digest' in other.network
    names = ('digest',) if known else ('path', 'version')
    return tuple(record.network.get(name) for name in names)


def _concatenate(records: list[ActivityRecord]) -> ActivityRecord:
    steps = max(record.activations.shape[1] for record in records)
    total = sum(record.episodes for record in records)
    activations = _allocate((total, steps, records[0].neurons))
    start = 0
    for record in records:
        for block in record.blocks():
            activations[start : start + len(block), : block.shape[1]] = block
            start += len(block)
    asked = [record.network.get('episodes') for record in records]
    network = {**records[0].network, 'episodes': None if None in asked else sum(asked)}
    return dataclasses.replace(
        records[0],
        network={name: value for name, value in network.items() if value is not None},
        activations=activations,
        lengths=np.concatenate([record.lengths for record in records]),
        goals=np.concatenate([record.goals for record in records]),
        rewards=np.concatenate([record.rewards for record in records]),
        notes=tuple(note for record in records for note in record.notes),
    )


def _read_bag(
    bag: Path, layers: Sequence[str] | None, episodes: range | None, namespace: str | None
) -> ActivityRecord:
    reader = BagReader(bag)
    reader.check_digests()
    robot = choose_robot(bag, reader, namespace)
    if missing := [name for name in layers or () if name not in robot.layers]:
        raise UserError(f'{bag}: has no layer {missing[0]!r}; it has {", ".join(robot.layers)}')
    assembly = _Assembly(robot.layers if layers is None else tuple(layers))
    names = [layout.activation_topic(name) for name in assembly.layers]
    topics = {robot.topic(name) for name in (*names, layout.EPISODE, layout.CHECKPOINT)}
    try:
        for item in read_blocks(reader, topics, assembly.left_alone):
            if isinstance(item, Block):
                assembly.add(item)
            else:
                assembly.note(*item)
        return assembly.finish(episodes, reader.incomplete)
    except layout.LayoutError as error:
        raise UserError(f'{bag}: {error}') from None


class _Assembly:
    """Puts the messages of one bag into their places, in whatever order they come."""

    def __init__(self, layers: tuple[str, ...]) -> None:
        self.layers = layers
        self.blocks: list[Block] = []
        self.sizes: dict[str, int] = {}
        self.base: int | None = None
        self.activations = np.zeros((0, 0, 0), np.float32)
        self.seen = np.zeros((len(layers), 0, 0), bool)
        self.repeated = 0
        self.results: list[NDArray[np.float64]] = []
        self.checkpoints: list[layout.Checkpoint] = []
        self.left_alone: Counter[str] = Counter()
        self.placed = 0

    def note(self, topic: str, message: Any) -> None:
        """Take down results of episodes, or which weights were used."""
        try:
            if layout.is_topic(topic, layout.EPISODE):
                self.results.append(layout.read_episodes(message))
            else:
                self.checkpoints.append(layout.decode_checkpoint(message.data))
        except layout.LayoutError:
            self.left_alone[topic] += 1

    def add(self, block: Block) -> None:
        """Put a block of one layer into its place, once the sizes of all layers are known."""
        layer = str(layout.layer_of(block.topic))
        neurons = block.values.shape[2]
        if self.sizes.setdefault(layer, neurons) != neurons:
            raise layout.LayoutError(
                f'{block.topic} has {neurons} neurons after {self.sizes[layer]}: two networks'
            )
        self.blocks.append(block)
        if len(self.sizes) == len(self.layers):
            for waiting in self.blocks:
                self._place(waiting)
            self.blocks.clear()

    def _place(self, block: Block) -> None:
        if self.base is None:
            self.base = int(block.episode.min())
        arms = block.values.shape[1]
        earlier = max(0, self.base - int(block.episode.min()))
        last = int(block.episode.max()) - self.base + earlier
        if max(earlier, last) > MOST_EPISODES:
            raise layout.LayoutError(f'{block.topic}: episode numbers jump by millions')
        self.placed += block.values.nbytes
        self._fit(earlier, last + arms, int(block.step.max()) + 1)
        episode = block.episode - self.base
        index = self.layers.index(str(layout.layer_of(block.topic)))
        start = sum(self.sizes[name] for name in self.layers[:index])
        columns = slice(start, start + block.values.shape[2])
        place = episode[:, None] + np.arange(arms), block.step[:, None]
        before = self.seen[index].sum()
        self.seen[index][place] = True
        self.repeated += block.step.size * arms - int(self.seen[index].sum() - before)
        self.activations[:, :, columns][place] = block.values

    def _fit(self, earlier: int, episodes: int, steps: int) -> None:
        """Make room; grows in leaps, as the number of episodes is known only at the end.

        Args:
            earlier: episodes to add before the first one.
            episodes: how many there must be then.
            steps: of an episode.
        """
        had = self.activations.shape
        if not earlier and episodes <= had[0] and steps <= had[1]:
            return
        if episodes > had[0]:
            episodes = max(episodes, had[0] * 3 // 2)
        episodes, steps = max(episodes, had[0] + earlier), max(steps, had[1])
        size = 4 * episodes * steps * sum(self.sizes.values())
        if size > max(LEAST_ROOM, ROOM_RATIO * self.placed):
            raise layout.LayoutError(
                f'the numbers of its messages ask for {episodes} episodes of {steps} steps, far '
                'more than they fill'
            )
        larger = _allocate((episodes, steps, sum(self.sizes.values())))
        seen = np.zeros((len(self.layers), episodes, steps), bool)
        if had[0]:
            larger[earlier : earlier + had[0], : had[1]] = self.activations
            seen[:, earlier : earlier + had[0], : had[1]] = self.seen
        self.activations, self.seen = larger, seen
        self.base = (self.base or 0) - earlier

    def finish(self, chosen: range | None, incomplete: str | None) -> ActivityRecord:
        """Return the record of the whole episodes."""
        if self.blocks or self.base is None:
            absent = [name for name in self.layers if name not in self.sizes]
            raise layout.LayoutError(f'holds no activations of {", ".join(absent)}')
        count, steps = self.seen.shape[1:]
        whole_steps = np.logical_and.reduce(self.seen, axis=0)
        lengths = np.zeros(count, np.int64)
        goals, rewards = np.full((count, 2), np.nan), np.full(count, np.nan)
        if self.results:
            results = np.concatenate(self.results)
            rows = results[:, 0].astype(np.int64) - self.base
            inside = (rows >= 0) & (rows < count)
            rows, results = rows[inside], results[inside]
            goals[rows], rewards[rows] = results[:, 1:3], results[:, 4]
            lengths[rows] = results[:, 3].astype(np.int64)
        else:  # nobody recorded the results: an episode lasts as long as the longest
            lengths[self.seen.any(axis=(0, 2))] = steps
        begun: NDArray[np.bool_] = np.logical_or.reduce(self.seen, axis=(0, 2))
        expected = np.arange(steps) < lengths[:, None]
        whole = begun & (lengths > 0) & (lengths <= steps) & (whole_steps | ~expected).all(axis=1)
        notes = [incomplete] if incomplete else []
        gaps = int(((~whole_steps & expected).any(axis=1) & begun).sum())
        last = np.flatnonzero(begun)[-1]
        figures = (
            (gaps, 'episodes left out, as steps of them are missing'),
            (int((begun & (lengths == 0)).sum()), 'episodes left out, as they have no end'),
            (int((~begun[: last + 1]).sum()), 'episodes missing between others'),
            (self.repeated, 'activations of a layer came twice; the last ones count'),
        )
        notes += [f'{number} {what}' for number, what in figures if number]
        notes += [
            f'{count} messages on {topic} are laid out in another way and were left alone'
            for topic, count in sorted(self.left_alone.items())
            if count
        ]
        numbers = np.flatnonzero(whole)
        if chosen is not None:
            numbers = numbers[np.isin(numbers, chosen)]
        if not len(numbers):
            raise layout.LayoutError('; '.join(['holds no whole episode', *notes]))
        self._keep(numbers)
        network = self._network(int(numbers[0]), int(numbers[-1]))
        wanted = network.get('episodes', 0) if chosen is None else len(chosen)
        if len(numbers) < wanted:
            notes.insert(0, f'{len(numbers)} of {wanted} episodes')
        record = ActivityRecord(
            self.activations[: len(numbers)],
            lengths[numbers],
            self.layers,
            tuple(self.sizes[name] for name in self.layers),
            goals[numbers],
            rewards[numbers],
            network,
            tuple(notes),
        )
        if found := record.not_finite():
            raise layout.LayoutError(_not_finite(int(numbers[found[0]]), found[1]))
        return record

    def _keep(self, numbers: NDArray[np.int64]) -> None:
        """Move the episodes to keep to the front, a few at a time."""
        if len(numbers) == numbers[-1] + 1:
            return
        for start in range(0, len(numbers), 64):
            part = numbers[start : start + 64]
            self.activations[start : start + len(part)] = self.activations[part]

    def _network(self, first: int, last: int) -> dict[str, Any]:
        """Return which weights were in use; there must be just one version."""
        base = self.base or 0
        in_use: list[layout.Checkpoint] = []
        for newest in self.checkpoints:
            if newest.first_episode <= base + first:
                in_use = [newest]
            elif newest.first_episode <= base + last and newest not in in_use:
                in_use.append(newest)
        if len(in_use) > 1:
            bounds = ', '.join(str(used.first_episode - base) for used in in_use[1:])
            raise layout.LayoutError(
                f'the weights changed while these episodes were played, at episode {bounds}; '
                'choose episodes between two changes'
            )
        if not in_use:
            return {}
        names = {'network': 'digest'}  # the others are called the same
        known = ('path', 'version', 'network', 'episodes')
        found = {names.get(name, name): getattr(in_use[0], name) for name in known}
        return {name: value for name, value in found.items() if value is not None}

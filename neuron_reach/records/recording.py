# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Activity records from bags, or straight from a checkpoint without ROS."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuron_reach import messages
from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.arm.task import ReachingTask
from neuron_reach.bags.blocks import Block, read_blocks
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.robots import choose_robot
from neuron_reach.bags.seal import read_seal
from neuron_reach.common.arrays import Integers, Single
from neuron_reach.common.names import SEAL
from neuron_reach.common.random_streams import training_streams
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.rollout import Arms, Watcher, play
from neuron_reach.learning.setup import whole_rounds
from neuron_reach.records.assembly import Assembly, allocate
from neuron_reach.records.record import ActivityRecord, describe_not_finite

# --- in process -------------------------------------------------------------------------------


def record_checkpoint(
    checkpoint: Checkpoint,
    episodes: int,
    generator: np.random.Generator | None = None,
    watcher: Watcher | None = None,
) -> ActivityRecord:
    """Play greedy sample episodes and record every layer.

    With the default generator the result equals a bag recorded by the command `record`.

    Args:
        checkpoint: its network, arm and task.
        episodes: number of episodes, at least 1.
        generator: draws the goals; by default the stream `record` of the checkpoint's seed.
        watcher: called with every observation.
    """
    setup = checkpoint.setup
    if generator is None:
        generator = training_streams(setup.training.seed)['record']
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
        watcher: called with every observation.

    Raises:
        UserError: the network computes infinity or NaN.
    """
    setup, network = checkpoint.setup, checkpoint.network
    task = ReachingTask(setup.task, setup.arm)
    steps = setup.task.episode_steps
    activations = allocate((episodes, steps, sum(network.sizes)))
    goals = np.empty((episodes, 2))
    rewards, returns = np.empty(episodes), np.empty(episodes)
    for start in range(0, episodes, arms.arms):
        rows = slice(start, start + arms.arms)
        goals[rows] = task.sample_goals(generator, arms.arms)
        choose = _Recorder(network, activations[rows])
        played = play(arms, task, goals[rows][None], choose, watcher=watcher).rewards[:, 0]
        rewards[rows], returns[rows] = played[-1], played.sum(axis=0)
    record = ActivityRecord(
        activations=activations,
        lengths=np.full(episodes, steps),
        layers=messages.layer_names(len(network.sizes) - 2),
        sizes=network.sizes,
        goals=goals,
        rewards=rewards,
        returns=returns,
        successes=task.success(rewards).astype(np.float64),
        terminated=np.zeros(episodes),
        network={'path': str(checkpoint.path.resolve()), 'version': 0},
    )
    return check_finite(record, checkpoint.path)


def check_finite(record: ActivityRecord, source: object) -> ActivityRecord:
    """Return the record after checking that it holds neither infinity nor NaN.

    Args:
        record: of any network.
        source: name of the network, for the message.

    Raises:
        UserError: it does; names the first layer and episode.
    """
    if found := record.not_finite():
        raise UserError(f'{source}: {describe_not_finite(*found)}')
    return record


class _Recorder:
    """Acts greedily and records the activations, step by step."""

    def __init__(self, network: QNetwork, place: Single) -> None:
        """Write to `place`, (arms, steps, neurons)."""
        self.network = network
        self.place = place
        self.step = 0

    def __call__(self, observations: Single) -> Integers:
        layers = self.network.activations(torch.from_numpy(observations))
        self.place[:, self.step] = torch.cat(layers, dim=2)[0].numpy()
        self.step += 1
        best: Integers = layers[-1].argmax(-1).numpy()
        return best


# --- from bags --------------------------------------------------------------------------------


def read_records(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    layers: Sequence[str] | None = None,
    episodes: range | None = None,
    namespace: str | None = None,
) -> ActivityRecord:
    """Read the activity of one network from bags.

    Incomplete episodes are left out; the notes of the record say so.

    Args:
        paths: bags of the same network; their episodes are concatenated.
        layers: names of consecutive layers; by default all.
        episodes: which episodes of each bag, counted from its first one; by default all.
        namespace: of the topics, needed only where a bag holds several robots.

    Raises:
        UserError: a path is not a bag, holds no usable episode, or is of another network.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    bags = [Path(path) for path in paths]
    records = [_read_bag(bag, layers, episodes, namespace) for bag in bags]
    if not records:
        BagReader([])  # raises, saying what a bag is
    first = records[0]
    for bag, record in zip(bags, records, strict=True):
        if record.sizes != first.sizes or _identity(record, first) != _identity(first, record):
            raise UserError(
                f'{bag}: is of another network ({record.network.get("path", "unknown")}) '
                f'than {bags[0]} ({first.network.get("path", "unknown")})'
            )
    return first if len(records) == 1 else _concatenate(records)


def _identity(record: ActivityRecord, other: ActivityRecord) -> tuple[Any, ...]:
    """Return what identifies the network of a record, as far as both records have it."""
    known = 'digest' in record.network and 'digest' in other.network
    names = ('digest',) if known else ('path', 'version')
    return tuple(record.network.get(name) for name in names)


def _concatenate(records: list[ActivityRecord]) -> ActivityRecord:
    steps = max(record.activations.shape[1] for record in records)
    total = sum(record.episodes for record in records)
    activations = allocate((total, steps, records[0].neurons))
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
        returns=np.concatenate([record.returns for record in records]),
        successes=np.concatenate([record.successes for record in records]),
        terminated=np.concatenate([record.terminated for record in records]),
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
    assembly = Assembly(robot.layers if layers is None else tuple(layers))
    names = [messages.activation_topic(name) for name in assembly.layers]
    topics = {
        robot.topic(name)
        for name in (*names, messages.EPISODE, messages.OUTCOME, messages.CHECKPOINT)
    }
    try:
        for item in read_blocks(reader, topics, assembly.left_alone):
            if isinstance(item, Block):
                assembly.add(item)
            else:
                assembly.note(*item)
        record = assembly.finish(episodes, reader.incomplete)
    except messages.LayoutError as error:
        raise UserError(f'{bag}: {error}') from None
    _compare(bag, record)
    return record


def _compare(bag: Path, record: ActivityRecord) -> None:
    """Raise UserError if the seal of a bag contradicts its messages."""
    said = read_seal(bag)
    if said is None:
        return
    for name, value in (('digest', said.network), ('episodes', said.episodes)):
        if record.network.get(name, value) != value:
            raise UserError(f'{bag}: its {SEAL} describes another recording than its messages')

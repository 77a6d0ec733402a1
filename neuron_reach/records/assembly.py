# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Assembles a record from the activations in a bag, in any order of messages."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from typing import Any

import numpy as np

from neuron_reach import messages
from neuron_reach.bags.blocks import Block
from neuron_reach.common.arrays import Array, Flags, Integers, Single
from neuron_reach.errors import UserError
from neuron_reach.records.record import ActivityRecord, describe_not_finite

MEMORY_LIMIT = 4 * 2**30
"""Bytes above which a record is kept in a memory-mapped temporary file."""

MOST_EPISODES = 10_000_000
"""A larger gap between two episode numbers in a bag is treated as damage."""

LEAST_ROOM, ROOM_RATIO = 2**28, 100
"""Limit of memory for the activations of a bag: in bytes, or as a multiple of the bytes placed."""


def allocate(shape: tuple[int, ...]) -> Single:
    """Return zeros, in memory or, above `MEMORY_LIMIT`, in an unnamed temporary file.

    Raises:
        UserError: the disk has no space for that file.
    """
    size = 4 * int(np.prod(shape, dtype=object))
    if size <= MEMORY_LIMIT:
        return np.zeros(shape, np.float32)
    try:
        with tempfile.TemporaryFile() as file:  # the mapping keeps it alive
            os.posix_fallocate(file.fileno(), 0, size)  # otherwise a full disk is a crash later
            return np.memmap(file, np.float32, 'r+', shape=shape)
    except OSError as error:
        raise UserError(
            f'{tempfile.gettempdir()}: no space for {size / 1e9:.1f} GB of activations: '
            f'{error.strerror}; choose another folder with TMPDIR'
        ) from None


class Assembly:
    """Collects the messages of one bag, in any order, into one array."""

    def __init__(self, layers: tuple[str, ...]) -> None:
        self.layers = layers
        self.blocks: list[Block] = []
        self.sizes: dict[str, int] = {}
        self.base: int | None = None
        self.activations = np.zeros((0, 0, 0), np.float32)
        self.seen = np.zeros((len(layers), 0, 0), bool)
        self.repeated = 0
        self.results: list[Array] = []
        self.outcomes: list[Array] = []
        self.checkpoints: list[messages.CheckpointMessage] = []
        self.left_alone: Counter[str] = Counter()
        self.placed = 0

    def note(self, topic: str, message: Any) -> None:
        """Collect results of episodes, or which weights were in use."""
        try:
            if messages.is_topic(topic, messages.EPISODE):
                self.results.append(messages.read_episodes(message))
            elif messages.is_topic(topic, messages.OUTCOME):
                self.outcomes.append(messages.read_outcomes(message))
            else:
                self.checkpoints.append(messages.decode_checkpoint(message.data))
        except messages.LayoutError:
            self.left_alone[topic] += 1

    def add(self, block: Block) -> None:
        """Store a block of one layer; blocks wait until the sizes of all layers are known."""
        layer = str(messages.layer_of(block.topic))
        neurons = block.values.shape[2]
        if self.sizes.setdefault(layer, neurons) != neurons:
            raise messages.LayoutError(
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
            raise messages.LayoutError(f'{block.topic}: episode numbers jump by millions')
        self.placed += block.values.nbytes
        self._fit(earlier, last + arms, int(block.step.max()) + 1)
        episode = block.episode - self.base
        index = self.layers.index(str(messages.layer_of(block.topic)))
        start = sum(self.sizes[name] for name in self.layers[:index])
        columns = slice(start, start + block.values.shape[2])
        place = episode[:, None] + np.arange(arms), block.step[:, None]
        before = self.seen[index].sum()
        self.seen[index][place] = True
        self.repeated += block.step.size * arms - int(self.seen[index].sum() - before)
        self.activations[:, :, columns][place] = block.values

    def _fit(self, earlier: int, episodes: int, steps: int) -> None:
        """Grow the arrays geometrically, as the number of episodes is known only at the end.

        Args:
            earlier: episodes to add before the first one.
            episodes: required number after that.
            steps: steps per episode.
        """
        had = self.activations.shape
        if not earlier and episodes <= had[0] and steps <= had[1]:
            return
        if episodes > had[0]:
            episodes = max(episodes, had[0] * 3 // 2)
        episodes, steps = max(episodes, had[0] + earlier), max(steps, had[1])
        size = 4 * episodes * steps * sum(self.sizes.values())
        if size > max(LEAST_ROOM, ROOM_RATIO * self.placed):
            raise messages.LayoutError(
                f'the numbers of its messages ask for {episodes} episodes of {steps} steps, far '
                'more than they fill'
            )
        larger = allocate((episodes, steps, sum(self.sizes.values())))
        seen = np.zeros((len(self.layers), episodes, steps), bool)
        if had[0]:
            larger[earlier : earlier + had[0], : had[1]] = self.activations
            seen[:, earlier : earlier + had[0], : had[1]] = self.seen
        self.activations, self.seen = larger, seen
        self.base = (self.base or 0) - earlier

    def finish(self, chosen: range | None, incomplete: str | None) -> ActivityRecord:
        """Return the record of the complete episodes."""
        if self.blocks or self.base is None:
            absent = [name for name in self.layers if name not in self.sizes]
            raise messages.LayoutError(f'holds no activations of {", ".join(absent)}')
        count, steps = self.seen.shape[1:]
        whole_steps = np.logical_and.reduce(self.seen, axis=0)
        lengths = np.zeros(count, np.int64)
        goals, rewards = np.full((count, 2), np.nan), np.full(count, np.nan)
        outcomes = np.full((count, 3), np.nan)  # as in `OUTCOME_FIELDS`
        if self.results:
            rows, results = self._rows(self.results, count)
            goals[rows], rewards[rows] = results[:, 1:3], results[:, 4]
            outcomes[rows, 1] = results[:, 5]
            lengths[rows] = results[:, 3].astype(np.int64)
        else:  # results were not recorded: assume the longest length for all
            lengths[self.seen.any(axis=(0, 2))] = steps
        if self.outcomes:
            rows, results = self._rows(self.outcomes, count)
            outcomes[rows] = results[:, 1:]
        begun: Flags = np.logical_or.reduce(self.seen, axis=(0, 2))
        expected = np.arange(steps) < lengths[:, None]
        whole = begun & (lengths > 0) & (lengths <= steps) & (whole_steps | ~expected).all(axis=1)
        notes = [incomplete] if incomplete else []
        gapped = (~whole_steps & expected).any(axis=1) | (lengths > steps)
        gaps = int((gapped & begun).sum())
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
            raise messages.LayoutError('; '.join(['holds no whole episode', *notes]))
        self._keep(numbers)
        network = self._network(int(numbers[0]), int(numbers[-1]))
        wanted = network.get('episodes', 0) if chosen is None else len(chosen)
        if len(numbers) < wanted:
            notes.insert(0, f'{len(numbers)} of {wanted} episodes')
        record = ActivityRecord(
            activations=self.activations[: len(numbers)],
            lengths=lengths[numbers],
            layers=self.layers,
            sizes=tuple(self.sizes[name] for name in self.layers),
            goals=goals[numbers],
            rewards=rewards[numbers],
            returns=outcomes[numbers, 0],
            successes=outcomes[numbers, 1],
            terminated=outcomes[numbers, 2],
            network=network,
            notes=tuple(notes),
        )
        if found := record.not_finite():
            raise messages.LayoutError(describe_not_finite(int(numbers[found[0]]), found[1]))
        return record

    def _rows(self, parts: list[Array], count: int) -> tuple[Integers, Array]:
        """Return the places of episodes and their results, for the first `count` episodes."""
        results = np.concatenate(parts)
        rows = results[:, 0].astype(np.int64) - (self.base or 0)
        inside = (rows >= 0) & (rows < count)
        return rows[inside], results[inside]

    def _keep(self, numbers: Integers) -> None:
        """Move the kept episodes to the front, a few at a time."""
        if len(numbers) == numbers[-1] + 1:
            return
        for start in range(0, len(numbers), 64):
            part = numbers[start : start + 64]
            self.activations[start : start + len(part)] = self.activations[part]

    def _network(self, first: int, last: int) -> dict[str, Any]:
        """Return which weights were in use; exactly one version is allowed."""
        base = self.base or 0
        in_use: list[messages.CheckpointMessage] = []
        for newest in self.checkpoints:
            if newest.first_episode <= base + first:
                in_use = [newest]
            elif newest.first_episode <= base + last and newest not in in_use:
                in_use.append(newest)
        if len(in_use) > 1:
            bounds = ', '.join(str(used.first_episode - base) for used in in_use[1:])
            raise messages.LayoutError(
                f'the weights changed while these episodes were played, at episode {bounds}; '
                'choose episodes between two changes'
            )
        if not in_use:
            return {}
        names = {'network': 'digest'}  # the other names are equal
        known = ('path', 'version', 'network', 'episodes')
        found = {names.get(name, name): getattr(in_use[0], name) for name in known}
        return {name: value for name, value in found.items() if value is not None}

"""What is in a bag, at a glance, and whether anything is missing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neuron_reach.bags import layout
from neuron_reach.bags.reader import BagReader
from neuron_reach.errors import UserError


@dataclass(frozen=True)
class Continuity:
    """Whether the control cycles on one topic follow each other without gap or repetition.

    Cycles lost at the end of an episode do not show here, but as fewer messages than on the
    observation topic.

    Attributes:
        messages: control cycles recorded.
        missing_steps: cycles missing before a recorded one of the same episode.
        missing_episodes: episodes of which nothing is there, between recorded ones.
        duplicates: cycles that came again, or late.
    """

    messages: int
    missing_steps: int
    missing_episodes: int
    duplicates: int

    @property
    def unbroken(self) -> bool:
        """Whether nothing is missing and nothing came twice."""
        return not (self.missing_steps or self.missing_episodes or self.duplicates)


@dataclass(frozen=True)
class BagSummary:
    """Content of one or more bags.

    Attributes:
        bags: the paths read.
        storage: ``mcap``, ``sqlite3``, or both.
        duration: recorded time, s, summed over the bags.
        episodes: finished episodes.
        success_rate: share of the finished episodes that succeeded; None without episodes.
        arms: largest number of arms moving at once.
        steps: recorded control cycles, summed over the arms.
        neurons: neurons of each layer, from input to output.
        messages: messages by topic, with namespace.
        continuity: by topic, of the observations and of the activations of each layer.
        incomplete: why not everything recorded can be read, in one line; None if it can.
    """

    bags: tuple[str, ...]
    storage: str
    duration: float
    episodes: int
    success_rate: float | None
    arms: int
    steps: int
    neurons: dict[str, int]
    messages: dict[str, int]
    continuity: dict[str, Continuity]
    incomplete: str | None

    def __str__(self) -> str:
        """Text for a terminal."""
        rate = '' if self.success_rate is None else f', {self.success_rate:.1%} successful'
        layers = ', '.join(f'{layer} {count}' for layer, count in self.neurons.items())
        lines = [
            f'Bag        {", ".join(self.bags)} ({self.storage}, {self.duration:.1f} s)',
            f'Episodes   {self.episodes}{rate}',
            f'Steps      {self.steps} (of {self.arms} {"arm" if self.arms == 1 else "arms"})',
            f'Neurons    {layers or "no activations recorded"}',
            'Messages',
        ]
        width = max((len(topic) for topic in self.messages), default=0)
        for topic, count in self.messages.items():
            note = _describe(self.continuity[topic]) if topic in self.continuity else ''
            lines.append(f'  {topic:{width}}  {count:>9}  {note}'.rstrip())
        lines.append(f'Incomplete {self.incomplete}' if self.incomplete else 'The bag is complete.')
        return '\n'.join(lines)


def summarize(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> BagSummary:
    """Summarise bags, reading each once from front to back, in constant memory.

    Args:
        paths: as for `BagReader`.

    Raises:
        UserError: as for `BagReader`; or a message does not have the layout of its topic.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    bags = tuple(str(Path(path)) for path in paths)
    readers = [BagReader(bag) for bag in bags] or [BagReader(bags)]
    tally = _Tally()
    for reader in readers:
        tally.add(reader)
    notes = [reader.incomplete for reader in readers if reader.incomplete]
    finished = tally.episodes
    return BagSummary(
        bags=bags,
        storage=' and '.join(sorted({reader.storage for reader in readers})),
        duration=tally.duration_ns / 1e9,
        episodes=finished,
        success_rate=tally.successes / finished if finished else None,
        arms=tally.arms,
        steps=tally.steps,
        neurons=dict(sorted(tally.neurons.items(), key=lambda item: layout.depth(item[0]))),
        messages=dict(sorted(tally.messages.items())),
        continuity={topic: track.result() for topic, track in sorted(tally.tracks.items())},
        incomplete='; '.join(notes) or None,
    )


@dataclass
class _Track:
    """Follows the episode and step of one topic through the bags."""

    messages: int = 0
    missing_steps: int = 0
    missing_episodes: int = 0
    duplicates: int = 0
    last: tuple[int, int] | None = None
    next_episode: int = 0

    def follow(self, episode: int, step: int, arms: int) -> None:
        self.messages += 1
        # A recording may begin anywhere; from then on nothing may be missing.
        if self.last is not None:
            last_episode, last_step = self.last
            if (episode, step) <= self.last:
                self.duplicates += 1
                return
            if episode == last_episode:
                self.missing_steps += step - last_step - 1
            else:
                self.missing_steps += step
                self.missing_episodes += max(0, episode - self.next_episode)
        self.last = episode, step
        self.next_episode = episode + arms

    def result(self) -> Continuity:
        return Continuity(self.messages, self.missing_steps, self.missing_episodes, self.duplicates)


@dataclass
class _Tally:
    duration_ns: int = 0
    episodes: int = 0
    successes: int = 0
    arms: int = 0
    steps: int = 0
    neurons: dict[str, int] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    tracks: dict[str, _Track] = field(default_factory=dict)

    def add(self, reader: BagReader) -> None:
        """Count one bag."""
        first = last = None
        for track in self.tracks.values():
            track.last = None  # each bag counts its episodes by itself
        for topic in reader.topics:
            self.messages.setdefault(topic, 0)
        for topic, time, message in reader.messages():
            first = time if first is None else min(first, time)
            last = time if last is None else max(last, time)
            self.messages[topic] += 1
            try:
                self._count(topic, message)
            except layout.LayoutError as error:
                raise UserError(f'{topic}: {error}') from None
        if first is not None and last is not None:
            self.duration_ns += last - first

    def _count(self, topic: str, message: object) -> None:
        if layout.is_topic(topic, layout.EPISODE):
            results = layout.read_episodes(message)
            self.episodes += len(results)
            success = results[:, layout.EPISODE_FIELDS.index('success')]
            self.successes += int(np.count_nonzero(success))
            return
        layer = layout.layer_of(topic)
        if layer is None and not layout.is_topic(topic, layout.OBSERVATION):
            return
        episode, step, values = layout.read_fleet_step(message)
        arms, neurons = values.shape
        self.tracks.setdefault(topic, _Track()).follow(episode, step, arms)
        if layer is None:
            self.arms = max(self.arms, arms)
            self.steps += arms
        elif self.neurons.setdefault(layer, neurons) != neurons:
            raise layout.LayoutError(
                f'{neurons} neurons after {self.neurons[layer]}: these are two networks'
            )


def _describe(continuity: Continuity) -> str:
    if continuity.unbroken:
        return 'no gaps'
    parts = (
        (continuity.missing_steps, 'steps missing'),
        (continuity.missing_episodes, 'episodes missing'),
        (continuity.duplicates, 'repeated'),
    )
    return ', '.join(f'{count} {what}' for count, what in parts if count)

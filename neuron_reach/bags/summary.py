"""What is in a bag, at a glance, and whether anything is missing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neuron_reach.bags import layout
from neuron_reach.bags.episodes import Continuity, Episodes
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.seal import SEAL, Seal, read_seal
from neuron_reach.errors import UserError


@dataclass(frozen=True)
class BagSummary:
    """Content of one or more bags.

    Attributes:
        bags: the paths read.
        storage: ``mcap``, ``sqlite3``, or both.
        duration: recorded time, s, summed over the bags.
        episodes: finished episodes.
        asked: how many were asked for; None: no number, or not known.
        success_rate: share of the finished episodes that succeeded; None without episodes.
        arms: largest number of arms moving at once.
        steps: recorded control cycles, summed over the arms.
        neurons: neurons of each layer, from input to output.
        messages: messages by topic, with namespace.
        continuity: by topic, of the observations and of the activations of each layer.
        networks: content digests of the networks that acted.
        incomplete: what cannot be read, is missing or came twice, in one line; None if nothing.
    """

    bags: tuple[str, ...]
    storage: str
    duration: float
    episodes: int
    asked: int | None
    success_rate: float | None
    arms: int
    steps: int
    neurons: dict[str, int]
    messages: dict[str, int]
    continuity: dict[str, Continuity]
    networks: tuple[str, ...]
    incomplete: str | None

    def __str__(self) -> str:
        """Text for a terminal."""
        asked = '' if self.asked is None else f' of {self.asked}'
        rate = '' if self.success_rate is None else f', {self.success_rate:.1%} successful'
        layers = ', '.join(f'{layer} {count}' for layer, count in self.neurons.items())
        lines = [
            f'Bag        {", ".join(self.bags)} ({self.storage}, {self.duration:.1f} s)',
            f'Episodes   {self.episodes}{asked}{rate}',
            f'Steps      {self.steps} (of {self.arms} {"arm" if self.arms == 1 else "arms"})',
            f'Neurons    {layers or "no activations recorded"}',
            'Messages',
        ]
        width = max((len(topic) for topic in self.messages), default=0)
        for topic, count in self.messages.items():
            note = self.continuity.get(topic, '')
            lines.append(f'  {topic:{width}}  {count:>9}  {note}'.rstrip())
        return '\n'.join([*lines, self._verdict()])

    def _verdict(self) -> str:
        if self.incomplete:
            return f'Incomplete {self.incomplete}'
        if self.asked is not None:
            return 'The bag is complete.'
        reason = 'no number was asked for' if self.networks else 'the bag does not say'
        return f'Nothing is missing in between; {reason} how many episodes there should be.'


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
    readers = [BagReader(bag) for bag in bags] or [BagReader(bags)]  # which says what a bag is
    tally = _Tally()
    for bag, reader in zip(bags, readers, strict=True):
        tally.add(Path(bag), reader)
    results = np.concatenate([episodes.results for episodes in tally.robots])
    tracks = [track for episodes in tally.robots for track in episodes.tracks.items()]
    seen = [track for name, track in tracks if name == layout.OBSERVATION]
    success = results[:, layout.EPISODE_FIELDS.index('success')]
    return BagSummary(
        bags=bags,
        storage=' and '.join(sorted({reader.storage for reader in readers})),
        duration=tally.duration_ns / 1e9,
        episodes=len(results),
        asked=None if None in tally.asked else sum(filter(None, tally.asked)),
        success_rate=int(np.count_nonzero(success)) / len(results) if len(results) else None,
        arms=max((track.arms for track in seen), default=0),
        steps=sum(track.steps for track in seen),
        neurons=dict(sorted(tally.neurons.items(), key=lambda item: layout.depth(item[0]))),
        messages=dict(sorted(tally.messages.items())),
        continuity=dict(sorted(tally.continuity.items())),
        networks=tuple(sorted(tally.networks)),
        incomplete='; '.join(tally.problems) or None,
    )


@dataclass
class _Tally:
    """What has been counted in the bags so far; `robots` has an entry for each of every bag."""

    duration_ns: int = 0
    neurons: dict[str, int] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    robots: list[Episodes] = field(default_factory=list)
    continuity: dict[str, Continuity] = field(default_factory=dict)
    asked: list[int | None] = field(default_factory=list)
    networks: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def add(self, bag: Path, reader: BagReader) -> None:
        """Count one bag."""
        first = last = None
        robots: dict[str, Episodes] = {}
        for topic in reader.topics:
            self.messages.setdefault(topic, 0)
        for topic, time, message in reader.messages():
            first = time if first is None else min(first, time)
            last = time if last is None else max(last, time)
            self.messages[topic] += 1
            try:
                self._count(robots, topic, message)
            except layout.LayoutError as error:
                raise UserError(f'{topic}: {error}') from None
        if first is not None and last is not None:
            self.duration_ns += last - first
        if reader.incomplete:
            self.problems.append(reader.incomplete)
        self._judge(robots or {'': Episodes()}, read_seal(bag))

    def _count(self, robots: dict[str, Episodes], topic: str, message: object) -> None:
        namespace, name = layout.split_topic(topic)
        layer = layout.layer_of(name)
        if layer is None and name not in (layout.OBSERVATION, layout.EPISODE, layout.CHECKPOINT):
            return
        values = robots.setdefault(namespace, Episodes()).take(name, message)
        if layer is None or values is None:
            return
        neurons = values.shape[1]
        if self.neurons.setdefault(layer, neurons) != neurons:
            raise layout.LayoutError(
                f'{neurons} neurons after {self.neurons[layer]}: these are two networks'
            )

    def _judge(self, robots: dict[str, Episodes], seal: Seal | None) -> None:
        """Take down what the robots of a bag did, and what is missing."""
        for namespace, episodes in robots.items():
            name = f'{namespace}: ' if len(robots) > 1 else ''
            asked = seal.episodes if seal else episodes.asked
            self.asked.append(asked)
            self.problems += [f'{name}{problem}' for problem in episodes.problems(asked)]
            if seal and episodes.network not in (None, seal.network):
                self.problems.append(f'{name}of another network than its {SEAL} says')
            self.networks |= {one.network for one in episodes.announced if one.network}
            for topic, track in episodes.tracks.items():
                before = self.continuity.get(f'{namespace}/{topic}', Continuity())
                self.continuity[f'{namespace}/{topic}'] = before + track.continuity
        self.robots += robots.values()

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A summary of the content of bags, and of what is missing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuron_reach import messages
from neuron_reach.bags.episodes import Continuity, Episodes
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.robots import find_robots, list_namespaces, topic_prefix
from neuron_reach.bags.seal import Seal, read_seal
from neuron_reach.bags.storage import Channel
from neuron_reach.common.names import SEAL
from neuron_reach.errors import UserError, printable

_LONGEST_SHOWN, _MOST_LISTED = 100, 20


@dataclass(frozen=True)
class RobotSummary:
    """What one robot did.

    Attributes:
        episodes: finished episodes.
        requested: number of requested episodes; None if there was no number or it is unknown.
        success_rate: share of the finished episodes that succeeded, among those of which it is
            known; None without such episodes.
        returns: mean, standard deviation, least and greatest return; None if they are unknown.
        arms: largest number of arms moving at once.
        steps: recorded control cycles, summed over the arms.
        neurons: neurons of each layer, from input to output.
        networks: content digests of the networks that acted.
    """

    episodes: int
    requested: int | None
    success_rate: float | None
    arms: int
    steps: int
    neurons: dict[str, int]
    networks: tuple[str, ...]
    returns: tuple[float, float, float, float] | None = None

    def lines(self) -> list[str]:
        """Text for a terminal."""
        requested = '' if self.requested is None else f' of {self.requested}'
        rate = '' if self.success_rate is None else f', {self.success_rate:.1%} successful'
        layers = ', '.join(f'{layer} {count}' for layer, count in self.neurons.items())
        returns = []
        if self.returns is not None:
            mean, deviation, least, greatest = self.returns
            spread = f'standard deviation {deviation:.2f}, from {least:.2f} to {greatest:.2f}'
            returns = [f'Returns    mean {mean:.2f}, {spread}']
        return [
            f'Episodes   {self.episodes}{requested}{rate}',
            *returns,
            f'Steps      {self.steps} (of {self.arms} {"arm" if self.arms == 1 else "arms"})',
            f'Neurons    {layers or "no activations recorded"}',
        ]


@dataclass(frozen=True)
class BagSummary:
    """Content of one or more bags.

    Attributes:
        bags: the paths read.
        storage: ``mcap``, ``sqlite3``, or both.
        duration: recorded time, s, summed over the bags.
        robots: by namespace (`/name`, or empty).
        messages: messages by full topic name, including topics of other programs.
        types: message types by topic.
        ignored: messages with a topic and type of this project but another layout, by topic.
        continuity: by topic, of the observations and of the activations of each layer.
        missing: number of missing commands and joint states (one is expected per control cycle)
            and goals (one per round of episodes), by topic; only topics with missing messages.
        sealed: whether there is a digest of every file.
        has_checksums: whether every file has a checksum over all its messages.
        incomplete: what is unreadable, missing or repeated, in one line; None if nothing is.
    """

    bags: tuple[str, ...]
    storage: str
    duration: float
    robots: dict[str, RobotSummary]
    messages: dict[str, int]
    types: dict[str, str]
    ignored: dict[str, int]
    continuity: dict[str, Continuity]
    missing: dict[str, int]
    sealed: bool
    has_checksums: bool
    incomplete: str | None

    def __str__(self) -> str:
        """Text for a terminal."""
        lines = [f'Bag        {", ".join(self.bags)} ({self.storage}, {self.duration:.1f} s)']
        for namespace, robot in self.robots.items():
            if len(self.robots) > 1:
                lines.append(f'Robot      {namespace or "/"}')
            lines += robot.lines()
        if not self.robots:
            lines.append('Robots     none: no activations recorded')
        lines.append('Messages')
        rows = [(_shown(topic), *self._describe(topic)) for topic in self.messages]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        for topic, count, kind, note in rows:
            line = f'  {topic:{widths[0]}}  {count:>{widths[1]}}  {kind:{widths[2]}}  {note}'
            lines.append(line.rstrip())
        if not (self.sealed or self.has_checksums):
            lines.append('No digest  damage that leaves the bag readable is not detected')
        elif not self.sealed:
            lines.append('No digest  damage is detected by the checksums of the storage only')
        return '\n'.join(map(printable, [*lines, self._verdict()]))

    def _describe(self, topic: str) -> tuple[str, str, str]:
        """Return the count and type of a topic, and notes about it."""
        name = _full(topic)
        notes = [str(self.continuity[name])] if name in self.continuity else []
        if topic in self.ignored:
            notes.append(f'{self.ignored[topic]} with another layout')
        if topic in self.missing:
            notes.append(f'{self.missing[topic]} missing')
        kind = _shown(self.types[topic]) or 'unknown type'
        return str(self.messages[topic]), kind, ', '.join(notes)

    def _verdict(self) -> str:
        if self.incomplete:
            return f'Incomplete {self.incomplete}'
        if not self.robots:
            return 'Everything can be read.'
        if all(robot.requested is not None for robot in self.robots.values()):
            if self.missing:
                return (
                    f'All episodes are complete; messages are missing on {", ".join(self.missing)}.'
                )
            return 'The bag is complete.'
        announced = any(robot.networks for robot in self.robots.values())
        if announced:
            reason = 'no number of episodes was requested, so any number is valid'
        else:
            reason = 'the bag does not say how many episodes there should be'
        return f'No gaps; {reason}.'


def summarize(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], namespace: str | None = None
) -> BagSummary:
    """Summarize bags, reading each once from front to back, in little memory.

    Args:
        paths: as for `BagReader`.
        namespace: of the topics to summarize; None: all.

    Raises:
        UserError: as for `BagReader`; or there is no robot in that namespace.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    bags = tuple(str(Path(path)) for path in paths)
    readers = [BagReader(bag) for bag in bags] or [BagReader(bags)]  # raises the error for no bag
    tally = _Tally(None if namespace is None else topic_prefix(namespace))
    for bag, reader in zip(bags, readers, strict=True):
        tally.add(Path(bag), reader)
    if tally.only is not None and tally.only not in tally.robots:
        found = {robot.namespace for reader in readers for robot in find_robots(reader)}
        elsewhere = f'but in {list_namespaces(found)}' if found else 'nor in another one'
        raise UserError(f'{", ".join(bags)}: no robot in namespace {namespace!r}, {elsewhere}')
    return BagSummary(
        bags=bags,
        storage=' and '.join(sorted({reader.storage for reader in readers})),
        duration=tally.duration_ns / 1e9,
        robots={name: robot.summarize() for name, robot in sorted(tally.robots.items())},
        messages=dict(sorted(tally.messages.items())),
        types={topic: ', '.join(sorted(types)) for topic, types in tally.types.items()},
        ignored=dict(tally.ignored),
        continuity=dict(sorted(tally.continuity.items())),
        missing=tally.missing(),
        sealed=all(reader.sealed for reader in readers),
        has_checksums=all(reader.has_checksums for reader in readers),
        incomplete=_join(tally.problems) or None,
    )


def _join(problems: Sequence[str]) -> str:
    rest = len(problems) - _MOST_LISTED
    return '; '.join(problems[:_MOST_LISTED]) + (f'; and {rest} others' if rest > 0 else '')


def _full(topic: str) -> str:
    """Return the full name of a topic; other recorders omit the first `/`, or double it."""
    return f'/{topic.lstrip("/")}'


def _shown(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST_SHOWN else f'{text[: _LONGEST_SHOWN - 3]}...'


@dataclass
class _Robot:
    """One robot in the bags read so far, with one entry per bag."""

    episodes: list[Episodes] = field(default_factory=list)
    requested: list[int | None] = field(default_factory=list)
    neurons: dict[str, int] = field(default_factory=dict)

    def add(self, episodes: Episodes, namespace: str) -> None:
        """Add the episodes of one bag.

        Raises:
            UserError: they have another network.
        """
        self.episodes.append(episodes)
        for topic, track in episodes.tracks.items():
            if (layer := messages.layer_of(topic)) is None:
                continue
            widths = {*track.widths, self.neurons.setdefault(layer, min(track.widths))}
            if len(widths) > 1:
                raise UserError(
                    f'{namespace}/{topic}: has {" and ".join(map(str, sorted(widths)))} neurons: '
                    'these are two networks'
                )

    def summarize(self) -> RobotSummary:
        results = np.concatenate([each.results for each in self.episodes])
        observed = [
            each.tracks[messages.OBSERVATION]
            for each in self.episodes
            if messages.OBSERVATION in each.tracks
        ]
        successes = np.concatenate([each.successes for each in self.episodes])
        returns = np.concatenate([each.returns for each in self.episodes])
        networks = {announced.network for each in self.episodes for announced in each.announced}
        return RobotSummary(
            episodes=len(results),
            requested=None if None in self.requested else sum(filter(None, self.requested)),
            success_rate=float(successes.mean()) if len(successes) else None,
            returns=_spread(returns) if len(returns) else None,
            arms=max((track.arms for track in observed), default=0),
            steps=sum(track.steps for track in observed),
            neurons=dict(sorted(self.neurons.items(), key=lambda item: messages.depth(item[0]))),
            networks=tuple(sorted(filter(None, networks))),
        )


def _spread(values: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return mean, standard deviation of the sample, least and greatest value."""
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(values.mean()), deviation, float(values.min()), float(values.max())


@dataclass
class _Tally:
    """Counts over the bags read so far.

    Attributes:
        only: the namespace that is counted; None: all.
    """

    only: str | None
    duration_ns: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    types: dict[str, set[str]] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    robots: dict[str, _Robot] = field(default_factory=dict)
    continuity: dict[str, Continuity] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, bag: Path, reader: BagReader) -> None:
        """Count one bag."""
        first = last = None
        by_namespace: dict[str, Episodes] = {}
        places: dict[Channel, tuple[str, str] | None] = {}

        def wanted(channel: Channel) -> bool:
            if self.only is not None and not _full(channel.topic).startswith(f'{self.only}/'):
                return False
            self.messages[channel.topic] += 0
            self.types.setdefault(channel.topic, set()).add(channel.msgtype)
            topic = channel.project_topic
            places[channel] = topic if self.only in (None, topic and topic[0]) else None
            return True

        for channel in reader.channels:
            wanted(channel)
        for channel, time, data in reader.read(wanted):
            first = time if first is None else min(first, time)
            last = time if last is None else max(last, time)
            self.messages[channel.topic] += 1
            if place := places[channel]:
                try:
                    episodes = by_namespace.get(place[0]) or Episodes()
                    episodes.add(place[1], reader.decode(channel, data))
                    by_namespace[place[0]] = episodes
                except messages.LayoutError:
                    self.ignored[channel.topic] += 1
        if first is not None and last is not None:
            self.duration_ns += last - first
        if reader.incomplete:
            self.problems.append(reader.incomplete)
        self._add_robots(_robots(by_namespace, places.values()), read_seal(bag))

    def missing(self) -> dict[str, int]:
        """Return the number of missing messages by topic, see `BagSummary.missing`."""
        missing = {}
        for namespace in self.robots:
            cycles = self.continuity.get(
                f'{namespace}/{messages.OBSERVATION}', Continuity()
            ).messages
            rounds = self.messages.get(f'{namespace}/{messages.EPISODE}', 0)
            expected = {
                messages.COMMANDS: cycles,
                messages.JOINT_STATES: cycles,
                messages.GOAL: rounds,
            }
            for name, count in expected.items():
                topic = f'{namespace}/{name}'
                if topic in self.messages and self.messages[topic] < count:
                    missing[topic] = count - self.messages[topic]
        return missing

    def _add_robots(self, by_namespace: dict[str, Episodes], seal: Seal | None) -> None:
        """Add the robots of a bag, and find what is missing."""
        for namespace, episodes in by_namespace.items():
            robot = self.robots.setdefault(namespace, _Robot())
            robot.add(episodes, namespace)
            name = f'{namespace or "/"}: ' if len(by_namespace) > 1 else ''
            requested = seal.episodes if seal else episodes.requested
            robot.requested.append(requested)
            self.problems += [f'{name}{problem}' for problem in episodes.problems(requested)]
            if seal and episodes.network not in (None, seal.network):
                self.problems.append(f'{name}of another network than {SEAL} says')
            for topic, track in episodes.tracks.items():
                before = self.continuity.get(f'{namespace}/{topic}', Continuity())
                self.continuity[f'{namespace}/{topic}'] = before + track.continuity


def _robots(
    by_namespace: dict[str, Episodes], places: Iterable[tuple[str, str] | None]
) -> dict[str, Episodes]:
    """Return the robots: namespaces with activations.

    If there are none, namespaces with other messages of this project are taken for incomplete
    robots; if there are none either, namespaces with topics for activations but no messages.
    """
    with_activations = {
        name: episodes for name, episodes in by_namespace.items() if episodes.layers
    }
    announced = {place[0]: Episodes() for place in places if place and messages.layer_of(place[1])}
    return with_activations or by_namespace or announced

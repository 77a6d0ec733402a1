"""What is in a bag, at a glance, and whether anything is missing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neuron_reach import messages
from neuron_reach.bags.episodes import Continuity, Episodes
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.robots import find_robots, list_namespaces, topic_prefix
from neuron_reach.bags.seal import Seal, read_seal
from neuron_reach.bags.storage import Channel
from neuron_reach.common.names import SEAL
from neuron_reach.errors import UserError, printable

_LONGEST_SHOWN, _MOST_TOLD = 100, 20


@dataclass(frozen=True)
class RobotSummary:
    """What one robot did.

    Attributes:
        episodes: finished episodes.
        asked: how many were asked for; None: no number, or not known.
        success_rate: share of the finished episodes that succeeded; None without episodes.
        arms: largest number of arms moving at once.
        steps: recorded control cycles, summed over the arms.
        neurons: neurons of each layer, from input to output.
        networks: content digests of the networks that acted.
    """

    episodes: int
    asked: int | None
    success_rate: float | None
    arms: int
    steps: int
    neurons: dict[str, int]
    networks: tuple[str, ...]

    def lines(self) -> list[str]:
        """Text for a terminal."""
        asked = '' if self.asked is None else f' of {self.asked}'
        rate = '' if self.success_rate is None else f', {self.success_rate:.1%} successful'
        layers = ', '.join(f'{layer} {count}' for layer, count in self.neurons.items())
        return [
            f'Episodes   {self.episodes}{asked}{rate}',
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
        robots: those of ours, by namespace (`/name`, or empty).
        messages: messages by topic, with namespace; also those of others.
        types: message types by topic.
        left_alone: messages of our types that are laid out in another way, by topic.
        continuity: by topic, of the observations and of the activations of each layer.
        fewer: by how many messages commands and joint states fall short of one for each control
            cycle, and goals of one for each round of episodes, by topic; only where they do.
        sealed: there is a digest of every file.
        has_checksums: every file has a checksum over all its messages.
        incomplete: what cannot be read, is missing or came twice, in one line; None if nothing.
    """

    bags: tuple[str, ...]
    storage: str
    duration: float
    robots: dict[str, RobotSummary]
    messages: dict[str, int]
    types: dict[str, str]
    left_alone: dict[str, int]
    continuity: dict[str, Continuity]
    fewer: dict[str, int]
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
            lines.append('Robots     none of ours: no activations recorded')
        lines.append('Messages')
        rows = [(_shown(topic), *self._describe(topic)) for topic in self.messages]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        for topic, count, kind, note in rows:
            line = f'  {topic:{widths[0]}}  {count:>{widths[1]}}  {kind:{widths[2]}}  {note}'
            lines.append(line.rstrip())
        if not (self.sealed or self.has_checksums):
            lines.append('No digest  damage that leaves the bag readable would not be noticed')
        elif not self.sealed:
            lines.append('No digest  damage shows by the checksums of the storage only')
        return '\n'.join(map(printable, [*lines, self._verdict()]))

    def _describe(self, topic: str) -> tuple[str, str, str]:
        """Return the count and type of a topic, and what there is to say about it."""
        name = _full(topic)
        notes = [str(self.continuity[name])] if name in self.continuity else []
        if topic in self.left_alone:
            notes.append(f'{self.left_alone[topic]} of another layout')
        if topic in self.fewer:
            notes.append(f'{self.fewer[topic]} missing')
        kind = _shown(self.types[topic]) or 'unknown type'
        return str(self.messages[topic]), kind, ', '.join(notes)

    def _verdict(self) -> str:
        if self.incomplete:
            return f'Incomplete {self.incomplete}'
        if not self.robots:
            return 'Everything can be read.'
        if all(robot.asked is not None for robot in self.robots.values()):
            if self.fewer:
                return (
                    f'All episodes are complete; messages are missing of {", ".join(self.fewer)}.'
                )
            return 'The bag is complete.'
        announced = any(robot.networks for robot in self.robots.values())
        if announced:
            reason = 'no number was asked for, so that there may be any number of episodes'
        else:
            reason = 'the bag does not say how many episodes there should be'
        return f'No gaps; {reason}.'


def summarize(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], namespace: str | None = None
) -> BagSummary:
    """Summarize bags, reading each once from front to back, in little memory.

    Args:
        paths: as for `BagReader`.
        namespace: of the topics to look at; None: all.

    Raises:
        UserError: as for `BagReader`; or there is no robot in that namespace.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    bags = tuple(str(Path(path)) for path in paths)
    readers = [BagReader(bag) for bag in bags] or [BagReader(bags)]  # which says what a bag is
    tally = _Tally(None if namespace is None else topic_prefix(namespace))
    for bag, reader in zip(bags, readers, strict=True):
        tally.add(Path(bag), reader)
    if tally.only is not None and tally.only not in tally.robots:
        found = {robot.namespace for reader in readers for robot in find_robots(reader)}
        there = f'but in {list_namespaces(found)}' if found else 'nor in another one'
        raise UserError(f'{", ".join(bags)}: no robot in namespace {namespace!r}, {there}')
    return BagSummary(
        bags=bags,
        storage=' and '.join(sorted({reader.storage for reader in readers})),
        duration=tally.duration_ns / 1e9,
        robots={name: robot.summarize() for name, robot in sorted(tally.robots.items())},
        messages=dict(sorted(tally.messages.items())),
        types={topic: ', '.join(sorted(types)) for topic, types in tally.types.items()},
        left_alone=dict(tally.left_alone),
        continuity=dict(sorted(tally.continuity.items())),
        fewer=tally.fewer(),
        sealed=all(reader.sealed for reader in readers),
        has_checksums=all(reader.has_checksums for reader in readers),
        incomplete=_join(tally.problems) or None,
    )


def _join(problems: Sequence[str]) -> str:
    rest = len(problems) - _MOST_TOLD
    return '; '.join(problems[:_MOST_TOLD]) + (f'; and {rest} others' if rest > 0 else '')


def _full(topic: str) -> str:
    """Return the full name of a topic; other recorders leave the first `/` out, or double it."""
    return f'/{topic.lstrip("/")}'


def _shown(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST_SHOWN else f'{text[: _LONGEST_SHOWN - 3]}...'


@dataclass
class _Robot:
    """One robot in the bags so far, with an entry for each bag."""

    episodes: list[Episodes] = field(default_factory=list)
    asked: list[int | None] = field(default_factory=list)
    neurons: dict[str, int] = field(default_factory=dict)

    def add(self, episodes: Episodes, namespace: str) -> None:
        """Add what it did in one bag.

        Raises:
            UserError: that was another network.
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
        results = np.concatenate([one.results for one in self.episodes])
        seen = [
            one.tracks[messages.OBSERVATION]
            for one in self.episodes
            if messages.OBSERVATION in one.tracks
        ]
        successes = np.count_nonzero(results[:, messages.EPISODE_FIELDS.index('success')])
        networks = {said.network for one in self.episodes for said in one.announced}
        return RobotSummary(
            episodes=len(results),
            asked=None if None in self.asked else sum(filter(None, self.asked)),
            success_rate=int(successes) / len(results) if len(results) else None,
            arms=max((track.arms for track in seen), default=0),
            steps=sum(track.steps for track in seen),
            neurons=dict(sorted(self.neurons.items(), key=lambda item: messages.depth(item[0]))),
            networks=tuple(sorted(filter(None, networks))),
        )


@dataclass
class _Tally:
    """What has been counted in the bags so far; `only` in this namespace."""

    only: str | None
    duration_ns: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    types: dict[str, set[str]] = field(default_factory=dict)
    left_alone: Counter[str] = field(default_factory=Counter)
    robots: dict[str, _Robot] = field(default_factory=dict)
    continuity: dict[str, Continuity] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, bag: Path, reader: BagReader) -> None:
        """Count one bag."""
        first = last = None
        found: dict[str, Episodes] = {}
        places: dict[Channel, tuple[str, str] | None] = {}

        def wanted(channel: Channel) -> bool:
            if self.only is not None and not _full(channel.topic).startswith(f'{self.only}/'):
                return False
            self.messages[channel.topic] += 0
            self.types.setdefault(channel.topic, set()).add(channel.msgtype)
            ours = channel.own
            places[channel] = ours if self.only in (None, ours and ours[0]) else None
            return True

        for channel in reader.channels:
            wanted(channel)
        for channel, time, data in reader.read(wanted):
            first = time if first is None else min(first, time)
            last = time if last is None else max(last, time)
            self.messages[channel.topic] += 1
            if place := places[channel]:
                try:
                    episodes = found.get(place[0]) or Episodes()
                    episodes.take(place[1], reader.decode(channel, data))
                    found[place[0]] = episodes
                except messages.LayoutError:
                    self.left_alone[channel.topic] += 1
        if first is not None and last is not None:
            self.duration_ns += last - first
        if reader.incomplete:
            self.problems.append(reader.incomplete)
        self._judge(_ours(found, places.values()), read_seal(bag))

    def fewer(self) -> dict[str, int]:
        """Return by how many messages topics fall short of what was done, see `BagSummary`."""
        short = {}
        for namespace in self.robots:
            cycles = self.continuity.get(
                f'{namespace}/{messages.OBSERVATION}', Continuity()
            ).messages
            rounds = self.messages.get(f'{namespace}/{messages.EPISODE}', 0)
            least = {
                messages.COMMANDS: cycles,
                messages.JOINT_STATES: cycles,
                messages.GOAL: rounds,
            }
            for name, count in least.items():
                topic = f'{namespace}/{name}'
                if topic in self.messages and self.messages[topic] < count:
                    short[topic] = count - self.messages[topic]
        return short

    def _judge(self, found: dict[str, Episodes], seal: Seal | None) -> None:
        """Take down what the robots of a bag did, and what is missing."""
        for namespace, episodes in found.items():
            robot = self.robots.setdefault(namespace, _Robot())
            robot.add(episodes, namespace)
            name = f'{namespace or "/"}: ' if len(found) > 1 else ''
            asked = seal.episodes if seal else episodes.asked
            robot.asked.append(asked)
            self.problems += [f'{name}{problem}' for problem in episodes.problems(asked)]
            if seal and episodes.network not in (None, seal.network):
                self.problems.append(f'{name}of another network than its {SEAL} says')
            for topic, track in episodes.tracks.items():
                before = self.continuity.get(f'{namespace}/{topic}', Continuity())
                self.continuity[f'{namespace}/{topic}'] = before + track.continuity


def _ours(
    found: dict[str, Episodes], places: Iterable[tuple[str, str] | None]
) -> dict[str, Episodes]:
    """Return the robots of ours: those with activations.

    If there are none, what else is laid out as ours may be what is left of one; and if nothing is,
    a robot whose topics were announced may just have said nothing.
    """
    with_activations = {name: episodes for name, episodes in found.items() if episodes.layers}
    announced = {place[0]: Episodes() for place in places if place and messages.layer_of(place[1])}
    return with_activations or found or announced

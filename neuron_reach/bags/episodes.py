"""Which control cycles of which episodes are in a bag, and whether any is missing."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuron_reach import messages


@dataclass(frozen=True)
class Continuity:
    """Whether the control cycles on one topic follow each other without gap or repetition.

    Cycles lost at the end of an episode do not show here, but in `Episodes.problems`.

    Attributes:
        messages: control cycles recorded.
        missing_steps: cycles missing before a recorded one of the same episode.
        missing_episodes: episodes of which nothing is there, between recorded ones.
        duplicates: cycles that came again, or late.
    """

    messages: int = 0
    missing_steps: int = 0
    missing_episodes: int = 0
    duplicates: int = 0

    @property
    def unbroken(self) -> bool:
        """Whether nothing is missing and nothing came twice."""
        return not (self.missing_steps or self.missing_episodes or self.duplicates)

    def __add__(self, other: Continuity) -> Continuity:
        """Return that of one bag after the other."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Continuity(*(one + another for one, another in pairs))

    def __str__(self) -> str:
        """Text for a terminal."""
        parts = (
            (self.missing_steps, 'steps missing'),
            (self.missing_episodes, 'episodes missing'),
            (self.duplicates, 'repeated or late'),
        )
        return ', '.join(f'{count} {what}' for count, what in parts if count) or 'no gaps'


class Track:
    """Follows the episode and step of the messages on one topic of one bag.

    Attributes:
        continuity: of these messages.
        steps: without repetitions, summed over the arms.
        arms: the most that moved at once.
        widths: values of each arm, each number once.
        first: episode and step that it begins with.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.steps = self.arms = 0
        self.widths: set[int] = set()
        self.first: tuple[int, int] | None = None
        self._messages = self._missing_steps = self._missing_episodes = self._duplicates = 0
        self._last = (-1, -1)
        self._next_episode = 0
        self._lengths: set[int] = set()

    @property
    def continuity(self) -> Continuity:
        """Whether anything is missing or came twice."""
        missing = self._missing_steps, self._missing_episodes
        return Continuity(self._messages, *missing, self._duplicates)

    @property
    def lengths(self) -> set[int]:
        """Steps of its episodes, each length once."""
        return self._lengths | {self._last[1] + 1}

    def follow(self, episode: int, step: int, shape: tuple[int, ...]) -> None:
        """Take down the control cycle of a message, and the shape of what it holds."""
        self._messages += 1
        arms, width = shape
        self.widths.add(width)
        if self.first is None:  # a recording may begin anywhere; from then on nothing may lack
            self.first = episode, step
        elif (episode, step) <= self._last:
            self._duplicates += 1
            return
        elif episode == self._last[0]:
            self._missing_steps += step - self._last[1] - 1
        else:
            self._lengths.add(self._last[1] + 1)
            self._missing_steps += step
            self._missing_episodes += max(0, episode - self._next_episode)
        self.steps += arms
        self.arms = max(self.arms, arms)
        self._last = episode, step
        self._next_episode = episode + arms


class Episodes:
    """The episodes of one robot in one bag.

    Attributes:
        tracks: the control cycles of each topic that has them, by relative name.
        announced: the messages on `checkpoint`.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.tracks: dict[str, Track] = collections.defaultdict(Track)
        self.announced: list[messages.CheckpointMessage] = []
        self._results: list[NDArray[np.float64]] = []

    def take(self, name: str, message: Any) -> None:
        """Take down a message.

        Args:
            name: of its topic, without namespace; one that tells nothing of episodes is left alone.
            message: from `BagReader.decode`.

        Raises:
            LayoutError: it is not laid out as that topic's messages are.
        """
        if name == messages.EPISODE:
            self._results.append(messages.read_episodes(message))
        elif name == messages.CHECKPOINT:
            self.announced.append(messages.decode_checkpoint(message.data))
        elif name == messages.OBSERVATION or messages.layer_of(name) is not None:
            episode, step, values = messages.read_fleet_step(message)
            self.tracks[name].follow(episode, step, values.shape)

    @property
    def results(self) -> NDArray[np.float64]:
        """Results of all finished episodes, (episodes, fields)."""
        return np.concatenate([np.empty((0, len(messages.EPISODE_FIELDS))), *self._results])

    @property
    def asked(self) -> int | None:
        """Episodes that were asked for; None: no number, or not known."""
        return next((one.episodes for one in self.announced if one.episodes), None)

    @property
    def network(self) -> str | None:
        """Content digest of the only network in it; None: not known, or several."""
        networks = {one.network for one in self.announced}
        return networks.pop() if len(networks) == 1 else None

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers whose activations are there, from input to output."""
        layers = [layer for topic in self.tracks if (layer := messages.layer_of(topic))]
        return tuple(sorted(layers, key=messages.depth))

    def problems(self, asked: int | None = None) -> list[str]:
        """Return what is missing or came twice, in a few words each.

        Args:
            asked: episodes that must be there, numbered from 0; by default those that the bag
                itself says were asked for, and if it says nothing, those from the first one on.
        """
        asked = asked or self.asked
        results = self.results
        numbers, lengths = results[:, 0].astype(np.int64), results[:, 3].astype(np.int64)
        known, counts = np.unique(numbers, return_counts=True)
        found = []
        if asked is not None and len(known) != asked:
            found.append(f'{len(known)} of {asked} episodes')
        elif asked is not None and known[-1] != asked - 1:
            found.append(f'{asked} of {asked} episodes, but other ones than 0 to {asked - 1}')
        elif asked is None and not len(known):
            found.append('no episode')
        elif asked is None and known[-1] - known[0] + 1 != len(known):
            found.append(f'results of {known[-1] - known[0] + 1 - len(known)} episodes missing')
        if repeated := int((counts - 1).sum()):
            found.append(f'results of {repeated} episodes repeated')
        if len(self.announced) > 1 and asked is not None:
            found.append(f'{len(self.announced)} announcements of weights')
        first = (int(known[0]) if len(known) else 0, 0)
        return found + self._layer_problems() + self._cycle_problems(first, lengths)

    def _layer_problems(self) -> list[str]:
        expected = messages.layer_names(sum(name.startswith('hidden_') for name in self.layers))
        absent = [name for name in expected if name not in self.layers]
        return [f'no activations of {", ".join(absent)}'] if absent else []

    def _cycle_problems(self, first: tuple[int, int], lengths: NDArray[np.int64]) -> list[str]:
        """Compare the cycles on every topic with the first one and the lengths of episodes."""
        steps, allowed = int(lengths.sum()), set(lengths.tolist())
        found: dict[str, list[str]] = {}
        for topic, track in sorted(self.tracks.items()):
            problem = None
            if not track.continuity.unbroken:
                problem = str(track.continuity)
            elif track.first != first:
                problem = 'begins at episode {}, step {}'.format(*track.first or (None, None))
            elif track.steps != steps or not track.lengths <= allowed:
                problem = f'{track.steps} steps, but finished episodes have {steps}'
            if problem:
                found.setdefault(problem, []).append(topic)
        if messages.OBSERVATION not in self.tracks:
            found['nothing'] = [messages.OBSERVATION]
        return [f'{_list(topics)}: {problem}' for problem, topics in found.items()]


def _list(topics: Sequence[str]) -> str:
    more = f' and {len(topics) - 1} other topics' if len(topics) > 2 else f' and {topics[-1]}'
    return topics[0] + (more if len(topics) > 1 else '')

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Control cycles and episodes in a bag, and which of them are missing."""

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
    """Gaps and repetitions in the control cycles of one topic.

    Cycles lost at the end of an episode are not counted here but found by `Episodes.problems`.

    Attributes:
        messages: control cycles recorded.
        missing_steps: cycles missing before a recorded one of the same episode.
        missing_episodes: episodes without any cycle, between recorded ones.
        duplicates: cycles that were recorded again or late.
    """

    messages: int = 0
    missing_steps: int = 0
    missing_episodes: int = 0
    duplicates: int = 0

    @property
    def unbroken(self) -> bool:
        """Whether nothing is missing or repeated."""
        return not (self.missing_steps or self.missing_episodes or self.duplicates)

    def __add__(self, other: Continuity) -> Continuity:
        """Return the counts of two bags together."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Continuity(*(first + second for first, second in pairs))

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
        steps: recorded steps without repetitions, summed over the arms.
        arms: largest number of arms that moved at once.
        widths: numbers of values per arm.
        first: first episode and step.
    """

    def __init__(self) -> None:
        """Start without messages."""
        self.steps = self.arms = 0
        self.widths: set[int] = set()
        self.first: tuple[int, int] | None = None
        self._messages = self._missing_steps = self._missing_episodes = self._duplicates = 0
        self._last = (-1, -1)
        self._next_episode = 0
        self._lengths: set[int] = set()

    @property
    def continuity(self) -> Continuity:
        """Gaps and repetitions so far."""
        missing = self._missing_steps, self._missing_episodes
        return Continuity(self._messages, *missing, self._duplicates)

    @property
    def lengths(self) -> set[int]:
        """Lengths of the episodes, in steps."""
        return self._lengths | {self._last[1] + 1}

    def follow(self, episode: int, step: int, shape: tuple[int, ...]) -> None:
        """Count the control cycle of a message with values of a shape (arms, width)."""
        self._messages += 1
        arms, width = shape
        self.widths.add(width)
        if self.first is None:  # a recording may start anywhere, but must be complete from there on
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
        tracks: the control cycles by topic, relative name.
        announced: the messages on `checkpoint`.
    """

    def __init__(self) -> None:
        """Start without messages."""
        self.tracks: dict[str, Track] = collections.defaultdict(Track)
        self.announced: list[messages.CheckpointMessage] = []
        self._results: list[NDArray[np.float64]] = []
        self._outcomes: list[NDArray[np.float64]] = []

    def add(self, name: str, message: Any) -> None:
        """Add a message.

        Args:
            name: of its topic, without namespace; topics without episodes are ignored.
            message: from `BagReader.decode`.

        Raises:
            LayoutError: it does not have the layout of its topic.
        """
        if name == messages.EPISODE:
            self._results.append(messages.read_episodes(message))
        elif name == messages.OUTCOME:
            self._outcomes.append(messages.read_outcomes(message))
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
    def successes(self) -> NDArray[np.float64]:
        """1 or 0 of the finished episodes of which it is known."""
        if self._outcomes:
            return self._outcome('success')
        success = self.results[:, messages.EPISODE_FIELDS.index('success')]
        return success[~np.isnan(success)]

    @property
    def returns(self) -> NDArray[np.float64]:
        """Returns of the finished episodes of which it is known."""
        return self._outcome('return')

    def _outcome(self, field: str) -> NDArray[np.float64]:
        rows = np.concatenate([np.empty((0, len(messages.OUTCOME_FIELDS))), *self._outcomes])
        values: NDArray[np.float64] = rows[:, messages.OUTCOME_FIELDS.index(field)]
        return values[~np.isnan(values)]

    @property
    def requested(self) -> int | None:
        """Number of requested episodes; None if there was no number or it is unknown."""
        return next((each.episodes for each in self.announced if each.episodes), None)

    @property
    def network(self) -> str | None:
        """Content digest of the network; None if it is unknown or there are several."""
        networks = {each.network for each in self.announced}
        return networks.pop() if len(networks) == 1 else None

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers with activations, from input to output."""
        layers = [layer for topic in self.tracks if (layer := messages.layer_of(topic))]
        return tuple(sorted(layers, key=messages.depth))

    def problems(self, requested: int | None = None) -> list[str]:
        """Return descriptions of everything that is missing or repeated.

        Args:
            requested: number of episodes that must be in the bag, numbered from 0. By default
                the number in the bag itself; without one, the episodes from the first one on.
        """
        requested = requested or self.requested
        results = self.results
        numbers, lengths = results[:, 0].astype(np.int64), results[:, 3].astype(np.int64)
        known, counts = np.unique(numbers, return_counts=True)
        problems = []
        if requested is not None and len(known) != requested:
            problems.append(f'{len(known)} of {requested} episodes')
        elif requested is not None and known[-1] != requested - 1:
            problems.append(f'{requested} of {requested} episodes, but not 0 to {requested - 1}')
        elif requested is None and not len(known):
            problems.append('no episode')
        elif requested is None and known[-1] - known[0] + 1 != len(known):
            problems.append(f'results of {known[-1] - known[0] + 1 - len(known)} episodes missing')
        if repeated := int((counts - 1).sum()):
            problems.append(f'results of {repeated} episodes repeated')
        if len(self.announced) > 1 and requested is not None:
            problems.append(f'{len(self.announced)} announcements of weights')
        first = (int(known[0]) if len(known) else 0, 0)
        return problems + self._layer_problems() + self._cycle_problems(first, lengths)

    def _layer_problems(self) -> list[str]:
        expected = messages.layer_names(sum(name.startswith('hidden_') for name in self.layers))
        missing = [name for name in expected if name not in self.layers]
        return [f'no activations of {", ".join(missing)}'] if missing else []

    def _cycle_problems(self, first: tuple[int, int], lengths: NDArray[np.int64]) -> list[str]:
        """Compare the cycles of every topic with the first episode and the lengths of episodes."""
        steps, allowed = int(lengths.sum()), set(lengths.tolist())
        topics_by_problem: dict[str, list[str]] = {}
        for topic, track in sorted(self.tracks.items()):
            problem = None
            if not track.continuity.unbroken:
                problem = str(track.continuity)
            elif track.first != first:
                problem = 'begins at episode {}, step {}'.format(*track.first or (None, None))
            elif track.steps != steps or not track.lengths <= allowed:
                problem = f'{track.steps} steps, but finished episodes have {steps}'
            if problem:
                topics_by_problem.setdefault(problem, []).append(topic)
        if messages.OBSERVATION not in self.tracks:
            topics_by_problem['nothing'] = [messages.OBSERVATION]
        return [f'{_list(topics)}: {problem}' for problem, topics in topics_by_problem.items()]


def _list(topics: Sequence[str]) -> str:
    more = f' and {len(topics) - 1} other topics' if len(topics) > 2 else f' and {topics[-1]}'
    return topics[0] + (more if len(topics) > 1 else '')

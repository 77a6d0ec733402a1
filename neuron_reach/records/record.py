# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Recorded activity: what every neuron did at every step of some sample episodes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.common.arrays import Array, Flags, Integers, Single
from neuron_reach.common.options import meant
from neuron_reach.errors import UserError

BLOCK_BYTES = 64 * 2**20
"""How much of a record is worked on at a time."""

UNKNOWN: Array = np.empty(0)
"""Stands for NaN in every episode."""

OUTCOMES = ('returns', 'successes', 'terminated')
"""Fields of a record that say how its episodes ended."""


def describe_not_finite(episode: int, layer: str) -> str:
    """Describe activations that are infinite or NaN."""
    return f'the activations of {layer} in episode {episode} are not finite numbers'


@dataclasses.dataclass(frozen=True, eq=False)
class ActivityRecord:
    """The activations of one network in sample episodes.

    Attributes:
        activations: (episodes, steps, neurons), float32, as the next layer receives them; zero
            after an episode's end. May be a memory map: work on it by `blocks`.
        lengths: steps of each episode, (episodes,).
        layers: names of the layers, in their order: `input`, `hidden_1`, ..., `output`.
        sizes: neurons of each layer.
        goals: (episodes, 2), m; NaN where they are unknown.
        rewards: of the last step of each episode, (episodes,); NaN where they are unknown.
        returns: sum of the rewards of each episode, (episodes,); NaN where they are unknown.
        successes: 1 or 0, (episodes,); NaN where it is unknown whether an episode succeeded.
        terminated: 1 if the task ended the episode, 0 if time ran out, (episodes,); NaN: unknown.
        network: what is known: `path` and `version` of the network's checkpoint, `digest` of its
            content, and how many `episodes` were asked for.
        notes: what was found wrong with the recording, a line each.
    """

    activations: Single
    lengths: Integers
    layers: tuple[str, ...]
    sizes: tuple[int, ...]
    goals: Array
    rewards: Array
    network: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    returns: Array = dataclasses.field(default_factory=lambda: UNKNOWN)
    successes: Array = dataclasses.field(default_factory=lambda: UNKNOWN)
    terminated: Array = dataclasses.field(default_factory=lambda: UNKNOWN)

    def __post_init__(self) -> None:
        """Check that the shapes fit together.

        Raises:
            ValueError: they do not.
        """
        episodes, steps = len(self.lengths), self.activations.shape[1:2]
        for name in OUTCOMES:
            if getattr(self, name) is UNKNOWN:
                object.__setattr__(self, name, np.full(episodes, np.nan))
        if self.activations.ndim != 3 or self.activations.shape[2] != sum(self.sizes):
            raise ValueError(
                f'activations {self.activations.shape} are not (episodes, steps, {self.neurons})'
            )
        if self.lengths.ndim != 1 or not ((self.lengths >= 0) & (self.lengths <= steps)).all():
            raise ValueError(f'lengths must be from 0 to {steps[0]} steps, (episodes,)')
        shapes = {
            'activations': (self.activations.shape[:1], (episodes,)),
            'layers': (len(self.layers), len(self.sizes)),
            'goals': (self.goals.shape, (episodes, 2)),
            'rewards': (self.rewards.shape, (episodes,)),
            **{name: (getattr(self, name).shape, (episodes,)) for name in OUTCOMES},
        }
        for name, (found, expected) in shapes.items():
            if found != expected:
                raise ValueError(f'{name} are {found}, but there are {expected}')

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, ArrayLike], lengths: ArrayLike | None = None
    ) -> ActivityRecord:
        """Return the record of activations that were recorded elsewhere.

        Args:
            arrays: by layer, (episodes, steps, neurons), or (samples, neurons), which is a single
                episode. The layers named `input` and `output` are those, and may be missing; all
                others are hidden layers, in the order in which they are given.
            lengths: steps of each episode, (episodes,); by default all have the same number.

        Raises:
            ValueError: shapes that do not fit, no activations, or some that are not finite.
        """
        names = sorted(arrays, key=lambda name: (name != 'input') + (name == 'output'))
        parts = [np.asarray(arrays[name]) for name in names]
        if not parts:
            raise ValueError('a record needs the activations of at least one layer')
        for name, part in zip(names, parts, strict=True):
            if part.ndim not in (2, 3) or not part.size:
                raise ValueError(
                    f'{name} must be (episodes, steps, neurons) or (samples, neurons), '
                    f'not {part.shape}'
                )
            if part.dtype.kind not in 'biuf':
                raise ValueError(f'{name} must be real numbers, not {part.dtype}')
            if part.shape[:-1] != parts[0].shape[:-1]:
                raise ValueError(
                    f'{name} of shape {part.shape} is not of the same steps as {names[0]} of '
                    f'shape {parts[0].shape}'
                )
        with np.errstate(over='ignore'):  # is infinite then, which is refused below
            activations = np.concatenate(parts, axis=-1, dtype=np.float32, casting='same_kind')
        activations = activations.reshape(-1, *activations.shape[-2:])
        episodes, steps, _ = activations.shape
        ends = np.full(episodes, steps) if lengths is None else np.asarray(lengths)
        if ends.dtype.kind not in 'iu':
            raise ValueError(f'lengths must be whole numbers, not {ends.dtype}')
        record = cls(
            activations=activations,
            lengths=ends,
            layers=tuple(names),
            sizes=tuple(part.shape[-1] for part in parts),
            goals=np.full((episodes, 2), np.nan),
            rewards=np.full(episodes, np.nan),
        )
        activations[np.arange(steps) >= ends[:, None]] = 0.0
        if place := record.not_finite():
            raise ValueError(describe_not_finite(*place))
        return record

    def __repr__(self) -> str:
        sizes = ', '.join(
            f'{name} {size}' for name, size in zip(self.layers, self.sizes, strict=True)
        )
        steps = int(self.lengths.sum())
        return f'ActivityRecord({self.episodes} episodes, {steps} steps; neurons: {sizes})'

    @property
    def episodes(self) -> int:
        """Number of episodes."""
        return len(self.lengths)

    @property
    def neurons(self) -> int:
        """Number of neurons, of all layers in this record."""
        return sum(self.sizes)

    @property
    def hidden(self) -> tuple[str, ...]:
        """Names of the hidden layers."""
        return tuple(name for name in self.layers if name not in ('input', 'output'))

    def columns(self, layer: str) -> slice:
        """Return which of the neurons are those of a layer.

        Raises:
            UserError: there is no such layer.
        """
        if layer not in self.layers:
            known = ', '.join(self.layers)
            raise UserError(f'no layer {layer!r}{meant(layer, self.layers)}; there are {known}')
        index = self.layers.index(layer)
        start = sum(self.sizes[:index])
        return slice(start, start + self.sizes[index])

    def layer(self, name: str) -> Single:
        """Return a layer's activations, (episodes, steps, neurons of the layer); a view."""
        return self.activations[:, :, self.columns(name)]

    def select(self, layers: Sequence[str]) -> ActivityRecord:
        """Return the record of some layers that follow each other, such as all hidden ones; a view.

        Raises:
            UserError: there is no such layer, or others lie between them.
        """
        slices = [self.columns(name) for name in layers]
        if not slices or any(a.stop != b.start for a, b in itertools.pairwise(slices)):
            raise UserError(f'layers {", ".join(layers)} do not follow each other')
        return dataclasses.replace(
            self,
            activations=self.activations[:, :, slices[0].start : slices[-1].stop],
            layers=tuple(layers),
            sizes=tuple(part.stop - part.start for part in slices),
        )

    def first(self, episodes: int) -> ActivityRecord:
        """Return the record of the first episodes only; a view."""
        return self.part(slice(episodes))

    def part(self, episodes: slice) -> ActivityRecord:
        """Return the record of some of the episodes only; a view."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        parts: dict[str, Any] = {
            name: value[episodes] for name, value in values.items() if isinstance(value, np.ndarray)
        }
        return dataclasses.replace(self, **parts)

    def blocks(self) -> Iterator[Single]:
        """Yield the activations of a few episodes at a time, (some episodes, steps, neurons)."""
        size = max(1, self.activations[:1].nbytes)
        count = max(1, BLOCK_BYTES // size)
        for start in range(0, self.episodes, count):
            yield self.activations[start : start + count]

    def steps(self) -> Iterator[Single]:
        """Yield the activations of some steps at a time, without what follows an episode's end.

        Each is (some steps, neurons); `blocks` has them by episode.
        """
        start = 0
        for block in self.blocks():
            lengths = self.lengths[start : start + len(block)]
            start += len(block)
            if (lengths == block.shape[1]).all():
                yield block.reshape(-1, self.neurons)  # a view, if the layers are all there
            else:
                yield block[np.arange(block.shape[1]) < lengths[:, None]]

    def not_finite(self) -> tuple[int, str] | None:
        """Return the first episode and layer with infinity or what is no number; None: all fine."""
        start = 0
        for block in self.blocks():
            bad = ~np.isfinite(block)
            if bad.any():
                episode, _, neuron = np.unravel_index(bad.argmax(), bad.shape)
                layer = np.searchsorted(np.cumsum(self.sizes), neuron, side='right')
                return start + int(episode), self.layers[layer]
            start += len(block)
        return None

    def maxima(self) -> Array:
        """Return Z_n, the largest absolute activation of each neuron, (neurons,).

        Equation 2 of the paper normalises by the maximum; inputs and outputs can be negative.
        """
        largest = np.zeros(self.neurons, np.float32)
        for block in self.blocks():
            np.maximum(largest, block.max(axis=(0, 1)), out=largest)
            np.maximum(largest, -block.min(axis=(0, 1)), out=largest)
        return largest.astype(np.float64)

    def dead_neurons(self) -> Flags:
        """Return which neurons were never active, (neurons,).

        Their activation is 0 at every step. Functions other than ReLU are seldom 0: in a hidden
        layer whose smallest activation is not 0, neurons are dead whose activation is the same at
        every step, provided that any neuron of the record changes.
        """
        low, high = np.full((2, self.neurons), [[np.inf], [-np.inf]])
        for rows in self.steps():
            np.minimum(low, rows.min(axis=0, initial=np.inf), out=low)
            np.maximum(high, rows.max(axis=0, initial=-np.inf), out=high)
        dead: Flags = (low >= 0.0) & (high <= 0.0)
        if (low < high).any():
            for name in self.hidden:
                part = self.columns(name)
                if low[part].min() != 0.0:
                    dead[part] = low[part] == high[part]
        return dead

    def dead(self) -> dict[str, int]:
        """Return how many neurons of each hidden layer were never active; see `dead_neurons`."""
        dead = self.dead_neurons()
        return {name: int(dead[self.columns(name)].sum()) for name in self.hidden}

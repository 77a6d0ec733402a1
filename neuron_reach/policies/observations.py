# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How the observations of an environment become inputs of a network."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.common.arrays import Integers, Single


@dataclasses.dataclass(frozen=True)
class Part:
    """An observation, or one entry of a dict observation.

    Attributes:
        key: of the entry; empty: the observation is no dict.
        shape: of the observation; None: a vector of any length.
        counts: of whole numbers, how many values each can have: each becomes as many inputs, of
            which the one at its value is 1 and the others are 0. Empty: the observation consists
            of real numbers, which become inputs as they are, row by row.
    """

    key: str = ''
    shape: tuple[int, ...] | None = None
    counts: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Part:
        """Return the part of which `to_json` made these plain values.

        Raises:
            TypeError: a value is of another type.
            ValueError: one is no whole number.
        """
        shape = saved['shape']
        return cls(
            saved['key'],
            None if shape is None else tuple(map(int, shape)),
            tuple(map(int, saved['counts'])),
        )

    @property
    def size(self) -> int | None:
        """Number of inputs, None if it is unknown."""
        if self.counts:
            return sum(self.counts)
        return None if self.shape is None else math.prod(self.shape)

    def inputs(self, observation: ArrayLike) -> Single:
        """Return the inputs for an observation, or for a batch of them, (..., inputs).

        Raises:
            ValueError: the observation has another shape, or a number that it cannot have.
        """
        values = np.asarray(observation)
        shape = values.shape[-1:] if self.shape is None else self.shape
        before = values.shape[: values.ndim - len(shape)]
        if values.shape != (*before, *shape):
            name = f'observation {self.key!r}' if self.key else 'observation'
            raise ValueError(f'{name} of shape {values.shape} does not fit {shape}')
        if self.counts:
            numbers = values.reshape(*before, len(self.counts))
            if (numbers < 0).any() or (numbers >= self.counts).any():
                raise ValueError(f'observations must be below {self.counts} and not negative')
        inputs = np.empty((*before, sum(self.counts) or math.prod(shape)), np.float32)
        self.write(values, inputs)
        return inputs

    def write(self, observation: Any, place: Single) -> None:
        """Write the inputs for an observation, or for a batch of them, to their place.

        Nothing is checked, for speed.

        Args:
            observation: of this shape; numbers below `counts` and not negative.
            place: (..., inputs).
        """
        if self.counts:
            numbers = np.reshape(observation, (*place.shape[:-1], len(self.counts)))
            place[...] = numbers.repeat(self.counts, axis=-1) == self._values
        else:
            place[...] = np.reshape(observation, place.shape)

    @functools.cached_property
    def _values(self) -> Integers:
        """The value for which each input is 1, (inputs,)."""
        return np.concatenate([np.arange(count) for count in self.counts])


@dataclasses.dataclass(frozen=True)
class Observations:
    """How the observations of an environment become inputs of a network.

    Attributes:
        parts: one, or those of a dict observation in the order of the inputs.
    """

    parts: tuple[Part, ...] = (Part(),)

    def check(self, inputs: int) -> None:
        """Check that they become the inputs of a network with this number of inputs.

        Raises:
            ValueError: they do not.
        """
        numbers = [number for part in self.parts for number in (*(part.shape or ()), *part.counts)]
        if not self.parts or min(numbers, default=1) < 1 or self.size not in (None, inputs):
            raise ValueError(f'observations do not fit {inputs} inputs')

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of a dict observation in the order of the inputs; empty: it is no dict."""
        return tuple(part.key for part in self.parts if part.key)

    @property
    def size(self) -> int | None:
        """Number of inputs, None if it is unknown."""
        sizes = [part.size for part in self.parts]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    def inputs(self, observation: ArrayLike | Mapping[str, Any]) -> Single:
        """Return the inputs for an observation, or for a batch of them, (..., inputs).

        Args:
            observation: as the environment returns it.

        Raises:
            ValueError: an entry is missing, or has another shape.
        """
        if not self.keys:
            if isinstance(observation, Mapping):
                raise ValueError('observations must be arrays, not dicts')
            return self.parts[0].inputs(observation)
        if not isinstance(observation, Mapping) or set(self.keys) - observation.keys():
            raise ValueError(f'observations must be dicts with the keys {", ".join(self.keys)}')
        return np.concatenate([part.inputs(observation[part.key]) for part in self.parts], axis=-1)

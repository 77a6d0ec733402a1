# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How the outputs of a network become actions of an environment."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from neuron_reach.common.arrays import AnyArray, Single
from neuron_reach.errors import UserError

KINDS = {
    'argmax': 'number of the greatest output',
    'continuous': 'the outputs, within the bounds of the actions',
    'squashed': 'the outputs, scaled from -1..1 to the bounds of the actions',
    'quantiles': 'number of the action whose quantiles have the greatest mean',
    'multi_discrete': 'number of the greatest output in each group',
    'multi_binary': 'which outputs are positive',
    'none': 'none: the network estimates values',
}


@dataclasses.dataclass(frozen=True)
class Actions:
    """How the outputs of a network become actions.

    Attributes:
        kind: a key of `KINDS`; None: unknown, the actions are then the outputs.
        low: smallest action of each output; None: unbounded or unknown.
        high: greatest action of each output.
        groups: of `multi_discrete` the outputs in each group; of `quantiles` their number.
    """

    kind: str | None = None
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    groups: tuple[int, ...] = ()

    def check(self, outputs: int) -> None:
        """Check that a network with this number of outputs can choose such actions.

        Raises:
            ValueError: it cannot.
        """
        if self.kind not in (*KINDS, None):
            raise ValueError(f'there are no {self.kind!r} actions')
        for bound in (self.low, self.high):
            if bound is not None and (len(bound) != outputs or any(map(math.isnan, bound))):
                raise ValueError(f'bounds of actions must be {outputs} numbers')
        number = outputs if self.kind == 'multi_discrete' else sum(self.groups[:1])
        if self.kind in ('multi_discrete', 'quantiles') and (
            min(self.groups, default=0) < 1 or sum(self.groups) != number or outputs % number
        ):
            raise ValueError(f'{outputs} outputs do not fit actions with groups {self.groups}')

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Actions:
        """Return the actions of which `to_json` made these plain values; null stands for infinity.

        Raises:
            KeyError: a value is missing.
            TypeError: one is of another type.
            ValueError: one is out of range.
            OverflowError: one is too large.
        """
        low, high = (
            None
            if saved[name] is None
            else tuple(unbounded if each is None else float(each) for each in saved[name])
            for name, unbounded in (('low', -math.inf), ('high', math.inf))
        )
        return cls(saved['kind'], low, high, tuple(map(int, saved['groups'])))

    def choose(self, outputs: Single) -> AnyArray:
        """Return the actions for outputs.

        Args:
            outputs: (..., outputs).

        Returns:
            Numbers of actions, (...), or continuous actions, (..., components).

        Raises:
            UserError: the network does not choose actions.
        """
        if self.kind == 'none':
            raise UserError('this network estimates values and chooses no actions')
        if self.kind in ('argmax', 'quantiles'):
            best: AnyArray = self._values(outputs).argmax(axis=-1)
            return best
        if self.kind == 'multi_discrete':
            ends = np.cumsum(self.groups)[:-1]
            parts = np.split(outputs, ends, axis=-1)
            return np.stack([part.argmax(axis=-1) for part in parts], axis=-1)
        if self.kind == 'multi_binary':
            return np.asarray(outputs > 0.0, np.int8)
        if self.low is None or self.high is None:
            return outputs
        low, high = np.array(self.low, np.float32), np.array(self.high, np.float32)
        if self.kind == 'squashed':
            return low + 0.5 * (outputs + 1.0) * (high - low)
        return np.clip(outputs, low, high)

    def _values(self, outputs: Single) -> AnyArray:
        """Return the value of each action, (..., actions)."""
        if self.kind == 'argmax':
            return outputs
        quantiles = outputs.reshape(*outputs.shape[:-1], self.groups[0], -1)
        values: AnyArray = quantiles.mean(axis=-2)
        return values

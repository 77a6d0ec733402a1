# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Replay memory (Mnih et al. 2015): a ring of transitions for every member of a stack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from neuron_reach.common.arrays import Array, Integers, Single
from neuron_reach.learning import kernels


class ReplayMemory:
    """The last `capacity` transitions of each member.

    A transition is one row of float32: observation, next observation, reward, action. Members are
    filled in step, so they share one write position; each draws its batches with its own generator.
    """

    def __init__(self, members: int, capacity: int, observation_size: int) -> None:
        self.capacity = capacity
        self.observation_size = observation_size
        self.rows = torch.zeros(members, capacity, 2 * observation_size + 2)
        self.size = 0
        self.position = 0

    def add(
        self,
        observations: Single,
        actions: Integers,
        rewards: Array,
        next_observations: Single,
    ) -> None:
        """Append transitions, oldest first; the oldest stored ones make room.

        Args:
            observations: (members, count, inputs).
            actions: (members, count).
            rewards: (members, count).
            next_observations: (members, count, inputs).

        Raises:
            ValueError: shapes that do not fit the memory or each other.
        """
        inputs = self.observation_size
        expected = (self.rows.shape[0], *np.shape(actions)[1:], inputs)
        for name, values, shape in (
            ('observations', observations, expected),
            ('next observations', next_observations, expected),
            ('actions', actions, expected[:2]),
            ('rewards', rewards, expected[:2]),
        ):
            if values.shape != shape:
                raise ValueError(f'{name} of shape {values.shape} do not fit {shape}')
        count = min(observations.shape[1], self.capacity)
        new = torch.empty(self.rows.shape[0], count, self.rows.shape[2])
        new[..., :inputs] = torch.from_numpy(observations[:, -count:])
        new[..., inputs : 2 * inputs] = torch.from_numpy(next_observations[:, -count:])
        new[..., -2] = torch.from_numpy(rewards[:, -count:])
        new[..., -1] = torch.from_numpy(actions[:, -count:])
        first = min(count, self.capacity - self.position)
        self.rows[:, self.position : self.position + first] = new[:, :first]
        self.rows[:, : count - first] = new[:, first:]
        self.position = (self.position + count) % self.capacity
        self.size = min(self.size + count, self.capacity)

    def sample(
        self, generators: Sequence[np.random.Generator], batch_size: int
    ) -> tuple[Single, Integers, Single, Single]:
        """Draw a batch for each member, uniformly and with replacement.

        Returns:
            Observations (members, batch, inputs), actions (members, batch) as int64,
            rewards (members, batch), next observations (members, batch, inputs).

        Raises:
            ValueError: not one generator for each member, or an empty memory.
        """
        if len(generators) != len(self.rows):
            raise ValueError(f'{len(generators)} generators do not fit {len(self.rows)} members')
        index = np.stack([g.integers(self.size, size=batch_size) for g in generators])
        shape = (*index.shape, self.observation_size)
        before, after = np.empty(shape, np.float32), np.empty(shape, np.float32)
        actions, rewards = np.empty(index.shape, np.int64), np.empty(index.shape, np.float32)
        kernels.gather(self.rows.numpy(), index, before, actions, rewards, after)
        return before, actions, rewards, after

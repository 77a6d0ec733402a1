# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Deep Q-learning with a target network, softmax exploration and Adam, for a stack of networks.

Mnih et al. 2015; Kingma and Ba 2015. Gradients are written out by hand (no autograd): for networks
this small the bookkeeping would cost more than the arithmetic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from neuron_reach.common.arrays import Array, Integers, Single
from neuron_reach.learning import kernels
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.replay import ReplayMemory
from neuron_reach.learning.setup import LearningOptions

ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-8


class DqnLearner:
    """Online and target network, optimiser and exploration of a stack of learners.

    Nothing here depends on how many members there are: each has its own random streams.
    """

    def __init__(
        self,
        options: LearningOptions,
        online: QNetwork,
        exploration: Sequence[np.random.Generator],
        sampling: Sequence[np.random.Generator],
    ) -> None:
        """Start from the weights of `online`, with one generator a member for each stream.

        Raises:
            ValueError: there are more or fewer generators than members.
        """
        if not len(exploration) == len(sampling) == online.members:
            raise ValueError(
                f'{len(exploration)} and {len(sampling)} generators do not fit '
                f'{online.members} members'
            )
        self.options = options
        self.online = online
        self.target = online.copy()
        self.exploration = list(exploration)
        self.sampling = list(sampling)
        self.updates = 0
        self._gradient = online.empty_like()
        self._first_moment = online.empty_like()
        self._second_moment = online.empty_like()
        self._steps = self._step_sizes()

    def explore(self, observations: Single) -> Integers:
        """Draw actions from softmax(Q / T), (members, arms), for (members, arms, inputs)."""
        q_values = self.online.q_values(observations)
        arms = observations.shape[1]
        draws = np.stack([generator.random(arms) for generator in self.exploration])
        return kernels.draw_actions(q_values, self.options.temperature(self.updates), draws)

    def update(self, memory: ReplayMemory) -> None:
        """Do one step of Adam on the squared temporal-difference error of a batch.

        The time limit of an episode is no end of the task: every target bootstraps.

        Raises:
            ValueError: transitions of another network.
        """
        batch = memory.sample(self.sampling, self.options.batch_size)
        members, (inputs, *_, outputs) = self.online.members, self.online.shapes[0]
        if batch[0].shape[::2] != (members, inputs):
            raise ValueError(
                f'transitions of shape {batch[0].shape} do not fit ({members}, batch, {inputs})'
            )
        if batch[1].min() < 0 or batch[1].max() >= outputs:
            raise ValueError(f'actions must be from 0 to {outputs - 1}')
        self.updates += 1
        correction = (1.0 - ADAM_BETAS[1] ** self.updates) ** 0.5
        kernels.learn(
            self.online.parameters,
            self.target.parameters,
            self._gradient.parameters,
            (self._first_moment.parameters, self._second_moment.parameters),
            self.online.layer_sizes,
            batch,
            self.options.gamma,
            ADAM_BETAS,
            ADAM_EPSILON * correction,
            self._steps * correction / (1.0 - ADAM_BETAS[0] ** self.updates),
            self.options.target_rate,
        )

    def _step_sizes(self) -> Array:
        """Return Adam's step size for the layers of every member, (members,)."""
        hidden = [shape[1:-1] for shape in self.online.shapes]
        return np.array([dataclasses.replace(self.options, hidden=h).step_size() for h in hidden])

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that learning changes, by name; the tensors themselves, no copies."""
        return {
            'online': self.online.flat,
            'target': self.target.flat,
            'first_moment': self._first_moment.flat,
            'second_moment': self._second_moment.flat,
        }

    def keep(self, members: list[int]) -> None:
        """Go on with these members of the stack only."""
        self.online = self.online.select(members)
        self.target = self.target.select(members)
        self._gradient = self.online.empty_like()
        self._first_moment = self._first_moment.select(members)
        self._second_moment = self._second_moment.select(members)
        self._steps = self._steps[members]
        self.exploration = [self.exploration[member] for member in members]
        self.sampling = [self.sampling[member] for member in members]

"""Deep Q-learning with a target network, softmax exploration and Adam, for a stack of networks.

Mnih et al. 2015; Kingma and Ba 2015. Gradients are written out by hand (no autograd): for networks
this small the bookkeeping would cost more than the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
        """Start from the weights of `online`, with one generator a member for each stream."""
        self.options = options
        self.online = online
        self.target = online.copy()
        self.exploration = list(exploration)
        self.sampling = list(sampling)
        self.updates = 0
        self._gradient = online.empty_like()
        self.first_moment = torch.zeros_like(online.flat)
        self.second_moment = torch.zeros_like(online.flat)

    def explore(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """Draw actions from softmax(Q / T), (members, arms), for (members, arms, inputs)."""
        q_values = self.online.q_values(torch.from_numpy(observations)).numpy()
        arms = observations.shape[1]
        draws = np.stack([generator.random(arms) for generator in self.exploration])
        return _draw_actions(q_values, self.options.temperature(self.updates), draws)

    def update(self, memory: ReplayMemory) -> None:
        """Do one step of Adam on the squared temporal-difference error of a batch.

        The time limit of an episode is no end of the task: every target bootstraps.
        """
        options = self.options
        batch = options.batch_size
        observations, actions, rewards, following = memory.sample(self.sampling, batch)
        targets = self.target.q_values(following).amax(-1)
        targets.mul_(options.gamma).add_(rewards)
        layers = self.online.activations(observations)
        error = layers[-1].gather(-1, actions).sub_(targets.unsqueeze(-1)).mul_(2.0 / batch)
        output_gradient = torch.zeros_like(layers[-1]).scatter_(-1, actions, error)
        self.online.backward(layers, output_gradient, self._gradient)
        self._adam_step(self._gradient.flat)
        self.target.flat.lerp_(self.online.flat, options.target_rate)

    def _adam_step(self, gradient: Tensor) -> None:
        self.updates += 1
        beta1, beta2 = ADAM_BETAS
        self.first_moment.lerp_(gradient, 1.0 - beta1)
        self.second_moment.mul_(beta2).addcmul_(gradient, gradient, value=1.0 - beta2)
        correction = (1.0 - beta2**self.updates) ** 0.5
        denominator = self.second_moment.sqrt().add_(ADAM_EPSILON * correction)
        step = self.options.step_size() * correction / (1.0 - beta1**self.updates)
        self.online.flat.addcdiv_(self.first_moment, denominator, value=-step)

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that learning changes, by name; the tensors themselves, no copies."""
        return {
            'online': self.online.flat,
            'target': self.target.flat,
            'first_moment': self.first_moment,
            'second_moment': self.second_moment,
        }

    def keep(self, members: list[int]) -> None:
        """Go on with these members of the stack only."""
        old = self.tensors()
        self.online = QNetwork(self.online.sizes, len(members))
        self.target = self.online.empty_like()
        self._gradient = self.online.empty_like()
        self.online.flat.copy_(old['online'][members])
        self.target.flat.copy_(old['target'][members])
        self.first_moment = old['first_moment'][members]
        self.second_moment = old['second_moment'][members]
        self.exploration = [self.exploration[member] for member in members]
        self.sampling = [self.sampling[member] for member in members]


@numba.njit(cache=True)
def _draw_actions(
    q_values: NDArray[np.float32], temperature: float, draws: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Draw from softmax(Q / T) by where `draws` in [0, 1) lie in the cumulated probabilities.

    Args:
        q_values: (members, arms, actions).
        temperature: T.
        draws: (members, arms).

    Returns:
        Actions, (members, arms).
    """
    chosen = np.zeros(draws.shape, np.int64)
    cumulated = np.empty(q_values.shape[2])
    for member in range(draws.shape[0]):
        for arm in range(draws.shape[1]):
            values = q_values[member, arm]
            largest, total = values.max(), 0.0
            for action in range(values.size):
                total += math.exp((values[action] - largest) / temperature)
                cumulated[action] = total
            action = 0
            while cumulated[action] <= draws[member, arm] * total and action < values.size - 1:
                action += 1
            chosen[member, arm] = action
    return chosen

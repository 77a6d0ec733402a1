"""Deep Q-learning with a target network, softmax exploration and Adam, for a stack of networks.

Mnih et al. 2015; Kingma and Ba 2015. Gradients are written out by hand (no autograd): for networks
this small the bookkeeping would cost more than the arithmetic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.replay import ReplayMemory
from neuron_reach.options import option

ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-8


@dataclasses.dataclass(frozen=True)
class LearningOptions:
    """Network and learning; the defaults are those of docs/benchmarks.md."""

    hidden: tuple[int, ...] = option(
        (48,) * 6, 'neurons per hidden layer: one width for six layers, or a list', low=1, high=4096
    )
    arms: int = option(100, 'arms that learn at the same time', low=1, high=10000)
    batch_size: int = option(256, 'transitions in one update', low=1, high=100000)
    replay_capacity: int = option(100_000, 'transitions remembered', low=100, high=10_000_000)
    learning_rate: float = option(
        0.0, "Adam's step size; 0: 0.003 for layers of 48, less for wider ones", low=0.0, high=1.0
    )
    gamma: float = option(0.7, 'discount factor', low=0.0, high=0.9999)
    temperature_start: float = option(
        0.02, 'temperature of the softmax over Q at the start', low=1e-6, high=100.0
    )
    temperature_end: float = option(0.005, 'temperature after the decay', low=1e-6, high=100.0)
    temperature_updates: int = option(
        500, 'updates over which the temperature falls, geometrically', low=1, high=10_000_000
    )
    target_rate: float = option(
        0.03, 'share of the online network in each step of the target network', low=1e-5, high=1.0
    )

    def step_size(self) -> float:
        """Return Adam's step size for these layers."""
        if self.learning_rate > 0.0:
            return self.learning_rate
        width = sum(self.hidden) / len(self.hidden)
        return float(0.003 * min(1.0, (48.0 / width) ** 0.6))

    def temperature(self, updates: int) -> float:
        """Return the softmax temperature T after so many updates."""
        progress = min(1.0, updates / self.temperature_updates)
        ratio = self.temperature_end / self.temperature_start
        return float(self.temperature_start * ratio**progress)


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
        q_values = self.online.q_values(torch.from_numpy(observations))
        weights = torch.softmax(q_values / self.options.temperature(self.updates), dim=-1)
        cumulative = weights.cumsum(-1).numpy()
        arms = observations.shape[1]
        draws = np.stack([generator.random(arms, np.float32) for generator in self.exploration])
        draws *= cumulative[..., -1]
        actions: NDArray[np.int64] = (cumulative <= draws[..., None]).sum(-1)
        return np.minimum(actions, cumulative.shape[-1] - 1)

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

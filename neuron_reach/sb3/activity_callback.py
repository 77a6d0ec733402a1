# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A callback of stable-baselines3 that logs how much of each layer a training uses."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from neuron_reach.analysis.activity import DORMANT
from neuron_reach.analysis.layer_health import LayerHealth, layer_health
from neuron_reach.common.arrays import AnyArray
from neuron_reach.common.resources import pip_install
from neuron_reach.errors import UserError

try:
    from stable_baselines3.common.callbacks import BaseCallback
except ImportError:
    raise ImportError(
        f'ActivityCallback needs stable-baselines3: {pip_install("stable-baselines3")}'
    ) from None

ACTIVATIONS = tuple(
    kind
    for name, kind in vars(nn.modules.activation).items()
    if isinstance(kind, type)
    and issubclass(kind, nn.Module)
    and name in nn.modules.activation.__all__
)
"""The activation functions that are modules of PyTorch."""


class ActivityCallback(BaseCallback):
    """Logs dead and dormant neurons and the effective rank of each hidden layer of the policy.

    `model.learn(..., callback=ActivityCallback())` adds `activity/<layer>/dead`, `/dormant` and
    `/effective_rank` to the logger of stable-baselines3, TensorBoard included; see `LayerHealth`.
    The most recent observations of the training are the samples. The training itself stays the same
    to the bit.

    Attributes:
        health: what was logged last, by layer; empty before the first time.
    """

    def __init__(self, every: int = 10_000, samples: int = 1024, tau: float = DORMANT) -> None:
        """Choose what is logged.

        Args:
            every: environment steps between two measurements.
            samples: most recent observations on which the network is measured.
            tau: limit of dormant neurons, see `layer_health`.

        Raises:
            UserError: a number below 1, or a negative tau.
        """
        super().__init__()
        if every < 1 or samples < 1:
            raise UserError(f'every and samples must be at least 1, not {every} and {samples}')
        if not tau >= 0.0:
            raise UserError(f'tau must be at least 0, not {tau:g}')
        self.every = every
        self.samples = samples
        self.tau = tau
        self.health: dict[str, LayerHealth] = {}
        self._recent: deque[Any] = deque()
        self._next = every

    def _on_training_start(self) -> None:
        self._recent = deque(maxlen=-(-self.samples // self.training_env.num_envs))
        self._next = self.num_timesteps + self.every

    def _on_step(self) -> bool:
        self._recent.append(self.locals['new_obs'])
        if self.num_timesteps >= self._next:
            self._next = self.num_timesteps + self.every
            self._measure()
        return True

    def _measure(self) -> None:
        policy = self.model.policy
        observations, _ = policy.obs_to_tensor(_joined(list(self._recent), self.samples))
        with threadpool_limits(1):  # small matrices: threads would wait for each other
            self.health = layer_health(_hidden_activations(policy, observations), self.tau)
        for name, health in self.health.items():
            for what, value in health._asdict().items():
                self.logger.record(f'activity/{name}/{what}', value)


def _joined(observations: list[Any], samples: int) -> Any:
    """Return the newest observations as one batch; of dict observations, each part."""
    if isinstance(observations[0], dict):
        return {
            key: _joined([part[key] for part in observations], samples) for key in observations[0]
        }
    return np.concatenate(observations)[-samples:]


def _hidden_activations(policy: Any, observations: Any) -> dict[str, AnyArray]:
    """Return what the hidden layers pass on when the policy acts, (samples, neurons), by name.

    A hidden layer is an activation function whose values a linear layer takes. Its name is that of
    the part of the policy it is in, and its number there.

    Raises:
        UserError: there is no such layer.
    """
    passed: dict[str, Tensor] = {}
    used: list[Tensor] = []
    hooks = []
    for name, module in policy.named_modules():
        if isinstance(module, ACTIVATIONS):
            hooks.append(
                module.register_forward_hook(
                    lambda _, __, output, name=name: passed.update({name: output})
                )
            )
        elif isinstance(module, nn.Linear):
            hooks.append(module.register_forward_pre_hook(lambda _, inputs: used.append(inputs[0])))
    training = policy.training
    try:
        policy.set_training_mode(False)
        with torch.no_grad():
            policy._predict(observations, deterministic=True)
    finally:
        policy.set_training_mode(training)
        for hook in hooks:
            hook.remove()
    layers: dict[str, AnyArray] = {}
    counts: dict[str, int] = {}
    for name, values in passed.items():
        if values.ndim == 2 and any(values is taken for taken in used):
            part = name.split('.')[-2] if '.' in name else 'policy'
            counts[part] = counts.get(part, 0) + 1
            layers[f'{part}/hidden_{counts[part]}'] = values.cpu().numpy()
    if not layers:
        raise UserError(
            f'{type(policy).__name__} has no hidden layer of an activation module and a linear '
            'layer after it'
        )
    return layers

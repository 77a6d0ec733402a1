# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Everything that defines a training run, as options. Imports no torch, so it loads quickly."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.arm.task import TaskOptions
from neuron_reach.common.options import fill, from_text, option
from neuron_reach.errors import UserError

LAYER_LIMIT, PARAMETER_LIMIT = 1000, 250_000_000
"""Size limits of a network: a mistyped number of layers must not exhaust the memory."""


@dataclasses.dataclass(frozen=True)
class LearningOptions:
    """Network and learning; the defaults are those of docs/benchmarks.md."""

    hidden: tuple[int, ...] = option(
        (48,) * 6, 'neurons per hidden layer: one width for six layers, or a list', low=1, high=4096
    )
    arms: int = option(100, 'arms that learn at the same time', low=1, high=10000)
    batch_size: int = option(256, 'transitions in one update', low=1, high=100000)
    replay_capacity: int = option(
        40_000, 'transitions in the replay memory', low=100, high=10_000_000
    )
    learning_rate: float = option(
        0.0,
        "Adam's step size; 0: 0.003 for layers of 48 neurons, smaller for wider layers",
        low=0.0,
        high=1.0,
    )
    gamma: float = option(0.7, 'discount factor', low=0.0, high=0.9999)
    temperature_start: float = option(
        0.02, 'temperature of the softmax over Q at the start', low=1e-6, high=100.0
    )
    temperature_end: float = option(0.005, 'temperature after the decay', low=1e-6, high=100.0)
    temperature_updates: int = option(
        500, 'updates during which the temperature falls geometrically', low=1, high=10_000_000
    )
    target_rate: float = option(
        0.03,
        'weight of the online network in each soft update of the target network',
        low=1e-5,
        high=1.0,
    )

    def step_size(self) -> float:
        """Return Adam's step size for these layers."""
        if self.learning_rate > 0.0:
            return self.learning_rate
        width = sum(self.hidden) / len(self.hidden)
        return float(0.003 * min(1.0, (48.0 / width) ** 0.6))

    def temperature(self, updates: int) -> float:
        """Return the softmax temperature T after the given number of updates."""
        progress = min(1.0, updates / self.temperature_updates)
        ratio = self.temperature_end / self.temperature_start
        return float(self.temperature_start * ratio**progress)


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """When to test and when to stop."""

    seed: int = option(0, 'root of all random streams', low=0, high=2**32 - 1)
    validation_interval: int = option(
        200, 'training episodes between validation tests', low=1, high=10_000_000
    )
    max_episodes: int = option(
        60_000,
        'training episodes after which to give up',
        low=1,
        high=1_000_000_000,
    )


@dataclasses.dataclass(frozen=True)
class SessionOptions:
    """Options of training and playing that do not change the network."""

    test_episodes: int = option(
        3000,
        'episodes to measure the accuracy after training; 0: none',
        low=0,
        high=10_000_000,
    )
    checkpoint_interval: float = option(
        10.0, 'seconds between saves of the training state', low=0.0, high=86400.0
    )
    simulator_timeout: float = option(
        10.0, 'seconds to wait for the arm before the run ends with an error', low=0.1, high=3600.0
    )


@dataclasses.dataclass(frozen=True)
class Setup:
    """Everything that defines a training run."""

    arm: ArmOptions = dataclasses.field(default_factory=ArmOptions)
    task: TaskOptions = dataclasses.field(default_factory=TaskOptions)
    learning: LearningOptions = dataclasses.field(default_factory=LearningOptions)
    training: TrainingOptions = dataclasses.field(default_factory=TrainingOptions)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], source: str) -> Setup:
        """Build from flat `key: value` options; one hidden width means six such layers.

        Raises:
            UserError: a value is out of range, or the values contradict each other.
        """
        if isinstance(values.get('hidden'), list) and len(values['hidden']) > LAYER_LIMIT:
            raise UserError(f'{source}: hidden must be at most {LAYER_LIMIT} layers')
        learning = fill(LearningOptions, values, source)
        if not hasattr(from_text(values.get('hidden', ())), '__len__'):
            learning = dataclasses.replace(learning, hidden=learning.hidden * 6)
        setup = cls(
            fill(ArmOptions, values, source),
            fill(TaskOptions, values, source),
            learning,
            fill(TrainingOptions, values, source),
        )
        if setup.task.reach_steps > setup.task.episode_steps:
            raise UserError(
                f'{source}: reach_steps must be at most episode_steps '
                f'({setup.task.episode_steps}), not {setup.task.reach_steps}'
            )
        if setup.parameters > PARAMETER_LIMIT:
            raise UserError(
                f'{source}: hidden and joints make a network of {setup.parameters:,} parameters; '
                f'at most {PARAMETER_LIMIT:,} are allowed'
            )
        return setup

    @classmethod
    def from_saved(cls, values: Mapping[str, Any], source: str) -> Setup:
        """Build from saved `values`, which must contain every option and no other.

        All options have existed since the first checkpoints. When an option is added, set it here
        to the value in force before, otherwise older checkpoints no longer open.

        Raises:
            UserError: as `from_values`, or an option is missing or unknown.
        """
        known = {field.name for field in cls.fields()}
        if known - values.keys():
            raise UserError(f'{source}: option {min(known - values.keys())} is missing')
        if values.keys() - known:
            unknown = min(values.keys() - known)
            raise UserError(
                f'{source}: option {unknown!r} is unknown; was it saved by a newer version?'
            )
        return cls.from_values(values, source)

    @classmethod
    def fields(cls) -> list[dataclasses.Field[Any]]:
        """Return the fields of all options."""
        groups = (ArmOptions, TaskOptions, LearningOptions, TrainingOptions)
        return [field for group in groups for field in dataclasses.fields(group)]

    def values(self) -> dict[str, Any]:
        """Return all options as one flat mapping, ready for JSON."""
        groups = (self.arm, self.task, self.learning, self.training)
        merged = {key: value for group in groups for key, value in vars(group).items()}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in merged.items()}

    def with_hidden(self, hidden: Sequence[int]) -> Setup:
        """Return the same options with other hidden layers."""
        learning = dataclasses.replace(self.learning, hidden=tuple(hidden))
        return dataclasses.replace(self, learning=learning)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Neurons of every layer of the Q-network, input and output included."""
        return (2 * self.arm.joints + 2, *self.learning.hidden, 3**self.arm.joints)

    @property
    def parameters(self) -> int:
        """Weights and biases of the Q-network."""
        return sum((fan_in + 1) * out for fan_in, out in itertools.pairwise(self.layer_sizes))


def whole_rounds(episodes: int, arms: int) -> int:
    """Return the size of the largest fleet, at most `arms`, that divides `episodes`."""
    return next(count for count in range(min(arms, episodes), 0, -1) if episodes % count == 0)

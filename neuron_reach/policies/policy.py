# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What all policies have in common, whatever library trained them."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach import messages
from neuron_reach.analysis.mapping import rerun
from neuron_reach.analysis.options import SAMPLE_EPISODES, PruningOptions
from neuron_reach.common.arrays import Single
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.export import export_network

if TYPE_CHECKING:
    import gymnasium

    from neuron_reach.analysis.merging import Pruned
    from neuron_reach.networks.feed_forward import FeedForward
    from neuron_reach.records.record import ActivityRecord


Env: TypeAlias = 'str | gymnasium.Env[Any, Any]'
"""An environment, or its name."""


class Policy(abc.ABC):
    """A feed-forward network that acts on observations.

    Get one with `neuron_reach.load`. Observations are (batch, inputs); any number of dimensions in
    front of the inputs is accepted, none included, and kept in the result.
    """

    joints: int | None = None
    """Joints of its arm in the reaching task; None for other tasks."""

    seed: int = 0
    """Seed of its training, from which its sample episodes follow; 0 where it is unknown."""

    actions: Actions = Actions()
    """How the outputs of its network become actions."""

    observation_keys: tuple[str, ...] = ()
    """Keys of dict observations in the order of its inputs; empty: no dicts, or unknown."""

    @property
    @abc.abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """Neurons of every layer, input and output included."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers: `input`, `hidden_1`, ..., `output`."""
        return messages.layer_names(len(self.sizes) - 2)

    def outputs(self, observations: ArrayLike) -> Single:
        """Return what the network computes, (batch, outputs).

        Raises:
            ValueError: observations that do not fit the network's inputs.
        """
        return self._checked(observations)[..., -self.sizes[-1] :]

    def activations(self, observations: ArrayLike) -> dict[str, Single]:
        """Return the activations of each hidden layer and of the output, (batch, neurons), by name.

        Those of hidden layers are what the next layer receives, after the activation function.

        Raises:
            ValueError: observations that do not fit the network's inputs.
        """
        ends = np.cumsum(self.sizes)[:-1]
        parts = np.split(self._checked(observations), ends, axis=-1)
        return dict(zip(self.layers[1:], parts[1:], strict=True))

    def _checked(self, observations: ArrayLike) -> Single:
        return self.compute(self._inputs(observations))

    def _inputs(self, observations: ArrayLike) -> Single:
        values, inputs = np.asarray(observations), self.sizes[0]
        if values.dtype.kind not in 'biuf':
            raise ValueError(f'observations must be real numbers, not {values.dtype}')
        if values.shape[-1:] != (inputs,):
            raise ValueError(f'observations of shape {values.shape} do not fit (batch, {inputs})')
        return values.astype(np.float32, order='C')

    @property
    @abc.abstractmethod
    def network(self) -> FeedForward:
        """The layers, for export and for pruning."""

    @abc.abstractmethod
    def compute(self, observations: Single) -> Single:
        """Return the activations of all layers side by side, input included, (..., neurons).

        Args:
            observations: (..., inputs), checked.
        """

    @abc.abstractmethod
    def choose(self, outputs: Single) -> Any:
        """Return what the policy does where it computes these outputs, (..., outputs)."""

    def act(self, observation: ArrayLike) -> Any:
        """Return what the policy does on observations, as its environment expects actions."""
        return self.choose(self.outputs(observation))

    @abc.abstractmethod
    def record(
        self,
        env: Env | None = None,
        *,
        episodes: int = SAMPLE_EPISODES,
        seed: int | np.random.Generator | None = None,
        max_steps: int | None = None,
    ) -> ActivityRecord:
        """Play episodes, acting deterministically, and record the activations of every layer.

        The record is the same at every call with the same seed, and whatever `episodes` is, its
        first episodes are the same. In an environment, episode i starts by `reset(seed=...)` with
        a seed of its own, derived from `seed` and i.

        Args:
            env: the name of a Gymnasium environment, such as `BipedalWalker-v3` or
                `my_module:MyEnv-v0`, whose module is imported, or an environment, which stays
                open; None: the reaching task.
            episodes: how many, at least 1.
            seed: draws how they start; by default that of the policy, the same at every call.
            max_steps: of an environment, after which an episode is cut (a note of the record says
                so); by default its own time limit, or 10,000 where it has none.

        Raises:
            UserError: there is no such environment, it does not fit the network (both numbers are
                named), or the network computes infinity or NaN.
        """

    def run(self, record: ActivityRecord, transform: ArrayLike | None = None) -> ActivityRecord:
        """Run the policy on the inputs of a record, without acting.

        Args:
            record: of any policy, with its inputs.
            transform: a matrix, where its inputs are others, see `transform_observations`.

        Returns:
            The same episodes with the activations of this policy.

        Raises:
            ValueError: the record has another number of inputs.
        """
        return rerun(record, self.sizes, self._checked, transform)

    @abc.abstractmethod
    def pruned(self, record: ActivityRecord, options: PruningOptions) -> tuple[Policy, Pruned[Any]]:
        """Merge the neurons of each cluster; return the new policy and the clusters.

        Args:
            record: of this policy, with all hidden layers.
            options: of clustering and merging.

        Raises:
            UserError: the record is of another network.
            ValueError: it is of one of another shape.
        """

    @abc.abstractmethod
    def save(self, folder: str | Path) -> Path:
        """Write a folder that `neuron_reach.load` reads, and return it.

        Raises:
            UserError: the folder holds anything else, or cannot be written.
        """

    def export(self, path: str | Path) -> Path:
        """Write the network into a file for other programs, and return its path.

        Args:
            path: its ending says the format: `.onnx` (input `observation`, output `action` or
                `output`, any batch size), `.safetensors` (`layers.<i>.weight`, ...), `.h` (C99),
                or `.zip`, back into the file of stable-baselines3 that the policy comes from. An
                existing file is replaced as a whole.

        Raises:
            UserError: the format is unknown or does not fit, a library is missing, or the file
                cannot be written.
        """
        return export_network(self.network, self.actions, Path(path))

    def __repr__(self) -> str:
        return f'{type(self).__name__}({"-".join(map(str, self.sizes))})'

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Policies that were trained here: Q-networks for the reaching task."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from neuron_reach.analysis.merging import Pruned, prune
from neuron_reach.analysis.options import SAMPLE_EPISODES, PruningOptions
from neuron_reach.analysis.samples import network_activations
from neuron_reach.common.arrays import Integers, Single
from neuron_reach.common.names import METADATA, MODEL
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import (
    Checkpoint,
    describe,
    network_digest,
    save_checkpoint,
)
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.training import Member
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import Function
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.playing import PlayOptions, record_policy
from neuron_reach.policies.policy import Env, Policy
from neuron_reach.records.belonging import check_record
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import record_checkpoint

UNSAVED = Path('unsaved policy')
"""Stands for the path of a policy that is not on disk."""


class ReachingPolicy(Policy):
    """A Q-network that moves an arm towards a goal.

    Attributes:
        checkpoint: the network, its arm and its task.
    """

    actions = Actions('argmax')

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.joints = checkpoint.setup.arm.joints
        self.seed = checkpoint.setup.training.seed

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of every layer, input and output included."""
        return self.checkpoint.network.sizes

    @property
    def network(self) -> FeedForward:
        """The layers; changes of it do not reach the policy."""
        ours = self.checkpoint.network
        last = len(ours.weights) - 1
        layers = [
            Layer(
                weight[0].numpy().copy(),
                bias[0, 0].numpy().copy(),
                () if number == last else (Function('relu'),),
            )
            for number, (weight, bias) in enumerate(zip(ours.weights, ours.biases, strict=True))
        ]
        return FeedForward(tuple(layers))

    def compute(self, observations: Single) -> Single:
        """Return the activations of all layers side by side, input included, (..., neurons)."""
        return network_activations(self.checkpoint.network, observations)

    def choose(self, outputs: Single) -> Integers:
        """Return the number of the action of greatest Q, (batch,); see `arm.task.action_table`."""
        best: Integers = outputs.argmax(axis=-1)
        return best

    def record(
        self,
        env: Env | None = None,
        *,
        episodes: int = SAMPLE_EPISODES,
        seed: int | np.random.Generator | None = None,
        max_steps: int | None = None,
    ) -> ActivityRecord:
        """Play greedy episodes of the reaching task and record the activations of every layer.

        Args:
            env: plays there instead, see `Policy.record`.
            episodes: how many, at least 1.
            seed: of the goals; by default the record is that of the commands.
            max_steps: of an environment, see `Policy.record`.

        Raises:
            UserError: no episodes; or an environment does not fit.
        """
        if env is not None:
            options = PlayOptions(episodes, seed, max_steps)
            return record_policy(self, env, options)[0]
        if episodes < 1:
            raise UserError(f'episodes must be at least 1, not {episodes}')
        goals = None if seed is None else np.random.default_rng(seed)
        record = record_checkpoint(self.checkpoint, episodes, goals)
        known = {'digest': network_digest(self.checkpoint.network)}
        if self.checkpoint.path != UNSAVED:
            known = {**record.network, **known}
        return dataclasses.replace(record, network=known)

    def pruned(
        self, record: ActivityRecord, options: PruningOptions
    ) -> tuple[ReachingPolicy, Pruned[QNetwork]]:
        """Merge the neurons of each cluster; return the new policy and the clusters.

        Raises:
            UserError: the record is of another network.
            ValueError: it is of one of another shape.
        """
        ours = self.checkpoint
        found = prune(ours.network, record, options)
        check_record(ours, record, 'the record')
        setup = ours.setup.with_hidden(found.network.sizes[1:-1])
        metadata = describe(setup, Member(ours.metadata['seed']), None)
        return ReachingPolicy(Checkpoint(UNSAVED, found.network, metadata, setup, True)), found

    def save(self, folder: str | Path) -> Path:
        """Write a checkpoint, which replaces only what was saved so before.

        Raises:
            UserError: the folder holds anything else, or cannot be written.
        """
        folder = Path(folder)
        if folder.exists() and (
            not folder.is_dir() or {item.name for item in folder.iterdir()} - {METADATA, MODEL}
        ):
            raise UserError(f'{folder}: holds other files; name a new or empty folder')
        return save_checkpoint(folder, self.checkpoint.network, self.checkpoint.metadata)

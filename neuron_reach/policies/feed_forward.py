# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Policies that other libraries trained, and those pruned from them."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.analysis.folding import Fold
from neuron_reach.analysis.merging import Pruned, layer_fold, prune_layers
from neuron_reach.analysis.options import SAMPLE_EPISODES, PruningOptions
from neuron_reach.common.arrays import AnyArray, Array, Single
from neuron_reach.common.files import Kind, atomic_folder, json_bytes, read_json
from neuron_reach.common.names import ORIGIN, POLICY, POLICY_TENSORS
from neuron_reach.common.results import to_json
from neuron_reach.common.tensors import read_tensors, tensor_bytes
from neuron_reach.errors import UserError
from neuron_reach.networks.feed_forward import CHUNK, FeedForward
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.normalization import normalization
from neuron_reach.policies.observations import Observations, Part
from neuron_reach.policies.playing import PlayOptions, record_policy
from neuron_reach.policies.policy import Env, Policy
from neuron_reach.records.belonging import check_network
from neuron_reach.records.record import ActivityRecord

FORMAT = 1
"""Version of the folder's layout."""

LARGEST_FILE = 2**31
"""Largest file with a policy that is read, bytes."""

_MERGED = 'merged.'
"""Begins the names of the arrays of `Merged`."""

_DESCRIPTION: Kind = {
    'format': int,
    'sizes': [int],
    'steps': dict,
    'network': str,
    'origin': {'path': str, 'format': str, 'library': str, 'algorithm': str, 'part': str},
    'actions': {'kind': str | None, 'low': list | None, 'high': list | None, 'groups': [int]},
    'observations': [{'key': str, 'shape': list | None, 'counts': [int]}],
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a network comes from.

    Attributes:
        path: of the file that it was read from; empty: it was given as an object.
        format: `stable-baselines3`, `ONNX`, `PyTorch`, `TorchScript`, `safetensors`, ...
        library: that wrote the file, with its version as far as known; empty: unknown.
        algorithm: that trained it, such as `ppo`; empty: unknown.
        part: which network of the file: `policy`, `value` or `critic`.
    """

    path: str = ''
    format: str = ''
    library: str = ''
    algorithm: str = ''
    part: str = 'policy'


@dataclasses.dataclass(frozen=True, eq=False)
class Merged:
    """How the last hidden layer of a network follows from that of the one pruned from it.

    Its activations are taken to be expansion z + offset, with z those of the pruned one.

    Attributes:
        expansion: (neurons before, neurons).
        offset: (neurons before,).
    """

    expansion: Array
    offset: Array

    def then(self, fold: Fold) -> Merged:
        """Return how it follows after the last hidden layer was folded once more."""
        constant = 0.0 if fold.offset is None else self.expansion @ fold.offset
        return Merged(self.expansion @ fold.expansion, self.offset + constant)


class FeedForwardPolicy(Policy):
    """A feed-forward network of any origin.

    Attributes:
        network: its layers.
        actions: how its outputs become actions.
        origin: where it comes from.
        source: the file that `export` writes a pruned network back into; None: there is none.
        observations: how those of an environment become inputs. Dict observations can also be
            given to `outputs`, `activations` and `act` as they are.
        merged: how the last hidden layer of the network in `source` follows from that of this one;
            None: it is unknown, or the same.
    """

    def __init__(
        self,
        network: FeedForward,
        actions: Actions | None = None,
        origin: Origin | None = None,
        source: Path | None = None,
        observations: Observations | None = None,
        merged: Merged | None = None,
    ) -> None:
        """Make a policy of a network.

        Raises:
            ValueError: actions or observations do not fit the network.
        """
        self._network = network
        self.actions = actions or Actions()
        self.origin = origin or Origin()
        self.source = source
        self.observations = observations or Observations()
        self.actions.check(network.sizes[-1])
        self.observations.check(network.sizes[0])
        self.merged = merged
        self.observation_keys = self.observations.keys

    @property
    def network(self) -> FeedForward:
        """The layers."""
        return self._network

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of every layer, input and output included."""
        return self.network.sizes

    def with_network(self, network: FeedForward, merged: Merged | None = None) -> FeedForwardPolicy:
        """Return the same policy with another network of the same inputs and outputs.

        Args:
            network: the new one.
            merged: how the last hidden layer of the network in `source` follows from that of the
                new one; None: as from that of this policy.
        """
        return FeedForwardPolicy(
            network,
            self.actions,
            self.origin,
            self.source,
            self.observations,
            merged or self.merged,
        )

    def _inputs(self, observations: ArrayLike | Mapping[str, Any]) -> Single:
        if isinstance(observations, Mapping):
            observations = self.observations.inputs(observations)
        return super()._inputs(observations)

    def activations(self, observations: ArrayLike | Mapping[str, Any]) -> dict[str, Single]:
        """Return the activations of each hidden layer and of the output, see `Policy`."""
        inputs = self._inputs(observations)
        before = inputs.shape[:-1]
        if math.prod(before) > CHUNK:
            return super().activations(inputs)
        layers = self.network.forward(inputs.reshape(math.prod(before), inputs.shape[-1]))
        return {
            name: values.numpy().astype(np.float32, copy=False).reshape(*before, values.shape[1])
            for name, values in zip(self.layers[1:], layers, strict=True)
        }

    def compute(self, observations: Single) -> Single:
        """Return the activations of all layers side by side, input included, (..., neurons)."""
        before = observations.shape[:-1]
        rows = observations.reshape(math.prod(before), observations.shape[-1])
        return self.network.activations(rows).reshape(*before, sum(self.sizes))

    def choose(self, outputs: Single) -> AnyArray:
        """Return what the policy does where it computes these outputs, see `Actions.choose`."""
        return self.actions.choose(outputs)

    def record(
        self,
        env: Env | None = None,
        *,
        episodes: int = SAMPLE_EPISODES,
        seed: int | np.random.Generator | None = None,
        max_steps: int | None = None,
    ) -> ActivityRecord:
        """Play episodes and record the activations of every layer, see `Policy.record`."""
        if env is None:
            raise UserError('env is missing: only networks trained here know the task they are for')
        options = PlayOptions(episodes, seed, max_steps)
        return record_policy(self, env, options)[0]

    def with_normalization(self, source: str | Path | Mapping[str, Any]) -> FeedForwardPolicy:
        """Return a policy that normalizes observations before the first layer.

        Args:
            source: the `.npz` or YAML file with the statistics, or a mapping: `mean` and `var` (or
                `std`) of each input, and perhaps `epsilon` (1e-8) and `clip` (10). These are the
                statistics of `VecNormalize`, whose pickle is never opened.

        Raises:
            UserError: the statistics cannot be used, or are of another number of inputs.
        """
        before = self.network
        steps = normalization(source, before.sizes[0], before.layers[0].weight.dtype)
        return self.with_network(FeedForward(before.layers, (*steps, *before.preparation)))

    def pruned(
        self, record: ActivityRecord, options: PruningOptions
    ) -> tuple[FeedForwardPolicy, Pruned[FeedForward]]:
        """Merge the neurons of each cluster; return the new policy and the clusters.

        Raises:
            UserError: the record is of another network, or there are no hidden layers.
            ValueError: it is of one of another shape.
        """
        check_network(self.network, record, 'the record', self.origin.path or 'this policy')
        found = prune_layers(self.network, record, options)
        last, labels = len(record.hidden) - 1, found.clusters[record.hidden[-1]]
        fold = layer_fold(self.network, record, last, labels, options.merge)
        before = self.merged or Merged(np.eye(self.sizes[-2]), np.zeros(self.sizes[-2]))
        return self.with_network(found.network, before.then(fold)), found

    def export(self, path: str | Path) -> Path:
        """Write the network into a file for other programs, see `Policy.export`."""
        path = Path(path)
        write = WRITERS.get(self.origin.format) if path.suffix == '.zip' else None
        return super().export(path) if write is None else write(self, path)

    def save(self, folder: str | Path) -> Path:
        """Write a folder that `neuron_reach.load` reads; it replaces only what was saved so before.

        Raises:
            UserError: the folder holds anything else, or cannot be written.
        """
        folder = Path(folder)
        if folder.exists() and (
            not folder.is_dir()
            or {item.name for item in folder.iterdir()} - {POLICY, POLICY_TENSORS, ORIGIN}
        ):
            raise UserError(f'{folder}: holds other files; name a new or empty folder')
        description = {
            'format': FORMAT,
            'sizes': list(self.sizes),
            'steps': self.network.structure(),
            'network': self.network.digest,
            'origin': to_json(self.origin),
            'actions': to_json(self.actions),
            'observations': to_json(self.observations.parts),
        }
        arrays = self.network.arrays()
        if self.merged is not None:
            arrays.update({_MERGED + name: values for name, values in vars(self.merged).items()})
        try:
            with atomic_folder(folder) as new:
                (new / POLICY_TENSORS).write_bytes(tensor_bytes(arrays))
                (new / POLICY).write_bytes(json_bytes(description))
                if self.source is not None:
                    shutil.copyfile(self.source, new / ORIGIN)
        except OSError as error:
            raise UserError(f'{folder}: cannot be written: {error}') from None
        return folder


WRITERS: dict[str, Callable[[FeedForwardPolicy, Path], Path]] = {}
"""What writes a policy back into a file like the one it comes from, by `Origin.format`; the modules
of the formats add to it."""


def read_policy(folder: Path) -> FeedForwardPolicy:
    """Read a folder that `FeedForwardPolicy.save` wrote.

    Raises:
        UserError: a file is missing, damaged, or contradicts another.
    """
    description = read_json(folder / POLICY, _DESCRIPTION)
    if description['format'] > FORMAT:
        raise UserError(f'{folder / POLICY}: was written by a newer version of neuron_reach')
    tensors, _ = read_tensors(folder / POLICY_TENSORS, LARGEST_FILE)
    try:
        network = FeedForward.from_arrays(tensors, description['steps'])
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise UserError(f'{folder / POLICY}: does not fit {POLICY_TENSORS}: {error}') from None
    described = tuple(description['sizes']), description['network']
    if (network.sizes, network.digest) != described:
        raise UserError(f'{folder / POLICY}: does not fit {POLICY_TENSORS}')
    source = folder / ORIGIN
    try:
        return FeedForwardPolicy(
            network,
            Actions.from_json(description['actions']),
            Origin(**{name: description['origin'][name] for name in Origin.__dataclass_fields__}),
            source if source.exists() else None,
            Observations(tuple(map(Part.from_json, description['observations']))),
            _merged(tensors, network),
        )
    except (OverflowError, TypeError, ValueError) as error:
        raise UserError(f'{folder / POLICY}: is damaged: {error}') from None


def _merged(tensors: Mapping[str, AnyArray], network: FeedForward) -> Merged | None:
    """Return the description of merged neurons in a file, None if there is none that fits."""
    expansion, offset = (tensors.get(_MERGED + name) for name in ('expansion', 'offset'))
    if expansion is None or offset is None:
        return None
    if expansion.shape != (*offset.shape, network.sizes[-2]):
        return None
    if not (np.isfinite(expansion).all() and np.isfinite(offset).all()):
        return None
    return Merged(expansion, offset)

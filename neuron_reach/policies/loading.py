# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Opening policies, whatever they are saved as."""

from __future__ import annotations

from pathlib import Path

from neuron_reach.common.names import POLICY
from neuron_reach.common.paths import PathKind, kind_of
from neuron_reach.errors import UserError
from neuron_reach.policies.feed_forward import FeedForwardPolicy, read_policy
from neuron_reach.policies.formats import format_of
from neuron_reach.policies.onnx_file import read_onnx
from neuron_reach.policies.policy import Policy
from neuron_reach.policies.reaching import ReachingPolicy
from neuron_reach.policies.sb3 import read_sb3
from neuron_reach.policies.torch_file import read_safetensors, read_state
from neuron_reach.policies.torchscript import read_torchscript
from neuron_reach.records.networks import load_network, network_at


def load(path: str | Path, *, part: str | None = None, activation: str | None = None) -> Policy:
    """Return the policy at a path.

    Args:
        path: a file of another library (a zip of stable-baselines3, ONNX, a state dict of PyTorch,
            safetensors), or a folder: a run, a checkpoint, results of `prune` or of a finished
            `prune-train`, a bag whose checkpoint is still there, or a folder that `Policy.save`
            wrote. Nothing in a file is executed.
        part: which network of a file; by default the policy. In ONNX files, the name of an output
            or of another tensor.
        activation: function of the hidden layers, where the file does not say it.

    Raises:
        UserError: there is no policy, it is damaged, or it is no chain of linear layers and
            elementwise functions.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind == PathKind.POLICY_FILE or (kind == PathKind.OTHER and not path.is_dir()):
        return _read_file(path, part, activation)
    if part is not None or activation is not None:
        name = 'part' if part is not None else 'activation'
        raise UserError(f'{path}: {name} can be chosen for files of other libraries only')
    if (path / POLICY).exists():
        return read_policy(path)
    network = network_at(path)
    if network is not None and network.policy is not None:
        return load(network.policy)
    return ReachingPolicy(load_network(path))


def _read_file(path: Path, part: str | None, activation: str | None) -> FeedForwardPolicy:
    kind = format_of(path)
    if kind in _SILENT:
        return _SILENT[kind](path, part, activation)
    if activation is not None:
        raise UserError(f'{path}: {kind} files say their activation functions themselves')
    return _READERS[kind](path, part)


_READERS = {
    'ONNX': read_onnx,
    'stable-baselines3': read_sb3,
    'TorchScript': read_torchscript,
}

_SILENT = {'PyTorch': read_state, 'safetensors': read_safetensors}
"""Of formats that do not say the activation functions."""

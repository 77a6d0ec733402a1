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
from neuron_reach.policies.feed_forward import read_policy
from neuron_reach.policies.policy import Policy
from neuron_reach.policies.reaching import ReachingPolicy
from neuron_reach.policies.sb3 import read_sb3
from neuron_reach.records.networks import load_network


def load(path: str | Path) -> Policy:
    """Return the policy at a path.

    Args:
        path: a run folder, a checkpoint, results of `prune` or of a finished `prune-train`, a
            bag whose checkpoint is still there, or a folder that `Policy.save` wrote.

    Raises:
        UserError: there is no policy, or it is damaged.
    """
    path = Path(path)
    if (path / POLICY).exists():
        return read_policy(path)
    if path.suffix == '.zip':
        return read_sb3(path)
    return ReachingPolicy(load_network(path))

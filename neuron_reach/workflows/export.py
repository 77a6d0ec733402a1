# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Write the network of a policy into a file for other programs."""

from __future__ import annotations

from pathlib import Path

from neuron_reach.policies.loading import load
from neuron_reach.policies.policy import Policy


def export(
    source: Path, file: Path, *, part: str | None = None, activation: str | None = None
) -> Policy:
    """Export a policy and return it.

    Args:
        source: anything that `neuron_reach.load` reads.
        file: whose ending says the format, see `Policy.export`.
        part: see `neuron_reach.load`.
        activation: see `neuron_reach.load`.

    Raises:
        UserError: the policy cannot be read, or the file cannot be written.
    """
    policy = load(source, part=part, activation=activation)
    policy.export(file)
    return policy

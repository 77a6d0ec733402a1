# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Options of looking inside a policy on a robot, shared by the node and its launch arguments."""

from __future__ import annotations

import dataclasses

from neuron_reach.common.options import option


@dataclasses.dataclass(frozen=True)
class InspectionOptions:
    """Which policy is inspected, and how."""

    policy: str = option('', 'file or folder of the policy', path=True)
    inputs: str = option(
        '', 'YAML file that says which topics are the inputs and outputs of the policy', path=True
    )
    part: str = option('', 'which network of the file, such as value; by default the policy')
    activation: str = option(
        '', 'function of the hidden layers, such as elu, where the file does not say it'
    )
    act: bool = option(False, 'publish the actions of the policy, else only look')
    rate: float = option(
        0.0, 'steps a second in place of what the file says; 0: as the file says', low=0, high=1e4
    )
    episode_steps: int = option(
        500, 'steps after which an episode of the recording ends', low=1, high=1_000_000
    )
    episodes: int = option(0, 'episodes after which to end; 0: never', low=0, high=10_000_000)

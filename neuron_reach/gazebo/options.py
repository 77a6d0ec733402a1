# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Options of the simulation in Gazebo."""

from __future__ import annotations

import dataclasses

from neuron_reach.common.options import option


@dataclasses.dataclass(frozen=True)
class GazeboOptions:
    """Options of Gazebo, for `backend: gazebo`."""

    physics_steps: int = option(50, 'physics steps in one 50 ms control cycle', low=25, high=1000)
    gui: bool = option(False, "show Gazebo's window (only with the Gazebo of a ROS 2 installation)")
    payload: float = option(
        0.0, 'additional mass at the tip, for which the gains are not tuned, kg', low=0.0, high=5.0
    )
    gain_scale: float = option(
        1.0, 'factor on all PID gains of the joints; 0: no control', low=0.0, high=10.0
    )

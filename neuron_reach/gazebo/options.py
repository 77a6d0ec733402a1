"""Options of the simulation in Gazebo."""

from __future__ import annotations

import dataclasses

from neuron_reach.common.options import option


@dataclasses.dataclass(frozen=True)
class GazeboOptions:
    """Gazebo, for `backend: gazebo`."""

    physics_steps: int = option(50, 'physics steps in one 50 ms control cycle', low=25, high=1000)
    gui: bool = option(False, "show Gazebo's window (of a ROS 2 installation's Gazebo)")
    payload: float = option(
        0.0, 'mass at the tip that the gains are not tuned for, kg', low=0.0, high=5.0
    )
    gain_scale: float = option(
        1.0, 'factor on all PID gains of the joints; 0: no control at all', low=0.0, high=10.0
    )

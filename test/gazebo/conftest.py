"""Arms in the real Gazebo."""

import pytest

from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.gazebo.arms import GazeboArms
from neuron_reach.gazebo.options import GazeboOptions


@pytest.fixture
def make_arms(gazebo):
    """Start arms in Gazebo; all are ended after the test."""
    started = []

    def make(joints=3, arms=1, **options):
        arm = {key: options.pop(key) for key in ('arm_length', 'bend') if key in options}
        gazebo_options = GazeboOptions(**options)
        started.append(GazeboArms(ArmOptions(joints=joints, **arm), arms, gazebo_options))
        return started[-1]

    yield make
    for arms in started:
        arms.close()

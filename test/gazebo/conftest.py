# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Arms in the real Gazebo."""

import pytest

from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.gazebo import tree
from neuron_reach.gazebo.arms import GazeboArms
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.learning.checkpoint import describe, save_checkpoint
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Training


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A folder for Gazebo that does not exist yet."""
    monkeypatch.setenv('NEURON_REACH_GAZEBO', str(tmp_path / 'cache'))
    tree.plugin_folder.cache_clear()
    yield tmp_path / 'cache'
    tree.plugin_folder.cache_clear()


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


@pytest.fixture
def checkpoint(tmp_path):
    """An untrained network of a 1-joint arm, with short episodes in which any reward will do."""
    values = {'joints': 1, 'hidden': [8], 'episode_steps': 6, 'reach_steps': 6}
    setup = Setup.from_values({**values, 'success_reward': 0.0}, 'test')
    training = Training(setup)
    metadata = describe(setup, training.members[0], None)
    return save_checkpoint(tmp_path / 'checkpoint', training.saved_network(0), metadata)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest
from easy import EASY

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.learning.checkpoint import describe, save_checkpoint
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Training

TINY = {
    'joints': 1,
    'hidden': [8, 5],
    'arms': 5,
    'batch_size': 16,
    'replay_capacity': 100,  # wraps in the fourth round
    'episode_steps': 6,
    'reach_steps': 6,
    'validation_interval': 10,
    'temperature_updates': 20,
    'learning_rate': 0.01,
    'success_reward': 0.7,
}


@pytest.fixture(scope='session', autouse=True)
def one_thread():
    use_one_core()


@pytest.fixture
def setup():
    """Makes a tiny setup; keyword arguments change it."""

    def make(**changes):
        return Setup.from_values({**TINY, **changes}, 'test')

    return make


@pytest.fixture
def easy_setup():
    """Makes a setup that is learned within seconds; keyword arguments change it."""

    def make(**changes):
        return Setup.from_values({**EASY, **changes}, 'test')

    return make


@pytest.fixture
def make_fleet(setup):
    """Makes a fleet of so many arms of the tiny setup."""
    return lambda arms: FleetSimulator(setup().arm, arms)


@pytest.fixture
def own(setup):
    """A training after some rounds."""
    training = Training(setup(joints=2, seed=3))
    fleet = FleetSimulator(training.setup.arm, 5)
    for _ in range(5):
        training.round(fleet)
    return training


@pytest.fixture
def saved(own, tmp_path):
    """A checkpoint with everything in it."""
    metadata = describe(own.setup, own.members[0], (290, 300))
    return save_checkpoint(tmp_path / 'checkpoint', own.saved_network(0), metadata, own)

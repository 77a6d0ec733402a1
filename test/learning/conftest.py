import pytest
from easy import EASY

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.setup import Setup

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

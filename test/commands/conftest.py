import pytest
import torch
from easy import EASY

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.cli import main
from neuron_reach.learning.checkpoint import describe, load_checkpoint, save_checkpoint
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.session import Session
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member

OPTIONS = {**EASY, 'hidden': [16, 12], 'max_episodes': 6000}


@pytest.fixture(scope='session')
def trained(tmp_path_factory):
    """A small trained network's checkpoint folder."""
    use_one_core()
    setup = Setup.from_values(OPTIONS, 'test')
    session = Session(setup, tmp_path_factory.mktemp('trained'), 3600.0)
    session.train(lambda arms: FleetSimulator(setup.arm, arms), lambda _: None)
    session.close()
    return session.final


@pytest.fixture
def untrained(tmp_path):
    """Saves a network of random weights."""

    def make(name='untrained', seed=0, **options):
        setup = Setup.from_values({**OPTIONS, **options}, 'test')
        network = QNetwork(setup.layer_sizes)
        network.initialize([torch.Generator().manual_seed(seed)], 1.0)
        return load_checkpoint(
            save_checkpoint(tmp_path / name, network, describe(setup, Member(0), None))
        )

    return make


@pytest.fixture
def command(capsys):
    """Runs a command in this process; returns exit code, output and errors."""

    def run(*arguments):
        code = main(list(map(str, arguments)))
        captured = capsys.readouterr()
        assert 'Traceback' not in captured.err
        return code, captured.out, captured.err

    return run


@pytest.fixture
def refused(command):
    """Checks that a command ends with exit code 2 and one line that says so much."""

    def run(*arguments, words):
        code, _, errors = command(*arguments)
        assert code == 2
        lines = [line for line in errors.splitlines() if line.startswith('neuron_reach: error:')]
        assert len(lines) == 1
        for word in words:
            assert word in lines[0]

    return run

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Networks and commands for the tests of workflows and of commands; conftest.py imports them."""

import pytest
from easy import EASY
from record_bags import write_record

OPTIONS = {**EASY, 'hidden': [16, 12], 'max_episodes': 6000}


@pytest.fixture(scope='session')
def trained(tmp_path_factory):
    """The checkpoint folder of a small trained network."""
    from neuron_reach.arm.simulator import FleetSimulator
    from neuron_reach.learning.kernels import use_one_core
    from neuron_reach.learning.session import Session
    from neuron_reach.learning.setup import Setup

    use_one_core()
    setup = Setup.from_values(OPTIONS, 'test')
    session = Session(setup, tmp_path_factory.mktemp('trained'), 3600.0)
    session.train(lambda arms: FleetSimulator(setup.arm, arms), lambda _: None)
    session.close()
    return session.final


def save_untrained(path, weights, scale, **options):
    """Save a network of random weights, drawn with the seed `weights`."""
    import torch

    from neuron_reach.learning.checkpoint import describe, load_checkpoint, save_checkpoint
    from neuron_reach.learning.qnetwork import QNetwork
    from neuron_reach.learning.setup import Setup
    from neuron_reach.learning.training import Member

    setup = Setup.from_values(options, 'test')
    network = QNetwork(setup.layer_sizes)
    network.initialize([torch.Generator().manual_seed(weights)], scale)
    member = Member(options.get('seed', 0))
    return load_checkpoint(save_checkpoint(path, network, describe(setup, member, None)))


@pytest.fixture
def untrained(tmp_path):
    """Saves a network of random weights."""

    def make(name='untrained', seed=0, **options):
        return save_untrained(tmp_path / name, seed, 1.0, **{**OPTIONS, **options})

    return make


@pytest.fixture
def run_dir(tmp_path, untrained):
    """A run folder with a network."""
    checkpoint = untrained('run/checkpoint')
    assert checkpoint.path == tmp_path / 'run' / 'checkpoint'
    return checkpoint.path.parent


@pytest.fixture(scope='session')
def runs(tmp_path_factory):
    """Three networks of 2 joints and two of 3 joints, in a folder each; one has a bag."""
    root = tmp_path_factory.mktemp('runs')
    short = {'hidden': [9, 7], 'episode_steps': 8, 'reach_steps': 8, 'arms': 5}
    for joints, count in ((2, 3), (3, 2)):
        for seed in range(count):
            path = root / f'joints{joints}' / f'seed{seed}' / 'checkpoint'
            save_untrained(path, seed, 0.3, joints=joints, seed=seed, **short)
    write_run_bag(root / 'joints2' / 'seed0' / 'bag', root / 'joints2' / 'seed0' / 'checkpoint', 12)
    return root


def write_run_bag(path, checkpoint, episodes, generator=None, announced=None):
    """Write a bag of a network's sample episodes, with the path of its checkpoint."""
    from neuron_reach.learning.checkpoint import load_checkpoint
    from neuron_reach.records.recording import record_checkpoint

    record = record_checkpoint(load_checkpoint(checkpoint), episodes, generator)
    write_record(path, record, checkpoints=[(str(announced or checkpoint), 1, 0)])
    return path


@pytest.fixture
def no_figures(monkeypatch):
    """Leaves the figures out: they take longer than everything else."""
    monkeypatch.setattr('neuron_reach.figures.style.save', lambda figure, path: [])


@pytest.fixture
def command(capsys):
    """Runs a command in this process; returns exit code, output and errors."""
    from neuron_reach.cli import main

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


@pytest.fixture
def refusal(tmp_path, monkeypatch, capsys):
    """Returns the one line with which a command line is refused; nothing may be written."""
    from neuron_reach.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        try:
            code = main(list(arguments))
        except SystemExit as exit_:
            code = exit_.code
        captured = capsys.readouterr()
        assert code == 2
        assert captured.out == ''
        assert captured.err.startswith('neuron_reach')
        assert captured.err.count('\n') == 1
        return captured.err

    yield run
    assert [path.name for path in tmp_path.iterdir() if path.name != 'a.yaml'] == []


@pytest.fixture
def help_of(capsys):
    """Returns the help of a command."""
    from neuron_reach.cli import main

    def run(*command):
        with pytest.raises(SystemExit) as ended:
            main([*command, '--help'])
        assert ended.value.code == 0
        return capsys.readouterr().out

    return run

"""A folder of results is that of one command and its inputs."""

import json

import pytest

FEW = ['--episodes', '4']
PRUNE = [*FEW, '--samples', '1']


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Leaves the figures out: they take longer than everything else."""
    monkeypatch.setattr('neuron_reach.figures.style.save', lambda figure, path: [])


def test_results_are_replaced_by_the_same_command_for_the_same_input_only(
    tmp_path, untrained, command, refused
):
    one, other = untrained('one').path, untrained('other', seed=1).path
    commands = {
        'analyze': ['analyze', one, '-o', tmp_path / 'analyze', *FEW],
        'prune': ['prune', one, '-o', tmp_path / 'prune', *PRUNE],
        'map': ['map', one, other, '-o', tmp_path / 'map', *FEW, '--lambda', 0],
    }
    results = {'analyze': 'analysis.json', 'prune': 'pruning.json', 'map': 'mapping.json'}
    for words in commands.values():
        assert command(*words)[0] == 0
    for name, file in results.items():
        folder = tmp_path / name
        before = {item.name: item.read_bytes() for item in folder.glob('*.*')}
        for foreign in commands:
            words = [folder if word == tmp_path / foreign else word for word in commands[foreign]]
            if foreign != name:
                said = [str(folder), f'holds results of {name}', file, 'another folder']
                refused(*words, words=said)
            words[1] = other
            said = [str(folder), 'holds results of', 'another folder']
            refused(*words, words=said)
        refused('prune-train', one, '-o', folder, '--steps', 1, words=['holds results of'])
        assert {item.name: item.read_bytes() for item in folder.glob('*.*')} == before
        assert command(*commands[name])[0] == 0


def test_results_that_are_only_partly_replaced_are_none(tmp_path, untrained, command, monkeypatch):
    words = ['analyze', untrained().path, '-o', tmp_path / 'out', *FEW]
    assert command(*words)[0] == 0
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr('neuron_reach.results.write_arrays', lambda *_: broken())
        command(*words)
    assert not (tmp_path / 'out' / 'analysis.json').exists()
    assert command(*words)[0] == 0
    assert json.loads((tmp_path / 'out' / 'analysis.json').read_text())['episodes'] == 4


def broken():
    raise RuntimeError

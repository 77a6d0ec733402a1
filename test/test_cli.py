"""What the command line says of words that it cannot use: one line, exit code 2, nothing done."""

from pathlib import Path

import pytest

from neuron_reach import cli
from neuron_reach.commands.flags import spelled


def refused(arguments, capsys):
    """Return the one line that a command line is answered with."""
    try:
        code = cli.main(arguments)
    except SystemExit as exit_:
        code = exit_.code
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ''
    assert said.err.startswith('neuron_reach')
    assert said.err.count('\n') == 1
    return said.err


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert [path.name for path in tmp_path.iterdir() if path.name != 'a.yaml'] == []


@pytest.mark.parametrize('command', ['train', 'learn', 'record', 'run', 'reduce'])
@pytest.mark.parametrize(
    ('arguments', 'written'),
    [
        ('--record 2', 'record:=2, not --record;'),
        ('--record=2', 'record:=2, not --record=2;'),
        ('-record:=2', 'record:=2, not -record:=2;'),
        ('--test-episodes 2 seed:=1', 'test_episodes:=2, not --test-episodes;'),
        ('--record --storage', 'record:=VALUE, not --record;'),
        ('--recrod 2', 'recrod:=2, not --recrod;'),
        ('record=2', "record:=2, not 'record=2'"),
        ('record: 2', "record:=2, not 'record:'"),
        ('record := 2', "record:=2, not 'record'"),
        ('record 2', "record:=2, not 'record'"),
        ('record', "record:=VALUE, not 'record'"),
    ],
)
def test_arguments_of_runs_are_shown_as_they_should_be_written(command, arguments, written, capsys):
    line = refused([command, *arguments.split()], capsys)
    assert f'arguments are written name:=value, such as {written}'.rstrip(';') in line


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('train -o x', 'neuron_reach train: error: there is no flag -o; arguments are written'),
        ('train joint:=2', "unknown key 'joint' (did you mean joints?); allowed: "),
        ('train hidden:=', 'argument hidden is empty; leave it out for its default'),
        ('train run_dir:=', 'argument run_dir is empty'),
        ('train seed:=1 seed:=2', 'argument seed is given twice'),
        *(
            (f'train hidden:={value}', f"from 1 to 4096, not '{value}'")
            for value in ('[]', '[,]', '[8,]x', '8,8', '[8,2.5]', '[8,x]', '[010]', '0', '[[8]]')
        ),
        ('train seed:=010', "seed must be a whole number from 0 to 4294967295, not '010'"),
        ('train config:=a.yaml', "a.yaml: line 2: key 'joints' is given twice"),
        ('train run_dir:=~nosuchuser/x', "run_dir must be a path, not '~nosuchuser/x'"),
        ('train config:=~nosuchuser/x', "config must be a path, not '~nosuchuser/x'"),
        ('prune x tau:=0.2 -o y', 'flags are written --tau 0.2, not tau:=0.2; see neuron_reach'),
        ('prune x --taux 2 -o y', 'neuron_reach prune: error: unknown flag --taux (did you mean'),
        ('prune x -o', 'argument -o/--output: expected one argument'),
        ('prune x --episodes few -o y', "argument --episodes: must be a whole number, not 'few'"),
        ('map x y --tolerance few -o y', "argument --tolerance: must be a number, not 'few'"),
        ('info x y', "neuron_reach info: error: unexpected 'y'; see neuron_reach info --help"),
        ('info ~nosuchuser', "argument path: must be a path, not '~nosuchuser'"),
        ('info -- -x', '/-x: no such file or folder'),
        ('reproduce all --workers few', "argument --workers: must be a whole number, not 'few'"),
    ],
)
def test_a_word_that_cannot_be_used_is_one_clear_line(arguments, message, capsys):
    Path('a.yaml').write_text('joints: 2\njoints: 3\n')
    assert message in refused(arguments.split(), capsys)


def test_an_empty_path_is_not_the_current_folder(capsys):
    assert "argument path: must be a path, not ''" in refused(['info', ''], capsys)


def test_a_path_of_two_lines_is_told_in_one(capsys):
    assert r'two\nlines: no such file or folder' in refused(['info', 'two\nlines'], capsys)


def test_the_home_folder_is_known_in_every_path(capsys, monkeypatch):
    monkeypatch.setenv('HOME', '/nonexistent/home')
    Path('a.yaml').write_text('checkpoint: ~/in_file\n')
    for arguments, place in (
        ('info ~/x', '/nonexistent/home/x'),
        ('prune ~/x --output=~/y', '/nonexistent/home/x'),
        ('map ~/x ~/y -o z', '/nonexistent/home/x'),
        ('record checkpoint:=~/x', '/nonexistent/home/x/metadata.json'),
        ('record run_dir:=~/x', '/nonexistent/home/x/checkpoint'),
        ('record config:=a.yaml', '/nonexistent/home/in_file/metadata.json'),
        ('train config:=~/x.yaml', '/nonexistent/home/x.yaml'),
    ):
        assert place in refused(arguments.split(), capsys)


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['--a=b'], ('a', 'b')),
        (['--a', '-1'], ('a', '-1')),
        (['--a', '-b'], ('a', 'VALUE')),
        (['a', ':=b'], ('a', 'b')),
        (['--a-b', 'c'], ('a_b', 'c')),
        (['a:'], ('a', 'VALUE')),
    ],
)
def test_the_name_and_the_value_that_were_meant(words, expected):
    assert spelled(words[0], words) == expected


@pytest.mark.parametrize('name', ['x\ny', 'x\x1b[31m', 'x\udcff', 'x\u2028y'])
def test_a_path_of_any_letters_is_told_in_one_printable_line(capsys, name):
    said = refused(['info', name], capsys)
    assert said.rstrip('\n').isprintable()
    assert name.encode('unicode_escape').decode() in said

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The command line: its help, and one line and exit code 2 for words that it cannot use."""

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
        ('map x y --tolerance few -o y', "--tolerance must be a number of at least 0, not 'few'"),
        ('info x y', "neuron_reach info: error: unexpected 'y'; see neuron_reach info --help"),
        ('info ~nosuchuser', "argument path: must be a path, not '~nosuchuser'"),
        ('info -- -x', '/-x: no such file or folder'),
        ('reproduce all --workers few', "argument --workers: must be a whole number, not 'few'"),
    ],
)
def test_a_word_that_cannot_be_used_is_one_clear_line(arguments, message, capsys):
    Path('a.yaml').write_text('joints: 2\njoints: 3\n')
    assert message in refused(arguments.split(), capsys)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('trian', "unknown command 'trian' (did you mean train?)"),
        ('prune_train x', "unknown command 'prune_train' (did you mean prune-train?)"),
        ('recroding', "unknown command 'recroding' (did you mean record?)"),
        ('gazebo instal', "gazebo: error: unknown command 'instal' (did you mean install?)"),
        ('train backend:=gazbo', "not 'gazbo' (did you mean gazebo?)"),
        ('train --no-ros joint:=2', "unknown key 'joint' (did you mean joints?)"),
        ('train --no-rso', 'unknown flag --no-rso (did you mean --no-ros?)'),
        ('train --recrod 2', 'not --recrod (did you mean record?)'),
        ('train --no-ros --joints 3', 'such as joints:=3, not --joints'),
        ('train --joints 3 --no-ros', 'such as joints:=3, not --joints'),
        ('prune-train x --test_episode 2 -o y', '(did you mean --test-episodes?)'),
        ('prune x --linkage averge -o y', "not 'averge' (did you mean average?)"),
        ('prune-train x --payload 2 -o y', '--payload takes effect only with --ros'),
        ('prune-train x --ros --backend gazbo -o y', 'no such checkpoint'),
        ('gazebo validate x --paylod 2', 'unknown flag --paylod (did you mean --payload?)'),
        ('reproduce fig3', "not 'fig3' (did you mean fig3-left?)"),
        ('reproduce al', "not 'al' (did you mean all?)"),
        ('reproduce all --scale quik', "not 'quik' (did you mean quick?)"),
        ('map x y --baseline radom -o z', "not 'radom' (did you mean random?)"),
        ('map x y --transform balancd -o z', "not 'balancd' (did you mean balanced?)"),
        ('prune checkpoint:=x -o y', 'checkpoint is given without its name: x, not checkpoint:=x'),
        ('map source=x y -o z', 'source is given without its name: x, not source=x'),
        ('analyze x tau:=0.3 -o y', 'flags are written --tau 0.3, not tau:=0.3'),
        ('analyze x tau=0.3 -o y', 'flags are written --tau 0.3, not tau=0.3'),
        ('prune-train x max_episodes=3 -o y', 'written --max-episodes 3, not max_episodes=3'),
    ],
)
def test_what_may_have_been_meant_is_asked(arguments, message, capsys):
    assert message in refused(arguments.split(), capsys)


def test_a_file_or_a_value_may_look_like_an_assignment(tmp_path, capsys):
    folder = tmp_path / 'tau=0.3'
    folder.mkdir()
    for arguments in ('prune tau=0.3 -o y', 'prune tau=0.3 --output tau=0.4'):
        assert 'tau=0.3: is no checkpoint' in refused(arguments.split(), capsys)
    folder.rmdir()


def test_flags_stand_before_between_and_after_arguments(capsys):
    for arguments in (
        '--no-ros joints:=0 seed:=1',
        'seed:=1 --no-ros joints:=0',
        'joints:=0 --ros',
    ):
        assert 'joints must be' in refused(['train', *arguments.split()], capsys)


COMMANDS = {
    'train and record': ['train', 'record'],
    'look inside': ['info', 'analyze', 'prune', 'prune-train', 'map', 'film'],
    'robot': ['run', 'gazebo'],
    'paper': ['reproduce'],
}
EVERY_COMMAND = [
    [],
    *([name] for names in COMMANDS.values() for name in names),
    *(['gazebo', name] for name in ('install', 'validate', 'film')),
]


def help_of(capsys, *command):
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, '--help'])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_help_lists_commands_by_work(capsys):
    text = help_of(capsys)
    for heading, names in COMMANDS.items():
        section = text.partition(f'\n{heading}:\n')[2].partition('\n\n')[0]
        assert [line.split()[0] for line in section.splitlines() if line[2] != ' '] == names
    for hidden in ('learn', 'reduce', 'recording'):
        assert hidden not in text.replace('learns', '')


@pytest.mark.parametrize('columns', [70, 80, 200])
@pytest.mark.parametrize('command', EVERY_COMMAND, ids=' '.join)
def test_help_fits_the_terminal_and_has_examples(command, columns, capsys, monkeypatch):
    monkeypatch.setenv('COLUMNS', str(columns))
    text = help_of(capsys, *command)
    above, _, examples = text.partition('\nexamples:\n')
    assert examples.startswith('  neuron_reach')
    assert max(map(len, above.splitlines())) <= min(columns, 100)
    assert max(map(len, examples.splitlines())) <= 80
    assert command in ([], ['gazebo']) or '\nleaves behind:\n' in above


@pytest.mark.parametrize('command', ['train', 'record', 'run'])
def test_arguments_stand_in_groups_with_the_common_ones_first(command, capsys):
    groups = {}
    for section in help_of(capsys, command).split('\n\n'):
        heading, _, rows = section.partition(' (name:=value):\n')
        groups[heading] = [line.split()[0] for line in rows.splitlines() if line[2] != ' ']
    assert groups['run'][:3] == ['run_dir', 'checkpoint', 'record']
    assert groups['run'][-1] == 'config'
    assert groups['arm'][0] == 'joints'
    assert groups['task'][0] == 'episode_steps'
    assert groups['learning'][:3] == ['hidden', 'seed', 'max_episodes']
    assert 'payload' in groups['Gazebo']


def test_the_help_of_run_says_that_nothing_is_recorded_unless_asked(capsys):
    assert 'default 0)' in help_of(capsys, 'run').partition('record ')[2].partition('backend')[0]


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

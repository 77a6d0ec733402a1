# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The command line as a whole; test/commands has the tests of single commands."""

from pathlib import Path

import pytest

COMMANDS = {
    'train and record': ['train', 'record'],
    'look inside': ['info', 'analyze', 'prune', 'prune-train', 'map', 'film', 'export'],
    'robot': ['run', 'inspect', 'gazebo'],
    'paper': ['reproduce'],
}


def test_the_help_lists_commands_by_work(help_of):
    text = help_of()
    for heading, names in COMMANDS.items():
        section = text.partition(f'\n{heading}:\n')[2].partition('\n\n')[0]
        assert [line.split()[0] for line in section.splitlines() if line[2] != ' '] == names
    for hidden in ('learn', 'reduce', 'recording'):
        assert hidden not in text.replace('learns', '')


def test_a_path_of_two_lines_is_printed_in_one(refusal):
    assert r'two\nlines: no such file or folder' in refusal('info', 'two\nlines')


def test_a_tilde_in_any_path_is_the_home_folder(refusal, monkeypatch):
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
        assert place in refusal(*arguments.split())


@pytest.mark.parametrize('name', ['x\ny', 'x\x1b[31m', 'x\udcff', 'x\u2028y'])
def test_a_path_of_any_characters_is_reported_in_one_printable_line(refusal, name):
    said = refusal('info', name)
    assert said.rstrip('\n').isprintable()
    assert name.encode('unicode_escape').decode() in said

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Arguments `name:=value` of commands that run over ROS."""

import importlib.util
from pathlib import Path

import pytest


@pytest.mark.parametrize('command', ['train', 'learn', 'record', 'run', 'reduce'])
@pytest.mark.parametrize(
    ('arguments', 'written'),
    [
        ('--record 2', 'record:=2, not --record;'),
        ('--record=2', 'record:=2, not --record=2;'),
        ('-record:=2', 'record:=2, not -record:=2;'),
        ('--test-episodes 2 seed:=1', 'test_episodes:=2, not --test-episodes;'),
        ('--record --backend', 'record:=VALUE, not --record;'),
        ('--recrod 2', 'recrod:=2, not --recrod;'),
        ('record=2', "record:=2, not 'record=2'"),
        ('record: 2', "record:=2, not 'record:'"),
        ('record := 2', "record:=2, not 'record'"),
        ('record 2', "record:=2, not 'record'"),
        ('record', "record:=VALUE, not 'record'"),
    ],
)
def test_an_error_shows_how_to_write_an_argument(command, arguments, written, refusal):
    line = refusal(command, *arguments.split())
    assert f'arguments are written name:=value, such as {written}'.rstrip(';') in line


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
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
    ],
)
def test_an_unusable_argument_is_reported_in_one_line(arguments, message, refusal):
    Path('a.yaml').write_text('joints: 2\njoints: 3\n')
    assert message in refusal(*arguments.split())


@pytest.mark.parametrize('command', ['train', 'record', 'run'])
def test_the_help_groups_arguments_and_lists_common_ones_first(command, help_of):
    groups = {}
    for section in help_of(command).split('\n\n'):
        heading, _, rows = section.partition(' (name:=value):\n')
        groups[heading] = [line.split()[0] for line in rows.splitlines() if line[2] != ' ']
    assert groups['run'][:3] == ['run_dir', 'checkpoint', 'record']
    assert groups['run'][-1] == 'config'
    assert groups['arm'][0] == 'joints'
    assert groups['task'][0] == 'episode_steps'
    assert groups['learning'][:3] == ['hidden', 'seed', 'max_episodes']
    assert 'payload' in groups['Gazebo']


@pytest.mark.parametrize(
    ('name', 'missing', 'words'),
    [
        ('train', 'torch', 'torch is not installed; the README says how to get'),
        ('train', 'rclpy', 'or train without ROS: train --no-ros'),
        ('run', 'rclpy', 'rclpy is not installed; source a ROS 2 installation or use ./run'),
    ],
)
def test_a_missing_library_is_reported_before_anything_starts(
    run_dir, refused, started, monkeypatch, name, missing, words
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda module: None if module == missing else find(module)
    )
    refused(name, f'run_dir:={run_dir}', words=[words])
    assert started == []


def test_a_word_that_is_no_name_makes_no_example(refusal):
    assert refusal('record', 'policy.zip', 'seed:=1').endswith(
        "arguments are written name:=value, not 'policy.zip'\n"
    )

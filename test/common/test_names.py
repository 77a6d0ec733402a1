# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Every name on disk is spelled in one module, and stays what it is: old folders still open."""

import ast
from pathlib import Path

import pytest

import neuron_reach
from neuron_reach.common import names

ROOT = Path(neuron_reach.__file__).parent
FOREIGN = {'common/caches.py', 'common/versions.py', 'gazebo/install.py', 'gazebo/tree.py'}
"""Modules that find their way in folders of others: caches, git, Debian's packages."""

FILES = {
    text
    for value in vars(names).values()
    for text in (value.values() if isinstance(value, dict) else [value])
    if isinstance(text, str) and '.' in text.strip('.') and ' ' not in text
}


def joined(node):
    """The text by which a path is continued, if it is spelled there."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        part = node.right
    elif isinstance(node, ast.Call) and getattr(node.func, 'attr', '') in ('with_name', 'glob'):
        part = node.args[0]
    else:
        return None
    if isinstance(part, ast.JoinedStr):
        part = part.values[0]
    spelled = isinstance(part, ast.Constant) and isinstance(part.value, str)
    return part.value if spelled and part.value.strip('*/') else None


def modules():
    for path in sorted(ROOT.rglob('*.py')):
        name = path.relative_to(ROOT).as_posix()
        if name != 'common/names.py':
            yield name, ast.parse(path.read_text())


def test_the_files_that_commands_leave_are_among_the_names():
    assert {'pruning.json', 'summary.csv', 'record.json', 'metadata.yaml', 'report.html'} <= FILES


def test_no_other_module_spells_a_file_name():
    for module, tree in modules():
        texts = {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not texts & FILES, module


def test_no_other_module_spells_how_a_path_goes_on():
    allowed = {'/dev/shm', 'paper.yaml', 'fast*_*', '[0-9]*/maps'}
    for module, tree in modules():
        if module not in FOREIGN:
            found = {text for node in ast.walk(tree) if (text := joined(node)) is not None}
            assert not {text for text in found - allowed if not text.startswith('sem.')}, module


@pytest.mark.parametrize(
    ('name', 'partial'),
    [
        ('bag.partial', True),
        ('bag.partial-12', True),
        ('bag', False),
        ('bag.partial-x', False),
        ('bag.partial\n', False),
    ],
)
def test_unfinished_bags_are_known_by_their_names(name, partial):
    assert names.is_partial_bag(name) == partial


def test_numbered_folders_are_read_as_they_are_made(tmp_path):
    state = names.state_folder(tmp_path, 1200)
    assert state == tmp_path / 'checkpoints' / 'episode_000001200'
    assert names.state_episodes(state.name) == 1200
    assert names.state_episodes('episode_000001200.partial') is None
    step = names.step_folder(tmp_path, 3)
    assert step == tmp_path / 'step_3'
    assert names.step_number(step.name) == 3
    assert names.step_number('step_') is None

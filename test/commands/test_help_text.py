# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Texts of `--help`: wrapped at the width of the terminal, and complete."""

import pytest

from neuron_reach.cli import GROUPS

COMMANDS = [
    [],
    *(
        [add.__module__.rpartition('.')[2].replace('_', '-')]
        for adders in GROUPS.values()
        for add in adders
    ),
    *(['gazebo', name] for name in ('install', 'validate', 'film')),
]


@pytest.mark.parametrize('columns', [70, 80, 200])
@pytest.mark.parametrize('command', COMMANDS, ids=' '.join)
def test_help_fits_the_terminal_and_shows_results_and_examples(
    command, columns, help_of, monkeypatch
):
    monkeypatch.setenv('COLUMNS', str(columns))
    text = help_of(*command)
    above, _, examples = text.partition('\nexamples:\n')
    assert examples.startswith('  neuron_reach')
    assert max(map(len, above.splitlines())) <= min(columns, 100)
    assert max(map(len, examples.splitlines())) <= 80
    assert command in ([], ['gazebo']) or '\nleaves behind:\n' in above

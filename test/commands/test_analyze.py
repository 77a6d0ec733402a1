# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--tau', '2'], ['tau', '0 to 1']),
        (['--linkage', 'ward'], ['linkage', 'within, average']),
        (['--episodes', '0'], ['--episodes', 'at least 1']),
        (['--layers', 'hiden_1'], ["'hiden_1' (did you mean hidden_1?)"]),
        (['--layers', 'hidden_3'], ["'hidden_3'", 'input, hidden_1, hidden_2, output']),
        (['--layers', 'input', 'output'], ['input, output', 'do not follow']),
        (['--layers', 'input', '--include-io'], ['--include-io', '--layers']),
        (['--raster', '10', '--episodes', '10'], ['--raster', '0 to 9']),
    ],
)
def test_bad_options_are_one_line(tmp_path, untrained, refused, arguments, words):
    path = untrained().path
    refused('analyze', path, '-o', tmp_path / 'out', *arguments, words=words)


def test_bad_paths_are_one_line(tmp_path, untrained, refused):
    path = untrained().path
    refused('analyze', tmp_path / 'no', '-o', tmp_path / 'out', words=[str(tmp_path / 'no')])
    refused('analyze', path, path, '-o', tmp_path / 'out', words=['alone'])
    (tmp_path / 'file').touch()
    refused('analyze', path, '-o', tmp_path / 'file' / 'out', words=['file', 'cannot be written'])

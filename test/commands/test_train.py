# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach train`; test/workflows/test_train.py tests the training itself."""

import pytest
from easy import EASY

from neuron_reach.launching import graph


@pytest.mark.parametrize('flags', [[], ['--ros']])
def test_training_is_over_ros_by_default(command, tmp_path, ros, started, flags):
    assert command('train', *flags, f'run_dir:={tmp_path}', 'joints:=1') == (0, '', '')
    assert started == [graph.build('train', {'run_dir': str(tmp_path), 'joints': '1'})]


def test_training_without_ros_starts_no_process_and_describes_the_run(command, tmp_path, started):
    arguments = [f'{key}:={value}' for key, value in EASY.items()]
    run_dir = tmp_path / 'run'
    code, text, _ = command('train', '--no-ros', *arguments, f'run_dir:={run_dir}')
    assert code == 0
    assert f'\nsaved {run_dir}/checkpoint\n' in text
    assert text.endswith(command('info', run_dir)[1])
    assert started == []

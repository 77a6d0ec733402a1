# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""ROS parameters declared from option dataclasses."""

import pytest

from neuron_reach.nodes.dqn_policy import DqnPolicy


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        (
            ['gamma:=0', 'hidden:=48', 'bend:=1', 'joints:=1.0'],
            'parameter checkpoint is missing',
        ),
        (['gamma:=7'], 'parameter gamma must be a number from 0 to 0.9999, not 7'),
        (['gamma:=often'], "parameter gamma must be a number from 0 to 0.9999, not 'often'"),
        (['hidden:=[a]'], 'parameter hidden must be'),
        (['joints:=1.5'], 'parameter joints must be a whole number from 1 to 6, not 1.5'),
        (['mode:=train'], 'parameter run_dir is missing'),
    ],
)
def test_parameters_of_other_types_are_accepted_by_value_or_reported(ending, parameters, words):
    line = ending(DqnPolicy, *(word for each in parameters for word in ('-p', each)))
    assert words in line
    assert line.count('\n') == 1

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest


def test_bad_input_is_one_line(tmp_path, trained, refused):
    out = ['-o', tmp_path / 'out']
    refused('prune-train', tmp_path / 'no', *out, words=['no such checkpoint'])
    refused('prune-train', trained, *out, '--steps', '0', words=['steps', '1 to 100'])
    refused('prune-train', trained, *out, '--max-episodes', '0', words=['max_episodes'])
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'reduction.json').write_text('{"source"')
    refused('prune-train', trained, *out, words=['reduction.json', 'truncated'])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('prune-train x --payload 2 -o y', '--payload takes effect only with --ros'),
        ('prune-train x --ros --backend gazbo -o y', 'no such checkpoint'),
    ],
)
def test_flags_for_gazebo_need_ros_and_a_checkpoint(arguments, message, refusal):
    assert message in refusal(*arguments.split())


def test_the_summary_needs_no_ros(command, tmp_path, untrained, started):
    flags = ['-o', tmp_path / 'out', '--ros', '--summary']
    code, text, _ = command('prune-train', untrained().path, *flags)
    assert code == 0
    assert 'before: 28 hidden neurons (16 12)' in text
    assert started == []

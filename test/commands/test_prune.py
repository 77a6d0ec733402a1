# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

from neuron_reach.common.files import lock_folder

FEW = ['--samples', '2', '--episodes', '50']


def test_bad_input_is_one_line(tmp_path, trained, refused):
    out = ['-o', tmp_path / 'out']
    refused('prune', tmp_path / 'no', *out, words=['no such checkpoint'])
    refused('prune', trained, *out, '--tau', 'much', words=['tau', "'much'"])
    refused('prune', trained, *out, '--samples', '0', words=['samples', '1 to 10000'])
    refused('prune', trained, *out, '--episodes', '0', words=['--episodes'])
    refused('prune', trained, *out, '--merge', 'sum', words=['merge', 'weighted, uniform'])
    refused('prune', trained, *out, '--bag', tmp_path / 'no', words=['no does not exist'])


def test_two_at_once_are_kept_apart(tmp_path, trained, command):
    lock = lock_folder(tmp_path / 'out')
    for arguments in (['prune', trained, *FEW], ['analyze', trained], ['map', trained, trained]):
        code, _, errors = command(*arguments, '-o', tmp_path / 'out')
        assert code == 2
        assert 'another run is using this folder' in errors
    lock.close()

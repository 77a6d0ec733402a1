# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Old names of commands work with their old arguments and print the new name."""

from easy import EASY

from neuron_reach.launching import graph

ARGUMENTS = [*(f'{key}:={value}' for key, value in EASY.items()), 'test_episodes:=0']


def test_learn_is_train_without_ros(command, tmp_path):
    code, out, errors = command('learn', *ARGUMENTS, f'run_dir:={tmp_path}/old')
    assert code == 0
    assert errors.splitlines()[0] == 'learn is now: train --no-ros'
    code, same, errors = command('train', '--no-ros', *ARGUMENTS, f'run_dir:={tmp_path}/new')
    assert code == 0
    assert 'is now' not in errors
    saved = out[out.index('saved ') :].replace('/old', '/new')
    assert saved == same[same.index('saved ') :]
    models = [tmp_path / name / 'checkpoint' / 'model.safetensors' for name in ('old', 'new')]
    assert models[0].read_bytes() == models[1].read_bytes()


def test_reduce_is_prune_train_over_ros(command, tmp_path, untrained, ros, started):
    checkpoint, folder = untrained().path, tmp_path / 'out'
    flags = ['--episodes', 6, '--tau', 0.3, '--steps', 2, '--samples', 3, '--max-episodes', 700]
    flags += ['--test-episodes', 50, '--storage', 'sqlite3', '--namespace', 'left']
    assert command('prune-train', checkpoint, '--ros', '-o', folder, *flags) == (0, '', '')
    given = {
        'checkpoint': str(checkpoint),
        'run_dir': str(folder),
        **{'record': '6', 'tau': '0.3', 'steps': '2', 'samples': '3', 'max_episodes': '700'},
        **{'test_episodes': '50', 'storage': 'sqlite3', 'namespace': 'left'},
    }
    words = [f'{name}:={value}' for name, value in given.items()]
    assert command('reduce', *words) == (0, '', 'reduce is now: prune-train --ros\n')
    assert started == [graph.build('prune-train', given)] * 2
    assert len(started[0]) == 10

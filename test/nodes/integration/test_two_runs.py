# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Two runs at the same time on one domain, each in its namespace: each as if it were alone."""

import numpy as np

from neuron_reach import cli
from neuron_reach.learning.checkpoint import load_checkpoint
from neuron_reach.records.recording import read_records, record_checkpoint

EASY = ['joints:=1', 'hidden:=[16,16]', 'arms:=50', 'batch_size:=64', 'success_reward:=0.2']
EASY += ['validation_interval:=100', 'test_episodes:=50', 'record:=20']
PATIENCE = 180.0
EPISODES = 20


def test_two_trainings_in_namespaces_give_the_same_networks_as_alone(start, tmp_path):
    runs = {}
    for seed, namespace in enumerate(['left', '/robots/right'], start=1):
        folder = tmp_path / str(seed)
        options = [*EASY, f'seed:={seed}']
        place = [f'namespace:={namespace}', f'run_dir:={folder}']
        runs[folder] = options, start('neuron_reach', 'train', *options, *place)
    for folder, (options, running) in runs.items():
        assert running.finish(timeout=PATIENCE) == 0, running.text
        assert 'another run' not in running.text  # nor another domain
        alone = folder.with_name(f'{folder.name}_alone')
        assert cli.main(['learn', *options, f'run_dir:={alone}']) == 0
        model = 'checkpoint/model.safetensors'
        assert (folder / model).read_bytes() == (alone / model).read_bytes()
        recorded = read_records(folder / 'bag')
        expected = record_checkpoint(load_checkpoint(alone / 'checkpoint'), EPISODES)
        assert recorded.notes == ()
        for name in ('activations', 'lengths', 'goals', 'rewards'):
            assert np.array_equal(getattr(recorded, name), getattr(expected, name))

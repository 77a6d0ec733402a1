# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest
import torch

import neuron_reach as nr
from neuron_reach.learning.checkpoint import describe, save_checkpoint
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member

OPTIONS = {'arms': 5, 'episode_steps': 12, 'reach_steps': 10}


@pytest.fixture(scope='session')
def folders(tmp_path_factory):
    """Checkpoints of untrained networks, by joints."""
    root = tmp_path_factory.mktemp('policies')

    def write(joints, hidden):
        setup = Setup.from_values(
            {**OPTIONS, 'joints': joints, 'hidden': hidden, 'seed': joints}, 'test'
        )
        network = QNetwork(setup.layer_sizes)
        network.initialize([torch.Generator().manual_seed(joints)], 1.0)
        metadata = describe(setup, Member(joints), None)
        return save_checkpoint(root / f'joints{joints}' / 'checkpoint', network, metadata)

    return {1: write(1, [9, 7]), 2: write(2, [12, 8])}


@pytest.fixture(scope='session')
def policy(folders):
    return nr.load(folders[2])


@pytest.fixture(scope='session')
def record(policy):
    return policy.record(episodes=10)

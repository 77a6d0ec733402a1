# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""One of several robots in a bag is chosen by its namespace; and what overflows is named."""

import json

import pytest
import torch
from record_bags import write_record

from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.writer import BagWriter
from neuron_reach.learning.checkpoint import describe, load_checkpoint, save_checkpoint
from neuron_reach.learning.training import Member
from neuron_reach.records.recording import record_checkpoint

FEW = ('--episodes', 10, '--samples', 1)


@pytest.fixture
def both(tmp_path, untrained):
    """A bag of two robots in the namespaces /left and /right, and their checkpoints."""
    checkpoints = [untrained('one', 1), untrained('two', 2, hidden=[9, 8])]
    with BagWriter(tmp_path / 'bag') as bag:
        for namespace, checkpoint in zip(('/left', '/right'), checkpoints, strict=True):
            own, named = tmp_path / f'own{namespace[1:]}', [(str(checkpoint.path), 0, 0)]
            record = record_checkpoint(checkpoint, 10)
            write_record(own, record, arms=10, namespace=namespace, checkpoints=named)
            reader = BagReader(own)
            for channel in reader.topics.items():
                bag.add_topic(*channel)
            for message in reader.messages(raw=True):
                bag.write(*message)
    return tmp_path / 'bag', *checkpoints


SEVERAL = ['several robots; name one of the namespaces /left, /right with --namespace']


def test_each_command_takes_a_namespace(tmp_path, both, command, refused):
    bag, left, right = both
    output = '-o', tmp_path / 'out'
    assert 'Robot      /left' in command('info', bag)[1]
    found = command('info', bag, '--namespace', 'right')[1]
    assert 'hidden_1 9, hidden_2 8' in found
    assert '/left' not in found
    refused('info', bag, '--namespace', 'up', words=["'up', but in /left, /right"])
    refused('analyze', bag, *output, words=SEVERAL)
    assert 'hidden_1           9' in command('analyze', bag, *output, '--namespace', '/right')[1]
    output = '-o', tmp_path / 'pruned'
    refused('prune', right.path, '--bag', bag, *output, *FEW, words=SEVERAL)
    chosen = '--bag', bag, '--namespace', 'left'
    refused('prune', right.path, *chosen, *output, *FEW, words=['is of a network with layers'])
    assert command('prune', left.path, *chosen, *output, *FEW)[0] == 0


def test_a_mapping_takes_one_namespace_or_two(tmp_path, both, command, refused):
    bag, left, _ = both
    output = '-o', tmp_path / 'out', '--episodes', 10
    refused('map', bag, left.path, *output, words=SEVERAL)
    refused('map', left.path, bag, *output, words=SEVERAL)
    refused('map', bag, bag, *output, '--namespace', 'a', 'b', 'c', words=['--namespace takes'])
    assert command('map', bag, bag, *output, '--namespace', 'left', 'right')[0] == 0
    (pair,) = json.loads((tmp_path / 'out' / 'mapping.json').read_text())['pairs']
    assert pair['kind'] == 'trained'
    assert pair['source'].endswith('/left')
    assert pair['target'].endswith('/right')
    assert list(pair['source_layers'].values())[:2] == [16, 12]
    assert list(pair['target_layers'].values())[:2] == [9, 8]


@pytest.fixture
def overflowing(tmp_path, untrained):
    """A checkpoint of finite weights whose activations are not."""
    checkpoint = untrained('usual', 1)
    for weight in checkpoint.network.weights:
        weight.fill_(1e30)
    path = save_checkpoint(
        tmp_path / 'large', checkpoint.network, describe(checkpoint.setup, Member(0), None)
    )
    assert all(torch.isfinite(weight).all() for weight in load_checkpoint(path).network.weights)
    return path


def test_networks_that_overflow_are_named(tmp_path, overflowing, untrained, refused):
    output, usual = ('-o', tmp_path / 'out'), untrained('other', 2).path
    words = ['large: the activations of hidden_2 in episode 0 are not finite numbers']
    refused('analyze', overflowing, *output, words=words)
    refused('prune', overflowing, *output, *FEW, words=words)
    refused('map', usual, overflowing, *output, '--episodes', 10, words=words)
    words = ['hidden_2 in episode 0 are not finite numbers', 'large on the inputs of']
    refused('map', overflowing, usual, *output, '--episodes', 10, words=words)

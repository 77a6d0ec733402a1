# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Pruning a checkpoint: its results, and its random streams."""

import json
import types

import numpy as np
import pytest
from record_bags import write_record

import neuron_reach as nr
from neuron_reach.analysis import PruningOptions, prune
from neuron_reach.common.files import read_json
from neuron_reach.common.random_streams import PRUNING, training_streams
from neuron_reach.learning.checkpoint import load_checkpoint
from neuron_reach.learning.session import Session
from neuron_reach.records.recording import record_checkpoint
from neuron_reach.workflows.prune import sample_streams, trials

FIGURES = {f'{name}.{ending}' for name in ('dendrograms', 'sizes') for ending in ('png', 'svg')}
FEW = ['--samples', '2', '--episodes', '50']


def test_a_trained_network_is_pruned(tmp_path, trained, command):
    out = tmp_path / 'out'
    code, text, _ = command('prune', trained, '-o', out, *FEW, '--tau', '0.3')
    assert code == 0
    assert {path.name for path in out.iterdir()} == FIGURES | {
        *('.lock', 'pruned', 'pruning.json', 'neurons.csv', 'linkage.npz')
    }
    source, pruned = load_checkpoint(trained), load_checkpoint(out / 'pruned')
    expected = prune(source.network, record_checkpoint(source, 50), PruningOptions(tau=0.3))
    assert pruned.network.sizes == expected.network.sizes
    assert pruned.network.flat.equal(expected.network.flat)
    policy = nr.load(trained)
    by_api = nr.prune(policy, policy.record(episodes=50), tau=0.3)
    assert by_api.sizes == nr.load(out).sizes == pruned.network.sizes
    results = read_json(out / 'pruning.json')
    files = {path.name for path in out.iterdir()} - {'.lock', 'pruning.json'}
    assert {**pruned.metadata['pruning'], 'files': sorted(files)} == results
    assert results['source'] == str(trained.resolve())
    assert results['options']['tau'] == 0.3
    assert results['hidden_before'] == [16, 12]
    assert results['hidden'] == list(pruned.network.sizes[1:-1])
    assert sum(results['hidden']) < 28
    initial = results['initial_accuracy']
    assert len(initial['values']) == len(initial['hidden']) == initial['samples'] == 2
    assert initial['mean'] == pytest.approx(np.mean(initial['values']))
    assert initial['minimum'] <= initial['mean'] <= initial['maximum']
    assert f'{initial["mean"]:.1%}' in text


def test_the_same_command_gives_the_same_results(tmp_path, trained, command):
    outs = [tmp_path / name for name in 'ab']
    for out in outs:
        assert command('prune', trained, '-o', out, *FEW)[0] == 0
    for name in ('pruning.json', 'neurons.csv', 'pruned/model.safetensors', 'dendrograms.svg'):
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()


def test_tau_zero_leaves_the_accuracy_as_it_was(tmp_path, trained, command):
    out = tmp_path / 'out'
    assert command('prune', trained, '-o', out, *FEW, '--tau', '0')[0] == 0
    results = json.loads((out / 'pruning.json').read_text())
    dead = np.array(results['dead'])
    assert results['hidden'] == ([16, 12] - np.maximum(dead - 1, 0)).tolist()
    assert results['initial_accuracy']['minimum'] > 0.85


def test_a_bag_and_the_same_episodes_played_give_the_same_network(tmp_path, trained, command):
    record = record_checkpoint(load_checkpoint(trained), 50)
    write_record(tmp_path / 'bag', record, arms=50)
    assert command('prune', trained, '-o', tmp_path / 'a', *FEW)[0] == 0
    bag = ['--bag', tmp_path / 'bag']
    assert command('prune', trained, '-o', tmp_path / 'b', *FEW, *bag)[0] == 0
    first, second = (load_checkpoint(tmp_path / name / 'pruned') for name in 'ab')
    assert first.network.flat.equal(second.network.flat)


def test_a_bag_of_another_network_is_refused(tmp_path, trained, untrained, refused):
    other = record_checkpoint(untrained(seed=5), 10)
    write_record(tmp_path / 'other', other, arms=10)
    smaller = record_checkpoint(untrained(hidden=[16, 11]), 10)
    write_record(tmp_path / 'smaller', smaller, arms=10)
    own = record_checkpoint(load_checkpoint(trained), 10)
    write_record(tmp_path / 'part', own.select(own.hidden), arms=10)
    for name, words in (
        ('other', ['is not of', str(trained), 'other activations in']),
        ('smaller', ['layers (4, 16, 11, 3)', '(4, 16, 12, 3)']),
        ('part', ['all layers', 'hidden_1, hidden_2']),
    ):
        arguments = ['--bag', tmp_path / name, '-o', tmp_path / 'out']
        refused('prune', trained, *arguments, words=[str(tmp_path / name), *words])


def test_a_bag_of_nearly_the_same_weights_is_refused(tmp_path, trained, refused):
    source = load_checkpoint(trained)
    source.network.weights[1][0, 3] *= 1.01
    write_record(tmp_path / 'bag', record_checkpoint(source, 10), arms=10)
    arguments = ['--bag', tmp_path / 'bag', '-o', tmp_path / 'out']
    refused('prune', trained, *arguments, words=['other activations in'])


def test_a_pruned_network_can_be_pruned_and_trained_on(tmp_path, trained, command):
    assert command('prune', trained, '-o', tmp_path / 'a', *FEW)[0] == 0
    assert command('prune', tmp_path / 'a' / 'pruned', '-o', tmp_path / 'b', *FEW)[0] == 0
    pruned = load_checkpoint(tmp_path / 'b' / 'pruned')
    session = Session(pruned.setup, tmp_path / 'run', 3600.0, pruned.network)
    assert session.training.saved_network(0).flat.equal(pruned.network.flat)
    session.close()


def checkpoint(seed):
    return types.SimpleNamespace(metadata={'seed': seed})


def draws(seed, sample):
    return [stream.integers(2**62) for stream in sample_streams(checkpoint(seed), sample)]


def test_every_sample_of_every_network_records_and_tests_with_goals_of_its_own():
    found = [draw for seed in range(5) for sample in range(20) for draw in draws(seed, sample)]
    found += [stream.integers(2**62) for s in range(5) for stream in training_streams(s).values()]
    for seed in range(5):  # numpy takes [seed, 1, 0] for [seed, 1]
        children = np.random.SeedSequence([seed, PRUNING]).spawn(2)
        found += [np.random.default_rng(child).integers(2**62) for child in children]
    assert len(set(found)) == len(found) == 5 * (20 * 2 + 7 + 2)
    assert draws(3, 4) == draws(3, 4)


def test_trials_are_those_of_the_samples_from_1_on(monkeypatch):
    seen = []

    def trial(own, options, sample, episodes):
        seen.append((own.metadata['seed'], options, sample, episodes))
        return [sample]

    monkeypatch.setattr('neuron_reach.workflows.prune.sample_trials', trial)
    options, reported = PruningOptions(), []
    assert trials(checkpoint(7), options, 3, 10, reported.append) == [1, 2, 3] == reported
    assert seen == [(7, [options], sample, 10) for sample in (1, 2, 3)]

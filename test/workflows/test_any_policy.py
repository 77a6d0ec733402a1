# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The commands analyze, prune, map and info on policies of other origin."""

import json
import shutil
import sys

import numpy as np
import pytest
from analysis.test_folding import make
from record_bags import write_record

import neuron_reach as nr
from neuron_reach.common.files import read_json
from neuron_reach.networks.functions import Function
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.feed_forward import FeedForwardPolicy
from neuron_reach.records.networks import find_networks, network_at
from neuron_reach.workflows import prune_policy

pytestmark = pytest.mark.usefixtures('no_figures')


def policy_of(seed, *sizes):
    steps = [[Function('silu')], [Function('tanh')]][: len(sizes) - 2]
    return FeedForwardPolicy(make(seed, sizes, steps), Actions('squashed', (-2.0,), (2.0,)))


def record_of(policy, episodes=6, seed=0):
    observations = np.random.default_rng(seed).normal(size=(episodes, 40, 3))
    values = {'input': observations, **policy.activations(observations)}
    return nr.ActivityRecord.from_arrays(values)


def write(folder, policy, announced=None, record=None):
    """Write a policy, and a bag of it beside."""
    saved = policy.save(folder / 'policy')
    entry = str(announced or saved), 1, 0, policy.network.digest
    write_record(folder / 'bag', record or record_of(policy), checkpoints=[entry])
    return saved


@pytest.fixture(scope='module')
def silu(tmp_path_factory):
    folder = tmp_path_factory.mktemp('silu')
    return write(folder, policy_of(0, 3, 12, 9, 1))


@pytest.fixture(scope='module')
def tanh(tmp_path_factory):
    return policy_of(1, 3, 7, 1).save(tmp_path_factory.mktemp('tanh') / 'other')


def test_policies_and_their_bags_find_each_other(silu, tanh, tmp_path):
    bag = silu.parent / 'bag'
    assert (network_at(silu).policy, network_at(silu).bag) == (silu, bag)
    assert (network_at(bag).policy, network_at(bag).bag) == (silu, bag)
    assert network_at(silu).same(network_at(bag)) and not network_at(silu).same(network_at(tanh))
    assert network_at(tanh).bag is None
    write(tmp_path / 'gone', policy_of(0, 3, 12, 9, 1), announced=tmp_path / 'no')
    assert network_at(tmp_path / 'gone' / 'bag').policy == tmp_path / 'gone' / 'policy'
    shutil.rmtree(tmp_path / 'gone')
    assert nr.load(bag).sizes == (3, 12, 9, 1)
    for seed in (5, 6):
        policy_of(seed, 3, 7, 1).save(tmp_path / str(seed))
    (tmp_path / 'model.onnx').touch()
    assert [network.policy.name for network in find_networks(tmp_path)] == ['5', '6', 'model.onnx']


def test_a_policy_is_pruned_by_its_bag(silu, tmp_path, command):
    code, printed, _ = command('prune', silu, '--tau', '0.5', '-o', tmp_path / 'out')
    assert code == 0
    expected = nr.prune(nr.load(silu), nr.read_bag(silu.parent), tau=0.5)
    pruned = nr.load(tmp_path / 'out' / 'pruned')
    assert pruned.sizes == expected.sizes < (3, 12, 9, 1)
    assert (
        pruned.network.digest
        == expected.policy.network.digest
        == nr.load(tmp_path / 'out').network.digest
    )
    saved = read_json(tmp_path / 'out' / 'pruning.json')
    assert saved['hidden'] == list(pruned.sizes[1:-1])
    assert saved['methods'] == ['least squares'] * 2
    assert saved['test'] is None and 'accuracy' not in saved
    assert len((tmp_path / 'out' / 'neurons.csv').read_text().splitlines()) == 1 + 21
    assert 'Method     least squares\nTest       none' in printed
    assert command('info', tmp_path / 'out')[1].strip() in printed
    assert command('prune', silu, '--bag', silu.parent, '-o', tmp_path / 'out')[0] == 0  # the same
    write_record(
        tmp_path / 'again' / 'bag',
        record_of(pruned),
        checkpoints=[(str(tmp_path / 'out'), 1, 0, pruned.network.digest)],
    )
    assert network_at(tmp_path / 'again').policy == tmp_path / 'out' / 'pruned'


def test_a_policy_is_tested_before_and_after_in_its_environment(
    tanh, tmp_path, command, monkeypatch
):
    monkeypatch.setattr(prune_policy, 'TEST_EPISODES', 4)
    out = tmp_path / 'out'
    arguments = ['--env', 'Pendulum-v1', '--episodes', '3', '--tau', '0', '-o', out]
    code, printed, _ = command('prune', tanh, *arguments)
    assert code == 0
    test = read_json(out / 'pruning.json')['test']
    assert (test['env'], test['episodes']) == ('Pendulum-v1', 4)
    assert test['before'] == test['after'] and test['before']['success'] is None
    low, high = test['before']['interval_95']
    assert low < test['before']['mean_return'] < high < 0.0
    assert 'Test       4 episodes of Pendulum-v1, without retraining\n' in printed
    for part in ('recording: 3 of 3', 'testing before: 4 of 4', 'testing after: 4 of 4'):
        assert f'{part} episodes, ' in printed
    arguments[arguments.index('--tau') + 1] = '1'
    assert command('prune', tanh, *arguments)[0] == 0
    again = read_json(out / 'pruning.json')['test']
    assert again['before'] == test['before'] != again['after']
    results = prune_policy.TestResult.of(np.array([1.0, 3.0]), np.array([0.0, 1.0]))
    assert results.mean_return == 2.0 and results.interval_95 == (1.0, 3.0)
    assert results.success.value == 0.5


def test_the_module_of_an_environment_may_lie_in_the_working_directory(
    tanh, tmp_path, command, monkeypatch
):
    monkeypatch.setattr(prune_policy, 'TEST_EPISODES', 1)
    monkeypatch.setattr(sys, 'path', [*sys.path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'my_pendulum.py').write_text(
        'import gymnasium\n'
        "entry = 'gymnasium.envs.classic_control:PendulumEnv'\n"
        "gymnasium.register('Pendulum5-v0', entry_point=entry, max_episode_steps=5)\n"
    )
    arguments = ['--env', 'my_pendulum:Pendulum5-v0', '--episodes', '1', '-o', tmp_path / 'out']
    assert command('prune', tanh, *arguments)[0] == 0


def test_episodes_that_are_missing_or_of_others_are_one_line(silu, tanh, tmp_path, refused):
    out = ['-o', tmp_path / 'out']
    advice = ['there are no episodes of it', f'record {tanh} --env ENV_ID -o DIR']
    refused('prune', tanh, *out, words=[*advice, '--bag DIR'])
    refused('analyze', tanh, *out, words=advice)
    refused('map', silu, tanh, *out, words=advice)
    refused('prune', tanh, '--bag', silu.parent, *out, words=['is not of', 'other weights'])
    refused('prune', silu, '--env', 'No-v0', *out, words=['No-v0'])
    refused('prune', silu, '--episodes', '7', *out, words=['6 of 7 episodes'])
    refused('prune', silu, '-o', tanh, words=[str(tanh), 'is a policy', 'name another folder'])


def test_activity_beside_a_policy_is_analyzed(silu, tmp_path, command):
    for number, path in enumerate((silu, silu.parent, silu.parent / 'bag')):
        out = tmp_path / str(number)
        code, printed, _ = command('analyze', path, '-o', out)
        assert code == 0
        assert '\nlayer        neurons  dead  dormant  clusters' in printed
        saved = json.loads((out / 'analysis.json').read_text())
        found = nr.analyze(nr.read_bag(silu.parent))
        assert {each['layer']: each['dormant'] for each in saved['layers']} == found.dormant
        assert saved['dormant_share'] == 0.1


def test_policies_map_onto_each_other(silu, tanh, tmp_path, command):
    code, printed, _ = command('map', tanh, silu, '--lambda', '1', '-o', tmp_path / 'a')
    assert code == 0 and 'policies, trained, lambda = 1' in printed
    (pair,) = read_json(tmp_path / 'a' / 'mapping.json')['pairs']
    record = nr.read_bag(silu.parent)
    found = nr.map(source=nr.load(tanh), target=nr.load(silu), record=record, lam=1)
    assert pair['error'] == found.error
    assert pair['source_joints'] is pair['target_joints'] is None
    assert 'policies, trained, lambda = 1, 1 pair' in command('info', tmp_path / 'a')[1]
    code, printed, _ = command('map', silu, silu.parent / 'bag', '-o', tmp_path / 'b')
    assert code == 0 and 'policies, reflexive' in printed
    fresh = ['--validation', silu.parent]
    assert command('map', tanh, silu, '--bag', silu.parent, *fresh, '-o', tmp_path / 'c')[0] == 0


def test_inputs_that_differ_are_related_by_a_file(silu, tmp_path, command, refused):
    other = policy_of(2, 4, 6, 1).save(tmp_path / 'other')
    out = ['-o', tmp_path / 'out']
    refused('map', other, silu, *out, words=['other has 4 inputs', 'policy has 3', '--transform'])
    file = tmp_path / 'names.yaml'
    file.write_text('source: [x, sin, cos, y]\ntarget: [cos, sin, speed]\n')
    assert command('map', other, silu, '--transform', file, *out)[0] == 0
    (pair,) = read_json(tmp_path / 'out' / 'mapping.json')['pairs']
    assert pair['transform'] == 'names'
    file.write_text('matrix: [[1, 0, 0]]\n')
    refused('map', other, silu, '--transform', file, *out, words=['4 rows (source inputs)'])
    refused('map', other, silu, '--baseline', 'random', *out, words=['--baseline'])


def test_a_target_is_run_on_the_inputs_of_any_bag_that_is_given(
    silu, tanh, tmp_path, command, refused
):
    code, printed, warned = command(
        'map', silu, tanh, '--bag', silu.parent, '--lambda', '1', '-o', tmp_path / 'out'
    )
    assert code == 0 and 'is of another network' in printed + warned
    (pair,) = read_json(tmp_path / 'out' / 'mapping.json')['pairs']
    record = nr.load(tanh).run(nr.read_bag(silu.parent))
    found = nr.map(source=nr.load(silu), target=nr.load(tanh), record=record, lam=1)
    assert pair['error'] == found.error

    other = policy_of(2, 4, 5, 1).save(tmp_path / 'other')
    out = '-o', tmp_path / 'again'
    words = ['was recorded with 3 inputs', 'other has 4']
    refused('map', other, other, '--bag', silu.parent, *out, words=words)


def test_networks_of_the_reaching_task_map_onto_policies(silu, trained, tmp_path, command, refused):
    record = nr.load(trained).record(episodes=4)
    small = FeedForwardPolicy(make(3, (record.sizes[0], 5, 2), [[Function('elu', (1.0,))]]))
    values = record.layer('input')
    activity = nr.ActivityRecord.from_arrays({'input': values, **small.activations(values)})
    path = write(tmp_path / 'small', small, record=activity)
    assert command('map', trained, path, '-o', tmp_path / 'a')[0] == 0
    assert command('map', path, trained, '--episodes', '4', '-o', tmp_path / 'b')[0] == 0
    out = ['-o', tmp_path / 'c']
    refused('map', trained, trained, '--bag', path.parent, *out, words=['--bag is for'])
    refused('prune', trained, '--env', 'Pendulum-v1', *out, words=['--env is for'])

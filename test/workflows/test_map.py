# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import csv
import json

import numpy as np
import pytest
import safetensors.numpy
from workflow_fixtures import write_run_bag

from neuron_reach.cli import main

EPISODES = '10'


def read(folder):
    results = json.loads((folder / 'mapping.json').read_text())
    with (folder / 'pairs.csv').open() as file:
        return results, list(csv.DictReader(file))


def run(*arguments):
    return main(['map', *map(str, arguments), '--episodes', EPISODES])


def test_one_pair_leaves_tables_figures_and_the_projection(runs, tmp_path, capsys):
    source, target = runs / 'joints2' / 'seed0', runs / 'joints3' / 'seed1' / 'checkpoint'
    assert run(source, target, '-o', tmp_path, '--lambda', 5, 0, '--greedy') == 0
    results, pairs = read(tmp_path)
    assert [pair['method'] for pair in pairs] == ['greedy', 'linear', 'linear']
    assert {(pair['source_joints'], pair['target_joints']) for pair in pairs} == {('2', '3')}
    assert float(pairs[2]['kkt_residual']) < 1e-8
    assert float(pairs[2]['sample_error']) < float(pairs[1]['sample_error']) < 1.0
    assert results['options']['regularisations'] == [5.0, 0.0]
    assert results['versions']['numpy'] == np.__version__
    for pair, group in zip(results['pairs'], results['groups'], strict=True):
        assert group['error'] == {'mean': pair['error'], 'low': None, 'high': None}
        columns = np.array(pair['layers'], float).sum(axis=0)
        np.testing.assert_allclose(columns[np.isfinite(columns)], 1.0)
    for name in ('metrics', 'layers_trained_greedy', 'projection_trained_2-3_balanced_lambda5'):
        assert (tmp_path / f'{name}.png').read_bytes().startswith(b'\x89PNG')
        assert '</svg>' in (tmp_path / f'{name}.svg').read_text()
    saved = safetensors.numpy.load_file(
        tmp_path / 'projection_trained_2-3_balanced_lambda5.safetensors'
    )
    assert saved['projection'].shape == (9 + 7 + 9, saved['targets'].size)
    assert not list(tmp_path.glob('*.partial'))
    assert '2-3 balanced, trained, lambda = 5' in capsys.readouterr().out


def test_all_pairs_of_a_folder_with_itself_and_baselines(runs, tmp_path, no_figures):
    folder, names = runs / 'joints2', ['reflexive', 'random', 'random-both', 'permuted']
    options = ['-o', tmp_path, '--lambda', 0, '--baseline', *names]
    assert run(folder, folder, *options, '--random-hidden', 6, 5) == 0
    results, pairs = read(tmp_path)
    groups = {group['kind']: group for group in results['groups']}
    assert {kind: group['pairs'] for kind, group in groups.items()} == {
        'trained': 6, 'reflexive': 3, 'random': 6, 'random-both': 6, 'permuted': 6
    }  # fmt: skip
    assert groups['reflexive']['coverage']['mean'] == pytest.approx(1.0)
    assert groups['reflexive']['sample_error']['mean'] == pytest.approx(0.0, abs=1e-6)
    interval = groups['trained']['error']
    assert interval['low'] < interval['mean'] < interval['high']
    assert groups['permuted']['error']['mean'] > interval['mean']
    for pair in pairs:
        assert (pair['source'] == pair['target']) == (pair['kind'] == 'reflexive')
        if pair['kind'] == 'random-both':
            assert (pair['source_layers'], pair['target_layers']) == ('6 5 9', '6 5 9')
        if pair['kind'] == 'random':
            assert (pair['source_layers'], pair['target_layers']) == ('6 5 9', '9 7 9')


def test_the_same_command_gives_the_same_results(runs, tmp_path, no_figures):
    for name in ('a', 'b'):
        command = [runs / 'joints3', runs / 'joints2' / 'seed1', '-o', tmp_path / name]
        assert run(*command, '--baseline', 'random', 'permuted', '--transform', 'naive') == 0
    for name in ('mapping.json', 'pairs.csv', 'groups.csv'):
        assert (tmp_path / 'a' / name).read_bytes() == (tmp_path / 'b' / name).read_bytes()


def test_a_bag_gives_the_samples(runs, tmp_path, no_figures):
    seed0 = runs / 'joints2' / 'seed0'
    fresh = write_run_bag(
        tmp_path / 'fresh', seed0 / 'checkpoint', 4, generator=np.random.default_rng(77)
    )
    command = [runs / 'joints2' / 'seed1', seed0 / 'bag', '--lambda', 0]
    assert run(*command, '-o', tmp_path / 'a') == 0
    assert run(*command, '-o', tmp_path / 'b', '--validation', fresh) == 0
    assert run(seed0 / 'bag', runs / 'joints2' / 'seed1', '-o', tmp_path / 'c') == 0
    played, recorded = (read(tmp_path / name)[1][0] for name in 'ab')
    assert played['sample_error'] == recorded['sample_error']
    assert played['error'] != recorded['error']


def test_transforms_that_agree_are_mapped_once(runs, tmp_path, no_figures):
    file = tmp_path / 'mine.yaml'
    file.write_text('matrix: [[1, 0, 0], [0, 0.5, 0.5]]\n')
    command = [runs / 'joints2' / 'seed0', runs / 'joints3' / 'seed0', '-o', tmp_path]
    assert run(*command, '--transform', 'naive', 'balanced', 'duplicate', file) == 0
    assert [pair['transform'] for pair in read(tmp_path)[1]] == ['naive', 'mine']

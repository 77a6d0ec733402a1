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
from record_bags import write_record

from neuron_reach.analysis import cluster_tree, neuron_distances, segment_layer
from neuron_reach.records.recording import record_checkpoint

FIGURES = {
    f'{name}.{ending}'
    for name in ('density', 'dendrograms', 'sizes', 'raster')
    for ending in ('png', 'svg')
}
RESULTS = {'analysis.json', 'neurons.csv', 'distances.npz', 'linkage.npz'}


def read_csv(path):
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def test_a_bag_gives_tables_arrays_and_figures(tmp_path, untrained, command):
    checkpoint = untrained()
    record = record_checkpoint(checkpoint, 20)
    named = [(str(checkpoint.path.resolve()), 0, 0)]
    write_record(tmp_path / 'bag', record, arms=4, checkpoints=named)
    out = tmp_path / 'out'
    code, text, _ = command('analyze', tmp_path / 'bag', '-o', out, '--tau', '0.4')
    assert code == 0
    assert '20 episodes, 1200 steps' in text
    assert {path.name for path in out.iterdir()} == FIGURES | RESULTS | {'.lock'}
    hidden = record.select(record.hidden)
    arrays = np.load(out / 'distances.npz')
    assert np.allclose(arrays['distances'], neuron_distances(hidden))
    assert arrays['layers'].tolist() == ['hidden_1', 'hidden_2']
    assert arrays['sizes'].tolist() == [16, 12]
    tree = np.load(out / 'linkage.npz')['hidden_2']
    assert np.allclose(tree, cluster_tree(neuron_distances(record.select(['hidden_2']))))
    lines = read_csv(out / 'neurons.csv')
    assert [line['layer'] for line in lines] == ['hidden_1'] * 16 + ['hidden_2'] * 12
    maxima = hidden.maxima()
    assert np.allclose([float(line['max']) for line in lines], maxima)
    means = hidden.activations.mean(axis=(0, 1))
    assert np.allclose([float(line['mean']) for line in lines], means, atol=1e-5)
    assert [int(line['dead']) for line in lines] == (maxima == 0.0).astype(int).tolist()
    farthest = neuron_distances(record.select(['hidden_2'])).max()
    clusters = segment_layer(tree, 0.4 * farthest)
    assert [int(line['cluster']) for line in lines[16:]] == clusters.tolist()
    distances = arrays['distances'] + np.diag(np.full(28, np.inf))
    assert np.allclose([float(line['nearest_distance']) for line in lines], distances.min(axis=1))
    summary = json.loads((out / 'analysis.json').read_text())
    assert summary['episodes'] == 20
    assert summary['network']['path'] == named[0][0]
    assert summary['layers'][1]['clusters'] == clusters.max() + 1
    assert summary['all_to_all']['neurons'] == 28


def test_a_checkpoint_and_its_run_folder_are_played(tmp_path, trained, command):
    outs = [tmp_path / 'a', tmp_path / 'b']
    for path, out in zip((trained, trained.parent), outs, strict=True):
        assert command('analyze', path, '-o', out, '--episodes', 20)[0] == 0
    first, second = ((out / 'neurons.csv').read_text() for out in outs)
    assert first == second


def test_all_layers_or_some(tmp_path, untrained, command):
    path = untrained().path
    arguments = ['analyze', path, '--episodes', 10, '-o', tmp_path / 'out']
    assert command(*arguments, '--include-io')[0] == 0
    sizes = np.load(tmp_path / 'out' / 'distances.npz')['sizes'].tolist()
    assert sizes == [4, 16, 12, 3]
    assert command(*arguments, '--layers', 'output', 'hidden_2')[0] == 0
    arrays = np.load(tmp_path / 'out' / 'distances.npz')
    assert arrays['layers'].tolist() == ['hidden_2', 'output']
    assert command(*arguments, '--layers', 'input')[0] == 0


def test_episodes_left_out_are_told(tmp_path, untrained, command):
    record = record_checkpoint(untrained(), 6)
    write_record(tmp_path / 'bag', record, lost=[('hidden_1', 2, 7)])
    code, text, _ = command('analyze', tmp_path / 'bag', '-o', tmp_path / 'out')
    assert code == 0
    assert '1 episodes left out, as steps of them are missing' in text

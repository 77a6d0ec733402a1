# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Benchmarks that tests can run in a moment."""

import runpy
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / 'benchmarks'


def test_the_benchmark_of_mapping_compares_exact_solutions(capsys):
    pytest.importorskip('sklearn')
    mapping = runpy.run_path(str(BENCHMARKS / 'mapping.py'))
    mapping['speed']('Small', mapping['untrained']((6, 5)), 1, 2)
    said = capsys.readouterr().out
    rows = dict(line.strip('| ').split(' | ', 1) for line in said.splitlines() if '| ' in line)
    for solver in ('this package', 'scipy nnls (2 targets)'):
        assert float(rows[solver].split(' | ')[1]) <= mapping['RESIDUAL']
    assert '5 to 500' in rows


def test_the_benchmark_of_recording_compares_pairs(capsys):
    record = runpy.run_path(str(BENCHMARKS / 'record.py'))
    record['compare_playing']('cheap', (6,), 8, 2)
    record['compare_tools']((6,), 4, 2)
    playing, tools = capsys.readouterr().out.splitlines()
    assert playing.startswith('| cheap, 6 | ') and playing.count('|') == 5
    assert tools.startswith('| 6, batch 4 | ') and tools.count('|') == 7


def test_the_benchmark_of_prune_train_keeps_the_neurons_of_greatest_weights():
    pytest.importorskip('stable_baselines3')
    from neuron_reach.networks.feed_forward import FeedForward, Layer

    names = runpy.run_path(str(BENCHMARKS / 'prune_train_env.py'))
    first = np.diag([1.0, 3.0, 2.0]).astype(np.float32)
    last = np.array([[5.0, 6.0, 7.0]], np.float32)
    network = FeedForward(
        (Layer(first, np.arange(3, dtype=np.float32)), Layer(last, np.zeros(1, np.float32)))
    )
    smaller = names['without_small_neurons'](network, (2,))
    assert smaller.layers[0].weight.tolist() == [[0.0, 3.0, 0.0], [0.0, 0.0, 2.0]]
    assert smaller.layers[0].bias.tolist() == [1.0, 2.0]
    assert smaller.layers[1].weight.tolist() == [[6.0, 7.0]]

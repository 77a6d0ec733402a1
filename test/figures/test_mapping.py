# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import numpy as np

from neuron_reach.analysis import Interval, linear_projection
from neuron_reach.figures.mapping import (
    VECTOR_LINES,
    layer_tables,
    metric_bars,
    projection_drawing,
    short_layer,
)

NAN = float('nan')


def test_bars_have_the_height_of_the_means_and_the_intervals():
    metrics = {
        'error': {
            '3-3': {'trained, greedy': Interval(0.3, 0.2, 0.5), 'random': Interval(0.6, NAN, NAN)},
            '2-4 naive': {'trained, greedy': Interval(0.7, 0.6, 0.9)},
        }
    }
    values = {'error': {'3-3': {'trained, greedy': [0.2, 0.4], 'random': [0.6]}}}
    values['error']['2-4 naive'] = {'trained, greedy': [0.7, 0.6, 0.8]}
    figure = metric_bars(metrics, values)
    axis = figure.axes[0]
    assert [bar.get_height() for bar in axis.patches] == [0.3, 0.6, 0.7]
    assert axis.patches[0].get_facecolor() == axis.patches[2].get_facecolor()
    assert axis.patches[0].get_facecolor() != axis.patches[1].get_facecolor()
    assert [label.get_text() for label in axis.get_xticklabels()] == ['3-3', '2-4\nnaive']
    (legend,) = (found for other in figure.axes if (found := other.get_legend()))
    assert [text.get_text() for text in legend.get_texts()] == ['trained, greedy', 'random']


def test_tables_show_their_numbers():
    table = np.array([[0.25, 1.0, NAN], [0.75, 0.0, NAN]])
    figure = layer_tables({'3-3': (table, ['hidden_1', 'output'], ['input', 'hidden_1', 'output'])})
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.texts] == ['.25', '1', '.75', '.00']
    assert [label.get_text() for label in axis.get_xticklabels()] == ['in', '1', 'out']
    assert short_layer('hidden_12') == '12'


def test_a_line_for_each_share():
    generator = np.random.default_rng(0)
    target, source = generator.random((50, 5)), generator.random((50, 7))
    target[:, 2] = source[:, 3] = 0.0
    projection = linear_projection(target=target, source=source, lam=0.1)
    figure = projection_drawing(
        projection,
        source_layers={'hidden_1': 4, 'output': 3},
        target_layers={'output': 5},
        names=('a', 'b'),
    )
    (lines,) = figure.axes[0].collections
    shares = projection.matrix / projection.matrix.sum(axis=0)
    assert len(lines.get_segments()) == (shares > 0.01).sum()
    assert np.isclose(sorted(lines.get_colors()[:, 3]), sorted(shares[shares > 0.01])).all()
    assert not lines.get_rasterized()
    assert len(lines.get_segments()) < VECTOR_LINES


def test_a_projection_that_is_all_zero_is_drawn_as_well():
    projection = linear_projection(target=np.eye(3), source=np.eye(3), lam=1e9)
    figure = projection_drawing(
        projection, source_layers={'output': 3}, target_layers={'output': 3}, names=('a', 'b')
    )
    assert not figure.axes[0].collections[0].get_segments()

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses
import json
import sys

import numpy as np
import pytest

import neuron_reach as nr


@pytest.fixture(scope='module')
def results(policy, record, folders):
    return {
        'analyze': nr.analyze(record),
        'prune': nr.prune(policy, record),
        'map': nr.map(source=nr.load(folders[1]), target=policy, record=record, episodes=5),
    }


NAMES = ['analyze', 'prune', 'map']


@pytest.mark.parametrize('name', NAMES)
def test_results_have_a_short_repr(results, name):
    assert len(repr(results[name])) < 160
    assert '\n' not in repr(results[name])


@pytest.mark.parametrize('name', NAMES)
def test_figures_show_themselves(results, name):
    figure = results[name].plot()
    assert figure._repr_png_().startswith(b'\x89PNG')


@pytest.mark.parametrize('name', NAMES)
def test_json_is_read_by_everybody(results, name):
    def refuse(text):
        raise AssertionError(f'{text} is no JSON')

    values = json.loads(results[name].to_json(), parse_constant=refuse)
    assert len(values) > 3


def test_what_is_unknown_is_null(results):
    unknown = dataclasses.replace(results['map'], error=float('nan'))
    assert json.loads(unknown.to_json())['error'] is None


def test_tables_have_a_line_for_each_neuron_or_pair_of_layers(results):
    assert len(results['analyze'].lines()) == len(results['prune'].lines()) == 20
    assert len(results['map'].lines()) == 9
    shares = [line['share'] for line in results['map'].lines()]
    np.testing.assert_array_equal(shares, results['map'].layers.ravel())


@pytest.mark.parametrize('name', NAMES)
def test_tables_become_frames(results, name):
    pandas = pytest.importorskip('pandas')
    frame = results[name].to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.to_dict('records')[0].keys() == results[name].lines()[0].keys()


def test_without_pandas_frames_are_refused_in_one_line(results, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pandas', None)
    with pytest.raises(nr.UserError, match='needs pandas'):
        results['analyze'].to_frame()


def test_counts_are_by_layer(results):
    assert results['prune'].dead == results['analyze'].dead
    assert set(results['analyze'].dormant) == {'hidden_1', 'hidden_2'}
    for name, count in results['analyze'].dormant.items():
        assert count >= results['analyze'].dead[name]


def test_an_analysis_without_hidden_layers_has_densities(record):
    found = nr.analyze(record, layers=['output'])
    assert found.clusters == {} and found.plot().axes

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Every part of every statement on figure 2 is judged by what it says, and in its direction."""

import copy

import numpy as np
import pytest

from neuron_reach.analysis import intervals
from neuron_reach.study import paper, verdict
from neuron_reach.study.fig2.activity_jobs import PRUNED, RANDOM, TRAINED
from neuron_reach.study.fig2.activity_study import _findings
from study.judging import NETWORKS, RESAMPLES, WORDS, cases, scattered, words

BELL = 5 / 9
EFFECT = np.linspace(-3.0, 3.0, NETWORKS)
"""What one network has more than another in all its kinds: only comparing it to itself tells."""


def as_published():
    """Means of numbers all-to-all by kind, and by layer."""
    return {
        ('bimodality', RANDOM): 0.4,
        ('mean', RANDOM): 5.0,
        ('mean', TRAINED): 4.0,
        ('mean', PRUNED): 6.0,
        ('deviation', RANDOM): 2.0,
        ('deviation', TRAINED): 1.5,
        ('deviation', PRUNED): 1.0,
        ('high_99', TRAINED): 8.0,
        ('high_99', PRUNED): 7.0,
    }, {
        ('bimodality', RANDOM): [0.4] * 6,
        ('high', TRAINED): [0.01, 0.02, 0.03, 0.05, 0.07, 0.09],
        ('mean', TRAINED): [5.0, 3.0, 3.0, 3.0, 3.0, 5.0],
        ('cluster_distance', RANDOM): [6.0, 5.0, 5.0, 5.0, 5.0, 5.0],
        ('cluster_distance', TRAINED): [5.5, 3.0, 3.0, 3.0, 3.0, 4.5],
        ('cluster_distance', PRUNED): [5.6, 5.0, 5.0, 5.0, 5.0, 4.4],
        ('neurons', PRUNED): [50.0, 20.0, 15.0, 12.0, 10.0, 17.0],
    }


class Made:
    """Takes the place of `Measures`; asking for another number or kind is an error."""

    def __init__(self, everything, by_layer):
        self.known = {False: everything, True: by_layer}

    def _values(self, kind, key, by_layer):
        mean = np.asarray(self.known[by_layer][key, kind], float)
        place = list(self.known[by_layer]).index((key, kind))
        noise = 1e-3 if key in ('bimodality', 'high') else 0.05
        values = scattered(mean, noise, place, NETWORKS)
        if key in ('mean', 'high_99', 'cluster_distance', 'neurons'):
            values += EFFECT.reshape(-1, *[1] * mean.ndim)
        return values

    def everything(self, kind, key):
        return self._values(kind, key, False)

    def layers(self, kind, key):
        return self._values(kind, key, True)


def judged(everything, by_layer):
    return words(_findings(Made(everything, by_layer)))


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(intervals, 'RESAMPLES', RESAMPLES)


def test_what_is_as_published_is_confirmed():
    found = judged(*as_published())
    assert set(found) == {name for name in paper.names()[1] if name.startswith('fig2_')}
    assert set(found.values()) == {verdict.CONFIRMED}


def change(values, key, kind, layer=None):
    def make(everything, by_layer):
        if layer is None:
            (everything if np.ndim(values) == 0 else by_layer)[key, kind] = values
        else:
            by_layer[key, kind][layer] = values

    return make


def cluster_distances(middle, ends, less, more):
    """Make one kind have so much more than the other, on the middle layers and at the ends."""

    def make(_, by_layer):
        own = np.array(by_layer['cluster_distance', less])
        by_layer['cluster_distance', more] = own + np.array([ends, *([middle] * 4), ends])

    return make


def drop(middle, ends):
    return cluster_distances(middle, ends, TRAINED, RANDOM)


def rise(middle, ends):
    return cluster_distances(middle, ends, TRAINED, PRUNED)


CHANGES = [
    ('fig2_bell', '-', change(0.7, 'bimodality', RANDOM)),
    ('fig2_bell', '0', change(BELL, 'bimodality', RANDOM)),
    *(('fig2_bell', '-', change(0.7, 'bimodality', RANDOM, layer)) for layer in range(6)),
    *(('fig2_bell', '0', change(BELL, 'bimodality', RANDOM, layer)) for layer in range(6)),
    ('fig2_trained_mean', '-', change(3.0, 'mean', RANDOM)),
    ('fig2_trained_mean', '0', change(4.0, 'mean', RANDOM)),
    ('fig2_trained_deviation', '-', change(1.0, 'deviation', RANDOM)),
    ('fig2_trained_deviation', '0', change(1.5, 'deviation', RANDOM)),
    ('fig2_high_distances_late', '-', change([0.01, 0.01, 0.2, 0.05, 0.05, 0.05], 'high', TRAINED)),
    ('fig2_high_distances_late', '0', change([0.05] * 6, 'high', TRAINED)),
    ('fig2_high_distances_late', '+', change([0.03, 0.03, 0.02, 0.1, 0.01, 0.01], 'high', TRAINED)),
    ('fig2_middle_clusters', '-', drop(middle=-1.0, ends=-3.0)),
    ('fig2_middle_clusters', '-', drop(middle=2.0, ends=3.0)),
    ('fig2_middle_clusters', '0', drop(middle=0.0, ends=-2.0)),
    ('fig2_middle_clusters', '0', drop(middle=2.0, ends=2.0)),
    *(
        ('fig2_first_layer_distinct', word, change(value, 'cluster_distance', TRAINED, layer))
        for layer in range(1, 6)
        for word, value in (('-', 7.0), ('0', 5.5))
    ),
    *(
        ('fig2_ends_higher', word, change(value, 'mean', TRAINED, layer))
        for layer in (0, 5)
        for word, value in (('-', 2.0), ('0', 3.0))
    ),
    ('fig2_ends_higher', '+', change(7.0, 'mean', TRAINED, 4)),  # than the others' mean
    ('fig2_pruned_mean', '-', change(3.0, 'mean', PRUNED)),
    ('fig2_pruned_mean', '0', change(4.0, 'mean', PRUNED)),
    ('fig2_pruned_variance', '-', change(2.0, 'deviation', PRUNED)),
    ('fig2_pruned_variance', '0', change(1.5, 'deviation', PRUNED)),
    ('fig2_pruned_outliers', '-', change(9.0, 'high_99', PRUNED)),
    ('fig2_pruned_outliers', '0', change(8.0, 'high_99', PRUNED)),
    ('fig2_pruned_middle', '-', rise(middle=-1.0, ends=0.0)),
    ('fig2_pruned_middle', '-', rise(middle=2.0, ends=3.0)),
    ('fig2_pruned_middle', '-', rise(middle=2.0, ends=-3.0)),
    ('fig2_pruned_middle', '0', rise(middle=2.0, ends=2.0)),
    *(
        ('fig2_penultimate', word, change(value, 'neurons', PRUNED, layer))
        for layer in (0, 1, 2, 3, 5)
        for word, value in (('-', 5.0), ('0', 10.0))
    ),
]


@pytest.mark.parametrize(('name', 'word', 'make'), cases(CHANGES))
def test_each_part_decides_in_its_direction(name, word, make):
    results = copy.deepcopy(as_published())
    make(*results)
    assert judged(*results)[name] == WORDS[word]

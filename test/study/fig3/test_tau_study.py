# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Every part of every statement on figure 3, left, is judged by what it says, in its direction."""

import copy

import numpy as np
import pytest
from easy import EASY

from neuron_reach.analysis import intervals
from neuron_reach.study import paper, verdict
from neuron_reach.study.fig3 import tau_study
from neuron_reach.study.fig3.tau_study import TauMeasures, findings, sweeps_of
from neuron_reach.study.reductions import sources
from study.given_up import results_with
from study.judging import NETWORKS, RESAMPLES, WORDS, cases, scattered, words
from study.tiny import TINY

EFFECT = np.linspace(-1.0, 1.0, NETWORKS)[:, None]
"""What one network has more than another at every tau: only comparing it to itself tells."""


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(intervals, 'RESAMPLES', RESAMPLES)


TAUS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
BEFORE, TRAINING = 323, 4000.0


def curves():
    """Means by tau; the margin of durations is a quarter of the first training."""
    return {
        'neurons': [300.0, 280.0, 260.0, 240.0, 220.0, 180.0, 100.0],
        'accuracy': [0.95, 0.94, 0.93, 0.8, 0.7, 0.5, 0.3],
        'accuracy_before': 0.95,
        'bounded': [1000.0, 1100.0, 1200.0, 1400.0, 1500.0, 3000.0, 5000.0],
    }


def judged_curves(means):
    made = object.__new__(TauMeasures)
    made.taus, made.before = np.array(TAUS), BEFORE
    made.neurons = scattered(means['neurons'], 0.5, 0, NETWORKS) + 20.0 * EFFECT
    made.accuracy = scattered(means['accuracy'], 1e-3, 1, NETWORKS) + 0.04 * EFFECT
    before = scattered(means['accuracy_before'], 1e-3, 2, NETWORKS)
    made.accuracy_before = before + 0.04 * EFFECT[:, 0]
    made.bounded = scattered(means['bounded'], 20.0, 3, NETWORKS) + 900.0 * EFFECT
    made.duration = np.full_like(made.bounded, np.nan)  # some networks were given up
    made.duration_before = scattered(TRAINING, 100.0, 4, NETWORKS)
    return words(findings(made))


LEFT = ('fig3_size_linear', 'fig3_tau0', 'fig3_small', 'fig3_middle', 'fig3_large')


def test_curves_as_published_are_confirmed():
    found = judged_curves(curves())
    assert set(found) == {name for name in paper.names()[1] if name.startswith(LEFT)}
    assert set(found.values()) == {verdict.CONFIRMED}


def at(key, tau, value):
    return lambda means: means[key].__setitem__(TAUS.index(tau), value)


def whole(key, value):
    return lambda means: means.__setitem__(key, value)


STEEP = [300.0, 180.0, 120.0, 110.0, 105.0, 102.0, 100.0]
BENT = [300.0, 260.0, 225.0, 200.0, 180.0, 150.0, 130.0]  # a line explains 0.86 of it
WAVES = [300.0, 100.0, 300.0, 100.0, 300.0, 100.0, 300.0]

CURVE_CHANGES = [
    ('fig3_size_linear', '-', whole('neurons', STEEP)),
    ('fig3_size_linear', '-', whole('neurons', BENT)),
    ('fig3_size_linear', '-', whole('neurons', WAVES)),
    ('fig3_size_linear', '-', whole('neurons', curves()['neurons'][::-1])),
    ('fig3_size_linear', '-', whole('neurons', [100.0 + 100.0 * tau for tau in TAUS])),
    *(
        ('fig3_tau0_accuracy', word, whole('accuracy_before', value))
        for word, value in (('-', 0.9), ('-', 0.99), ('0', 0.97), ('0', 0.93), ('+', 0.94))
    ),
    ('fig3_tau0_size', '-', at('neurons', 0.0, 400.0)),
    ('fig3_tau0_size', '0', at('neurons', 0.0, 323.0)),
    *(
        ('fig3_small_tau', word, at('accuracy', tau, value))
        for tau in (0.05, 0.1)
        for word, value in (('-', 0.7), ('0', 0.85), ('+', 0.87))
    ),
    *(
        ('fig3_small_tau', word, at('bounded', tau, value))
        for tau in (0.05, 0.1)
        for word, value in (('-', 3000.0), ('-', -1000.0), ('0', 2000.0), ('+', 1800.0))
    ),
    ('fig3_small_tau', '+', at('accuracy', 0.15, 0.1)),  # is not small
    ('fig3_middle_tau_accuracy', '-', at('accuracy', 0.2, 0.99)),
    ('fig3_middle_tau_accuracy', '0', at('accuracy', 0.2, 0.93)),
    ('fig3_middle_tau_accuracy', '+', at('accuracy', 0.15, 0.99)),  # only the end counts
    *(
        ('fig3_middle_tau_duration', word, at('bounded', 0.2, value))
        for word, value in (('-', 3000.0), ('-', -500.0), ('0', 2200.0), ('+', 2000.0))
    ),
    ('fig3_large_tau_duration', '-', at('bounded', 0.5, 2000.0)),  # by less than the margin
    ('fig3_large_tau_duration', '-', at('bounded', 0.5, 500.0)),
    ('fig3_large_tau_duration', '0', at('bounded', 0.5, 2500.0)),
    ('fig3_large_tau_duration', '+', at('bounded', 0.5, 2800.0)),
    ('fig3_large_tau_duration', '+', at('bounded', 0.3, 500.0)),
]


@pytest.mark.parametrize(('name', 'word', 'make'), cases(CURVE_CHANGES))
def test_each_part_of_a_statement_on_curves_decides_in_its_direction(name, word, make):
    means = copy.deepcopy(curves())
    make(means)
    assert judged_curves(means)[name] == WORDS[word]


# --- networks that were given up ---


LIMIT = TINY.retraining_episodes


def test_networks_that_are_given_up_have_no_duration_and_count_with_the_limit(easy):
    sweeps = sweeps_of(sources(EASY, 2, 2), TINY)

    def given_up(job, seed):
        return job.function.name == 'retrain' and job.arguments['name'] == 'tau_0.5' and seed == 1

    found = TauMeasures(sweeps, results_with(given_up), TINY)
    lost = found.at(0.5)
    assert np.argwhere(np.isnan(found.duration)).tolist() == [[1, lost]]
    assert found.bounded[1].tolist() == [400.0, 400.0, 400.0, LIMIT]
    assert (found.bounded[0] == 400.0).all()
    table = tau_study._table(found)
    shares = [row[table.header.index('given up')] for row in table.rows]
    assert shares == ['0 of 2'] * lost + ['1 of 2']
    assert found.accuracy == pytest.approx(0.7)  # the mean over the samples
    assert found.deviation == pytest.approx(0.02**0.5)

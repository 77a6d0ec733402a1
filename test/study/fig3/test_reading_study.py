# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import math

import numpy as np
import pytest

from neuron_reach.study import paper
from neuron_reach.study.engine.jobs import with_inputs
from neuron_reach.study.fig3 import reading_study
from neuron_reach.study.fig3.reading_jobs import DEFAULT, HE, READINGS
from neuron_reach.study.fig3.size_study import ReductionMeasures
from neuron_reach.study.fig3.tau_study import TauMeasures
from neuron_reach.study.studies import SCALES, Results


def outcome(sizes, spread=0.01, networks=6, tried=None):
    made = ReductionMeasures([], Results(lambda job: None))
    made.tried = tried or networks
    factors = 1 + spread * np.linspace(-1, 1, networks)
    made.hidden = factors[:, None, None] * np.stack([[48.0] * 6] + [sizes] * 3)
    made.accuracy, made.duration = np.full((networks, 4), 0.5), np.full((networks, 4), 1000.0)
    return made


PUBLISHED = np.array(paper.number('sizes_of_wide_networks').value)


def test_the_distance_is_the_mean_logarithm_of_the_ratio():
    near, twice = outcome(PUBLISHED, spread=0), outcome(2 * PUBLISHED)
    assert reading_study.distance(near, 'near').value == pytest.approx(0)
    assert reading_study.distance(twice, 'twice').value == pytest.approx(math.log(2))
    half = outcome(PUBLISHED / 2, tried=9)
    assert reading_study.distance(half, 'half').value == pytest.approx(math.log(2))
    known = {'near': near, 'twice': twice, 'half': half}
    interval = reading_study.farther(known, 'twice', 'near')
    assert 0 < interval.low < math.log(2) < interval.high
    same = reading_study.farther(known, 'twice', 'half')
    assert same.low < 0 < same.high


def curve(drop, networks=6):
    """Size falls along a line; accuracy falls by `drop` up to tau = 0.1."""
    made = TauMeasures([], Results(lambda job: None), reading_study.curve_scale(SCALES['quick']))
    noise = np.linspace(-0.01, 0.01, networks)[:, None]
    taus = made.taus
    made.before, made.neurons = 323, 300 * (1 + noise) * (1 - taus)
    made.accuracy = np.where(taus < 0.1, 0.95, np.where(taus > 0.1, 0.2, 0.95 - drop)) + noise
    made.accuracy_before, made.deviation = 0.95 + noise[:, 0], 0 * made.accuracy
    made.duration = made.bounded = 1000 * (1 + noise) + np.where(taus > 0.2, 5000.0, 0.0)
    made.duration_before, made.retrained = 4000 + 100 * noise[:, 0], made.accuracy
    return made


def test_the_report_names_the_nearest_and_what_of_its_like_fits_the_curves_best(monkeypatch):
    known = {
        DEFAULT: outcome(2 * PUBLISHED),
        'linear reward': outcome(1.3 * PUBLISHED, spread=0.2, tried=9),
        'uniform merging': outcome(1.35 * PUBLISHED, spread=0.2),
        'goals in all directions': outcome(3 * PUBLISHED),
    }
    curves = {DEFAULT: curve(0.02), 'linear reward': curve(0.5), 'uniform merging': curve(0.02)}
    monkeypatch.setattr(reading_study, 'ReductionMeasures', lambda group, results: group)
    monkeypatch.setattr(reading_study, 'TauMeasures', lambda sweeps, results, scale: sweeps)
    section = reading_study.section(known, curves, None, SCALES['quick'])
    assert 'Nearest by size: linear reward' in section.text
    assert 'Not significantly farther: uniform merging.' in section.text
    assert 'Best supported: uniform merging.' in section.text
    _, sizes, _, statements = section.items
    assert [row[0] for row in sizes.rows] == list(known)
    assert statements.header == ['statement of the paper', *curves]
    assert len(statements.rows) == 7 + 1
    assert statements.rows[3][1:] == ['confirmed', 'differs', 'confirmed']
    assert statements.rows[-1][1:] == ['0', '1', '0']
    known[DEFAULT] = outcome(1.3 * PUBLISHED, spread=0.2)  # as near as the others
    section = reading_study.section(known, curves, None, SCALES['quick'])
    assert f'Best supported: {DEFAULT}.' in section.text
    nothing = Results(lambda job: None)
    empty = {DEFAULT: ReductionMeasures([], nothing)}
    assert reading_study.section(empty, {}, nothing, SCALES['quick']).items == ()


def test_readings_that_prune_otherwise_share_the_trained_networks():
    groups = reading_study.groups_of(SCALES['quick'])
    assert groups.keys() == READINGS.keys()
    trainings = {name: {source.job.address for source, _ in own} for name, own in groups.items()}
    pruned = {name: own[0][1][0].pruned for name, own in groups.items()}
    for name, reading in READINGS.items():
        shares = not reading.task and reading.start == HE and not reading.past
        assert (trainings[name] == trainings[DEFAULT]) == shares
        for key, value in reading.pruning.items():
            assert pruned[name].arguments['pruning'][key] == value
            assert pruned[DEFAULT].arguments['pruning'][key] != value
    jobs = list(
        with_inputs([step.trained for own in groups.values() for _, s in own for step in s])
    )
    retrained = {job.address for job in jobs if job.function.name == 'retrain'}
    assert len(retrained) == len(READINGS) * 3 * 3


def test_curves_of_a_reading_are_of_its_own_networks_pruned_its_own_way():
    curves = reading_study.curves_of(SCALES['quick'])
    assert curves.keys() == READINGS.keys()
    for name, reading in READINGS.items():
        for sweep, own in zip(curves[name], curves[DEFAULT], strict=True):
            assert tuple(sweep.retrained) == reading_study.CURVE_TAUS
            assert (sweep.pruned.address == own.pruned.address) == (name == DEFAULT)
            for key, value in reading.pruning.items():
                for job in (sweep.pruned, sweep.samples):
                    assert job.arguments['pruning'][key] == value

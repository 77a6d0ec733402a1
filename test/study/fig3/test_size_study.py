# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Every part of every statement on figure 3, right, is judged by what it says, in its direction."""

import numpy as np
import pytest

from neuron_reach.analysis import intervals
from neuron_reach.study import paper, verdict
from neuron_reach.study.fig3 import size_study
from neuron_reach.study.fig3.size_study import ReductionMeasures, reductions_of
from neuron_reach.study.fig3.size_study import _findings as size_findings
from study.given_up import results_with
from study.judging import NETWORKS, RESAMPLES, WORDS, cases, scattered, words
from study.tiny import TINY


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(intervals, 'RESAMPLES', RESAMPLES)


PUBLISHED = np.array(paper.number('sizes_of_wide_networks').several)
SMALL, WIDE = (32, 48), (128, 256, 512)


def steps():
    """Mean sizes of hidden layers by width, before and after every step."""
    small = np.array([30.0, 26.0, 22.0, 18.0, 15.0, 11.0])
    sizes = {width: [small + 1.0, small + 0.5, small] for width in SMALL}
    sizes |= {width: [PUBLISHED + 1.5, PUBLISHED + 0.5, PUBLISHED] for width in WIDE}
    return {width: np.array([np.full(6, width), *own], float) for width, own in sizes.items()}


def judged_steps(sizes):
    found = {}
    for width, mean in sizes.items():
        found[width] = object.__new__(ReductionMeasures)
        found[width].hidden = scattered(mean, 0.05, width, NETWORKS)
    made = size_findings(found)
    layers = [finding.verdict for finding in made if finding.statement.startswith('Mean size of')]
    return words(made) | {f'size {number}': word for number, word in enumerate(layers)}


RIGHT = ('fig3_first_step', 'fig3_wide', 'fig3_plateau', 'fig3_taper', 'fig3_hour')


def test_steps_as_published_are_confirmed():
    found = judged_steps(steps())
    names = {name for name in paper.names()[1] if name.startswith(RIGHT)}
    assert set(found) == names | {f'size {layer}' for layer in range(6)}
    assert set(found.values()) == {verdict.CONFIRMED}


def layer(width, place, value, step=3):
    return lambda sizes: sizes[width].__setitem__((step, place), value)


def removed(width, step, share):
    """Let a step remove so much of what is left before it; later steps remove nothing."""

    def make(sizes):
        own = sizes[width]
        own[step:] = own[step - 1] * (1.0 - share)

    return make


def after_first(width, factor):
    return lambda sizes: sizes[width].__setitem__(1, sizes[width][1] * factor)


STEP_CHANGES = [
    *(
        ('fig3_first_step', '-', lambda sizes, w=width, s=step: _late(sizes, w, s))
        for width in (*SMALL, *WIDE)
        for step in (2, 3)
    ),
    ('fig3_first_step', '0', lambda sizes: _level(sizes, 128)),
    *(('fig3_wide_alike', '-', after_first(width, 1.5)) for width in WIDE),
    *(('fig3_wide_alike', '-', after_first(width, 0.7)) for width in WIDE),
    ('fig3_wide_alike', '0', after_first(512, 1.1 / 0.9)),
    *(
        ('fig3_plateau', word, removed(width, step, share))
        for width in (*SMALL, *WIDE)
        for step in (2, 3)
        for word, share in (('-', 0.2), ('0', 0.1), ('+', 0.08))
    ),
    *(('fig3_taper', '-', layer(width, 5, 60.0)) for width in SMALL),
    # Falls on the whole, but not from the first layer to the last.
    *(
        ('fig3_taper', '-', lambda sizes, w=width: _sizes(sizes, w, [20, 60, 50, 20, 10, 21]))
        for width in SMALL
    ),
    # Ends below where it begins, but rises on the whole.
    *(
        ('fig3_taper', '-', lambda sizes, w=width: _sizes(sizes, w, [20, 10, 10, 60, 60, 19]))
        for width in SMALL
    ),
    *(('fig3_taper', '0', lambda sizes, w=width: _sizes(sizes, w, [20] * 6)) for width in SMALL),
    *(
        ('fig3_hourglass', word, layer(width, end, value))
        for width in WIDE
        for end in (0, 5)
        for word, value in (('-', 5.0), ('0', PUBLISHED[2:5].mean()))
    ),
    ('fig3_hourglass', '+', layer(128, 1, 90.0)),  # not of the waist
    *((f'size {place}', '-', layer(256, place, 90.0)) for place in range(6)),
    *((f'size {place}', '-', layer(512, place, 1.0)) for place in range(6)),
    *((f'size {place}', '+', layer(128, place, 90.0)) for place in range(6)),  # not published
]


def _late(sizes, width, step):
    """Remove more in a later step than in the first."""
    sizes[width][1] = 0.9 * sizes[width][0]
    sizes[width][2] = (0.5 if step == 2 else 0.88) * sizes[width][0]
    sizes[width][3] = 0.4 * sizes[width][0]


def _level(sizes, width):
    """Remove as much in the second step as in the first."""
    sizes[width][1:] = sizes[width][0] * np.array([[0.7], [0.4], [0.35]])


def _sizes(sizes, width, last):
    sizes[width][3] = last


@pytest.mark.parametrize(('name', 'word', 'make'), cases(STEP_CHANGES))
def test_each_part_of_a_statement_on_steps_decides_in_its_direction(name, word, make):
    sizes = steps()
    make(sizes)
    assert judged_steps(sizes)[name] == WORDS[word]


# --- made-up reductions ---


def outcome(before, *steps, networks=20, noise=1.0):
    """Networks whose sizes scatter about those given, step by step."""
    made = object.__new__(ReductionMeasures)
    generator = np.random.default_rng(before)
    sizes = np.array([np.broadcast_to(before, 6), *steps], float)
    scatter = generator.normal(0.0, noise, (networks, *sizes.shape))
    scatter[:, 0] = 0.0
    made.hidden = sizes + scatter
    return made


PAPER = [51.6, 21.0, 15.9, 12.6, 10.2, 16.7]


def verdicts(found):
    """Return the verdict on each statement, and those on the published sizes."""
    made = {finding.statement: finding.verdict for finding in size_study._findings(found)}
    named = {
        name: made[paper.statement(name).text]
        for name in paper.names()[1]
        if paper.statement(name).text in made
    }
    return named, [word for text, word in made.items() if text.startswith('Mean size of')]


def test_reductions_like_the_paper_s_are_confirmed():
    first = [60, 25, 19, 15, 12, 20]
    wide = {width: outcome(width, first, np.array(PAPER) + 0.3, PAPER) for width in (128, 256, 512)}
    small = outcome(48, [35, 30, 26, 22, 18, 14], *[[34, 29, 25, 21, 17, 13]] * 2)
    named, sizes = verdicts({48: small, **wide})
    shapes = ('fig3_first_step', 'fig3_wide_alike', 'fig3_taper', 'fig3_hourglass')
    assert {named[name] for name in shapes} == {'confirmed'}
    assert sizes == ['confirmed'] * 6


def test_reductions_of_another_shape_are_not():
    slow = [200, 190, 180, 170, 160, 150]
    named, sizes = verdicts(
        {
            48: outcome(48, *[[10, 12, 14, 16, 18, 20]] * 3),
            128: outcome(128, [90] * 6, [60] * 6, [20, 25, 30, 35, 40, 10]),
            256: outcome(256, slow, [140] * 6, [90] * 6),
            512: outcome(512, [300] * 6, [100] * 6, [80] * 6),
        }
    )
    shapes = ('fig3_wide_alike', 'fig3_plateau', 'fig3_taper', 'fig3_hourglass')
    assert {named[name] for name in shapes} == {'differs'}
    assert sizes == ['differs'] * 6


def test_what_a_scale_leaves_out_is_not_confirmed():
    named, sizes = verdicts({48: outcome(48, *[[30] * 6] * 3)})
    assert named['fig3_wide_alike'] == named['fig3_hourglass'] == 'inconclusive'
    assert sizes == []


# --- networks that were given up ---


def test_networks_that_are_given_up_are_left_out_and_told_by_step(easy):
    groups = reductions_of(TINY)
    ((_, group),) = groups.items()

    def given_up(job, seed):
        return job.function.name == 'retrain' and job.arguments['step'] == 2 and seed == 1

    found = ReductionMeasures(group, results_with(given_up))
    assert (len(found), found.tried, found.lost) == (1, 2, [0, 1, 0])
    assert found.duration.tolist() == [[1000.0, 400.0, 400.0, 400.0]]
    rows = size_study._table({16: found}).rows
    assert [row[-1] for row in rows] == ['', '0 of 2', '1 of 2', '0 of 2']
    never = ReductionMeasures(group, results_with(lambda job, seed: job.function.name == 'train'))
    assert (len(never), never.lost) == (0, [0, 0, 0])

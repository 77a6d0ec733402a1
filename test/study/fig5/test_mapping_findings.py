# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Every part of every statement on figure 5 is judged by what it says, and in its direction."""

import copy

import numpy as np
import pytest

from neuron_reach.analysis import intervals
from neuron_reach.study import verdict
from neuron_reach.study.fig5.mapping_findings import STATEMENTS, Judge, findings
from neuron_reach.study.fig5.mapping_jobs import JOINTS, NAIVE, RANDOM, REFLEXIVE
from neuron_reach.study.fig5.mapping_values import DIRECTIONS, Chosen, Maps
from study.judging import NETWORKS, RESAMPLES, WORDS, cases, scattered, words

LAYERS = 7  # six hidden ones and the output


def table(diagonal, use=(0.3, 0.14, 0.14, 0.14, 0.04, 0.14, 0.1)):
    """Return a layer table: so much of each target layer is in its own, the rest as used."""
    diagonal = np.broadcast_to(diagonal, LAYERS)
    return np.array(use)[:, None] * (1.0 - diagonal) + np.diag(diagonal)


STRONG = (0.6, 0.3, 0.3, 0.3, 0.3, 0.6, 0.5)

ERRORS = {'3-3': 0.30, '4-2': 0.32, '3-4': 0.40, '4-3': 0.41, '2-4': 0.60}
ERRORS |= {'2-3': 0.45, '3-2': 0.35, '2-2': 0.29, '4-4': 0.31}
NATIVE = Chosen((3, 3))
GREEDY, UNTRAINED = Chosen((3, 3), lasso=None), Chosen((3, 3), RANDOM)


def of(name):
    return Chosen((int(name[0]), int(name[2])))


def as_published():
    """Means by what is mapped how, and the metric."""
    means = {(of(name), 'error'): error for name, error in ERRORS.items()}
    for direction in DIRECTIONS:
        chosen = Chosen(direction)
        means[chosen, 'coverage'] = 0.9 - 0.1 * abs(direction[0] - direction[1])
        means[chosen, 'hidden_error'] = 0.5
        means[chosen, 'layers'] = table(STRONG)
    means[of('4-2'), 'layers'] = table(0.1)
    means[of('2-4'), 'layers'] = table(0.02)
    means[GREEDY, 'error'], means[GREEDY, 'coverage'] = 0.5, 0.6
    means[UNTRAINED, 'error'], means[UNTRAINED, 'coverage'] = 0.45, 0.8
    means[Chosen((4, 2), transform=NAIVE), 'error'] = 0.5
    for joints in JOINTS:
        own = Chosen((joints, joints), REFLEXIVE, 0.0)
        for metric, ideal in (('error', 0.0), ('saturation', 0.0), ('coverage', 1.0)):
            means[own, metric] = ideal
    return means


class Made(Maps):
    """Mappings of made-up metrics; asking for any other is an error."""

    def __init__(self, means):
        self.means = means

    def values(self, chosen, name):
        mean = np.asarray(self.means[chosen, name], float)
        place = list(self.means).index((chosen, name))
        if chosen.kind == REFLEXIVE:
            own = scattered(mean, 0.002, place, NETWORKS)
            return np.where(np.eye(NETWORKS, dtype=bool), own, np.nan)
        return scattered(mean, 0.002, place, NETWORKS, NETWORKS)


def judged(means):
    return words(findings(Made(means)))


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(intervals, 'RESAMPLES', RESAMPLES)


def test_what_is_as_published_is_confirmed():
    found = judged(as_published())
    assert set(found) == set(STATEMENTS)
    assert set(found.values()) == {verdict.CONFIRMED}


def change(metric, **values):
    """Give mappings, `d33` for 3-3 and so on, or `greedy`, another mean of a metric."""
    named = {'greedy': GREEDY, 'random': UNTRAINED, 'naive': Chosen((4, 2), transform=NAIVE)}
    named |= {f'd{a}{b}': Chosen((a, b)) for a, b in DIRECTIONS}
    named |= {f'self{n}': Chosen((n, n), REFLEXIVE, 0.0) for n in JOINTS}
    return lambda means: means.update({(named[name], metric): v for name, v in values.items()})


def apart(metric, difference, value):
    """Give all directions whose joints differ by so much another mean."""
    chosen = {f'd{a}{b}': value for a, b in DIRECTIONS if abs(a - b) == difference}
    return change(metric, **chosen)


def used(layer, share, directions=DIRECTIONS):
    """Let a source layer be used so much; what is left is shared by the others as before."""

    def make(means):
        for direction in directions:
            changed = np.array(means[Chosen(direction), 'layers'])
            changed[layer] = share
            others = [place for place in range(LAYERS) if place != layer]
            changed[others] *= (1.0 - share) / changed[others].sum(axis=0)
            means[Chosen(direction), 'layers'] = changed

    return make


def same_use(layer, other, directions=DIRECTIONS):
    """Let another source layer be used like this one."""

    def make(means):
        for direction in directions:
            changed = np.array(means[Chosen(direction), 'layers'])
            changed[other] = changed[layer]
            means[Chosen(direction), 'layers'] = changed

    return make


EVEN = np.full((LAYERS, LAYERS), 1 / LAYERS)
SHIFTED = np.roll(np.eye(LAYERS), 1, axis=0)

CHANGES = [
    *(
        ('fig5_reflexive', '-', change(metric, **{f'self{n}': miss for n in JOINTS}))
        for metric, miss in (('error', 0.1), ('saturation', 0.1), ('coverage', 0.9))
    ),
    *(
        ('fig5_reflexive', '0', change(metric, **{f'self{n}': miss for n in JOINTS}))
        for metric, miss in (('error', 0.01), ('saturation', 0.01), ('coverage', 0.99))
    ),
    *(('fig5_reflexive', '-', change('error', **{f'self{n}': 0.1})) for n in JOINTS),
    ('fig5_greedy_error', '-', change('error', greedy=0.1)),
    ('fig5_greedy_error', '0', change('error', greedy=0.3)),
    ('fig5_greedy_coverage', '-', change('coverage', greedy=0.99)),
    ('fig5_greedy_coverage', '0', change('coverage', greedy=0.9)),
    ('fig5_random_error', '-', change('error', random=0.1)),
    ('fig5_random_error', '0', change('error', random=0.3)),
    ('fig5_random_coverage', '-', change('coverage', random=0.99)),
    ('fig5_random_coverage', '0', change('coverage', random=0.9)),
    ('fig5_diagonal', '-', change('layers', d33=SHIFTED)),
    ('fig5_diagonal', '0', change('layers', d33=EVEN)),
    ('fig5_first_and_last', '-', change('layers', d33=table((0.3, 0.6, 0.6, 0.6, 0.6, 0.3, 0.6)))),
    ('fig5_first_and_last', '0', change('layers', d33=EVEN)),
    # The mean of the two ends counts, even if one of them is weak.
    ('fig5_first_and_last', '+', change('layers', d33=table((0.9, 0.5, 0.5, 0.5, 0.5, 0.2, 0.0)))),
    ('fig5_first_and_last', '+', change('layers', d33=table((0.2, 0.5, 0.5, 0.5, 0.5, 0.9, 0.0)))),
    ('fig5_joint_difference', '-', apart('error', 1, 0.2)),
    ('fig5_joint_difference', '0', apart('error', 1, 0.3)),
    ('fig5_joint_difference', '-', apart('error', 2, 0.35)),
    ('fig5_joint_difference', '0', apart('error', 2, 0.4025)),
    ('fig5_joint_difference', '-', apart('coverage', 1, 0.95)),
    ('fig5_joint_difference', '0', apart('coverage', 1, 0.9)),
    ('fig5_joint_difference', '-', apart('coverage', 2, 0.85)),
    ('fig5_joint_difference', '0', apart('coverage', 2, 0.8)),
    (
        'fig5_downwards',
        '-',
        change('error', d23=0.35, d24=0.32, d34=0.41, d32=0.45, d42=0.6, d43=0.4),
    ),
    ('fig5_downwards', '0', change('error', d23=0.35, d24=0.32, d34=0.41)),
    *(
        ('fig5_42_baseline', word, change('error', **{name: value}))
        for name in ('d34', 'd43', 'd24')
        # Nearer to 3-3 than 4-2; as far from it; farther, but below.
        for word, value in (('-', 0.3), ('0', 0.32), ('+', 0.1))
    ),
    ('fig5_42_baseline', '+', change('error', d42=0.28)),
    ('fig5_42_baseline', '-', change('error', d42=0.1)),
    ('fig5_34_43', '-', change('error', d34=0.6)),
    ('fig5_34_43', '-', change('error', d43=0.6)),
    ('fig5_34_43', '0', change('error', d34=0.46)),  # differs by the margin
    ('fig5_34_43', '-', change('error', d34=0.3, d43=0.34)),
    ('fig5_34_43', '-', change('error', d34=0.34, d43=0.3)),
    ('fig5_34_43', '0', change('error', d34=0.32, d43=0.34)),
    *(
        ('fig5_24_worst', word, change('error', **{name: value}))
        for name in ('d33', 'd34', 'd43', 'd42')
        for word, value in (('-', 0.7), ('0', 0.6))
    ),
    ('fig5_balanced', '-', change('error', naive=0.2)),
    ('fig5_balanced', '0', change('error', naive=0.32)),
    *(('fig5_first_layer', '-', used(layer, 0.6)) for layer in range(1, 6)),
    *(('fig5_first_layer', '0', same_use(0, layer)) for layer in range(1, 6)),
    ('fig5_first_layer', '+', used(6, 0.6)),  # the output layer is not compared
    ('fig5_first_layer', '+', used(1, 0.6, [(2, 4)])),  # nor any direction alone
    *(('fig5_penultimate_unused', '-', used(layer, 0.01)) for layer in (0, 1, 2, 3, 5)),
    *(('fig5_penultimate_unused', '0', same_use(4, layer)) for layer in (0, 1, 2, 3, 5)),
    *(('fig5_24_first_layer', '-', used(layer, 0.6, [(2, 4)])) for layer in range(1, 6)),
    *(('fig5_24_first_layer', '0', same_use(0, layer, [(2, 4)])) for layer in range(1, 6)),
    *(
        ('fig5_layerwise_34', '-', change('layers', **{name: table(own)}))
        for name in ('d34', 'd43')
        for own in ((0.1, 0.1, *STRONG[2:]), (0.95, 0.9, *STRONG[2:]))
    ),
    ('fig5_layerwise_34', '+', change('layers', d34=table((*STRONG[:2], *[0.0] * 5)))),
    ('fig5_layerwise_42', '-', change('layers', d42=table(0.95))),
    ('fig5_layerwise_42', '-', change('layers', d24=table(0.3))),
    ('fig5_layerwise_42', '0', change('layers', d42=table(STRONG))),
    ('fig5_layerwise_42', '0', change('layers', d24=table(0.1))),
]


@pytest.mark.parametrize(('name', 'word', 'make'), cases(CHANGES))
def test_each_part_decides_in_its_direction(name, word, make):
    means = copy.deepcopy(as_published())
    make(means)
    assert STATEMENTS[name](Judge(Made(means))).verdict == WORDS[word]


def test_errors_are_told_with_those_of_the_hidden_neurons():
    means = as_published()
    means[of('4-2'), 'hidden_error'] = 0.123
    (found,) = (f for f in findings(Made(means)) if 'highest error' in f.statement)
    assert '4-2 0.320' in found.ours.split('; of hidden neurons only: ')[0]
    assert '4-2 0.123' in found.ours.split('; of hidden neurons only: ')[1]

"""Every part of every statement on figure 3 is judged by what it says, and in its direction."""

import copy

import numpy as np
import pytest

from neuron_reach.analysis import intervals
from neuron_reach.study import paper, verdict
from neuron_reach.study.fig3.size_study import ReductionMeasures
from neuron_reach.study.fig3.size_study import _findings as size_findings
from neuron_reach.study.fig3.tau_study import TauMeasures, findings
from study.judging import NETWORKS, RESAMPLES, WORDS, cases, scattered, words

EFFECT = np.linspace(-1.0, 1.0, NETWORKS)[:, None]
"""What one network has more than another at every tau: only comparing it to itself tells."""


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(intervals, 'RESAMPLES', RESAMPLES)


# --- figure 3, left ---------------------------------------------------------------------------

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


# --- figure 3, right --------------------------------------------------------------------------

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

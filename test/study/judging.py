"""What the tests of findings share: made-up results, and the verdicts on them by statement."""

import numpy as np
import pytest

from neuron_reach.study import paper
from neuron_reach.study.verdict import CONFIRMED, DIFFERS, INCONCLUSIVE

WORDS = {'+': CONFIRMED, '0': INCONCLUSIVE, '-': DIFFERS}
NETWORKS = 8
RESAMPLES = 200
"""Enough, as results are either clear or have a mean that is no difference at all."""


def words(findings):
    """Return the verdicts by statement of the paper."""
    made = {found.statement: found.verdict for found in findings}
    texts = {name: paper.statement(name).text for name in paper.names()[1]}
    return {name: made[text] for name, text in texts.items() if text in made}


def scattered(mean, noise, seed, *shape):
    """Return values, (*shape, *mean.shape), that scatter about a mean and have exactly that one."""
    values = noise * np.random.default_rng(seed).normal(size=(*shape, *np.shape(mean)))
    return values - values.mean(axis=tuple(range(len(shape)))) + mean


def cases(changes):
    """Return (statement, verdict, change) as parameters of a test, named."""
    return [pytest.param(*own, id=f'{own[0]} {own[1]} {n}') for n, own in enumerate(changes)]

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

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

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Make the findings of a report from judged results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.study import paper, verdict
from neuron_reach.study.html_report import Finding
from neuron_reach.study.verdict import Verdict

SHOWN_REASONS = 3
"""Largest number of reasons given for a finding with several verdicts."""


def finding(name: str, ours: str, measure: str, *verdicts: Verdict) -> Finding:
    """Return the finding on a statement of the paper.

    It is confirmed if all verdicts are, differs if one does, and is inconclusive otherwise.

    Args:
        name: of the statement in the data file of the paper.
        ours: the measured numbers.
        measure: how the statement was interpreted.
        verdicts: at least one.
    """
    published = paper.statement(name)
    words = [judged.word for judged in verdicts]
    word = next(w for w in (verdict.DIFFERS, verdict.INCONCLUSIVE, verdict.CONFIRMED) if w in words)
    reasons = list(dict.fromkeys(judged.reason for judged in verdicts if judged.word == word))
    reason = '; '.join(reasons[:SHOWN_REASONS])
    if len(reasons) > SHOWN_REASONS:
        reason += f'; {len(reasons) - SHOWN_REASONS} similar ones'
    return Finding(published.text, published.where, ours, word, f'{measure}: {reason}')


def unknown(name: str, why: str) -> Finding:
    """Return the inconclusive finding on a statement that these results do not cover."""
    published = paper.statement(name)
    return Finding(published.text, published.where, '', verdict.INCONCLUSIVE, why)


def spread(values: ArrayLike, digits: int = 2) -> str:
    """Format the mean and standard deviation of networks: `4.10 ± 0.25`; NaN are ignored."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return ''
    text = f'{known.mean():,.{digits}f}'
    return f'{text} ± {known.std(ddof=1):,.{digits}f}' if len(known) > 1 else text


def listed(values: Sequence[float], digits: int = 2) -> str:
    """Format a list of numbers: `1.00, 2.50`."""
    return ', '.join(f'{value:,.{digits}f}' for value in values)

"""From judged results to the findings of a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.study import paper, verdict
from neuron_reach.study.html_report import Finding
from neuron_reach.study.verdict import Verdict

TOLD = 3
"""Reasons that are told of a finding that rests on many verdicts."""


def finding(name: str, ours: str, measure: str, *verdicts: Verdict) -> Finding:
    """Return the finding on a statement of the paper.

    It is confirmed if all verdicts are, differs if one does, else it is not confirmed.

    Args:
        name: of the statement in the data file of the paper.
        ours: the numbers found.
        measure: how the statement was read, in words.
        verdicts: at least one.
    """
    published = paper.statement(name)
    words = [judged.word for judged in verdicts]
    word = next(
        w for w in (verdict.DIFFERS, verdict.NOT_CONFIRMED, verdict.CONFIRMED) if w in words
    )
    reasons = list(dict.fromkeys(judged.reason for judged in verdicts if judged.word == word))
    told = '; '.join(reasons[:TOLD])
    if len(reasons) > TOLD:
        told += f'; {len(reasons) - TOLD} more alike'
    return Finding(published.text, published.where, ours, word, f'{measure}: {told}')


def unknown(name: str, why: str) -> Finding:
    """Return the finding on a statement that these results say nothing about."""
    published = paper.statement(name)
    return Finding(published.text, published.where, '', verdict.NOT_CONFIRMED, why)


def spread(values: ArrayLike, digits: int = 2) -> str:
    """Say the mean and standard deviation of networks: `4.10 ± 0.25`; NaN are left out."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return ''
    text = f'{known.mean():,.{digits}f}'
    return f'{text} ± {known.std(ddof=1):,.{digits}f}' if len(known) > 1 else text


def listed(values: Sequence[float], digits: int = 2) -> str:
    """Say numbers in a row: `1.00, 2.50`."""
    return ', '.join(f'{value:,.{digits}f}' for value in values)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Effective rank: how many directions the activity of a layer really has."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

DELTA = 0.01
"""Share of the singular values' sum that may lie outside of the effective rank."""


ROUNDING = 1e-16
"""Share of the greatest square up to which a square is rounding."""


def effective_rank(activations: ArrayLike, delta: float = DELTA) -> int:
    """Return the effective rank of a layer's activations (Kumar et al. 2021, srank).

    It is the least k for which the k greatest singular values of the matrix of activations sum up
    to at least 1 - delta of all.

    Args:
        activations: (samples, neurons), not centered.
        delta: from 0 to less than 1; below 1e-6 rounding counts.

    Returns:
        0 for a layer that is never active.

    Raises:
        ValueError: no matrix, or a delta out of range.
    """
    values = np.asarray(activations, np.float64)
    if values.ndim != 2:
        raise ValueError(f'activations must be (samples, neurons), not {values.shape}')
    if not 0.0 <= delta < 1.0:
        raise ValueError(f'delta must be from 0 to less than 1, not {delta:g}')
    if not values.any():
        return 0
    # The eigenvalues of the smaller of the two products are the squares of the singular values, at
    # a fifth of the time; those below 1e-8 of the greatest are lost in rounding.
    product = values.T @ values if len(values) > values.shape[1] else values @ values.T
    squares = np.linalg.eigvalsh(product)[::-1]
    sums = np.cumsum(np.sqrt(np.where(squares > ROUNDING * squares[0], squares, 0.0)))
    return int(np.searchsorted(sums, (1.0 - delta) * sums[-1])) + 1

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


def effective_rank(activations: ArrayLike, delta: float = DELTA) -> int:
    """Return the effective rank of a layer's activations (Kumar et al. 2021, srank).

    It is the least k for which the k greatest singular values of the matrix of activations sum up
    to at least 1 - delta of all.

    Args:
        activations: (samples, neurons), not centered.
        delta: from 0 to less than 1.

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
    sums = np.cumsum(np.linalg.svd(values, compute_uv=False))
    return int(np.searchsorted(sums, (1.0 - delta) * sums[-1])) + 1

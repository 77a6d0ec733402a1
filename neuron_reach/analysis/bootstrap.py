# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The bootstrap over networks, for values of single networks and of pairs of them.

Pairs that share a network are not independent, so networks are drawn again and not pairs; a pair
counts as often as both its networks were drawn. Resampling few networks understates their spread:
deviations from the mean are widened by sqrt(n / (n - 1)) and by the ratio of Student's t to the
normal quantile, which makes a 95 % interval right for normal values, however few.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from neuron_reach.common.arrays import Array, Integers

LEVEL = 0.95
"""Share of the resampled means that an interval holds."""


def draw_networks(
    networks: int, generator: np.random.Generator, resamples: int, size: int | None = None
) -> Integers:
    """Return how often each network is drawn, (resamples, networks).

    Args:
        networks: there are to draw from.
        generator: source of randomness.
        resamples: how often to draw.
        size: networks in a resample; as many as there are if None.
    """
    shares = np.full(networks, 1.0 / networks)
    return generator.multinomial(size or networks, shares, size=resamples)


def resampled_means(values: Array, sources: Integers, targets: Integers | None = None) -> Array:
    """Return the mean of each resample, widened, (resamples,); NaN where no pair was drawn.

    Args:
        values: one a network, (networks,), or one a pair, (sources, targets), NaN where there is
            no pair.
        sources: draws of the networks or sources, as of `draw_networks`.
        targets: draws of the targets; the same array where they are the same networks.
    """
    by_pair = values[:, None] if values.ndim == 1 else values
    there = np.isfinite(by_pair)
    filled = np.where(there, by_pair, 0.0)
    targets = np.ones((1, 1), np.int64) if targets is None else targets
    total = ((sources @ filled) * targets).sum(axis=1)
    count = ((sources @ there) * targets).sum(axis=1)
    means = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    centre = filled.sum() / there.sum()
    widened: Array = centre + (means - centre) * _widening(min(values.shape))
    return widened


@functools.cache
def _widening(networks: int) -> float:
    if networks < 2:
        return 1.0
    from scipy.stats import norm, t

    tail = (1 + LEVEL) / 2
    ratio = t.ppf(tail, networks - 1) / norm.ppf(tail)
    return float(ratio * math.sqrt(networks / (networks - 1)))


def bounds(means: Array) -> tuple[float, float]:
    """Return the interval that holds 95 % of resampled means; NaN if there are none."""
    known = means[np.isfinite(means)]
    if not known.size:
        return float('nan'), float('nan')
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)

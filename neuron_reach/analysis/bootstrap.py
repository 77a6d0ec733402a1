# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The bootstrap over networks, for values of single networks and of pairs of networks.

Pairs that share a network are not independent. Networks are therefore resampled, not pairs: the
weight of a pair is the product of the numbers of times its two networks were drawn. Resampling few
networks underestimates their spread. Deviations from the mean are therefore multiplied by
sqrt(n / (n - 1)) and by the ratio of Student's t to the normal quantile, which makes a 95 %
interval correct for normally distributed values, also for small n.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from neuron_reach.common.arrays import Array, Integers

LEVEL = 0.95
"""Share of the resampled means within an interval."""


def draw_networks(
    networks: int, generator: np.random.Generator, resamples: int, size: int | None = None
) -> Integers:
    """Return how often each network is drawn, (resamples, networks).

    Args:
        networks: number of networks to draw from.
        generator: source of randomness.
        resamples: number of resamples.
        size: networks in a resample; None: `networks`.
    """
    shares = np.full(networks, 1.0 / networks)
    return generator.multinomial(size or networks, shares, size=resamples)


def resampled_means(values: Array, sources: Integers, targets: Integers | None = None) -> Array:
    """Return the mean of each resample, widened, (resamples,); NaN where no pair was drawn.

    Args:
        values: one per network, (networks,), or one per pair, (sources, targets), NaN where there
            is no pair.
        sources: draws of the networks or sources, from `draw_networks`.
        targets: draws of the targets; the same array if sources and targets are the same networks.
    """
    by_pair = values[:, None] if values.ndim == 1 else values
    known = np.isfinite(by_pair)
    filled = np.where(known, by_pair, 0.0)
    targets = np.ones((1, 1), np.int64) if targets is None else targets
    total = ((sources @ filled) * targets).sum(axis=1)
    count = ((sources @ known) * targets).sum(axis=1)
    means = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    center = filled.sum() / known.sum()
    widened: Array = center + (means - center) * _widening(min(values.shape))
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
    """Return the central interval with 95 % of the resampled means; NaN if there are none."""
    known = means[np.isfinite(means)]
    if not known.size:
        return float('nan'), float('nan')
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)

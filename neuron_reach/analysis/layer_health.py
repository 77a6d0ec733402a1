# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Dead and dormant neurons and effective rank of layers, while a network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.analysis.activity import DORMANT
from neuron_reach.analysis.effective_rank import effective_rank


class LayerHealth(NamedTuple):
    """How much of a layer is in use.

    Attributes:
        dead: share of the neurons that are constant over all samples, as a ReLU neuron that is
            never active.
        dormant: share of the neurons whose mean absolute activation is at most tau times the mean
            of those of the layer (Sokar et al. 2023).
        effective_rank: see `effective_rank`.
    """

    dead: float
    dormant: float
    effective_rank: int


def layer_health(
    activations: Mapping[str, ArrayLike], tau: float = DORMANT
) -> dict[str, LayerHealth]:
    """Return how much of each layer is in use.

    Args:
        activations: by name of a hidden layer, (samples, neurons), such as those that
            `Policy.activations` returns.
        tau: limit of dormant neurons, at least 0.

    Raises:
        ValueError: no matrix of at least one sample and neuron, or a negative tau.
    """
    if not tau >= 0.0:
        raise ValueError(f'tau must be at least 0, not {tau:g}')
    healths = {}
    for name, given in activations.items():
        values = np.asarray(given)
        if values.ndim != 2 or not values.size:
            raise ValueError(f'{name} must be (samples, neurons), not {values.shape}')
        magnitudes = np.abs(values).mean(axis=0, dtype=np.float64)
        healths[name] = LayerHealth(
            dead=float((values == values[0]).all(axis=0).mean()),
            dormant=float((magnitudes <= tau * magnitudes.mean()).mean()),
            effective_rank=effective_rank(values),
        )
    return healths

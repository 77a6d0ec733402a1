# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Statistics of observations that learning libraries save beside their networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from neuron_reach.common.arrays import AnyArray, Array
from neuron_reach.networks.functions import Affine, Function, Step
from neuron_reach.policies.parts import words


@dataclasses.dataclass(frozen=True)
class Normalizer:
    """How a library saves and uses statistics of observations.

    Attributes:
        mean: end of the name of the mean.
        spread: end of the name of the variance or the standard deviation.
        divisor: what centered observations are divided by, from the spread.
        bound: of normalized observations; None: unbounded.
    """

    mean: str
    spread: str
    divisor: Callable[[Array], Array]
    bound: float | None = None


NORMALIZERS = (
    # rl_games, RunningMeanStd
    Normalizer('running_mean', 'running_var', lambda variance: np.sqrt(variance + 1e-5), 5.0),
    # skrl, RunningStandardScaler
    Normalizer('running_mean', 'running_variance', lambda variance: np.sqrt(variance) + 1e-8, 5.0),
    # rsl_rl, EmpiricalNormalization
    Normalizer('_mean', '_std', lambda deviation: deviation + 1e-2),
    # Gymnasium, NormalizeObservation
    Normalizer('obs_rms.mean', 'obs_rms.var', lambda variance: np.sqrt(variance + 1e-8)),
)
"""Of the libraries, with their default parameters."""


_CRITIC = {'critic', 'privileged', 'value'}
"""Words in the names of statistics of what critics observe or estimate."""


def normalizer_for(
    tensors: Mapping[str, AnyArray], role: str | None, inputs: int
) -> tuple[Step, ...]:
    """Return the steps that normalize the inputs of a network; none if there are no statistics.

    Args:
        tensors: all of a file, by name.
        role: of the network, see `parts.role`.
        inputs: of the network.
    """
    for name, values in tensors.items():
        for known in NORMALIZERS:
            place = name.removesuffix(known.mean)
            spread = tensors.get(f'{place}{known.spread}')
            if place == name or spread is None or not values.size == spread.size == inputs:
                continue
            if place and place[-1] != '.':
                continue
            if f'{place}num_batches_tracked' in tensors or f'{place}weight' in tensors:
                continue  # batch normalization
            about = set(words(place))
            if 'target' in about or (about & _CRITIC and role != 'value'):
                continue
            scale = 1.0 / known.divisor(np.asarray(spread, float).ravel())
            affine = Affine(np.asarray(values, float).ravel(), scale)
            if known.bound is None:
                return (affine,)
            return affine, Function.of('clip', low=-known.bound, high=known.bound)
    return ()

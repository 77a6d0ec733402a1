# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Options of clustering, pruning and the pruning procedure; imports nothing slow."""

from __future__ import annotations

import dataclasses

from neuron_reach.common.options import option

SAMPLE_EPISODES = 300
"""Sample episodes to play or record if the user gives no number."""

LAMBDA = 50.0
"""Strength of the lasso term in linear projections; the value of the paper."""

LINKAGES = ('within', 'average')
"""average: mean distance between the two clusters; within: inside their union."""


@dataclasses.dataclass(frozen=True)
class PruningOptions:
    """How neurons are clustered and merged.

    Where the paper leaves a choice, the defaults are the reading that comes nearest to the sizes it
    publishes (docs/reproduce.md).
    """

    tau: float = option(
        0.2, 'share of the largest distance up to which neurons merge', low=0.0, high=1.0
    )
    linkage: str = option(
        'average', 'how clusters grow: mean distance between them, or within', choices=LINKAGES
    )
    threshold: str = option(
        'neurons',
        'tau is a share of the largest distance of: clusters of the layer, or of the network, or '
        'two neurons of the layer',
        choices=('layer', 'network', 'neurons'),
    )
    merge: str = option(
        'weighted',
        "mean over a cluster's members: weighted by their scaling factors, or uniform",
        choices=('weighted', 'uniform'),
    )


@dataclasses.dataclass(frozen=True)
class ReductionOptions:
    """How often a network is pruned and trained on, and how that is measured."""

    steps: int = option(3, 'reduction steps: prune, then train on', low=1, high=100)
    samples: int = option(
        10, 'samples of episodes over which the initial accuracy is averaged', low=1, high=10_000
    )


TRANSFORMS = ('naive', 'balanced', 'duplicate')
"""Input transforms that have a name."""

BASELINES = REFLEXIVE, RANDOM, RANDOM_BOTH, PERMUTED = (
    'reflexive',
    'random',
    'random-both',
    'permuted',
)
"""Mappings of each target onto itself; of a random network onto it; of one onto another, on the
inputs of the target; and of the source on the same inputs in another order."""


@dataclasses.dataclass(frozen=True)
class MapOptions:
    """How networks are mapped."""

    transforms: tuple[str, ...] = option(
        ('balanced',),
        f'how angles are carried over: {", ".join(TRANSFORMS)}, or a YAML file',
        path=True,
        flag='transform',
    )
    lams: tuple[float, ...] = option(
        (LAMBDA,), 'strengths of the lasso term', low=0.0, flag='lambda', key='regularisations'
    )
    greedy: bool = option(False, 'compute greedy projections as well')
    baselines: tuple[str, ...] = option(
        (), 'compare with these baselines', choices=BASELINES, item=str, flag='baseline'
    )
    random_hidden: tuple[int, ...] | None = option(
        None,
        'hidden layer sizes of random networks, by default those of the networks they replace',
        low=1,
        item=int,
    )
    inputs: bool = option(False, 'use input neurons of the source as well')
    tolerance: float = option(
        0.0,
        'observations that differ by at most this in each component count as duplicates',
        low=0.0,
    )
    episodes: int = option(
        SAMPLE_EPISODES, 'sample episodes, and as many fresh ones for validation', low=1
    )
    seed: int = option(0, 'of fresh goals, random networks and resampling', low=0)

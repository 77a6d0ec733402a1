# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Options of clustering, pruning, prune-train and mapping. Imports no slow libraries."""

from __future__ import annotations

import dataclasses

from neuron_reach.common.options import option

SAMPLE_EPISODES = 300
"""Default number of sample episodes to play or record."""

LAMBDA = 50.0
"""Strength of the lasso term in linear projections; the value of the paper."""

LINKAGES = ('within', 'average')
"""average: mean distance between two clusters; within: mean distance within their union."""


@dataclasses.dataclass(frozen=True)
class PruningOptions:
    """How neurons are clustered and merged.

    Where the paper is ambiguous, the defaults are the interpretation whose network sizes are
    closest to the published ones (docs/reproduce.md).
    """

    tau: float = option(
        0.2,
        'merge threshold: neurons merge up to this share of the largest distance',
        low=0.0,
        high=1.0,
    )
    linkage: str = option(
        'average',
        'clusters merge by the mean distance between them, or within their union',
        choices=LINKAGES,
    )
    threshold: str = option(
        'neurons',
        'the largest distance is that of clusters of the layer, of clusters of the network, or of '
        'two neurons of the layer',
        choices=('layer', 'network', 'neurons'),
    )
    merge: str = option(
        'weighted',
        'mean over the neurons of a cluster: weighted by their scaling factors, or uniform',
        choices=('weighted', 'uniform'),
    )


@dataclasses.dataclass(frozen=True)
class ReductionOptions:
    """How often a network is pruned and retrained, and how its accuracy is measured."""

    steps: int = option(3, 'reduction steps, each of pruning and retraining', low=1, high=100)
    samples: int = option(
        10,
        'sets of sample episodes over which the initial accuracy is averaged',
        low=1,
        high=10_000,
    )


@dataclasses.dataclass(frozen=True)
class EnvOptions:
    """How a policy of other origin is tested and retrained in a Gymnasium environment."""

    env: str = option(
        '',
        'Gymnasium environment in which to train a policy of stable-baselines3 on, such as '
        'LunarLander-v3 or my_module:MyEnv-v0',
    )
    until: str = option(
        '', "what a successful episode is: its least return, or success for info['is_success']"
    )
    accuracy: float = option(
        0.9,
        'success rate that the test has to show to be exceeded (one-sided, 5 %)',
        low=0.0,
        high=0.9999,
    )
    test_episodes: int = option(300, 'episodes of each test', low=1, high=1_000_000)
    test_every: int = option(
        10_000, 'environment steps of training between two tests', low=1, high=1_000_000_000
    )
    budget: int = option(
        500_000, 'environment steps after which a step is given up', low=1, high=10**12
    )
    envs: int = option(
        0, 'environments side by side in training; 0: as the policy was trained', low=0, high=1024
    )
    seed: int = option(0, 'seed of episodes and of training', low=0)


TRANSFORMS = ('naive', 'balanced', 'duplicate')
"""Named input transforms."""

BASELINES = REFLEXIVE, RANDOM, RANDOM_BOTH, PERMUTED = (
    'reflexive',
    'random',
    'random-both',
    'permuted',
)
"""Baseline mappings, in this order: each target onto itself; a random network onto the target; a
random network onto another one, on the inputs of the target; the source on the same inputs in
random order onto the target."""


@dataclasses.dataclass(frozen=True)
class MapOptions:
    """How networks are mapped."""

    transforms: tuple[str, ...] = option(
        ('balanced',),
        f'input transforms between arms: {", ".join(TRANSFORMS)}, or a YAML file',
        path=True,
        flag='transform',
    )
    lams: tuple[float, ...] = option(
        (LAMBDA,), 'strengths of the lasso term', low=0.0, flag='lambda', key='regularisations'
    )
    greedy: bool = option(False, 'compute greedy projections as well')
    baselines: tuple[str, ...] = option(
        (), 'baseline mappings to compare with', choices=BASELINES, item=str, flag='baseline'
    )
    random_hidden: tuple[int, ...] | None = option(
        None,
        'sizes of the hidden layers of random networks, by default those of the replaced networks',
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
        SAMPLE_EPISODES, 'sample episodes, and as many new episodes for validation', low=1
    )
    seed: int = option(0, 'seed of validation goals, random networks and resampling', low=0)

"""Options of clustering, pruning and the pruning procedure; imports nothing slow."""

from __future__ import annotations

import dataclasses

from neuron_reach.common.options import option

SAMPLE_EPISODES = 300
"""Sample episodes to play or record if the user gives no number."""

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

"""Opening policies, whatever they are saved as."""

from __future__ import annotations

from pathlib import Path

from neuron_reach.policies.policy import Policy
from neuron_reach.policies.reaching import ReachingPolicy
from neuron_reach.records.networks import load_network


def load(path: str | Path) -> Policy:
    """Return the policy at a path.

    Args:
        path: a run folder, a checkpoint, results of `prune` or of a finished `prune-train`, or a
            bag whose checkpoint is still there.

    Raises:
        UserError: there is no policy, or it is damaged.
    """
    return ReachingPolicy(load_network(Path(path)))

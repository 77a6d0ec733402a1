# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The public functions: thin layers above `records`, `analysis` and `policies`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.analysis.activity import analyze as analyze_record
from neuron_reach.analysis.activity import choose_layers
from neuron_reach.analysis.distances import neuron_distances
from neuron_reach.analysis.mapping import error_interval, halves, input_samples, map_records
from neuron_reach.analysis.options import LAMBDA, SAMPLE_EPISODES, PruningOptions
from neuron_reach.analysis.transforms import input_matrix, input_transform
from neuron_reach.api.results import ActivityResult, MapResult, PruneResult
from neuron_reach.common.arrays import Array
from neuron_reach.common.lookup import find_bag
from neuron_reach.common.options import fill
from neuron_reach.common.random_streams import map_fresh_goals
from neuron_reach.errors import UserError
from neuron_reach.policies.policy import Policy
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import read_records


def read_bag(
    path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    layers: Sequence[str] | None = None,
    episodes: range | None = None,
    namespace: str | None = None,
) -> ActivityRecord:
    """Read the recorded activity of one network.

    Args:
        path: a bag or a folder that holds one, or several of the same network, whose episodes are
            concatenated.
        layers: names of layers that follow each other; by default all.
        episodes: which episodes of each bag, counted from its first; by default all.
        namespace: of the topics, needed only where a bag holds several robots.

    Raises:
        UserError: no bag, nothing usable in it, or recordings of different networks.
    """
    paths = [path] if isinstance(path, (str, os.PathLike)) else path
    bags = [find_bag(Path(each)) for each in paths]
    return read_records(bags, layers=layers, episodes=episodes, namespace=namespace)


def distances(record: ActivityRecord, other: ActivityRecord | None = None) -> Array:
    """Return the distances of all pairs of neurons (equation 2 of the paper).

    Args:
        record: of any layers; `record.select(['hidden_1'])` for those of one layer.
        other: of another network on the same inputs; by default the same record.

    Returns:
        (neurons, neurons of the other).

    Raises:
        ValueError: no episodes, or the two records are not of the same episodes.
    """
    return neuron_distances(record, other)


def analyze(
    record: ActivityRecord,
    *,
    tau: float = PruningOptions.tau,
    linkage: str = PruningOptions.linkage,
    threshold: str = PruningOptions.threshold,
    layers: Sequence[str] = (),
) -> ActivityResult:
    """Compute distances, clusters, dead and dormant neurons.

    Args:
        record: of any network.
        tau: share of the largest distance up to which neurons are in one cluster.
        linkage: `average` or `within`, see `PruningOptions`.
        threshold: what the largest distance is of: `neurons`, `layer` or `network`.
        layers: names of layers that follow each other; by default all hidden ones.

    Raises:
        UserError: an option out of range, or no such layers.
        ValueError: a record without steps.
    """
    options = _options(tau=tau, linkage=linkage, threshold=threshold)
    part = record.select(choose_layers(record, layers, everything=False))
    return ActivityResult(**vars(analyze_record(part, options)))


def prune(
    policy: Policy,
    record: ActivityRecord,
    *,
    tau: float = PruningOptions.tau,
    linkage: str = PruningOptions.linkage,
    threshold: str = PruningOptions.threshold,
    merge: str = PruningOptions.merge,
) -> PruneResult:
    """Merge the hidden neurons of a policy that do the same.

    Layers of ReLU or other positively homogeneous functions are merged by scaling factors
    (equation 4 of the paper); in all others, one neuron of each cluster is kept, and the others are
    predicted from it by least squares.

    Args:
        policy: is left as it is.
        record: of this policy, with all hidden layers.
        tau: share of the largest distance up to which neurons merge.
        linkage: see `analyze`.
        threshold: see `analyze`.
        merge: mean over the members of a cluster, `weighted` or `uniform`.

    Raises:
        UserError: an option out of range, or a record of another network.
        ValueError: a record of a network of another shape.
    """
    options = _options(tau=tau, linkage=linkage, threshold=threshold, merge=merge)
    smaller, found = policy.pruned(record, options)
    maxima, dead = record.maxima(), record.dead_neurons()
    return PruneResult(
        trees=found.trees,
        thresholds=found.thresholds,
        clusters=found.clusters,
        policy=smaller,
        methods=found.methods,
        maxima={name: maxima[record.columns(name)] for name in record.hidden},
        dead_neurons={name: dead[record.columns(name)] for name in record.hidden},
    )


def map(
    *,
    source: Policy,
    target: Policy,
    lam: float = LAMBDA,
    greedy: bool = False,
    transform: str | ArrayLike | Mapping[str, Any] = 'balanced',
    record: ActivityRecord | None = None,
    validation: ActivityRecord | None = None,
    episodes: int = SAMPLE_EPISODES,
    seed: int = 0,
) -> MapResult:
    """Predict the neurons of a target from those of a source on the same inputs.

    Args:
        source: is run on the inputs of the target.
        target: whose neurons are predicted.
        lam: lambda of the linear projection (equation 5 of the paper).
        greedy: make a greedy projection instead.
        transform: of the inputs, where they differ: a matrix of (inputs of the source, inputs of
            the target), or the names of all inputs, `{'source': [...], 'target': [...]}`, of which
            those of the same name are equal and the others stay at zero. Between arms with
            different numbers of joints a name or a matrix of joints, see `input_transform`.
        record: sample episodes of the target, with all layers; by default they are played, if the
            target is of the reaching task.
        validation: fresh episodes of the target, on which the error is measured; by default they
            are played, or, if the target is not of the reaching task, the second half of `record`.
        episodes: how many to play.
        seed: of the goals of fresh episodes.

    Raises:
        UserError: no such transform, a lambda below 0, or no record of a target that cannot be
            played here.
        ValueError: a record of another shape, or networks whose inputs do not fit.
    """
    matrix = _input_matrix(source, target, transform)
    samples, fresh = _episodes(target, record, validation, episodes, seed)
    ran, ran_fresh = (source.run(given, matrix) for given in (samples, fresh))
    mapping = map_records(
        source=ran,
        target=samples,
        source_validation=ran_fresh,
        target_validation=fresh,
        samples=input_samples(samples),
        lams=[] if greedy else [lam],
        greedy=greedy,
    )[0]
    interval = error_interval(mapping.projection, source=ran_fresh, target=fresh)
    return MapResult(**vars(mapping), interval=interval)


def _episodes(
    target: Policy,
    record: ActivityRecord | None,
    validation: ActivityRecord | None,
    episodes: int,
    seed: int,
) -> tuple[ActivityRecord, ActivityRecord]:
    """Return the target's sample episodes and fresh ones, see `map`."""
    if record is None:
        if target.joints is None:
            raise UserError("record is missing: episodes of the target, as target.record('ENV_ID')")
        record = target.record(episodes=episodes)
    if validation is None and target.joints is None:
        record, validation = halves(record)
    elif validation is None:
        validation = target.record(episodes=episodes, seed=map_fresh_goals(seed, target.seed))
    for given in (record, validation):
        if given.layers != target.layers or given.sizes != target.sizes:
            raise ValueError(
                f'{given!r} does not fit a target with layers {target.layers} of {target.sizes}'
            )
    return record, validation


def _options(**values: str | float) -> PruningOptions:
    """Return the options after checking their ranges."""
    return fill(PruningOptions, values, 'options')


def _input_matrix(
    source: Policy, target: Policy, transform: str | ArrayLike | Mapping[str, Any]
) -> ArrayLike | None:
    """Return the transform of the target's inputs to the source's; None if they are the same."""
    inputs = (source.sizes[0], target.sizes[0])
    if isinstance(transform, Mapping):
        return input_matrix(transform, 'transform', source=inputs[0], target=inputs[1])
    arms = source.joints is not None and target.joints is not None
    if not isinstance(transform, str):
        if not arms and np.shape(transform) != inputs:
            raise ValueError(
                f'a transform of shape {np.shape(transform)} does not fit a source with '
                f'{inputs[0]} inputs and a target with {inputs[1]}, which needs {inputs}'
            )
        return transform
    if source.joints is not None and target.joints is not None:
        return input_transform(transform, source=source.joints, target=target.joints)
    if inputs[0] == inputs[1]:
        return None
    raise ValueError(
        f'a source with {inputs[0]} inputs does not fit a target with {inputs[1]}; give a transform'
    )

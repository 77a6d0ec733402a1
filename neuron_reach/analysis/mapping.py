# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Mapping one network onto another: from records and networks to projections and their metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.analysis.bootstrap import bounds, draw_networks
from neuron_reach.analysis.metrics import (
    coverage,
    layer_projection,
    projection_error,
    saturation,
    target_errors,
)
from neuron_reach.analysis.options import LAMBDA
from neuron_reach.analysis.projection import (
    Projection,
    greedy_projection,
    kkt_residual,
    normal_equations,
    solve_projection,
)
from neuron_reach.analysis.samples import network_activations, unique_samples
from neuron_reach.analysis.transforms import transform_observations
from neuron_reach.common.arrays import Array, Flags, Integers, Single
from neuron_reach.common.random_streams import resampling_stream
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.records.record import ActivityRecord

RESAMPLES = 5000


@dataclasses.dataclass(frozen=True, eq=False)
class Mapping:
    """A projection from a source to a target network, with its metrics.

    Attributes:
        method: `greedy` or `linear`.
        projection: maps the neurons of `source_layers` to those of `target_layers`.
        source_layers: names and sizes of the mapped layers of the source.
        target_layers: likewise of the target.
        error: E(P, X_V) on the validation episodes (equation 6).
        sample_error: E(P, X) on the samples that the projection was fitted to; NaN if not
            requested.
        layer_errors: numerator and denominator of the error of each target layer, (target
            layers, 2).
        saturation: S(P) (equation 7).
        coverage: C(P) (equation 8).
        layers: share of each source layer in each target layer (equation 9), (source layers,
            target layers).
        samples: number N of samples without duplicates.
        residual: largest Karush-Kuhn-Tucker residual of a target (see `kkt_residual`); None for
            greedy.
    """

    method: str
    projection: Projection
    source_layers: dict[str, int]
    target_layers: dict[str, int]
    error: float
    sample_error: float
    layer_errors: Array
    saturation: float
    coverage: float
    layers: Array
    samples: int
    residual: float | None

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}({self.method}, error {self.error:.3f}, '
            f'saturation {self.saturation:.3f}, coverage {self.coverage:.3f})'
        )


def run_network(
    network: QNetwork, record: ActivityRecord, transform: ArrayLike | None = None
) -> ActivityRecord:
    """Run a network on the inputs of a record.

    Args:
        network: a stack of one member.
        record: sample episodes of any network, including the input layer.
        transform: a matrix, see `transform_observations`, if its inputs are others.

    Returns:
        The same episodes with the activations of this network, zero after the end of an episode.
    """
    return rerun(record, network.sizes, partial(network_activations, network), transform)


def rerun(
    record: ActivityRecord,
    sizes: Sequence[int],
    compute: Callable[[Single], Single],
    transform: ArrayLike | None = None,
) -> ActivityRecord:
    """Compute the activations of another network on the inputs of a record.

    Args:
        record: sample episodes of any network, with their inputs.
        sizes: neurons of every layer of the other network.
        compute: returns its activations, (..., neurons of all layers), for (..., inputs).
        transform: see `run_network`.

    Returns:
        The same episodes with the activations of this network, zero after an episode's end.
    """
    observations = record.layer('input')
    if transform is not None:
        observations = transform_observations(observations, transform)
    activations = compute(observations)
    activations[np.arange(activations.shape[1]) >= record.lengths[:, None]] = 0.0
    hidden = (f'hidden_{number}' for number in range(1, len(sizes) - 1))
    return dataclasses.replace(
        record,
        activations=activations,
        layers=('input', *hidden, 'output'),
        sizes=tuple(sizes),
        network={},
    )


def halves(record: ActivityRecord) -> tuple[ActivityRecord, ActivityRecord]:
    """Return the first half of the episodes, and the others; of a single one, halves of its steps.

    Raises:
        ValueError: there is only one step, or none.
    """
    if record.episodes > 1:
        middle = record.episodes // 2
        return record.part(slice(middle)), record.part(slice(middle, None))
    steps = int(record.lengths.sum())
    if steps < 2:
        raise ValueError('a record of fewer than two steps cannot be halved')
    parts = (slice(steps // 2), slice(steps // 2, steps))
    first, second = (
        dataclasses.replace(
            record,
            activations=record.activations[:, part],
            lengths=np.array([part.stop - (part.start or 0)]),
        )
        for part in parts
    )
    return first, second


def permute_steps(record: ActivityRecord, generator: np.random.Generator) -> ActivityRecord:
    """Return the record with all its steps in random order, unrelated to the original inputs.

    The joint distribution of the activations of all neurons is kept. The accuracy that a
    projection still reaches follows from this distribution alone.
    """
    activations = record.activations.copy()
    steps = step_mask(record)
    activations[steps] = generator.permutation(activations[steps])
    return dataclasses.replace(record, activations=activations)


def step_mask(record: ActivityRecord) -> Flags:
    """Return which steps lie before the end of their episode, (episodes, steps)."""
    mask: Flags = np.arange(record.activations.shape[1]) < np.asarray(record.lengths)[:, None]
    return mask


def input_samples(record: ActivityRecord, tolerance: float = 0.0) -> Integers:
    """Return the indices of the input set X: the steps of a record without duplicate observations.

    Args:
        record: sample episodes of the target network.
        tolerance: see `unique_samples`.

    Returns:
        Indices into the steps of all episodes, concatenated to (episodes * steps,), ascending.
    """
    steps = np.flatnonzero(step_mask(record))
    observations = record.layer('input').reshape(-1, record.sizes[0])[steps]
    return steps[unique_samples(observations, tolerance)]


def map_records(
    *,
    source: ActivityRecord,
    target: ActivityRecord,
    source_validation: ActivityRecord,
    target_validation: ActivityRecord,
    samples: Integers,
    lams: Sequence[float] = (LAMBDA,),
    greedy: bool = False,
    inputs: bool = False,
    sample_error: bool = True,
    threads: int | None = None,
) -> list[Mapping]:
    """Map a source network onto a target network.

    Args:
        source: the source network on the inputs of the target (see `run_network`).
        target: the target network in its own sample episodes.
        source_validation: the source network on the inputs of `target_validation`.
        target_validation: the target network in new episodes, X_V.
        samples: indices of the steps in X (see `input_samples`).
        lams: lambda of each linear projection.
        greedy: compute a greedy projection as well.
        inputs: map input neurons as well as hidden and output neurons.
        sample_error: compute the error on the samples as well.
        threads: number of threads of the solver; None: one per core.

    Returns:
        The greedy mapping, if requested, then the linear ones in the order of `lams`.
    """
    layers = [record.layers[0 if inputs else 1 :] for record in (source, target)]
    sizes = [record.sizes[0 if inputs else 1 :] for record in (source, target)]

    def activations(source: ActivityRecord, target: ActivityRecord) -> dict[str, Single]:
        """Return the mapped neurons, (steps of all episodes, neurons), as views."""
        flat = [record.activations.reshape(-1, record.neurons) for record in (source, target)]
        return {'source': flat[0][:, -sum(sizes[0]) :], 'target': flat[1][:, -sum(sizes[1]) :]}

    on_samples = activations(source, target)
    fresh = activations(source_validation, target_validation)
    fresh_steps = np.flatnonzero(step_mask(target_validation))
    equations = normal_equations(**on_samples, samples=samples)
    projections = []
    if lams:
        projections = solve_projection(equations, list(lams), threads=threads)
    if greedy:
        parts = {'source': source.select(layers[0]), 'target': target.select(layers[1])}
        projections.insert(0, greedy_projection(**parts))

    def mapping(projection: Projection) -> Mapping:
        is_greedy = projection.lam is None
        residual = None if is_greedy else kkt_residual(equations, projection).max(initial=0.0)
        errors = np.stack(target_errors(projection, **fresh, samples=fresh_steps), axis=-1)
        layer_errors = np.zeros((len(sizes[1]), 2))
        layer_of_target = np.repeat(np.arange(len(sizes[1])), sizes[1])
        np.add.at(layer_errors, layer_of_target[projection.targets], errors)
        missed, total = errors.sum(axis=0)
        error_on_samples = float('nan')
        if sample_error:
            error_on_samples = projection_error(projection, **on_samples, samples=samples)
        return Mapping(
            method='greedy' if is_greedy else 'linear',
            projection=projection,
            source_layers=dict(zip(layers[0], sizes[0], strict=True)),
            target_layers=dict(zip(layers[1], sizes[1], strict=True)),
            error=float(missed / total) if total else float('nan'),
            sample_error=error_on_samples,
            layer_errors=layer_errors,
            saturation=saturation(projection),
            coverage=coverage(projection),
            layers=layer_projection(projection, source_layers=sizes[0], target_layers=sizes[1]),
            samples=len(samples),
            residual=None if residual is None else float(residual),
        )

    return [mapping(projection) for projection in projections]


def error_interval(
    projection: Projection,
    *,
    source: ActivityRecord,
    target: ActivityRecord,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the error E(P, X_V) over episodes.

    It measures how much the error depends on the episodes, not on the networks.

    Args:
        projection: see `map_records`.
        source: the source network in the validation episodes.
        target: the target network in the validation episodes.
        resamples: how often the episodes are resampled.

    Returns:
        Lower and upper bound; NaN if all targets are zero in all episodes.
    """
    first_source = source.neurons - projection.source_scale.size
    first_target = target.neurons - projection.target_scale.size
    sums = np.zeros((target.episodes, 2))  # numerator and denominator of equation 6
    for episode, length in enumerate(target.lengths):
        if length:
            errors = target_errors(
                projection,
                source=source.activations[episode, :length, first_source:],
                target=target.activations[episode, :length, first_target:],
            )
            sums[episode] = [error.sum() for error in errors]
    drawn = draw_networks(target.episodes, resampling_stream(), resamples) @ sums
    known = drawn[:, 1] > 0.0
    return bounds(drawn[known, 0] / drawn[known, 1])

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Error, saturation and coverage of projections, and their shares by layer (equations 6 to 9)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.analysis.bootstrap import bounds, draw_networks, resampled_means
from neuron_reach.analysis.intervals import Interval
from neuron_reach.analysis.projection import Projection, sample_chunks
from neuron_reach.common.arrays import Array, Integers


def as_projection(projection: Projection | ArrayLike) -> Projection:
    """Return a plain matrix P >= 0, (K, M), as a projection without dead neurons.

    Raises:
        ValueError: it is not such a matrix.
    """
    if isinstance(projection, Projection):
        return projection
    matrix = np.asarray(projection, np.float64)
    if matrix.ndim != 2 or not np.isfinite(matrix).all() or (matrix < 0.0).any():
        raise ValueError('a projection must be a matrix (sources, targets) of numbers >= 0')
    sources, targets = matrix.shape
    return Projection(matrix, np.arange(targets), np.ones(sources), np.ones(targets))


def projection_error(
    projection: Projection | ArrayLike,
    *,
    source: ArrayLike,
    target: ArrayLike,
    samples: Integers | None = None,
) -> float:
    """Return E(P, X) = sum_m |a_m - B p_m|_1 / sum_m |a_m|_1 (equation 6); 1 for P = 0.

    Arguments and errors are those of `target_errors`. NaN if all targets are zero on X.
    """
    missed, total = target_errors(projection, source=source, target=target, samples=samples)
    return float(missed.sum() / total.sum()) if total.any() else float('nan')


def target_errors(
    projection: Projection | ArrayLike,
    *,
    source: ArrayLike,
    target: ArrayLike,
    samples: Integers | None = None,
) -> tuple[Array, Array]:
    """Return |a_m - B p_m|_1 and |a_m|_1 of every target m that is not dead, (targets,) each.

    Activations are divided by the scales of the projection, those of the samples it was fitted to,
    also if X is a set of validation samples.

    Args:
        projection: a projection; a plain matrix P is for activations that are already normalized.
        source: activations of the source network on X, (N, K).
        target: activations of the target network on the same X, (N, M).
        samples: indices of the rows in X; None: all rows.

    Raises:
        ValueError: shapes that do not match.
    """
    projection = as_projection(projection)
    source, target = np.asarray(source), np.asarray(target)
    expected = (projection.source_scale.size, projection.target_scale.size)
    shapes = (source.shape, target.shape)
    if tuple(shape[-1:] for shape in shapes) != tuple((neurons,) for neurons in expected):
        raise ValueError(
            f'the projection is for {expected[0]} source and {expected[1]} target neurons, '
            f'not for activations of shape {shapes[0]} and {shapes[1]}'
        )
    scale = projection.target_scale[projection.targets]
    used = np.flatnonzero(projection.matrix.any(axis=1))
    matrix = projection.matrix[used] / projection.source_scale[used, None]
    missed, total = np.zeros((2, len(projection.targets)))
    for source_chunk, target_chunk in sample_chunks(source=source, target=target, samples=samples):
        wanted = target_chunk[:, projection.targets] / scale
        predicted = source_chunk[:, used] @ matrix
        missed += np.abs(wanted - predicted).sum(axis=0)
        total += np.abs(wanted).sum(axis=0)
    return missed, total


def _columns(projection: Projection) -> Array:
    """Return the columns that are not zero, divided by their sums, (K, mapped targets)."""
    sums = projection.matrix.sum(axis=0)
    columns: Array = projection.matrix[:, sums > 0.0] / sums[sums > 0.0]
    return columns


def _entropy(shares: Array, sources: int) -> Array:
    """Return -sum_k p_k log_K p_k over the first axis, with 0 log 0 = 0; 0 where K is 1."""
    if sources < 2:
        return np.zeros(shares.shape[1:])
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0.0)
    entropy: Array = np.clip(-(shares * logarithms).sum(axis=0) / np.log(sources), 0.0, 1.0)
    return entropy


def saturation(projection: Projection | ArrayLike) -> float:
    """Return S(P), the mean entropy of the targets' columns in [0, 1] (equation 7).

    0 means that one source neuron suffices for each target. The base of the logarithms is the
    number of source neurons that are not dead. Columns of zeros are ignored; the result is NaN if
    all columns are zero.
    """
    projection = as_projection(projection)
    columns = _columns(projection)
    if not columns.shape[1]:
        return float('nan')
    return float(_entropy(columns, projection.sources).mean())


def coverage(projection: Projection | ArrayLike) -> float:
    """Return C(P), how evenly the source neurons are used, in [0, 1] (equation 8).

    Logarithms, zero columns and NaN are handled as in `saturation`. The coverage of a single source
    neuron is 1.
    """
    projection = as_projection(projection)
    columns = _columns(projection)
    if not columns.shape[1]:
        return float('nan')
    if projection.sources == 1:
        return 1.0
    return float(_entropy(columns.mean(axis=1), projection.sources))


def layer_projection(
    projection: Projection | ArrayLike,
    *,
    source_layers: Sequence[int],
    target_layers: Sequence[int],
) -> Array:
    """Return P_ij, the share of source layer i in the columns of target layer j (equation 9).

    Columns of zeros are ignored. Each column of the result sums to 1, or is NaN if no neuron of the
    target layer is mapped.

    Args:
        projection: a projection or a matrix.
        source_layers: number of neurons of each source layer, with sum K.
        target_layers: number of neurons of each target layer, with sum M.

    Returns:
        (source layers, target layers).

    Raises:
        ValueError: the layers do not have the same number of neurons as the projection.
    """
    projection = as_projection(projection)
    for name, layers, neurons in (
        ('source', source_layers, projection.source_scale.size),
        ('target', target_layers, projection.target_scale.size),
    ):
        if sum(layers) != neurons:
            raise ValueError(f'the {name} layers hold {sum(layers)} neurons, not {neurons}')
    mapped = projection.matrix.any(axis=0)
    shares = _columns(projection)
    rows = np.repeat(np.arange(len(source_layers)), source_layers)
    by_layer = np.zeros((len(source_layers), shares.shape[1]))
    np.add.at(by_layer, rows, shares)
    layer_of_target = np.repeat(np.arange(len(target_layers)), target_layers)
    layer_of_column = layer_of_target[projection.targets[mapped]]
    result = np.full((len(source_layers), len(target_layers)), np.nan)
    for layer in range(len(target_layers)):
        if (layer_of_column == layer).any():
            result[:, layer] = by_layer[:, layer_of_column == layer].mean(axis=1)
    return result


def bootstrap_pairs(
    values: ArrayLike,
    generator: np.random.Generator,
    *,
    same_networks: bool = False,
    resamples: int = 5000,
) -> Interval:
    """Return the mean over pairs of networks and its 95 % bootstrap interval, see `bootstrap`.

    Args:
        values: one per pair, (sources, targets), NaN where there is no pair; or, for networks
            mapped to themselves, one per network, (networks,).
        generator: source of randomness.
        same_networks: sources and targets are the same networks and are drawn together.
        resamples: number of resamples.

    Returns:
        The mean and its interval; the bounds are NaN if there are fewer than two sources or fewer
        than two targets.
    """
    values = np.asarray(values, np.float64)
    known = values[np.isfinite(values)]
    mean = float(known.mean()) if known.size else float('nan')
    if not known.size or min(values.shape) < 2:
        return Interval(mean, float('nan'), float('nan'))
    sources = draw_networks(len(values), generator, resamples)
    targets = None
    if values.ndim == 2:
        targets = sources
        if not same_networks:
            targets = draw_networks(values.shape[1], generator, resamples)
    return Interval(mean, *bounds(resampled_means(values, sources, targets)))

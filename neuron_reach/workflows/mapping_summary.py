# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The results of mappings: statistics over pairs of networks, tables, figures and arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_reach.analysis.intervals import Interval
from neuron_reach.analysis.mapping import Mapping
from neuron_reach.analysis.metrics import bootstrap_pairs
from neuron_reach.analysis.options import PERMUTED, REFLEXIVE
from neuron_reach.analysis.projection import Projection
from neuron_reach.common.arrays import Array
from neuron_reach.common.names import (
    GROUP_TABLE,
    LAYERS_FIGURE,
    MATRIX,
    METRICS_FIGURE,
    PAIR_TABLE,
    PROJECTION,
)
from neuron_reach.common.random_streams import resampling_stream
from neuron_reach.common.results import replaced_results, to_json, write_csv, write_tensors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuron_reach.figures.mapping import Bars

TRAINED = 'trained'
"""Kind of the mappings that are no baseline."""

METRICS = ('error', 'sample_error', 'saturation', 'coverage')
SHOWN = ('error', 'saturation', 'coverage')
"""Metrics that are printed and drawn."""


@dataclasses.dataclass(frozen=True)
class GroupKey:
    """What the pairs of a group have in common."""

    kind: str
    source_joints: int | None
    target_joints: int | None
    transform: str
    method: str
    lam: float | None = dataclasses.field(metadata={'key': 'regularisation'})


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """One mapping of one pair of networks, in plain numbers.

    The numbers of joints are None if one of the networks is a policy of other origin.
    """

    kind: str
    source: str
    target: str
    source_joints: int | None
    target_joints: int | None
    transform: str
    method: str
    lam: float | None = dataclasses.field(metadata={'key': 'regularisation'})
    error: float
    sample_error: float
    saturation: float
    coverage: float
    samples: int
    live_sources: int
    live_targets: int
    dead_targets: int
    unmapped_targets: int
    kkt_residual: float | None
    source_layers: dict[str, int]
    target_layers: dict[str, int]
    layers: Array

    @classmethod
    def of(cls, mapping: Mapping, **place: Any) -> Pair:
        """Return the numbers of a mapping; `place` has the fields that identify it."""
        projection = mapping.projection
        return cls(
            **place,
            method=mapping.method,
            lam=projection.lam,
            error=mapping.error,
            sample_error=mapping.sample_error,
            saturation=mapping.saturation,
            coverage=mapping.coverage,
            samples=mapping.samples,
            live_sources=projection.sources,
            live_targets=len(projection.targets),
            dead_targets=len(projection.dead_targets),
            unmapped_targets=len(projection.unmapped_targets),
            kkt_residual=mapping.residual,
            source_layers=mapping.source_layers,
            target_layers=mapping.target_layers,
            layers=mapping.layers,
        )

    @property
    def arms(self) -> str:
        """`source-target` by joints, as the paper writes it, and the transform; or `policies`."""
        arms = 'policies'
        if self.source_joints is not None:
            arms = f'{self.source_joints}-{self.target_joints}'
        return arms if self.transform == 'none' else f'{arms} {self.transform}'

    @property
    def label(self) -> str:
        """Name of the method, with lambda."""
        return 'greedy' if self.lam is None else f'lambda = {self.lam:g}'

    @property
    def group(self) -> GroupKey:
        """What the pairs that are averaged have in common."""
        return GroupKey(
            self.kind,
            self.source_joints,
            self.target_joints,
            self.transform,
            self.method,
            self.lam,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Pairs of the same kind, joint counts, transform and method.

    Attributes:
        pairs: all of them.
        metrics: mean and 95 % bootstrap interval over networks, by `METRICS`.
        layers: mean layer-to-layer projection, (source layers, target layers); None where the
            networks have different numbers of layers.
    """

    pairs: list[Pair]
    metrics: dict[str, Interval]
    layers: Array | None


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """The projection of the first pair of a group, to be drawn or saved."""

    pair: Pair
    projection: Projection


@dataclasses.dataclass(frozen=True, eq=False)
class MappingSummary:
    """The results of a mapping, of which `mapping.json` says all but the projections.

    Attributes:
        source: path of the networks that predict.
        target: path of the networks that are predicted.
        notes: defects of the recordings.
        options: of the mapping, by their names in the file.
        versions: see `versions`.
        groups: statistics, and the pairs that they are over.
    """

    source: str
    target: str
    notes: tuple[str, ...]
    options: dict[str, Any]
    versions: dict[str, str | None]
    groups: tuple[Group, ...]

    @property
    def pairs(self) -> list[Pair]:
        """All pairs, group by group."""
        return [pair for group in self.groups for pair in group.pairs]


# --- statistics -----------------------------------------------------------------------------------


def summarize(pairs: Sequence[Pair], same_networks: bool, seed: int) -> list[Group]:
    """Average the pairs of each group, with bootstrap intervals over networks.

    Args:
        pairs: results of `Mapper.run`.
        same_networks: the attribute of `Mapper`.
        seed: of the bootstrap.
    """
    groups: dict[GroupKey, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.group, []).append(pair)
    return [_summarize(members, same_networks, seed) for members in groups.values()]


def _summarize(pairs: list[Pair], same_networks: bool, seed: int) -> Group:
    sources = list(dict.fromkeys(pair.source for pair in pairs))
    targets = list(dict.fromkeys(pair.target for pair in pairs))
    first = pairs[0]
    # Random sources and targets are different networks, even if they replace the same one.
    same = same_networks and first.kind in (TRAINED, PERMUTED)
    metrics = {}
    for metric in METRICS:
        values = np.full((len(sources), len(targets)), np.nan)
        for pair in pairs:
            place = sources.index(pair.source), targets.index(pair.target)
            values[place] = getattr(pair, metric)
        metrics[metric] = bootstrap_pairs(
            np.diagonal(values) if first.kind == REFLEXIVE else values,
            resampling_stream(seed),
            same_networks=same and first.source_joints == first.target_joints,
        )
    layers = None
    if len({pair.layers.shape for pair in pairs}) == 1:
        stacked = np.stack([pair.layers for pair in pairs])
        finite = np.isfinite(stacked)
        count = np.where(finite.any(axis=0), finite.sum(axis=0), np.nan)
        layers = np.where(finite, stacked, 0.0).sum(axis=0) / count
    return Group(pairs, metrics, layers)


# --- writing --------------------------------------------------------------------------------------


def write_mapping(folder: Path, summary: MappingSummary, examples: Sequence[Example]) -> None:
    """Write results as tables, figures and arrays; `mapping.json` comes last.

    Args:
        folder: of the results.
        summary: all of them.
        examples: projections to draw and to save.

    Raises:
        UserError: a file cannot be written.
    """
    from neuron_reach.figures.style import save

    groups = [_group_record(group) for group in summary.groups]
    pairs = [to_json(pair) for pair in summary.pairs]
    bootstrap = '95 %, networks resampled (sources and targets separately)'
    results = {
        **{name: value for name, value in to_json(summary).items() if name != 'groups'},
        'bootstrap': bootstrap,
        'groups': groups,
        'pairs': pairs,
    }
    with replaced_results(folder, 'map', results) as new:
        write_csv(new / PAIR_TABLE, [_flat(pair) for pair in pairs])
        write_csv(new / GROUP_TABLE, [_flat(group) for group in groups])
        for name, figure in _figures(summary.groups, examples).items():
            save(figure, new / name)
        for example in examples:
            projection = example.projection
            arrays = {
                'projection': projection.matrix,
                'rescaled': projection.rescaled(),
                'targets': projection.targets,
                'source_scale': projection.source_scale,
                'target_scale': projection.target_scale,
            }
            names = {'source': example.pair.source, 'target': example.pair.target}
            file = new / (_file_name(PROJECTION, example.pair) + MATRIX)
            write_tensors(file, arrays, names)


def _group_record(group: Group) -> dict[str, Any]:
    """Return a group as plain data: what its pairs have in common, and the statistics."""
    means = {
        name: {'mean': interval.value, 'low': interval.low, 'high': interval.high}
        for name, interval in group.metrics.items()
    }
    return {
        **to_json(group.pairs[0].group),
        'pairs': len(group.pairs),
        **means,
        'layers': to_json(group.layers),
    }


def _figures(groups: Sequence[Group], examples: Sequence[Example]) -> dict[str, Figure]:
    """Return the figures by file name."""
    from neuron_reach.figures.mapping import layer_tables, metric_bars, projection_drawing

    several = len({group.pairs[0].label for group in groups}) > 1
    metrics: Bars[Interval] = {}
    values: Bars[list[float]] = {}
    tables: dict[str, dict[str, Any]] = {}
    for group in groups:
        pair = group.pairs[0]
        place, series = pair.arms, pair.kind + (f', {pair.label}' if several else '')
        for metric in SHOWN:
            members = [getattr(member, metric) for member in group.pairs]
            metrics.setdefault(metric, {}).setdefault(place, {})[series] = group.metrics[metric]
            values.setdefault(metric, {}).setdefault(place, {})[series] = members
        if group.layers is not None:
            table = group.layers, list(pair.source_layers), list(pair.target_layers)
            name = f'{LAYERS_FIGURE}_{pair.kind}_{pair.label}'.replace(' = ', '')
            tables.setdefault(name, {})[f'{place}: {series}'] = table
    figures: dict[str, Figure] = {METRICS_FIGURE: metric_bars(metrics, values)}
    figures |= {name: layer_tables(by_place) for name, by_place in tables.items()}
    for example in examples:
        pair = example.pair
        names = 'source', 'target'
        if pair.source_joints is not None:
            names = f'source, {pair.source_joints} joints', f'target, {pair.target_joints} joints'
        figures[_file_name(PROJECTION, pair)] = projection_drawing(
            example.projection,
            source_layers=pair.source_layers,
            target_layers=pair.target_layers,
            names=names,
        )
    return figures


def _file_name(what: str, pair: Pair) -> str:
    parts = (what, pair.kind, pair.arms.replace(' ', '_'), pair.label.replace(' = ', ''))
    return '_'.join(parts)


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as a line of a table: intervals as three columns, no arrays."""
    line: dict[str, Any] = {}
    for key, value in record.items():
        if key in ('source_layers', 'target_layers'):
            line[key] = ' '.join(map(str, value.values()))
        elif isinstance(value, dict):
            line |= {f'{key}_{part}': number for part, number in value.items()}
        elif key != 'layers':
            line[key] = value
    return line

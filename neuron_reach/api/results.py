# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Results of the public functions: they show, draw and export themselves."""

from __future__ import annotations

import abc
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuron_reach.analysis.activity import Activity, neuron_lines, pairs, spread, summarize_layers
from neuron_reach.analysis.mapping import Mapping as NetworkMapping
from neuron_reach.analysis.merging import Clustering
from neuron_reach.common.arrays import Array, Flags
from neuron_reach.common.results import to_json
from neuron_reach.errors import UserError
from neuron_reach.policies.policy import Policy

if TYPE_CHECKING:
    import pandas as pd

    from neuron_reach.figures.style import Figure


class Result(abc.ABC):
    """What all results can do."""

    @abc.abstractmethod
    def lines(self) -> list[dict[str, Any]]:
        """Return the table of the result, a dict for each line."""

    @abc.abstractmethod
    def summary(self) -> dict[str, Any]:
        """Return the main numbers."""

    @abc.abstractmethod
    def plot(self) -> Figure:
        """Return a figure, which notebooks show."""

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas data frame.

        Raises:
            UserError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise UserError('to_frame needs pandas, which is not installed') from None
        return pd.DataFrame(self.lines())

    def to_json(self) -> str:
        """Return the main numbers as JSON; what is unknown is null."""
        return json.dumps(to_json(self.summary()), indent=1)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ActivityResult(Activity, Result):
    """Distances, clusters, dead and dormant neurons; `to_frame` has a line for each neuron."""

    def lines(self) -> list[dict[str, Any]]:
        """Return a line for each neuron."""
        return neuron_lines(self)

    def summary(self) -> dict[str, Any]:
        """Return the numbers of each layer."""
        everything = spread(pairs(self.distances))
        return {
            'episodes': self.record.episodes,
            'steps': int(self.record.lengths.sum()),
            'options': self.options,
            'all_to_all': {'neurons': self.record.neurons, **everything._asdict()},
            'layers': summarize_layers(self),
        }

    def plot(self) -> Figure:
        """Draw the dendrogram of each hidden layer; without hidden layers, densities."""
        from neuron_reach.figures.activity import dendrogram_figure, density_figure

        layers = self.record.layers
        if not self.clusters:
            by_layer = {name: pairs(self.within(name)) for name in layers}
            return density_figure(pairs(self.distances), by_layer)
        dead = {name: self.dead_neurons[self.record.columns(name)] for name in layers}
        return dendrogram_figure(self.clustering, dead)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PruneResult(Clustering, Result):
    """A pruned policy, and the clusters of the one before; `to_frame` has a line for each neuron.

    Attributes:
        policy: with one hidden neuron for each cluster.
        methods: how the neurons of each hidden layer were merged: by `scaling factors` (equation 4
            of the paper), or by `least squares` (see `least_squares_fold`).
        maxima: Z_n, largest absolute activation of each neuron, (neurons,), by hidden layer.
        dead_neurons: which neurons were never active, (neurons,), by hidden layer.
    """

    policy: Policy
    methods: Mapping[str, str]
    maxima: Mapping[str, Array]
    dead_neurons: Mapping[str, Flags]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of every layer of the pruned policy, input and output included."""
        return self.policy.sizes

    @property
    def dead(self) -> dict[str, int]:
        """How many neurons of each hidden layer were never active."""
        return {name: int(silent.sum()) for name, silent in self.dead_neurons.items()}

    def save(self, path: str | Path) -> Path:
        """Write the policy to a folder that `neuron_reach.load` reads; see `Policy.save`."""
        return self.policy.save(path)

    def lines(self) -> list[dict[str, Any]]:
        """Return a line for each neuron of the policy before."""
        return [
            {
                'layer': layer,
                'neuron': neuron,
                'max': float(self.maxima[layer][neuron]),
                'dead': bool(self.dead_neurons[layer][neuron]),
                'cluster': int(cluster),
            }
            for layer, clusters in self.clusters.items()
            for neuron, cluster in enumerate(clusters)
        ]

    def summary(self) -> dict[str, Any]:
        """Return sizes before and after, thresholds and clusters by hidden layer."""
        return {
            'sizes': self.sizes,
            'hidden_before': [len(labels) for labels in self.clusters.values()],
            'dead': self.dead,
            'methods': self.methods,
            'thresholds': self.thresholds,
            'clusters': self.clusters,
        }

    def plot(self) -> Figure:
        """Draw the dendrogram of each hidden layer with its clusters."""
        from neuron_reach.figures.activity import dendrogram_figure

        return dendrogram_figure(self, self.dead_neurons)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MapResult(NetworkMapping, Result):
    """How well a source predicts a target; `to_frame` has a line for each pair of layers.

    Attributes:
        interval: 95 % bootstrap interval of the error over the validation episodes.
    """

    interval: tuple[float, float]

    def lines(self) -> list[dict[str, Any]]:
        """Return a line for each pair of layers: the entries of `layers`."""
        return [
            {'source_layer': source, 'target_layer': target, 'share': float(share)}
            for source, row in zip(self.source_layers, self.layers, strict=True)
            for target, share in zip(self.target_layers, row, strict=True)
        ]

    def summary(self) -> dict[str, Any]:
        """Return metrics and counts of neurons."""
        projection = self.projection
        return {
            'method': self.method,
            'lambda': projection.lam,
            'error': self.error,
            'interval': self.interval,
            'sample_error': self.sample_error,
            'saturation': self.saturation,
            'coverage': self.coverage,
            'samples': self.samples,
            'live_sources': projection.sources,
            'live_targets': len(projection.targets),
            'dead_targets': len(projection.dead_targets),
            'unmapped_targets': len(projection.unmapped_targets),
            'kkt_residual': self.residual,
            'source_layers': self.source_layers,
            'target_layers': self.target_layers,
            'layers': self.layers,
        }

    def plot(self) -> Figure:
        """Draw the share of each source layer in each target layer."""
        from neuron_reach.figures.mapping import layer_tables

        title = f'{self.method}, error {self.error:.2f}'
        names = list(self.source_layers), list(self.target_layers)
        return layer_tables({title: (self.layers, *names)})

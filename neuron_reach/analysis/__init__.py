# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The methods of the paper: distances of neurons, clusters, pruning, mapping.

All functions take arrays and networks and return results, without files, ROS or plots.
"""

from typing import TYPE_CHECKING

__all__ = [
    'ActivityRecord',
    'Clustering',
    'Interval',
    'Mapping',
    'NormalEquations',
    'Projection',
    'Pruned',
    'PruningOptions',
    'bootstrap_pairs',
    'cluster_layers',
    'cluster_tree',
    'coverage',
    'greedy_projection',
    'input_samples',
    'input_transform',
    'joint_angles',
    'kkt_residual',
    'layer_projection',
    'linear_projection',
    'map_records',
    'merge_layers',
    'merge_neurons',
    'network_activations',
    'neuron_distances',
    'normal_equations',
    'permute_steps',
    'projection_error',
    'prune',
    'prune_each',
    'prune_layers',
    'random_network',
    'run_network',
    'saturation',
    'segment_layer',
    'solve_projection',
    'transform_from_values',
    'transform_observations',
    'unique_samples',
]

if TYPE_CHECKING:
    from neuron_reach.analysis.clusters import cluster_tree, segment_layer
    from neuron_reach.analysis.distances import neuron_distances
    from neuron_reach.analysis.intervals import Interval
    from neuron_reach.analysis.mapping import (
        Mapping,
        input_samples,
        map_records,
        permute_steps,
        run_network,
    )
    from neuron_reach.analysis.merging import (
        Clustering,
        Pruned,
        cluster_layers,
        merge_layers,
        merge_neurons,
        prune,
        prune_each,
        prune_layers,
    )
    from neuron_reach.analysis.metrics import (
        bootstrap_pairs,
        coverage,
        layer_projection,
        projection_error,
        saturation,
    )
    from neuron_reach.analysis.options import PruningOptions
    from neuron_reach.analysis.projection import (
        NormalEquations,
        Projection,
        greedy_projection,
        kkt_residual,
        linear_projection,
        normal_equations,
        solve_projection,
    )
    from neuron_reach.analysis.samples import network_activations, random_network, unique_samples
    from neuron_reach.analysis.transforms import (
        input_transform,
        joint_angles,
        transform_from_values,
        transform_observations,
    )
    from neuron_reach.records.record import ActivityRecord
else:
    from neuron_reach.common.lazy import lazy_names

    __getattr__ = lazy_names(
        __name__,
        {
            'analysis.clusters': 'cluster_tree segment_layer',
            'analysis.distances': 'neuron_distances',
            'analysis.intervals': 'Interval',
            'analysis.mapping': 'Mapping input_samples map_records permute_steps run_network',
            'analysis.metrics': (
                'bootstrap_pairs coverage layer_projection projection_error saturation'
            ),
            'analysis.projection': (
                'NormalEquations Projection greedy_projection kkt_residual linear_projection '
                'normal_equations solve_projection'
            ),
            'analysis.merging': (
                'Clustering Pruned cluster_layers merge_layers merge_neurons prune prune_each '
                'prune_layers'
            ),
            'analysis.options': 'PruningOptions',
            'analysis.samples': 'network_activations random_network unique_samples',
            'analysis.transforms': (
                'input_transform joint_angles transform_from_values transform_observations'
            ),
            'records.record': 'ActivityRecord',
        },
    )

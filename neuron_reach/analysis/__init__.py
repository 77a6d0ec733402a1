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

from neuron_reach.common.lazy import lazy_names

_MODULES = {
    'analysis.clusters': 'cluster_tree segment_layer',
    'analysis.distances': 'neuron_distances',
    'analysis.intervals': 'Interval',
    'analysis.mapping': 'Mapping input_samples map_records permute_steps run_network',
    'analysis.metrics': 'bootstrap_pairs coverage layer_projection projection_error saturation',
    'analysis.projection': (
        'NormalEquations Projection greedy_projection kkt_residual linear_projection '
        'normal_equations solve_projection'
    ),
    'analysis.merging': 'Clustering Pruned cluster_layers merge_neurons prune prune_each',
    'analysis.options': 'PruningOptions',
    'analysis.samples': 'network_activations random_network unique_samples',
    'analysis.transforms': (
        'input_transform joint_angles transform_from_values transform_observations'
    ),
    'records.record': 'ActivityRecord',
}

__all__ = sorted(' '.join(_MODULES.values()).split())
__getattr__ = lazy_names(__name__, _MODULES)

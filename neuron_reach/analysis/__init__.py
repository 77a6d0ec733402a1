"""Looking inside: activity records, distances, clusters, pruning, mapping.

Arrays and networks in, results out: no files, no ROS, no plots.
"""

from neuron_reach.analysis.clusters import cluster_tree, segment_layer
from neuron_reach.analysis.distances import neuron_distances
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
    merge_neurons,
    prune,
    prune_each,
)
from neuron_reach.analysis.metrics import (
    Interval,
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
    'merge_neurons',
    'network_activations',
    'neuron_distances',
    'normal_equations',
    'permute_steps',
    'projection_error',
    'prune',
    'prune_each',
    'random_network',
    'run_network',
    'saturation',
    'segment_layer',
    'solve_projection',
    'transform_from_values',
    'transform_observations',
    'unique_samples',
]

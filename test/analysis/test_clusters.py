# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from neuron_reach.analysis import cluster_tree, segment_layer
from neuron_reach.analysis.options import LINKAGES

SEEDS = st.integers(0, 2**32 - 1)


def random_distances(seed, count, dimensions=3):
    points = np.random.default_rng(seed).normal(size=(count, dimensions))
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def inner_distance(members, distances):
    """Equation 3, word by word."""
    size = len(members)
    if size == 1:
        return 0.0
    total = sum(distances[i, j] for i in members for j in members if i != j)
    return total / (size * (size - 1))


def plain_tree(distances):
    """Merge by brute force: look at every pair at every step."""
    clusters = {n: [n] for n in range(len(distances))}
    rows = []
    for step in range(len(distances) - 1):
        pairs = [(a, b) for a in clusters for b in clusters if a < b]
        values = [inner_distance(clusters[a] + clusters[b], distances) for a, b in pairs]
        best = int(np.argmin(values))
        a, b = pairs[best]
        union = clusters.pop(a) + clusters.pop(b)
        clusters[len(distances) + step] = union
        rows.append((a, b, values[best], len(union)))
    return np.array(rows).reshape(-1, 4)


def members(tree, node):
    count = len(tree) + 1
    if node < count:
        return [node]
    return members(tree, int(tree[node - count, 0])) + members(tree, int(tree[node - count, 1]))


@given(SEEDS, st.integers(1, 24), st.integers(1, 5))
def test_within_group_linkage_is_that_of_brute_force(seed, count, dimensions):
    distances = random_distances(seed, count, dimensions)
    assert np.allclose(
        cluster_tree(distances, 'within'), plain_tree(distances), rtol=1e-9, atol=1e-12
    )


@given(SEEDS, st.integers(2, 40), st.booleans())
def test_every_cluster_distance_is_equation_3_also_where_distances_tie(seed, count, dead):
    distances = np.round(random_distances(seed, count, 1), 1)
    if dead:
        distances[: count // 2, : count // 2] = 0.0
    tree = cluster_tree(distances, 'within')
    for step, row in enumerate(tree):
        found = members(tree, count + step)
        assert row[2] == pytest.approx(inner_distance(found, distances), abs=1e-9)
        assert row[3] == len(found)


@given(SEEDS, st.integers(2, 40))
def test_average_is_scipys(seed, count):
    distances = random_distances(seed, count)
    expected = hierarchy.linkage(squareform(distances, checks=False), 'average')
    assert np.array_equal(cluster_tree(distances, 'average'), expected)


@pytest.mark.parametrize('linkage', ['within', 'average'])
def test_scipy_takes_the_trees(linkage):
    for seed in range(20):
        tree = cluster_tree(random_distances(seed, 30), linkage)
        assert hierarchy.is_valid_linkage(tree)
        assert sorted(hierarchy.leaves_list(tree)) == list(range(30))
        drawn = hierarchy.dendrogram(tree, no_plot=True)
        assert sorted(drawn['leaves']) == list(range(30))
        assert np.allclose(sorted(top[1] for top in drawn['dcoord']), sorted(tree[:, 2]))


def test_the_distances_stay_as_they_are():
    distances = random_distances(0, 10)
    before = distances.copy()
    cluster_tree(distances, 'within')
    assert np.array_equal(distances, before)


def test_single_neurons_and_none_at_all():
    assert cluster_tree(np.zeros((1, 1))).shape == (0, 4)
    assert segment_layer(np.zeros((0, 4)), 0.0).tolist() == [0]


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match='within, average'):
        cluster_tree(np.zeros((2, 2)), 'ward')
    for distances in (np.zeros((2, 3)), np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match='not a finite square matrix'):
            cluster_tree(distances, 'within')


def plain_segments(tree, threshold):
    count = len(tree) + 1

    def below(node):
        if node < count or tree[node - count, 2] <= threshold:
            return [sorted(members(tree, node))]
        return below(int(tree[node - count, 0])) + below(int(tree[node - count, 1]))

    return sorted(below(2 * count - 2))


@given(SEEDS, st.integers(1, 30), st.floats(0.0, 1.2), st.sampled_from(['within', 'average']))
def test_a_cut_takes_the_first_clusters_from_the_root(seed, count, share, linkage):
    tree = cluster_tree(random_distances(seed, count), linkage)
    threshold = share * max(tree[:, 2], default=0.0)
    labels = segment_layer(tree, threshold)
    found = sorted(np.flatnonzero(labels == label).tolist() for label in range(labels.max() + 1))
    assert found == plain_segments(tree, threshold)
    first = [int(np.argmax(labels == label)) for label in range(labels.max() + 1)]
    assert first == sorted(first)


def test_a_cut_stops_at_a_cluster_that_holds_a_wider_one():
    # 0 and 1 are merged at 5, with 2 at 1, and with 3 at 9: not monotone.
    tree = np.array([[0, 1, 5.0, 2], [2, 4, 1.0, 3], [3, 5, 9.0, 4]])
    assert segment_layer(tree, 9.0).tolist() == [0, 0, 0, 0]
    assert segment_layer(tree, 2.0).tolist() == [0, 0, 0, 1]
    assert segment_layer(tree, 0.5).tolist() == [0, 1, 2, 3]


def test_a_threshold_of_zero_merges_only_what_is_identical():
    distances = random_distances(1, 6)
    distances[:2] = distances[0]
    distances[:, :2] = distances[:, :1]
    distances[0, 0] = distances[1, 1] = distances[0, 1] = distances[1, 0] = 0.0
    assert segment_layer(cluster_tree(distances), 0.0).tolist() == [0, 0, 1, 2, 3, 4]


@given(SEEDS, st.integers(2, 40))
def test_within_group_trees_are_monotone_whatever_the_distances(seed, count):
    distances = np.random.default_rng(seed).exponential(size=(count, count)) ** 3
    distances = np.triu(distances, 1) + np.triu(distances, 1).T
    heights = cluster_tree(distances, 'within')[:, 2]
    assert (np.diff(heights) >= -1e-9 * heights[-1]).all()


@given(SEEDS, st.integers(2, 30), st.floats(0.0, 1.0), st.sampled_from(['within', 'average']))
def test_a_cut_of_a_monotone_tree_is_scipys(seed, count, share, linkage):
    tree = cluster_tree(random_distances(seed, count), linkage)
    threshold = share * tree[-1, 2]
    expected = hierarchy.fcluster(tree, threshold, 'distance')
    found = segment_layer(tree, threshold)
    pairs = set(zip(found.tolist(), expected.tolist(), strict=True))
    assert len(pairs) == len(set(found.tolist())) == len(set(expected.tolist()))


@pytest.mark.parametrize('linkage', LINKAGES)
@pytest.mark.parametrize('shape', [(), (3,), (2, 3), (0, 3), (2, 2, 2)])
def test_what_is_no_square_matrix_is_refused(linkage, shape):
    with pytest.raises(ValueError, match='square matrix'):
        cluster_tree(np.zeros(shape), linkage)


@pytest.mark.parametrize('linkage', LINKAGES)
def test_distances_of_any_type_and_order_give_the_same(linkage):
    points = np.random.default_rng(0).integers(0, 9, (12, 2))
    distances = np.abs(points[:, None] - points).sum(axis=2)
    expected = cluster_tree(distances.astype(np.float64), linkage)
    wide = np.repeat(distances, 2, axis=1)[:, ::2]
    for same in (distances, distances.tolist(), wide, distances.astype(np.float32)):
        np.testing.assert_array_equal(cluster_tree(same, linkage), expected)

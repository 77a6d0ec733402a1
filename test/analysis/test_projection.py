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
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from neuron_reach.analysis import (
    NormalEquations,
    coverage,
    greedy_projection,
    kkt_residual,
    linear_projection,
    normal_equations,
    projection_error,
    saturation,
    solve_projection,
)

BOUND = 1e-8


def relu_features(generator, samples, neurons, depth=2, inputs=6):
    """Activations like those of a network: correlated, many zeros, not of full rank."""
    values = generator.standard_normal((samples, inputs))
    layers = []
    for _ in range(depth):
        weights = generator.standard_normal((values.shape[1], neurons // depth))
        values = np.maximum(values @ weights / np.sqrt(values.shape[1]), 0.0)
        layers.append(values)
    return np.concatenate(layers, axis=1).astype(np.float32)


@pytest.fixture(scope='module')
def pair():
    """Target and source run on the same inputs; both have dead neurons."""
    inputs = np.random.default_rng(5).standard_normal((700, 6))

    def activations(seed, neurons):
        generator = np.random.default_rng(seed)
        first = np.maximum(inputs @ generator.standard_normal((6, neurons)), 0.0)
        second = np.maximum(first @ generator.standard_normal((neurons, neurons)), 0.0)
        second[:, [1, neurons - 1]] = 0.0
        return np.concatenate((first, second), axis=1).astype(np.float32)

    return {'target': activations(1, 20), 'source': activations(2, 25)}


def data_residual(projection, *, source, target):
    """The KKT residual from the activations themselves, not from the Gram matrix."""
    alive = projection.source_scale > 0
    b = source[:, alive].astype(np.float64) / projection.source_scale[alive]
    a = (
        target[:, projection.targets].astype(np.float64)
        / projection.target_scale[projection.targets]
    )
    p = projection.matrix[alive]
    gradient = 2 * b.T @ (b @ p - a) + projection.lam
    violation = np.where(p > 0, np.abs(gradient), np.maximum(-gradient, 0))
    return (violation.max(axis=0) / np.abs(2 * b.T @ a).max(axis=0)).max()


@pytest.mark.parametrize('lam', [0.0, 0.1, 5.0, 50.0, 1e4])
def test_the_linear_projection_is_the_exact_minimum(pair, lam):
    projection = linear_projection(**pair, lam=lam)
    assert (projection.matrix >= 0).all()
    assert data_residual(projection, **pair) < BOUND
    assert kkt_residual(normal_equations(**pair), projection).max() < BOUND


def test_the_residual_sees_a_small_mistake(pair):
    projection = linear_projection(**pair, lam=5.0)
    equations = normal_equations(**pair)
    place = np.argwhere(projection.matrix > 0.01)[0]
    projection.matrix[tuple(place)] *= 1 + 1e-4
    assert kkt_residual(equations, projection)[place[1]] > BOUND


@pytest.mark.parametrize('lam', [0.5, 20.0])
def test_it_agrees_with_scipy_and_scikit_learn(pair, lam):
    linear_model = pytest.importorskip('sklearn.linear_model')
    target, source = (pair[name].astype(np.float64) for name in ('target', 'source'))
    projection = linear_projection(target=target, source=source, lam=lam)
    alive = projection.source_scale > 0
    b = source[:, alive] / projection.source_scale[alive]
    a = target[:, projection.targets] / projection.target_scale[projection.targets]
    factor = cholesky(b.T @ b + 1e-9 * np.eye(b.shape[1]))
    lasso = linear_model.Lasso(
        lam / (2 * len(b)), positive=True, fit_intercept=False, tol=1e-12, max_iter=10**6
    )

    def objective(p, m):
        return np.sum((b @ p - a[:, m]) ** 2) + lam * p.sum()

    for m in range(0, a.shape[1], 4):
        right = solve_triangular(factor, b.T @ a[:, m] - lam / 2, trans='T')
        ours = objective(projection.matrix[alive, m], m)
        assert ours == pytest.approx(objective(nnls(factor, right)[0], m), rel=1e-6)
        theirs = lasso.fit(b, a[:, m]).coef_
        assert ours <= objective(theirs, m) * (1 + 1e-9)
        assert ours == pytest.approx(objective(theirs, m), rel=1e-4)


def test_a_path_gives_what_single_solutions_give(pair):
    lams = [3.0, 0.0, 200.0, 50.0, 1e6]
    path = linear_projection(**pair, lam=lams)
    assert [projection.lam for projection in path] == lams
    for projection in path:
        alone = linear_projection(**pair, lam=projection.lam)
        np.testing.assert_allclose(projection.matrix, alone.matrix, atol=1e-6)
        assert data_residual(projection, **pair) < BOUND
    assert not path[-1].matrix.any()
    assert len(path[-1].unmapped_targets) == len(path[-1].targets)


def test_threads_do_not_change_the_result(pair):
    equations = normal_equations(**pair)
    one, three = (solve_projection(equations, [1.0, 50.0], threads=n) for n in (1, 3))
    for left, right in zip(one, three, strict=True):
        np.testing.assert_array_equal(left.matrix, right.matrix)


def test_sources_that_depend_on_each_other_do_no_harm():
    generator = np.random.default_rng(0)
    base = relu_features(generator, 300, 8)
    mixed = base @ generator.random((8, 30)).astype(np.float32)
    source = np.concatenate((base, mixed, base, 3 * base[:, :4]), axis=1)
    target = relu_features(np.random.default_rng(1), 300, 10)
    for lam in (0.0, 1e-3, 5.0):
        projection = linear_projection(target=target, source=source, lam=lam)
        assert data_residual(projection, source=source, target=target) < BOUND


@given(
    seed=st.integers(0, 2**32 - 1),
    samples=st.integers(2, 60),
    sources=st.integers(1, 30),
    lam=st.sampled_from([0.0, 1e-6, 0.1, 3.0]),
    signed=st.booleans(),
)
def test_the_minimum_is_exact_whatever_the_data(seed, samples, sources, lam, signed):
    generator = np.random.default_rng(seed)
    source = generator.standard_normal((samples, sources)) * (generator.random(sources) < 0.9)
    target = generator.standard_normal((samples, 4))
    if not signed:
        source, target = np.maximum(source, 0), np.maximum(target, 0)
    projection = linear_projection(target=target, source=source, lam=lam)
    assert projection.matrix.shape == (sources, len(projection.targets))
    equations = normal_equations(target=target, source=source)
    assert kkt_residual(equations, projection).max(initial=0.0) < BOUND
    assert not projection.matrix[~source.any(axis=0)].any()
    assert set(projection.dead_targets) == set(np.flatnonzero(~target.any(axis=0)))


@given(seed=st.integers(0, 2**32 - 1), dead=st.integers(0, 3))
def test_a_network_maps_onto_itself(seed, dead):
    generator = np.random.default_rng(seed)
    activations = np.maximum(generator.standard_normal((5, 12, 8)), 0.0) * generator.random(8)
    activations[..., :dead] = 0.0
    samples = activations.reshape(-1, 8)
    for projection in (
        linear_projection(target=samples, source=samples, lam=0.0),
        greedy_projection(source=activations, target=activations),
    ):
        assert projection_error(projection, target=samples, source=samples) == pytest.approx(
            0.0, abs=1e-9
        )
        assert saturation(projection) == pytest.approx(0.0, abs=1e-9)
        assert coverage(projection) == pytest.approx(1.0)
        assert list(projection.dead_targets) == list(range(dead))


def test_scaling_neurons_changes_only_the_scales(pair):
    target, source = (pair[name].astype(np.float64) for name in ('target', 'source'))
    plain = linear_projection(target=target, source=source, lam=5.0)
    scaled = linear_projection(
        target=3.0 * target,
        source=source * np.linspace(0.5, 9, source.shape[1]),
        lam=5.0,
    )
    np.testing.assert_allclose(scaled.matrix, plain.matrix, atol=1e-6)
    np.testing.assert_allclose(scaled.target_scale, 3.0 * plain.target_scale)


def test_the_rescaled_projection_predicts_raw_activations(pair):
    target, source = pair['target'], pair['source']
    projection = linear_projection(target=target, source=source, lam=0.0)
    alive = projection.source_scale > 0
    normalized = (source[:, alive] / projection.source_scale[alive]) @ projection.matrix[alive]
    raw = normalized * projection.target_scale[projection.targets]
    np.testing.assert_allclose(projection.predict(source), raw, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(source @ projection.rescaled(), raw, rtol=1e-5, atol=1e-6)


def test_greedy_takes_the_least_distance_of_equation_2():
    generator = np.random.default_rng(3)
    target, source = generator.standard_normal((4, 7, 3)), generator.random((4, 7, 5))
    source[:, 5:] = target[:, 5:] = 0.0  # after the end of the episodes
    distances = np.zeros((3, 5))
    for m in range(3):
        for k in range(5):
            difference = (
                target[..., m] / np.abs(target[..., m]).max()
                - source[..., k] / source[..., k].max()
            )
            distances[m, k] = np.linalg.norm(difference, axis=1).mean()
    greedy = greedy_projection(target=target, source=source)
    assert (greedy.matrix.argmax(axis=0) == distances.argmin(axis=1)).all()
    assert (greedy.matrix.sum(axis=0) == 1).all()


def test_greedy_never_picks_a_dead_source():
    target = np.zeros((1, 10, 1))
    target[0, 0] = 1.0
    source = np.ones((1, 10, 2))
    source[..., 0] = 0.0  # closer to the target than the other
    assert greedy_projection(target=target, source=source).matrix.tolist() == [[0.0], [1.0]]


def test_dead_networks_give_empty_projections():
    dead, alive = np.zeros((6, 3)), np.ones((6, 2))
    assert linear_projection(target=dead, source=alive).matrix.shape == (2, 0)
    assert linear_projection(target=alive, source=dead).matrix.tolist() == [[0.0, 0.0]] * 3
    assert greedy_projection(target=alive, source=dead).matrix.tolist() == [[0.0, 0.0]] * 3
    assert np.isnan(saturation(linear_projection(target=alive, source=dead)))


@pytest.mark.parametrize(
    ('target', 'source', 'lam', 'message'),
    [
        (np.ones((3, 2)), np.ones((4, 2)), 1.0, 'same samples, not on 4 and 3'),
        (np.ones((0, 2)), np.ones((0, 2)), 1.0, 'same samples'),
        (np.ones(3), np.ones((3, 2)), 1.0, r'\(samples, neurons\)'),
        (np.full((3, 2), np.nan), np.ones((3, 2)), 1.0, 'finite'),
        (np.ones((3, 2)), np.full((3, 2), np.inf), 1.0, 'finite'),
        (np.ones((3, 2)), np.ones((3, 2)), -1.0, 'at least 0'),
        (np.ones((3, 2)), np.ones((3, 2)), [1.0, float('nan')], 'at least 0'),
        (np.ones((3, 2)), np.ones((3, 2)), [], 'at least 0'),
    ],
)
def test_bad_input_is_one_clear_line(target, source, lam, message):
    with pytest.raises(ValueError, match=message) as error:
        linear_projection(target=target, source=source, lam=lam)
    assert '\n' not in str(error.value)


def test_greedy_wants_the_same_episodes():
    with pytest.raises(ValueError, match='same episodes'):
        greedy_projection(target=np.ones((2, 3, 4)), source=np.ones((2, 5, 4)))


@pytest.mark.parametrize(('gram', 'cross'), [((2, 2), (4, 3)), ((3, 3), (4, 2)), ((3,), (4, 3))])
def test_equations_that_do_not_fit_are_refused(gram, cross):
    with pytest.raises(ValueError, match='does not fit'):
        NormalEquations(np.ones(gram), np.ones(cross), np.ones(3), np.ones(4))

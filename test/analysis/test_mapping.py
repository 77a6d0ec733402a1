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
import torch

from neuron_reach.analysis import (
    ActivityRecord,
    input_samples,
    input_transform,
    map_records,
    permute_steps,
    random_network,
    run_network,
)
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.arm.task import ReachingTask, TaskOptions

EPISODES, STEPS = 12, 15


def network(joints, seed, hidden=(9, 7)):
    generator = torch.Generator().manual_seed(seed)
    return random_network((2 * joints + 2, *hidden, 3**joints), generator)


def record(joints, seed, ran=None):
    """Return a network (or just inputs) on random walks, the first episodes shorter."""
    generator = np.random.default_rng(seed)
    angles = 0.1 * generator.standard_normal((EPISODES, STEPS, joints)).cumsum(axis=1)
    goals = generator.uniform(-1, 1, (EPISODES, 2))
    task = ReachingTask(TaskOptions(), ArmOptions(joints=joints))
    observations = task.observe(angles, np.repeat(goals[:, None], STEPS, axis=1))
    lengths = np.full(EPISODES, STEPS)
    lengths[:3] = 5
    observations[np.arange(STEPS) >= lengths[:, None]] = 0.0
    inputs = ActivityRecord(
        observations, lengths, ('input',), (2 * joints + 2,), goals, np.zeros(EPISODES)
    )
    return run_network(network(joints, 0) if ran is None else ran, inputs)


def test_a_source_runs_on_the_inputs_of_the_target():
    target, source = record(2, 0), network(4, 1)
    matrix = input_transform(target=2, source=4)
    ran = run_network(source, target, matrix)
    assert ran.layers == ('input', 'hidden_1', 'hidden_2', 'output')
    assert ran.sizes == source.sizes
    assert not ran.activations[0, 5:].any()  # after the end of the episode
    seen = ran.layer('input')
    np.testing.assert_allclose(seen[3, :, [0, 4]], target.layer('input')[3, :, [0, 2]], atol=1e-6)
    np.testing.assert_array_equal(seen[3, :, [2, 6]], 0.0)  # sines of joints at zero
    np.testing.assert_array_equal(seen[..., -2:], target.layer('input')[..., -2:])


def test_duplicate_inputs_and_steps_after_the_end_are_no_samples():
    target = record(2, 0)
    target.activations[4] = target.activations[5]
    samples = input_samples(target)
    assert len(samples) == 3 * 5 + 9 * STEPS - STEPS
    episodes, steps = np.divmod(samples, STEPS)
    assert (steps < target.lengths[episodes]).all()
    assert not (episodes == 5).any()
    assert len(input_samples(target, 10.0)) == 1


def mapped(target, source, **options):
    on_target, fresh = (record(2, seed, target) for seed in (0, 1))
    return map_records(
        source=record(2, 0, source),
        target=on_target,
        source_validation=record(2, 1, source),
        target_validation=fresh,
        samples=input_samples(on_target),
        **options,
    )


def test_mappings_come_in_order_with_all_metrics():
    target, source = network(2, 0), network(2, 1, (6, 8))
    mappings = mapped(target, source, lams=[5.0, 0.0], greedy=True)
    assert [mapping.method for mapping in mappings] == ['greedy', 'linear', 'linear']
    assert [mapping.projection.lam for mapping in mappings] == [None, 5.0, 0.0]
    for mapping in mappings:
        assert mapping.source_layers == {'hidden_1': 6, 'hidden_2': 8, 'output': 9}
        assert mapping.target_layers == {'hidden_1': 9, 'hidden_2': 7, 'output': 9}
        np.testing.assert_allclose(mapping.layers.sum(axis=0), 1.0)
        assert 0.0 < mapping.error < 2.0
        assert mapping.samples == 3 * 5 + 9 * STEPS
    greedy, _, exact = mappings
    assert greedy.residual is None and exact.residual < 1e-8
    assert exact.sample_error < greedy.sample_error
    assert greedy.saturation == 0.0 < exact.saturation


@pytest.mark.parametrize('layers', [((9,), (6, 5, 8)), ((9, 7, 4), (6,))], ids=['1-3', '3-1'])
def test_errors_are_of_the_fresh_episodes_by_layer_of_the_target(layers):
    """Networks with other numbers of layers; all errors by hand."""
    target, source = (network(2, seed, hidden) for seed, hidden in enumerate(layers))
    records = [record(2, seed, own) for seed in (0, 1) for own in (target, source)]
    inside = np.arange(STEPS) < records[0].lengths[:, None]
    (mapping,) = mapped(target, source, lams=[5.0])
    assert mapping.layer_errors.shape == (len(layers[0]) + 1, 2)
    assert mapping.layers.shape == (len(layers[1]) + 1, len(layers[0]) + 1)
    inputs = target.sizes[0]
    for seen, error in ((records[:2], mapping.sample_error), (records[2:], mapping.error)):
        a, b = (own.activations[inside][:, inputs:].astype(float) for own in seen)
        projection, columns = mapping.projection, mapping.projection.targets
        scale = projection.target_scale[columns]
        missed = np.abs(a[:, columns] - projection.predict(b)).sum(axis=0) / scale
        total = np.abs(a[:, columns]).sum(axis=0) / scale
        assert error == pytest.approx(missed.sum() / total.sum())
    layer = np.repeat(np.arange(len(layers[0]) + 1), target.sizes[1:])[columns]
    for number, found in enumerate(mapping.layer_errors):
        own = layer == number
        assert found == pytest.approx([missed[own].sum(), total[own].sum()])


@pytest.mark.parametrize('inputs', [False, True])
def test_a_reflexive_mapping_is_perfect(inputs):
    for mapping in mapped(*[network(2, 0)] * 2, lams=[0.0], greedy=True, inputs=inputs):
        assert mapping.error == pytest.approx(0.0, abs=1e-6)
        assert mapping.saturation == pytest.approx(0.0, abs=1e-6)
        assert mapping.coverage == pytest.approx(1.0)
        np.testing.assert_allclose(mapping.layers, np.eye(4 if inputs else 3), atol=1e-6)
        assert ('input' in mapping.source_layers) == inputs


def test_permuted_inputs_keep_each_neurons_activations_but_predict_nothing():
    target = record(2, 0)
    shuffled = permute_steps(target, np.random.default_rng(0))
    inside = np.arange(STEPS) < target.lengths[:, None]
    assert not shuffled.activations[~inside].any()
    for neuron in (0, 8, 20):
        before, after = (part.activations[inside][:, neuron] for part in (target, shuffled))
        assert (before != after).any()
        np.testing.assert_array_equal(np.sort(before), np.sort(after))
    samples = input_samples(target)
    fresh = record(2, 1)
    (mapping,) = map_records(
        target=target,
        source=shuffled,
        target_validation=fresh,
        source_validation=fresh,
        samples=samples,
        lams=[0.0],
    )
    assert mapping.sample_error > 0.3

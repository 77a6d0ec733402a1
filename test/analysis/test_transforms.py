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
from hypothesis.extra.numpy import arrays

from neuron_reach.analysis import (
    input_transform,
    joint_angles,
    transform_from_values,
    transform_observations,
)
from neuron_reach.analysis.transforms import input_matrix
from neuron_reach.arm.kinematics import forward_kinematics
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.arm.task import ReachingTask, TaskOptions
from neuron_reach.errors import UserError

joint_counts = st.integers(1, 6)
kinds = st.sampled_from(['naive', 'balanced', 'duplicate'])


def lengths(joints):
    return np.full(joints, 1.0 / joints)


def observe(angles, goals=(0.3, 0.4)):
    joints = np.shape(angles)[-1]
    return ReachingTask(TaskOptions(), ArmOptions(joints=joints)).observe(angles, goals)


@given(arrays(np.float64, 2, elements=st.floats(-10, 10)))
def test_balanced_2_to_4_has_the_same_tip(angles):
    moved = input_transform(target=2, source=4, kind='balanced') @ angles
    np.testing.assert_array_equal(moved, [angles[0], 0, angles[1], 0])
    np.testing.assert_allclose(
        forward_kinematics(moved, lengths(4)), forward_kinematics(angles, lengths(2)), atol=1e-12
    )


@given(st.integers(1, 3), st.integers(1, 3), st.data())
def test_balanced_keeps_the_tip_wherever_the_joints_meet(joints, factor, data):
    angles = data.draw(arrays(np.float64, joints, elements=st.floats(-4, 4)))
    many = joints * factor
    moved = input_transform(target=joints, source=many, kind='balanced') @ angles
    np.testing.assert_allclose(
        forward_kinematics(moved, lengths(many)),
        forward_kinematics(angles, lengths(joints)),
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ('target', 'source', 'kind', 'expected'),
    [
        (2, 4, 'naive', [1, 2, 0, 0]),
        (2, 4, 'duplicate', [1, 1, 2, 2]),
        (4, 2, 'naive', [1, 2]),
        (4, 2, 'balanced', [1, 3]),
        (4, 2, 'duplicate', [1, 3]),
        (3, 4, 'balanced', [1, 2, 0, 3]),
        (4, 3, 'balanced', [1, 2, 4]),
        (2, 3, 'balanced', [1, 2, 0]),
        (3, 2, 'balanced', [1, 2]),
        (3, 4, 'duplicate', [1, 2, 2, 3]),
    ],
)
def test_presets(target, source, kind, expected):
    """`expected` says which target joint (from 1) moves each source joint, 0 for none."""
    matrix = input_transform(target=target, source=source, kind=kind)
    assert matrix.shape == (source, target)
    moved = matrix @ np.arange(1, target + 1)
    assert moved.tolist() == expected


@given(joint_counts, kinds)
def test_equal_arms_need_no_transform(joints, kind):
    np.testing.assert_array_equal(
        input_transform(target=joints, source=joints, kind=kind), np.eye(joints)
    )


@given(joint_counts, joint_counts, kinds)
def test_each_source_joint_follows_at_most_one_target_joint(target, source, kind):
    matrix = input_transform(target=target, source=source, kind=kind)
    assert set(matrix.ravel()) <= {0.0, 1.0}
    assert (matrix.sum(axis=1) <= 1).all()
    if source >= target:
        assert (matrix.sum(axis=0) >= 1).all()
    else:
        assert (matrix.sum(axis=1) == 1).all()
    followed = matrix.argmax(axis=1)[matrix.any(axis=1)]
    assert (np.diff(followed) >= 0).all()  # the order along the arm is kept


@given(arrays(np.float64, (3, 4), elements=st.floats(-3.1, 3.1)))
def test_angles_are_recovered(angles):
    np.testing.assert_allclose(joint_angles(observe(angles)), angles, atol=1e-6)


def test_angles_of_episodes_are_continuous():
    angles = np.linspace([[1.5], [-1.0]], [[7.0], [-6.0]], 60, axis=1)  # (episodes, steps, joints)
    np.testing.assert_allclose(joint_angles(observe(angles)), angles, atol=1e-5)


@given(arrays(np.float64, (5, 2), elements=st.floats(-3, 3)))
def test_transformed_observations_are_those_of_the_other_arm(angles):
    matrix = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 2.0]])
    moved = transform_observations(observe(angles), matrix)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, observe(angles @ matrix.T), atol=1e-5)


def test_the_identity_changes_nothing_at_all():
    seen = observe(np.random.default_rng(0).normal(size=(9, 3)))
    np.testing.assert_array_equal(transform_observations(seen, np.eye(3)), seen)


def test_a_matrix_from_yaml():
    matrix = transform_from_values(
        {'matrix': [[1, 0], [0.5, 0.5], [0, 1]]}, 'my.yaml', target=2, source=3
    )
    np.testing.assert_array_equal(matrix, [[1, 0], [0.5, 0.5], [0, 1]])


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({}, 'it is missing'),
        ({'matrix': [[1, 0]]}, r'3 rows \(source joints\) of 2 numbers .* of shape \(1, 2\)'),
        ({'matrix': [[1, 0], [1]]}, 'not rows of numbers'),
        ({'matrix': [['a', 0]] * 3}, 'not rows of numbers'),
        ({'matrix': None}, 'my.yaml'),
        ({'matrix': [[1, float('inf')]] * 3}, 'not finite'),
        ({'Matrix': [[1, 0]] * 3}, r"unknown key 'Matrix'.*; allowed: matrix"),
    ],
)
def test_a_bad_matrix_is_one_clear_line(values, message):
    with pytest.raises(UserError, match=message) as error:
        transform_from_values(values, 'my.yaml', target=2, source=3)
    assert '\n' not in str(error.value)


def test_a_matrix_of_inputs_acts_on_any_observations():
    observations = np.random.default_rng(0).normal(size=(2, 5, 7)).astype(np.float32)
    matrix = np.random.default_rng(1).normal(size=(4, 7))
    np.testing.assert_allclose(
        transform_observations(observations, matrix), observations @ matrix.T, rtol=1e-5
    )


def test_inputs_of_the_same_name_are_given_to_each_other():
    names = {'source': ['hip', 'speed', 'load'], 'target': ['speed', 'knee', 'hip', 'goal']}
    matrix = input_matrix(names, 'my.yaml', source=3, target=4)
    np.testing.assert_array_equal(matrix, [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    given = input_matrix({'matrix': matrix.tolist()}, 'my.yaml', source=3, target=4)
    np.testing.assert_array_equal(given, matrix)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'source': ['a', 'b']}, 'target must be the names of the 3 inputs of the target'),
        ({'source': 'ab', 'target': ['a', 'b', 'c']}, 'source must be the names of the 2 inputs'),
        ({'source': ['a', 'b'], 'target': ['a', 'b']}, 'the 3 inputs of the target, not 2'),
        ({'source': ['a', 'a'], 'target': ['a', 'b', 'c']}, "'a' appears twice"),
        ({'source': ['x', 'y'], 'target': ['a', 'b', 'c']}, 'no name in common'),
        ({'matrix': [[1.0]]}, r'2 rows \(source inputs\) of 3 numbers \(target inputs\)'),
        ({'inputs': []}, "unknown key 'inputs'"),
    ],
)
def test_bad_names_of_inputs_are_one_clear_line(values, message):
    with pytest.raises(UserError, match=message) as error:
        input_matrix(values, 'my.yaml', source=2, target=3)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (
            lambda: input_transform(target=2, source=4, kind='best'),
            'one of naive, balanced, duplicate',
        ),
        (lambda: input_transform(target=0, source=4), 'at least one joint'),
        (lambda: transform_observations(np.zeros((5, 8)), np.eye(2)), r'shape \(2, 2\)'),
        (lambda: transform_observations(np.zeros((5, 7)), np.eye(2)), '7 numbers'),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises((UserError, ValueError), match=message):
        call()


def test_a_transform_with_nan_is_refused():
    with pytest.raises(ValueError, match='finite numbers'):
        transform_observations(np.ones((2, 3)), np.full((4, 3), np.nan))

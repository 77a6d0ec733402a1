# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import cmath
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuron_reach.arm.kinematics import forward_kinematics, link_ends

angles = st.floats(-10.0, 10.0)
lengths = st.floats(0.001, 100.0)


@st.composite
def arms(draw):
    joints = draw(st.integers(1, 6))
    exactly = {'min_size': joints, 'max_size': joints}
    return draw(st.lists(angles, **exactly)), draw(st.lists(lengths, **exactly))


def chain(joint_angles, link_lengths):
    """Link ends by homogeneous transforms, one rotation and one translation a joint."""
    pose = np.eye(3)
    for angle, length in zip(joint_angles, link_lengths, strict=True):
        cos, sin = math.cos(angle), math.sin(angle)
        pose = pose @ [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]
        pose = pose @ [[1, 0, length], [0, 1, 0], [0, 0, 1]]
        yield pose[:2, 2].copy()


@given(arms())
def test_the_tip_is_a_sum_of_complex_exponentials(arm):
    joint_angles, link_lengths = arm
    tip = sum(
        length * cmath.exp(1j * sum(joint_angles[: k + 1])) for k, length in enumerate(link_lengths)
    )
    found = forward_kinematics(joint_angles, link_lengths)
    assert complex(*found) == pytest.approx(tip, rel=1e-12, abs=1e-10)


@given(arms())
def test_link_ends_are_a_chain_of_homogeneous_transforms(arm):
    ends = link_ends(*arm)
    np.testing.assert_allclose(ends, list(chain(*arm)), rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(ends[-1], forward_kinematics(*arm), rtol=1e-12, atol=1e-10)
    steps = np.diff(ends, axis=0, prepend=[[0.0, 0.0]])
    np.testing.assert_allclose(np.hypot(*steps.T), arm[1], rtol=1e-9)


@given(hnp.arrays(float, (2, 3, 4), elements=angles))
def test_leading_axes_are_kept(joint_angles):
    link_lengths = [0.4, 0.3, 0.2, 0.1]
    tips = forward_kinematics(joint_angles, link_lengths)
    ends = link_ends(joint_angles, link_lengths)
    assert tips.shape == (2, 3, 2)
    assert ends.shape == (2, 3, 4, 2)
    for index in np.ndindex(2, 3):
        alone = forward_kinematics(joint_angles[index], link_lengths)
        np.testing.assert_allclose(tips[index], alone, rtol=0, atol=1e-14)
        assert np.array_equal(ends[index], link_ends(joint_angles[index], link_lengths))


def test_axes_and_signs():
    """Upright is +z at pi/2 of the first joint; a positive angle turns from x towards z."""
    np.testing.assert_allclose(forward_kinematics([math.pi / 2, 0], [0.5, 0.5]), [0, 1], atol=1e-15)
    np.testing.assert_allclose(forward_kinematics([0, math.pi / 2], [0.7, 0.3]), [0.7, 0.3])

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What holds for policies of any origin."""

import numpy as np
import pytest

OBSERVATIONS = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)


def test_observations_of_any_type_order_and_dimensions_give_the_same(policy):
    expected = policy.outputs(OBSERVATIONS)
    wide = np.repeat(OBSERVATIONS, 2, axis=0)[::2]
    for same in (OBSERVATIONS.astype(float), OBSERVATIONS.tolist(), wide):
        np.testing.assert_array_equal(policy.outputs(same), expected)
    np.testing.assert_array_equal(policy.outputs(np.asfortranarray(OBSERVATIONS)), expected)
    cube = OBSERVATIONS.reshape(4, 5, 6)
    np.testing.assert_allclose(policy.outputs(cube), expected.reshape(4, 5, 9), rtol=1e-5)
    assert policy.act(cube).shape == (4, 5)
    assert policy.outputs(OBSERVATIONS[0]).shape == (9,)
    assert policy.act(OBSERVATIONS[0]) == expected[0].argmax()


def test_no_observations_have_no_outputs(policy):
    assert policy.outputs(OBSERVATIONS[:0]).shape == (0, 9)
    assert policy.activations(OBSERVATIONS[:0])['hidden_1'].shape == (0, 12)
    assert policy.act(OBSERVATIONS[:0]).shape == (0,)


@pytest.mark.parametrize('shape', [(), (5,), (7,), (1, 5), (6, 1), (2, 3, 7), (6, 0)])
@pytest.mark.parametrize('method', ['outputs', 'activations', 'act'])
def test_observations_of_another_shape_are_refused(policy, method, shape):
    with pytest.raises(ValueError, match='do not fit') as error:
        getattr(policy, method)(np.zeros(shape))
    assert str(error.value) == f'observations of shape {shape} do not fit (batch, 6)'


@pytest.mark.parametrize('values', [['x'] * 6, np.ones(6) * 1j, [None] * 6])
def test_observations_that_are_no_numbers_are_refused(policy, values):
    with pytest.raises(ValueError, match='real numbers'):
        policy.outputs(values)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Functions that networks apply to each neuron."""

import numpy as np
import pytest
import torch

from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import FUNCTIONS, Affine, Function, apply, overwrite

VALUES = torch.from_numpy(np.random.default_rng(0).normal(size=(7, 13)).astype(np.float32) * 3)


@pytest.mark.parametrize('name', FUNCTIONS)
def test_functions_in_place_give_the_same_to_the_bit(name):
    function = Function.of(name)
    assert torch.equal(overwrite([function], VALUES.clone()), apply([function], VALUES))
    assert torch.equal(VALUES, VALUES.clone())


def test_a_forward_pass_leaves_its_observations_as_they_are():
    scaling = Affine(np.ones(3, np.float32), np.full(3, 2, np.float32))
    for preparation in ((), (Function.of('tanh'),), (scaling, Function.of('clip', low=-1.0))):
        layer = Layer(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), (Function.of('relu'),))
        network = FeedForward((layer,), preparation)
        observations = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
        before = observations.copy()
        (layer_values,) = network.forward(observations)
        np.testing.assert_array_equal(observations, before)
        side_by_side = network.activations(observations)
        np.testing.assert_array_equal(side_by_side[:, :3], before)
        np.testing.assert_array_equal(side_by_side[:, 3:], layer_values.numpy())


def test_a_function_with_nan_is_refused():
    layer = Layer(
        np.eye(3, dtype=np.float32), np.zeros(3, np.float32), (Function('clip', (0.0, np.nan)),)
    )
    with pytest.raises(ValueError, match='layer 0 has a function with NaN'):
        FeedForward((layer,))

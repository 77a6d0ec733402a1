# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Dead and dormant neurons and effective rank of layers."""

import numpy as np
import pytest

from neuron_reach.analysis.layer_health import layer_health


def test_each_kind_of_neuron_is_counted():
    busy = np.random.default_rng(0).normal(size=(200, 5)) + 3.0
    layer = np.column_stack([busy, np.zeros(200), np.full(200, 2.0), busy[:, 0] * 1e-3])

    (health,) = layer_health({'hidden_1': layer}).values()

    assert health.dead == 2 / 8  # the silent one and the constant one
    assert health.dormant == 2 / 8  # the silent one and the faint one
    assert health.effective_rank == 6  # of 5 directions and the constant


def test_tau_is_the_limit_of_dormant_neurons():
    layer = np.tile([1.0, 0.2, 0.0], (4, 1)) * np.arange(1, 5)[:, None]

    shares = [layer_health({'a': layer}, tau)['a'].dormant for tau in (0.0, 0.4, 0.6)]

    assert shares == [1 / 3, 1 / 3, 2 / 3]  # the mean of the layer is 0.4


@pytest.mark.parametrize('wrong', [np.zeros(3), np.zeros((0, 3)), np.zeros((2, 2, 2))])
def test_other_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match='hidden_1 must be'):
        layer_health({'hidden_1': wrong})


def test_a_negative_tau_is_refused():
    with pytest.raises(ValueError, match='tau'):
        layer_health({'hidden_1': np.ones((2, 2))}, -0.1)

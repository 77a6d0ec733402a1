# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Options of Gazebo: what is allowed, and what is simulated by default."""

import pytest

from neuron_reach.common.options import fill
from neuron_reach.errors import UserError
from neuron_reach.gazebo.options import GazeboOptions


def test_by_default_the_simulated_arm_is_the_one_the_gains_are_tuned_for():
    assert fill(GazeboOptions, {}, 'test') == GazeboOptions(
        physics_steps=50, gui=False, payload=0.0, gain_scale=1.0
    )


@pytest.mark.parametrize(
    ('name', 'lowest', 'highest', 'outside'),
    [
        ('physics_steps', 25, 1000, (24, 1001, 50.5)),
        ('payload', 0.0, 5.0, (-0.1, 5.1, 'nan')),
        ('gain_scale', 0.0, 10.0, (-0.1, 10.1, 'inf')),
    ],
)
def test_values_out_of_range_are_refused_by_name(name, lowest, highest, outside):
    for value in (lowest, highest):
        assert getattr(fill(GazeboOptions, {name: value}, 'test'), name) == value
    for value in outside:
        with pytest.raises(UserError, match=f'{name} must be .* from {lowest:g} to {highest:g}'):
            fill(GazeboOptions, {name: value}, 'test')

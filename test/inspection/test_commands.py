# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Actions as messages."""

import numpy as np
import pytest

from neuron_reach.errors import UserError
from neuron_reach.inspection.commands import Command
from neuron_reach.inspection.connections import Output

pytest.importorskip('sensor_msgs', reason='ROS 2 (sensor_msgs) is not installed')

ACTION = np.array([1.0, -2.0, 8.0])


def command(**options):
    options = {'type': 'std_msgs/msg/Float64MultiArray', **options}
    return Command(Output(topic='commands', **options), 3, 'robot.yaml')


def test_actions_are_scaled_shifted_and_limited():
    sent = command(scale=(0.5,), offset=(0.0, 1.0, 0.0), limits=((-1.0, 2.0),)).message(ACTION)
    assert sent.data.tolist() == [0.5, 0.0, 2.0]
    limits = ((-1.0, 0.25), (-1.5, 0.0), (0.0, 9.0))
    assert command(limits=limits).message(ACTION).data.tolist() == [0.25, -1.5, 8.0]
    assert command().message(ACTION).data.tolist() == ACTION.tolist()


def test_any_message_with_numbers_can_take_them():
    twist = command(type='geometry_msgs/msg/Twist', field=('linear.x', 'linear.y', 'angular.z'))
    sent = twist.message(ACTION)
    assert (sent.linear.x, sent.linear.y, sent.angular.z) == (1.0, -2.0, 8.0)
    state = command(type='sensor_msgs/msg/JointState', field=('position',), names=tuple('abc'))
    sent = state.message(ACTION)
    assert (sent.name, list(sent.position)) == (list('abc'), ACTION.tolist())
    whole = command(type='std_msgs/msg/Int32MultiArray').message(ACTION + 0.4)
    assert list(whole.data) == [1, -2, 8]


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'scale': (1.0, 2.0)}, 'scale has 2 numbers, but there are 3 values'),
        ({'limits': ((0.0, 1.0), (0.0, 1.0))}, 'limits has 2 numbers'),
        (
            {'type': 'geometry_msgs/msg/Twist', 'field': ('linear.x',)},
            'has 1 values, but the policy has 3 actions',
        ),
        ({'field': ('data[0:3]',)}, 'cannot take an action'),
        ({'field': ('dta',)}, r"no field 'dta' \(did you mean data\?\)"),
        ({'type': 'std_msgs/msg/Bool'}, 'cannot take an action'),
        ({'names': ('a', 'b', 'c')}, 'Float64MultiArray has no names'),
        (
            {'type': 'sensor_msgs/msg/JointState', 'field': ('position',), 'names': ('a',)},
            'has 1 names, but the policy has 3 actions',
        ),
    ],
)
def test_outputs_that_do_not_fit_the_policy_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        command(**options)

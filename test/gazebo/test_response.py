# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Step responses of the joints in the real Gazebo."""

import pytest

from neuron_reach.gazebo.response import step_response


@pytest.mark.parametrize('joints', [1, 3, 6])
def test_step_responses_are_those_of_the_documentation(make_arms, joints):
    arms = make_arms(joints=joints)
    for joint in range(joints):
        response = step_response(arms, joint, 0.1, 2.0, 50)
        assert 0.02 < response.rise_time < 0.1
        assert response.overshoot < 0.15
        assert response.steady_error < 0.005

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Environment variables of ROS and Fast DDS."""

import os

import pytest

from neuron_reach.common.resources import shared_file
from neuron_reach.common.ros_environment import PROFILES, set_up_discovery


@pytest.mark.parametrize(
    ('distribution', 'given', 'name'),
    [('humble', None, PROFILES[1]), ('rolling', None, PROFILES[0]), ('', PROFILES[1], '')],
)
def test_fast_dds_settings_are_the_users_or_the_packages(monkeypatch, distribution, given, name):
    monkeypatch.setenv('ROS_DISTRO', distribution)
    for each in PROFILES:
        monkeypatch.delenv(each, raising=False)
    if given:
        monkeypatch.setenv(given, 'own.xml')
    set_up_discovery()
    found = {each: value for each in PROFILES if (value := os.environ.pop(each, None))}
    assert found == (
        {given: 'own.xml'} if given else {name: str(shared_file('config/discovery.xml'))}
    )

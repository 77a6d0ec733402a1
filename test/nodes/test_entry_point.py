# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Start, errors and end of a node."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Log

from neuron_reach.nodes.arm_simulator import ArmSimulator
from neuron_reach.nodes.publishing import latched
from nodes.policies import SMALL, one_line

BAD_ENVIRONMENTS = [
    ('ROS_DOMAIN_ID', 'abc', "ROS_DOMAIN_ID must be a whole number from 0 to 232, not 'abc'"),
    ('ROS_DOMAIN_ID', '500', "not '500'"),
    ('ROS_DOMAIN_ID', '-1', "not '-1'"),
    ('HOME', '/dev/null/home', '/dev/null/home/.ros/log: ROS cannot write its logs there'),
    ('HOME', None, 'HOME is not set'),
    ('ROS_LOG_DIR', '/dev/null', '/dev/null: ROS cannot write its logs there'),
]


@pytest.fixture(params=BAD_ENVIRONMENTS, ids=lambda bad: f'{bad[0]}={bad[1]}')
def bad_environment(request, monkeypatch):
    """Set a variable to a value that ROS refuses; return words of the error message."""
    variable, value, words = request.param
    for name in ('ROS_LOG_DIR', 'ROS_HOME'):
        monkeypatch.delenv(name, raising=False)
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    return words


def test_an_environment_that_ros_refuses_is_reported_in_one_line(ending, bad_environment):
    line = ending(ArmSimulator)
    assert bad_environment in line
    assert line.count('\n') == 1


@pytest.mark.parametrize('bad_environment', BAD_ENVIRONMENTS[:1], indirect=True)
@pytest.mark.parametrize('command', ['neuron_reach.nodes arm_simulator', 'neuron_reach train'])
def test_an_invalid_domain_is_reported_before_a_node_starts(
    start, monkeypatch, tmp_path, bad_environment, command
):
    monkeypatch.chdir(tmp_path)
    assert bad_environment in one_line(start(*command.split()))


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--params-file', 'nowhere.yaml'], 'nowhere.yaml'),
        (['-p', 'gamma'], '-p gamma'),
        (['-r', '__ns:=not a name'], '__ns:=not a name'),
        (['--nonsense'], '--nonsense'),
    ],
)
def test_arguments_that_ros_refuses_are_reported_in_one_line(ending, arguments, words):
    line = ending(ArmSimulator, *arguments)
    assert words in line
    assert line.count('\n') == 1


def test_a_final_error_reaches_rosout_and_diagnostics(peer, start_node, make_checkpoint):
    said = peer.listen(Log, '/rosout', latched())
    diagnosed = peer.listen(DiagnosticArray, '/diagnostics')
    checkpoint = make_checkpoint(**SMALL)
    start_node('arm_simulator', joints=1, arms=3)
    policy = start_node('dqn_policy', checkpoint=checkpoint, simulator_timeout=2.5, **SMALL)
    peer.wait(lambda: policy.process.poll() is not None, 'end')
    peer.spin_for(0.2)
    assert policy.process.returncode == 2
    reason = 'waited for joint states after a reset; joint states ignored'
    assert policy.text.count(reason) == 1
    assert '3 positions, expected 20 x 1 (parameters arms and joints must' in policy.text
    assert any(reason in each.msg and each.level == 40 for each in said)
    assert any('joint states ignored' in each.msg and each.level == 30 for each in said)
    levels = [
        (status.level, status.message)
        for message in diagnosed
        for status in message.status
        if status.name == '/dqn_policy'
    ]
    assert levels[-1][0] == DiagnosticStatus.ERROR
    assert reason in levels[-1][1]
    assert any(level == DiagnosticStatus.WARN for level, _ in levels)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What nodes report about themselves."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Log
from rclpy.parameter import Parameter

from neuron_reach.nodes import diagnostics
from neuron_reach.nodes.diagnostics import (
    Diagnostics,
    RosoutLogger,
    ThrottledWarning,
    diagnostic_array,
    low_disk_space,
    problems,
)
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.publishing import latched

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def test_events_are_all_counted_but_logged_once_a_second(default_node, capfd, monkeypatch):
    warning = ThrottledWarning(default_node('node'), 'commands lost')
    assert warning.recent == ''
    for number in range(5):
        warning.add(f'reason {number}', events=2)
    assert warning.count == 10
    assert warning.recent == warning.summary == 'commands lost (10 so far): reason 4'
    logged = capfd.readouterr().err
    assert logged.count('commands lost') == 1
    assert 'commands lost (2 so far): reason 0' in logged
    monkeypatch.setattr(diagnostics, 'RECENT_DURATION', 0.0)
    assert warning.recent == ''


def test_problems_are_descriptions_and_recent_warnings(default_node):
    quiet, loud = (ThrottledWarning(default_node('node'), what) for what in ('quiet', 'loud'))
    loud.add('reason')
    assert problems(quiet, '', loud, 'broken') == [
        (WARN, 'loud (1 so far): reason'),
        (WARN, 'broken'),
    ]
    assert problems('broken', level=ERROR) == [(ERROR, 'broken')]


@pytest.mark.parametrize('least', [0, 2**80])
def test_little_disk_space_is_reported_for_a_folder_to_be_made(tmp_path, monkeypatch, least):
    monkeypatch.setattr(diagnostics, 'MIN_FREE_SPACE', least)
    found = low_disk_space(tmp_path / 'new' / 'bag')
    assert [(level, text.partition(' only ')[0]) for level, text in found] == (
        [(WARN, f'{tmp_path}:')] if least else []
    )


@pytest.mark.parametrize(
    ('found', 'level', 'text'),
    [
        ([], OK, 'running'),
        ([(WARN, 'slow')], WARN, 'slow'),
        ([(WARN, 'slow'), (ERROR, 'broken'), (WARN, 'full')], ERROR, 'slow; broken; full'),
    ],
)
def test_the_worst_problem_gives_the_level(default_node, found, level, text):
    (status,) = diagnostic_array(default_node('node'), {'count': 3}, found).status
    assert (status.name, status.level, status.message) == ('/node', level, text)
    assert [(value.key, value.value) for value in status.values] == [('count', '3')]


def test_diagnostics_are_published_while_simulated_time_stands_still(peer, default_node, spin):
    sent = peer.listen(DiagnosticArray, '/diagnostics')
    node = default_node('node')
    node.set_parameters([Parameter('use_sim_time', value=True)])
    counts = iter(range(100))
    Diagnostics(node, lambda: {'count': next(counts)}, lambda: [(WARN, 'slow')])
    spin(Loop(node), lambda: len(sent) >= 2)
    first, second = (int(message.status[0].values[0].value) for message in sent[:2])
    assert second == first + 1
    assert sent[0].status[0].message == 'slow'


def test_lines_for_rosout_are_not_printed_again(peer, default_node, capfd):
    received = peer.listen(Log, '/rosout', latched(10))
    logger = RosoutLogger(default_node('node'))
    logger.log('progress')
    logger.log('failure', RosoutLogger.ERROR)
    logger.flush()
    peer.wait(lambda: len([log for log in received if log.name == 'node']) == 2, 'lines')
    lines = [(log.level, log.msg) for log in received if log.name == 'node']
    assert lines == [(20, 'progress'), (40, 'failure')]
    captured = capfd.readouterr()
    assert 'progress' not in captured.out + captured.err

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The starter, without a ROS graph."""

import signal
import sys

import pytest

from neuron_reach.launching.graph import Phase, Process
from neuron_reach.launching.starter import run


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Leaves the environment and the signals of the tests alone."""
    monkeypatch.setattr('neuron_reach.launching.starter.local_ros', lambda: None)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_who_was_killed_is_said(capfd):
    kill = 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)'
    killed = Process('checking', command=(sys.executable, '-c', kill))
    assert run([Phase('checking', killed)]) == 9
    assert capfd.readouterr().err == 'checking was killed (signal 9)\n'


NODE = """
import os, pathlib, signal, sys, time
log = pathlib.Path(sys.argv[1])
def end(number, _):
    log.open('a').write(f'{signal.Signals(number).name} ')
    os._exit(0)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
if sys.argv[2]:
    while 'ready' not in log.read_text():
        time.sleep(0.01)
    sys.exit(int(sys.argv[2]))
log.open('a').write('ready ')
time.sleep(60)
"""


@pytest.mark.parametrize(
    ('leader', 'follower', 'code', 'said'),
    [
        (0, '', 0, 'ready SIGINT '),  # what is on its way is still wanted
        (3, '', 3, 'ready SIGTERM '),
        ('', 4, 4, 'ready SIGTERM '),
    ],
)
def test_nodes_do_not_work_off_what_is_on_its_way_when_one_has_failed(
    monkeypatch, tmp_path, leader, follower, code, said
):
    log = tmp_path / 'log'
    log.touch()
    codes = {'leader': leader, 'follower': follower}
    monkeypatch.setattr(
        'neuron_reach.launching.starter.command_of',
        lambda process: [sys.executable, '-c', NODE, str(log), str(codes[process.name])],
    )
    assert run([Phase('test', Process('leader'), (Process('follower'),))]) == code
    assert log.read_text() == said


def test_a_node_that_is_interrupted_while_it_starts_ends_in_order(monkeypatch, capfd):
    starting = """
import sys, time
print('starting', flush=True)
time.sleep(1.0)  # as while libraries are imported
from neuron_reach.nodes.shutdown import Interrupt
Interrupt.install()
try:
    Interrupt.check()
except KeyboardInterrupt:
    print('interrupted')
    sys.exit(0)
sys.exit(5)
"""
    codes = {'leader': 'import time; time.sleep(0.5)', 'follower': starting}
    monkeypatch.setattr(
        'neuron_reach.launching.starter.command_of',
        lambda process: [sys.executable, '-c', codes[process.name]],
    )
    assert run([Phase('test', Process('leader'), (Process('follower'),))]) == 0
    printed = capfd.readouterr()
    assert printed.out.split() == ['starting', 'interrupted']
    assert printed.err == ''

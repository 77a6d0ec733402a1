# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The gzserver process: network, death and cleanup."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gazebo.motion import play
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.errors import UserError
from neuron_reach.gazebo.arms import GazeboArms


def test_gazebo_cannot_be_reached_over_the_network(make_arms):
    arms = make_arms(joints=1)
    own = {str(path.readlink()) for path in Path(f'/proc/{arms.pid}/fd').iterdir()}
    addresses = []
    for kind in ('tcp', 'tcp6', 'udp', 'udp6'):
        for line in Path('/proc/net', kind).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if f'socket:[{inode}]' in own and (kind.startswith('udp') or state == '0A'):
                addresses.append((kind, local.split(':')[0]))
    loopback = format(int.from_bytes(socket.inet_aton('127.0.0.1'), 'little'), '08X')
    listening = [address for kind, address in addresses if kind == 'tcp']
    assert len(listening) >= 1
    assert set(listening) == {loopback}
    assert not [address for kind, address in addresses if kind == 'tcp6']


def test_a_killed_gazebo_is_an_error_at_once_and_starts_again(make_arms):
    arms = make_arms()
    arms.receive()
    os.kill(arms.pid, signal.SIGKILL)
    start = time.monotonic()
    with pytest.raises(UserError, match=r'Gazebo has ended \(signal 9\)'):
        for _ in range(100):
            arms.receive()
    assert time.monotonic() - start < 2.0
    arms.close()
    assert play(make_arms(), 1).shape == (20, 1, 3)


def test_gazebo_ends_with_the_process_that_started_it(gazebo, tmp_path):
    program = (
        'import time\n'
        'from neuron_reach.arm.simulator import ArmOptions\n'
        'from neuron_reach.gazebo.arms import GazeboArms\n'
        'arms = GazeboArms(ArmOptions(joints=1), 1)\n'
        'print(arms.pid, flush=True)\n'
        'time.sleep(600)\n'
    )
    path = os.pathsep.join(filter(None, sys.path))
    with subprocess.Popen(
        [sys.executable, '-c', program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': path, 'TMPDIR': str(tmp_path)},
    ) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10.0
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []


def is_running(pid):
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except FileNotFoundError:
        return False
    return state != 'Z'


def test_closing_twice_is_fine(make_arms):
    arms = make_arms(joints=1)
    pid = arms.pid
    arms.close()
    arms.close()
    assert not is_running(pid)


def test_a_gazebo_that_does_not_start_is_quoted(gazebo, monkeypatch):
    monkeypatch.setattr('neuron_reach.gazebo.server.START_TIMEOUT', 5.0)
    monkeypatch.setattr('neuron_reach.gazebo.tree.ARMS_PLUGIN', 'libno_such_plugin.so')
    with pytest.raises(UserError, match=r'libno_such_plugin\.so') as error:
        GazeboArms(ArmOptions(joints=1), 1)
    assert '\n' not in str(error.value)

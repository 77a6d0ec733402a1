# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What a killed process leaves in shared memory, and that only that is removed."""

import re
import signal
import time
from pathlib import Path

from sensor_msgs.msg import JointState

from neuron_reach import messages
from neuron_reach.launching.starter import remove_dead_segments


def segments():
    return {path.name for path in Path('/dev/shm').glob('fast*_el') if 'port' not in path.name}


def test_shared_memory_of_ended_processes_only_is_removed(peer, start_node):
    remove_dead_segments()
    before = segments()
    simulator = start_node('arm_simulator')
    peer.wait(lambda: segments() - before, 'segment of the simulator')
    states = peer.listen(JointState, messages.JOINT_STATES)
    own = segments() - before
    remove_dead_segments()
    assert own <= segments(), 'a living process lost its memory'
    simulator.finish(signal.SIGKILL)
    assert own <= segments()
    time.sleep(1.1)  # what is younger than a second is left alone
    assert remove_dead_segments() >= 1
    assert not own & segments()
    assert before <= segments(), 'the test itself lost its memory'
    assert not states


def mapped_ports():
    maps = Path('/proc/self/maps').read_text()
    return {Path(name) for name in re.findall(r'(/dev/shm/fast\w+_port\d+)$', maps, re.MULTILINE)}


def test_the_port_of_a_killed_process_stays_while_others_write_to_it(peer, start_node):
    before = mapped_ports()
    simulator = start_node('arm_simulator')
    ports = peer.wait(lambda: mapped_ports() - before, 'port of the simulator', timeout=15)
    simulator.finish(signal.SIGKILL)
    time.sleep(1.1)  # what is younger than a second is left alone
    remove_dead_segments()
    assert all(port.exists() for port in ports), 'the next node there would not be found'

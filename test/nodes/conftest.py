# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Real processes over real DDS, in a ROS domain of their own, on this host only."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from neuron_reach.common.ros_environment import PROFILES, set_up_discovery
from neuron_reach.launching.starter import free_domain, remove_dead_segments
from neuron_reach.learning.checkpoint import describe, save_checkpoint
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member

pytest.importorskip('rclpy', reason='ROS 2 (rclpy) is not installed')

import rclpy
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from neuron_reach.nodes.entry_point import run_node

DEADLINE = 60.0


@pytest.fixture(scope='session')
def domain():
    number, lock = free_domain(first=60)
    before = {name: os.environ.get(name) for name in PROFILES}
    set_up_discovery()  # else nodes in this process would not be seen for up to 3 s
    yield number
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    lock.close()
    remove_dead_segments()


@pytest.fixture(autouse=True)
def ros_environment(monkeypatch, domain):
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    if os.environ.get('ROS_DISTRO') == 'humble':
        monkeypatch.setenv('ROS_LOCALHOST_ONLY', '1')
    monkeypatch.setenv('AMENT_PREFIX_PATH', os.environ.get('AMENT_PREFIX_PATH', sys.prefix))


class Peer:
    """An rclpy node of the test that publishes, subscribes and waits."""

    def __init__(self, domain):
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node('peer', context=self.context)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def wait(self, condition, what='answer', timeout=DEADLINE):
        end = time.monotonic() + timeout
        while not (result := condition()):
            assert time.monotonic() < end, f'no {what} within {timeout:g} s'
            self.executor.spin_once(timeout_sec=0.05)
        return result

    def spin_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)

    def listen(self, message_type, topic, qos=1000):
        received = []
        self.node.create_subscription(message_type, topic, received.append, qos)
        return received

    def call(self, service_type, name):
        client = self.node.create_client(service_type, name)
        self.wait(client.service_is_ready, f'service {name}')
        future = client.call_async(service_type.Request())
        self.wait(future.done, f'answer of {name}')
        return future.result()

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def peer(domain):
    peer = Peer(domain)
    yield peer
    peer.close()


@pytest.fixture
def make_node(peer):
    """Make nodes in this process; they are visible in the graph without spinning."""
    made = []

    def make(name, namespace=''):
        made.append(rclpy.create_node(name, context=peer.context, namespace=namespace))
        return made[-1]

    yield make
    for node in made:
        node.destroy_node()


@pytest.fixture
def default_node(domain):
    """Nodes in the default context, like those of the package."""
    rclpy.init(domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
    made = []

    def make(name):
        made.append(rclpy.create_node(name))
        return made[-1]

    yield make
    for node in made:
        node.destroy_node()
    rclpy.shutdown()


@pytest.fixture
def handlers():
    """Restore the signal handlers that a node in this process replaces."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def spin(peer):
    """Runs a node's loop, and the peer, until a condition holds."""

    def until(loop, condition):
        assert loop.wait_until(
            lambda: peer.executor.spin_once(timeout_sec=0.0) or condition(), DEADLINE
        )

    return until


class Running:
    """A started process and its output."""

    def __init__(self, command, folder):
        self.out = folder / f'{os.urandom(4).hex()}.out'
        with self.out.open('w') as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def text(self):
        return self.out.read_text()

    def finish(self, number=None, timeout=DEADLINE):
        """Send a signal, if one is given, and return the exit code."""
        if number is not None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'still running after {timeout:g} s: {self.text}') from None

    def interrupt(self):
        return self.finish(signal.SIGINT)


@pytest.fixture
def start(tmp_path):
    """Start processes; those that a failed test leaves running are killed."""
    started = []

    def begin(*command):
        started.append(Running([sys.executable, '-m', *map(str, command)], tmp_path))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()


@pytest.fixture
def start_node(start):
    def begin(name, **parameters):
        command = ['neuron_reach.nodes', name, '--ros-args']
        for key, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else value
            command += ['-p', f'{key}:={text}']
        return start(*command)

    return begin


@pytest.fixture
def make_checkpoint(tmp_path):
    """Save an untrained network."""

    def make(**options):
        setup = Setup.from_values(options, 'test')
        network = QNetwork(setup.layer_sizes)
        network.initialize([torch.Generator().manual_seed(1)], 1.0)
        return save_checkpoint(tmp_path / 'untrained', network, describe(setup, Member(0), None))

    return make


@pytest.fixture
def ending(monkeypatch, capfd, handlers):
    """Run a node in this process that ends with an error; return what it printed."""

    def begin(make, *arguments):
        monkeypatch.setattr(sys, 'argv', ['node', '--ros-args', *arguments])
        assert run_node('node', make) == 2
        return capfd.readouterr().err

    return begin

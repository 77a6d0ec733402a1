# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Does the policy inspector keep up with a fast robot?

This process plays a robot that publishes joint states at a rate, and receives the activations of
all layers; the inspector runs a policy for each of them on another core. Prints a row for
docs/benchmarks.md: steps, how many were lost, and median, 99th percentile and maximum of the time
from the stamp of the joint states to the receipt of the activations of the output, ms.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float32MultiArray, Header

from neuron_reach import messages
from neuron_reach.launching import starter
from neuron_reach.launching.graph import Process
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import Function
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.publishing import reliable
from neuron_reach.policies.feed_forward import FeedForwardPolicy

JOINTS = 24
SIZES = (2 * JOINTS, 512, 256, 128, JOINTS)
START = 30.0
"""Seconds for the inspector to start."""


def make_policy(folder: Path) -> Path:
    """Save an untrained policy with ELU, as for legged robots; return its folder."""
    generator = np.random.default_rng(0)
    layers = []
    for number, (before, after) in enumerate(itertools.pairwise(SIZES), 1):
        weight = generator.normal(0.0, before**-0.5, (after, before)).astype(np.float32)
        steps = () if number == len(SIZES) - 1 else (Function.of('elu'),)
        layers.append(Layer(weight, np.zeros(after, np.float32), steps))
    return FeedForwardPolicy(FeedForward(tuple(layers))).save(folder / 'policy')


def make_inputs(folder: Path, names: list[str]) -> Path:
    """Write the description of the inputs; return its path."""
    joints = '{topic: joint_states, type: sensor_msgs/msg/JointState, field: '
    fields = (f'{joints}{field}, names: [{", ".join(names)}]}}' for field in FIELDS)
    lines = ['trigger: joint_states', 'inputs:', *(f'  - {field}' for field in fields)]
    path = folder / 'inputs.yaml'
    path.write_text('\n'.join(lines) + '\n')
    return path


FIELDS = ('position', 'velocity')


def measure(node: Node, rate: float, seconds: float, inspector: Process) -> tuple[int, np.ndarray]:
    """Play the robot and return how many steps were asked for, and the delay of each, s."""
    loop = Loop(node)
    layers = messages.layer_names(len(SIZES) - 2)
    inboxes = [
        loop.subscribe(Float32MultiArray, messages.activation_topic(layer), reliable(1000))
        for layer in layers
    ]
    steps = loop.subscribe(Header, messages.STEPS, reliable(1000))
    publisher = node.create_publisher(JointState, messages.JOINT_STATES, reliable(1000))
    generator = np.random.default_rng(0)
    names = [f'joint_{number}' for number in range(JOINTS)]
    command = ['taskset', '-c', '0', *starter.command_of(inspector)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    topics = [*(inbox.topic_name for inbox in inboxes), steps.topic_name]
    try:
        found = loop.wait_until(
            lambda: (
                publisher.get_subscription_count() > 0
                and all(node.count_publishers(topic) for topic in topics)
            ),
            START,
        )
        if not found:
            raise SystemExit('the inspector did not start')
        loop.wait_until(lambda: False, 1.0)  # until it has found the subscriptions
        total, sent = int(rate * seconds), 0
        received: list[list[float]] = [[] for _ in inboxes]
        begin = time.monotonic()
        stamps: list[float] = []
        while min(map(len, received)) < total and time.monotonic() < begin + seconds + 5.0:
            due = begin + sent / rate
            if sent < total and time.monotonic() >= due:
                state = JointState(name=names)
                state.position, state.velocity = generator.normal(size=(2, JOINTS)).tolist()
                now = time.time_ns()
                state.header.stamp.sec, state.header.stamp.nanosec = divmod(now, 10**9)
                publisher.publish(state)
                sent += 1
                continue
            loop.wait(min(0.001, max(0.0, due - time.monotonic())))
            while (header := steps.take()) is not None:
                stamps.append(header.stamp.sec + 1e-9 * header.stamp.nanosec)
            for inbox, times in zip(inboxes, received, strict=True):
                while inbox.take() is not None:
                    times.append(time.time())
        counts = {len(stamps), *map(len, received)}
        if len(counts) > 1:
            raise SystemExit(f'the topics have {sorted(counts)} messages')
        return total, np.array(received[-1]) - np.array(stamps)
    finally:
        child.send_signal(2)
        child.wait()


def main() -> None:
    """Measure and print a row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rate', type=float, default=500.0, help='joint states a second')
    parser.add_argument('--seconds', type=float, default=60.0)
    options = parser.parse_args()
    starter.local_ros()
    os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)) or {0})
    rclpy.init()
    node = rclpy.create_node('robot')
    with tempfile.TemporaryDirectory() as folder:
        files = {
            'policy': str(make_policy(Path(folder))),
            'inputs': str(
                make_inputs(Path(folder), [f'joint_{number}' for number in range(JOINTS)])
            ),
        }
        total, delays = measure(
            node, options.rate, options.seconds, Process('policy_inspector', files)
        )
    middle, most, worst = 1e3 * np.quantile(delays, [0.5, 0.99, 1.0])
    network = '-'.join(map(str, SIZES))
    print(
        f'| {network}, {options.rate:g} Hz, {options.seconds:g} s | {total} | '
        f'{total - len(delays)} | {middle:.2f} | {most:.2f} | {worst:.1f} |'
    )
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main()

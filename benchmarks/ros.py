# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What does it cost to go over ROS topics?

* `training`: the same training (same seed, so the same numbers) in one process and over topics with
  three processes; wall time from the end of the first round of episodes to the trained network.
* `recording`: sample episodes at full lockstep speed into a bag; control cycles per second, and
  whether the bag lacks anything.
* `realtime`: delay from a joint state to the policy's command, measured by a third process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import torch
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from neuron_reach import messages
from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.summary import summarize
from neuron_reach.launching import starter
from neuron_reach.launching.graph import Process
from neuron_reach.learning.checkpoint import describe, load_checkpoint, save_checkpoint
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.session import Session
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.publishing import reliable


def in_process(setup: Setup, run_dir: Path) -> float:
    """Return the wall time of a training in this process, s."""
    session = Session(setup, run_dir, 10.0)
    ends: list[float] = []
    with torch.no_grad():
        session.train(
            lambda arms: FleetSimulator(setup.arm, arms),
            lambda training: ends.append(time.monotonic()),
        )
    return time.monotonic() - ends[0]


def over_topics(node: Node, setup: Setup, run_dir: Path) -> float:
    """Return the wall time of the same training by three processes, s."""
    loop = Loop(node)
    episodes = loop.subscribe(Float64MultiArray, messages.EPISODE, reliable(10_000))
    arms = setup.learning.arms
    simulator = {**vars(setup.arm), 'arms': arms, 'clock': 'lockstep'}
    policy = {**setup.values(), 'mode': 'train', 'run_dir': str(run_dir)}
    nodes = [
        Process('arm_simulator', simulator),
        Process('activation_recorder'),
        Process('dqn_policy', {**policy, 'test_episodes': 0}),
    ]
    children = [
        subprocess.Popen(starter.command_of(process), stdout=subprocess.DEVNULL)
        for process in nodes
    ]
    first = None
    try:
        while not (run_dir / 'checkpoint').exists():
            loop.wait(0.01)
            while episodes.take() is not None:
                first = first or time.monotonic()
            if children[-1].poll() not in (None, 0):
                raise SystemExit('the policy failed')
        return time.monotonic() - (first or 0.0)
    finally:
        end(children)


def end(children: list[subprocess.Popen[bytes]]) -> None:
    """End processes, the one started last first."""
    for child in reversed(children):
        if child.poll() is None:
            child.send_signal(2)
        child.wait()


def training(node: Node, seeds: int, width: int) -> None:
    """Print the table of training times."""
    print(f'| seed (3 joints, 6 x {width}) | in process, s | over topics, s | ratio |')
    print('|---|---|---|---|')
    ratios = []
    for seed in range(seeds):
        setup = Setup.from_values({'seed': seed, 'hidden': width}, 'benchmark')
        with tempfile.TemporaryDirectory() as folder:
            here = in_process(setup, Path(folder) / 'here')
            there = over_topics(node, setup, Path(folder) / 'there')
            networks = [load_checkpoint(Path(folder) / n / 'checkpoint') for n in ('here', 'there')]
        same = torch.equal(networks[0].network.flat, networks[1].network.flat)
        ratios.append(there / here)
        note = '' if same else ' (other weights!)'
        print(f'| {seed} | {here:.2f} | {there:.2f} | {there / here:.2f}{note} |', flush=True)
    print(f'| median | | | {np.median(ratios):.2f} |\n')


def untrained(folder: Path, width: int) -> Path:
    """Save a network to act with; how well it acts does not matter here."""
    setup = Setup.from_values({'hidden': width}, 'benchmark')
    network = QNetwork(setup.layer_sizes)
    network.initialize([torch.Generator().manual_seed(0)], 1.0)
    return save_checkpoint(folder / 'checkpoint', network, describe(setup, Member(0), None))


def recording() -> None:
    """Print the table of recordings."""
    print('| network | arms | episodes | control cycles per second | messages | lost |')
    print('|---|---|---|---|---|---|')
    for width, arms, episodes in ((48, 100, 3000), (48, 1, 300), (256, 100, 300), (256, 1, 100)):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            checkpoint = untrained(folder, width)
            command = [sys.executable, '-m', 'neuron_reach', 'record', f'record:={episodes}']
            command += [f'checkpoint:={checkpoint}', f'arms:={arms}']
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            bag = summarize(folder / 'bag')
            cycles = episodes // arms * 60
            counts = [track.messages for track in bag.continuity.values()]
            times = [t for _, t, _ in _observations(folder / 'bag')]
            rate = (len(times) - 1) / ((times[-1] - times[0]) * 1e-9)
            lost = sum(cycles - count for count in counts)
            sent = sum(bag.messages.values())
            print(
                f'| 6 x {width} | {arms} | {episodes} | {rate:,.0f} | {sent:,} | {lost} |',
                flush=True,
            )
    print()


def _observations(bag: Path) -> Iterator[tuple[str, int, Any]]:
    return BagReader(bag).messages([messages.OBSERVATION], raw=True)


def realtime(node: Node, cycles: int) -> None:
    """Print the delays of the policy's commands."""
    loop = Loop(node)
    states = loop.subscribe(JointState, messages.JOINT_STATES, qos_profile_sensor_data)
    commands = loop.subscribe(Float64MultiArray, messages.COMMANDS, reliable(10))
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, '-m', 'neuron_reach', 'run']
        command += [f'checkpoint:={untrained(Path(name), 48)}']
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        delays: list[float] = []
        seen = None
        while len(delays) < cycles:
            if seen is None:
                loop.wait(0.05)
            else:
                time.sleep(0.0001)  # no executor in between
            while states.take() is not None:  # a reset publishes one that nobody answers
                seen = time.monotonic()
            while commands.take() is not None:
                if seen is not None:
                    delays.append(1000 * (time.monotonic() - seen))
                seen = None
        end([child])
    low, middle, high, most = np.quantile(delays, (0.01, 0.5, 0.99, 1.0))
    print('| cycles | 1st percentile, ms | median | 99th percentile | largest |')
    print('|---|---|---|---|---|')
    print(f'| {cycles} | {low:.2f} | {middle:.2f} | {high:.2f} | {most:.2f} |\n')


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', nargs='*', default=['training', 'recording', 'realtime'])
    parser.add_argument('--seeds', type=int, default=5)
    parser.add_argument('--width', type=int, default=48)
    parser.add_argument('--cycles', type=int, default=1000)
    options = parser.parse_args()
    use_one_core()
    starter.local_ros()
    rclpy.init()
    node = rclpy.create_node('benchmark')
    if 'training' in options.what:
        training(node, options.seeds, options.width)
    if 'recording' in options.what:
        recording()
    if 'realtime' in options.what:
        realtime(node, options.cycles)
    starter.remove_dead_segments()


if __name__ == '__main__':
    main()

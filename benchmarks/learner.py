# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Where does the time of learning go, and how does it grow?

* one update of one network in a stack, part by part, and how near its matrix products and all of it
  come to the fastest product that this machine can do (single precision, one core);
* the same with the width of the layers, the joints and the number of networks.

All in CPU time of one core.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.learning import kernels
from neuron_reach.learning.rollout import play
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Training


def fastest_product(size: int = 1024, repeats: int = 20) -> float:
    """Return the most GFLOP/s of a square product in single precision."""
    a = np.random.default_rng(0).random((size, size), dtype=np.float32)
    best = min(seconds(lambda: a @ a, 1) for _ in range(repeats))
    return 2 * size**3 / best / 1e9


def seconds(function: Callable[[], Any], repeats: int) -> float:
    """Return the CPU time of a call, s."""
    start = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - start) / repeats


def trained_for_a_while(joints: int, width: int, networks: int) -> tuple[Training, FleetSimulator]:
    """Return a stack with a filled memory, in the middle of its training."""
    options = {'joints': joints, 'hidden': width, 'validation_interval': 10_000_000}
    setup = Setup.from_values(options, 'benchmark')
    training = Training(setup, range(networks))
    fleet = FleetSimulator(setup.arm, networks * setup.learning.arms)
    for _ in range(8 if width < 200 else 2):
        training.round(fleet)
    return training, fleet


def round_seconds(training: Training, fleet: FleetSimulator, rounds: int) -> float:
    """Return the CPU time of an update of one network and all that goes with it, s."""
    updates = training.learner.updates
    total = rounds * seconds(lambda: training.round(fleet), rounds)
    return total / (training.learner.updates - updates) / len(training.members)


def operations(training: Training) -> float:
    """Return the floating point operations of the matrix products of an update, of one network.

    Forward of the batch without the output layer, forward of the states that followed, backward to
    the first layer's weights, and the arms' forward.
    """
    learning = training.setup.learning
    layers = [a * b for a, b in itertools.pairwise(training.setup.layer_sizes)]
    forward, hidden, output = sum(layers), sum(layers[:-1]), layers[-1]
    backward = 2 * hidden - layers[0]
    rows = learning.batch_size * (hidden + hidden + output + backward) + learning.arms * forward
    return 2.0 * rows


def parts(training: Training, fleet: FleetSimulator, repeats: int) -> dict[str, float]:
    """Return the CPU time of the parts of an update, s, of one network."""
    learner, memory, task = training.learner, training.memory, training.task
    learning = training.setup.learning
    observations, actions, rewards, following = memory.sample(learner.sampling, learning.batch_size)
    online, sizes = learner.online, learner.online.layer_sizes
    rows, members = learning.batch_size, range(len(training.members))
    buffers = np.empty((len(members), rows * sum(online.sizes)), np.float32)
    buffers[:, : rows * online.sizes[0]] = observations.reshape(len(members), -1)
    seen = np.ascontiguousarray(observations[:, : learning.arms])
    goals = np.zeros((len(members), learning.arms, 2))
    still = np.zeros(seen.shape[:2], np.int64)

    def forward() -> None:
        for m in members:
            kernels.forward(online.parameters[m], sizes[m], rows, buffers[m], len(sizes[m]) - 2)

    def backward() -> None:
        for m in members:
            kernels.backward(
                online.parameters[m],
                sizes[m],
                buffers[m],
                actions[m],
                rewards[m],
                learner._gradient.parameters[m],
            )

    found = {
        'sample a batch': seconds(lambda: memory.sample(learner.sampling, rows), repeats),
        'forward, batch': seconds(forward, repeats),
        'forward, next states': seconds(lambda: learner.target.q_values(following), repeats),
        'backward': seconds(backward, repeats),
    }
    update = seconds(lambda: learner.update(memory), repeats)
    found['targets, Adam, target network'] = update - sum(found.values())
    found['choose actions (forward, softmax)'] = seconds(lambda: learner.explore(seen), repeats)
    episode = seconds(lambda: play(fleet, task, goals, lambda _: still), max(1, repeats // 50))
    found['move and observe arms, rewards'] = episode / task.options.episode_steps
    return {name: value / len(members) for name, value in found.items()}


def main() -> None:
    """Measure and print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=10, help='of 60 updates each')
    options = parser.parse_args()
    kernels.use_one_core()
    peak = fastest_product()
    print(f'Fastest product: {peak:.0f} GFLOP/s.\n')
    training, fleet = trained_for_a_while(3, 48, 20)
    whole = round_seconds(training, fleet, options.rounds)
    found = parts(training, fleet, 100)
    found['the rest (rounds, Python)'] = whole - sum(found.values())
    print('| part of an update, 3 joints, 6 x 48, stack of 20 | us per network | share |')
    print('|---|---|---|')
    for name, value in found.items():
        print(f'| {name} | {1e6 * value:.0f} | {value / whole:.0%} |')
    print(f'| all | {1e6 * whole:.0f} | |\n')
    print('| joints | layers | networks | ms per update | GFLOP/s | share of the fastest product |')
    print('|---|---|---|---|---|---|')
    for joints, width, networks in [
        *((3, 48, count) for count in (1, 5, 20)),
        *((joints, 48, 5) for joints in (2, 4)),
        *((3, width, 5) for width in (25, 32, 128)),
        *((3, width, 1) for width in (256, 512)),
    ]:
        training, fleet = trained_for_a_while(joints, width, networks)
        rounds = options.rounds if width < 200 else 1
        took = round_seconds(training, fleet, rounds)
        speed = operations(training) / took / 1e9
        print(
            f'| {joints} | 6 x {width} | {networks} | {1000 * took:.3f} | {speed:.0f} '
            f'| {speed / peak:.0%} |',
            flush=True,
        )


if __name__ == '__main__':
    main()

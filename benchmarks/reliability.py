# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Does learning pass for every seed, and after how many episodes?

Trains networks of every arm and width until the validation test is passed and confirmed, and
prints a table in Markdown. Networks of one condition learn as a stack, each with its own seed and
random streams, as they would alone. Results are kept in a JSON file, so that an interrupted
benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.arm.task import ReachingTask
from neuron_reach.common.files import write_text
from neuron_reach.common.random_streams import training_streams
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.rollout import greedy_successes
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Training
from neuron_reach.learning.validation import required_successes

TEST_EPISODES = 3000


def train(setup: Setup, seeds: list[int]) -> list[dict[str, Any]]:
    """Train a stack and return the results of its members."""
    required_successes()  # loads scipy.stats, which is no part of learning
    training = Training(setup, seeds)
    task = ReachingTask(setup.task, setup.arm)
    ends: dict[int, float] = {}
    start, shares = time.process_time(), dict.fromkeys(seeds, 0.0)
    last = start

    def after_round(running: Training) -> None:
        nonlocal last
        now = time.process_time()
        for member in running.members:
            shares[member.seed] += (now - last) / len(running.members)
            ends[member.seed] = running.learner.updates
        last = now

    training.run(lambda arms: FleetSimulator(setup.arm, arms), after_round)
    results = []
    trained = {member.seed: (member, network) for member, network in training.finished}
    for seed in seeds:
        result: dict[str, Any] = {'seed': seed, 'cpu': shares[seed], 'updates': ends[seed]}
        result.update(first_pass=None, trained=None, accuracy=None)
        if seed in trained:
            member, network = trained[seed]
            goals = task.sample_goals(training_streams(seed)['test'], TEST_EPISODES)
            fleet = FleetSimulator(setup.arm, 300)
            won = greedy_successes(fleet, task, network, goals[None])[0]
            result.update(
                first_pass=member.first_pass, trained=member.trained, accuracy=float(won.mean())
            )
        results.append(result)
    return results


def describe(values: list[float], digits: int = 0) -> str:
    """Return median and interquartile range."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f'{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})'


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', type=int, default=20)
    parser.add_argument('--joints', type=int, nargs='+', default=[2, 3, 4])
    parser.add_argument('--widths', type=int, nargs='+', default=[48, 256])
    parser.add_argument('--stack', type=int, default=10, help='networks trained as one')
    parser.add_argument('--goals', default='upper', choices=('upper', 'full'))
    parser.add_argument('--results', type=Path, default=Path('runs/reliability.json'))
    options = parser.parse_args()
    use_one_core()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    known: dict[str, list[dict[str, Any]]] = {}
    if options.results.exists():
        known = json.loads(options.results.read_text())
    for width in options.widths:
        for joints in options.joints:
            setup = Setup.from_values(
                {'joints': joints, 'hidden': width, 'goals': options.goals}, 'benchmark'
            )
            key = f'{joints} joints, 6 x {width}, {options.goals}'
            results = known.setdefault(key, [])
            missing = [s for s in range(options.seeds) if s not in {r['seed'] for r in results}]
            for first in range(0, len(missing), options.stack):
                results += train(setup, missing[first : first + options.stack])
                write_text(options.results, json.dumps(known, indent=1))
    print(
        '| arm, network, goals | trained | training duration (first pass), episodes '
        '| largest | environment steps, thousands | updates | CPU s | accuracy on 3000 goals |'
    )
    print('|---|---|---|---|---|---|---|---|')
    for key, results in known.items():
        passed = [r for r in results if r['trained'] is not None]
        if not passed:
            print(f'| {key} | 0 of {len(results)} | | | | | | |')
            continue
        print(
            f'| {key} | {len(passed)} of {len(results)} '
            f'| {describe([r["first_pass"] for r in passed])} '
            f'| {max(r["trained"] for r in passed):,} '
            f'| {describe([r["trained"] * 60 / 1000 for r in passed])} '
            f'| {describe([r["updates"] for r in passed])} '
            f'| {describe([r["cpu"] for r in passed], 1)} '
            f'| {describe([r["accuracy"] for r in passed], 3)} |'
        )


if __name__ == '__main__':
    main()

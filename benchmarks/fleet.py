# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How many arms can one core move?

Counts arm-control-steps a second (50 ms each, PID inner steps included) of the fleet simulator on
one core, next to stepping the same arms one by one.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from neuron_reach.arm.simulator import ArmOptions, FleetSimulator


def rate(arms: int, joints: int, seconds: float) -> float:
    """Return arm-control-steps per CPU second of a fleet of `arms`."""
    fleet = FleetSimulator(ArmOptions(joints=joints), arms)
    steps = np.random.default_rng(0).choice((-0.05, 0.0, 0.05), size=(64, arms, joints))
    targets = fleet.joint_angles
    cycles, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        targets += steps[cycles % 64]
        fleet.send(targets)
        fleet.receive()
        cycles += 1
    return cycles * arms / (time.process_time() - start)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=3.0, help='CPU time per measurement')
    parser.add_argument('--repeats', type=int, default=5)
    options = parser.parse_args()
    print('| joints | arms | arm-control-steps per second, median (min to max) |')
    print('|---|---|---|')
    for joints in (2, 3, 4):
        for arms in (1, 100, 1024):
            rates = [rate(arms, joints, options.seconds) for _ in range(options.repeats)]
            low, middle, high = (f'{x:,.0f}' for x in np.quantile(rates, (0, 0.5, 1)))
            print(f'| {joints} | {arms} | {middle} ({low} to {high}) |', flush=True)


if __name__ == '__main__':
    main()

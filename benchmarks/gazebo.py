# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Gazebo: how well joints are controlled, policies transfer and what they bear, and how fast it is.

Writes tables in Markdown, and the figure of the step responses (PNG and SVG) into a folder. The
numbers in docs/gazebo.md come from here.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.figures.style import save
from neuron_reach.gazebo.arms import GazeboArms
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.gazebo.response import Response, step_response
from neuron_reach.gazebo.validate import validate

STEP = 0.1
"""Step of a target angle, rad."""

PAYLOADS = (0.1, 0.25, 0.5, 1.0)
GAIN_SCALES = (0.25, 0.5, 2.0)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoints', nargs='*', type=Path, help='trained networks')
    parser.add_argument('--steps', type=Path, metavar='FOLDER', help='measure step responses')
    parser.add_argument('--robustness', action='store_true', help='payloads and errors of gains')
    parser.add_argument('--speed', action='store_true', help='control cycles per second')
    parser.add_argument('--episodes', type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.steps is not None:
        measure_steps(options.steps)
    if options.checkpoints:
        measure_transfer(options.checkpoints, options.episodes, options.robustness)
    if options.speed:
        measure_speed()


def measure_steps(folder: Path) -> None:
    """Print the figures of merit of every joint, and plot the responses."""
    print(
        '| joints | joint | p | i | d | rise, ms | overshoot | settled (5 %), ms '
        '| error at the end | others move |'
    )
    print('|---|---|---|---|---|---|---|---|---|---|')
    responses: dict[tuple[int, int], Response] = {}
    for joints in range(1, 7):
        with GazeboArms(ArmOptions(joints=joints), 1) as arms:
            for joint, gains in enumerate(arms.gains):
                response = step_response(arms, joint, STEP, 2.0, 50)
                responses[joints, joint] = response
                print(
                    f'| {joints} | {joint + 1} | {gains.p:.1f} | {gains.i:.1f} | {gains.d:.2f} '
                    f'| {response.rise_time * 1e3:.0f} | {response.overshoot:.1%} '
                    f'| {response.settling_time * 1e3:.0f} | {response.steady_error:.2%} '
                    f'| {response.others:.0%} |',
                    flush=True,
                )
    plot(responses, folder)


def plot(responses: dict[tuple[int, int], Response], folder: Path) -> None:
    """Draw the responses of all joints, a panel for each arm."""
    figure, panels = plt.subplots(2, 3, figsize=(9, 5), sharex=True, sharey=True)
    colours = plt.get_cmap('viridis')
    styles = ('-', '--', '-.', ':', (0, (5, 1)), (0, (3, 1, 1, 1)))
    for joints, panel in enumerate(panels.flat, 1):
        for joint in range(joints):
            response = responses[joints, joint]
            panel.plot(
                response.time,
                response.angle,
                color=colours(joint / 6.5),
                linestyle=styles[joint],
                label=f'joint {joint + 1}',
            )
        panel.axhline(1.0, color='0.6', linewidth=0.8)
        panel.set_title(f'{joints} joint{"s" * (joints > 1)}', fontsize=9)
        panel.set_xlim(0.0, 0.6)
    panels[1, 2].legend(fontsize=7, loc='lower right')
    figure.supxlabel('time, s')
    figure.supylabel(f'angle, share of a step of {STEP} rad')
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    save(figure, folder / 'step_response')


def measure_transfer(checkpoints: list[Path], episodes: int, robustness: bool) -> None:
    """Print success rates on the kinematic arm and in Gazebo, if asked for also under errors."""
    print('\n| joints | simulation | payload, kg | gains | successes [95 %] |')
    print('|---|---|---|---|---|')
    cases = [(0.0, 1.0)]
    if robustness:
        cases += [(payload, 1.0) for payload in PAYLOADS]
        cases += [(0.0, scale) for scale in GAIN_SCALES]
    for checkpoint in checkpoints:
        result = validate(checkpoint, None, episodes, episodes)
        print(f'| {result.joints} | kinematic | | | {result} |', flush=True)
        for payload, scale in cases:
            gazebo = GazeboOptions(payload=payload, gain_scale=scale)
            result = validate(checkpoint, gazebo, episodes, 1)
            print(
                f'| {result.joints} | Gazebo | {payload:g} | x {scale:g} | {result} |', flush=True
            )


def measure_speed() -> None:
    """Print how fast Gazebo is, and how much of the time is its own."""
    print(
        '\n| joints | arms | physics step, ms | cycles per second | times real time '
        "| Gazebo's own share | started in, s |"
    )
    print('|---|---|---|---|---|---|---|')
    for joints, arms, steps in ((3, 1, 50), (3, 1, 25), (2, 1, 50), (4, 1, 50), (3, 10, 50)):
        begin = time.monotonic()
        gazebo = GazeboOptions(physics_steps=steps)
        with GazeboArms(ArmOptions(joints=joints), arms, gazebo) as fleet:
            start, busy = time.monotonic(), fleet.busy
            for cycle in range(2000 // arms):
                if cycle % 60 == 0:
                    fleet.reset()
                fleet.receive()
            duration = time.monotonic() - start
            rate = (2000 // arms) / duration
            print(
                f'| {joints} | {arms} | {50 / steps:g} | {rate:.0f} | {rate * 0.05:.1f} '
                f'| {(fleet.busy - busy) / duration:.0%} | {start - begin:.1f} |',
                flush=True,
            )


if __name__ == '__main__':
    main()

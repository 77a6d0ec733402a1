# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What logging dead and dormant neurons and effective rank costs a training.

python benchmarks/activity_callback.py [--steps 50000]

Trains DQN and PPO of stable-baselines3 on LunarLander-v3 with the callback, and prints the share
of the training's time that is spent in it. For PPO, which collects steps fastest, it is greatest.
"""

from __future__ import annotations

import argparse
import time

import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm

from neuron_reach.sb3 import ActivityCallback


class Timed(ActivityCallback):
    """Adds up the time spent in the callback."""

    seconds = 0.0
    measured = 0

    def on_step(self) -> bool:
        """Take the time of a step."""
        start = time.perf_counter()
        go_on = super().on_step()
        self.seconds += time.perf_counter() - start
        return go_on

    def _measure(self) -> None:
        self.measured += 1
        super()._measure()


def main() -> None:
    """Train with each algorithm and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--steps', type=int, default=50_000)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    models: dict[str, BaseAlgorithm] = {
        'PPO 64-64': PPO('MlpPolicy', 'LunarLander-v3', seed=0, device='cpu'),
        'DQN 256-256': DQN(
            'MlpPolicy',
            'LunarLander-v3',
            policy_kwargs={'net_arch': [256, 256]},
            learning_starts=1000,
            seed=0,
            device='cpu',
        ),
    }
    for name, model in models.items():
        callback = Timed()
        start = time.perf_counter()
        model.learn(steps, callback=callback)
        whole = time.perf_counter() - start
        print(
            f'{name:<12} {steps} steps in {whole:.0f} s, measured {callback.measured} times: '
            f'{callback.seconds / whole:.2%} of the time',
            flush=True,
        )


if __name__ == '__main__':
    main()

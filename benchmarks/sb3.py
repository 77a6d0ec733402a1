# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How does learning compare with stable-baselines3's DQN?

Two questions, each answered for both in the same run, in CPU seconds of one core and for one
network; this package trains a stack of networks, one for each seed:

* one update, with matched settings: same network and initialisation, batch, replay memory, arms,
  learning rate, discount, target update and validation interval;
* a passed and confirmed validation, with matched settings, and with the best ones found for
  stable-baselines3.

stable-baselines3 steps its own DummyVecEnv of this package's Gymnasium environment. Its validation
tests are played by this package's fleet, which is the fastest way there is. Exploration is its own
epsilon-greedy. Results are kept in a JSON file, so that an interrupted benchmark goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import stable_baselines3
import torch
from reliability import train as train_stack
from stable_baselines3 import DQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.arm.task import ReachingTask
from neuron_reach.common.files import write_text
from neuron_reach.common.random_streams import training_streams
from neuron_reach.environment import ReachEnv
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.rollout import greedy_successes
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import TYPICAL_REWARD, Training
from neuron_reach.learning.validation import VALIDATION_EPISODES, required_successes

OURS = 'this package'

SETTINGS: dict[str, dict[str, Any]] = {
    'matched': {},
    'defaults': {'defaults': True},
    '8 arms': {'arms': 8, 'updates_per_cycle': 1},
    '16 arms': {'arms': 16, 'updates_per_cycle': 1},
    '32 arms': {'arms': 32, 'updates_per_cycle': 1},
    '32 arms, batch 128': {'arms': 32, 'updates_per_cycle': 1, 'batch_size': 128},
    '32 arms, 2 updates': {'arms': 32, 'updates_per_cycle': 2},
    '32 arms, lr 0.002': {'arms': 32, 'updates_per_cycle': 1, 'learning_rate': 0.002},
    '32 arms, memory 100,000': {'arms': 32, 'updates_per_cycle': 1, 'buffer_size': 100_000},
}
"""Settings tried for stable-baselines3; what is not named is as in this package."""


class Judge(BaseCallback):
    """Validates the averaged network every so many episodes and stops once it has passed."""

    model: DQN

    def __init__(self, setup: Setup, seed: int, arms: int, limit: int) -> None:
        super().__init__()
        self.setup, self.limit, self.arms = setup, limit, arms
        self.task = ReachingTask(setup.task, setup.arm)
        self.goals = training_streams(seed)['validation']
        self.fleet = FleetSimulator(setup.arm, 100)
        self.network = QNetwork(setup.layer_sizes)
        self.next_test = setup.training.validation_interval
        self.first_pass: int | None = None
        self.trained: int | None = None
        self.episodes = 0

    def passes(self) -> bool:
        """Play one validation test."""
        layers = [m for m in self.model.q_net_target.modules() if isinstance(m, torch.nn.Linear)]
        for layer, weight, bias in zip(
            layers, self.network.weights, self.network.biases, strict=True
        ):
            weight[0].copy_(layer.weight)
            bias[0, 0].copy_(layer.bias)
        goals = self.task.sample_goals(self.goals, VALIDATION_EPISODES)[None]
        failures = VALIDATION_EPISODES - required_successes()
        won = greedy_successes(
            self.fleet, self.task, self.network, goals, stop_after_failures=failures
        )
        return int(won[0].sum()) >= required_successes()

    def _on_step(self) -> bool:
        self.episodes = self.num_timesteps // self.setup.task.episode_steps
        if self.episodes < self.next_test:
            return True
        self.next_test += self.setup.training.validation_interval
        with torch.no_grad():
            if not self.passes():
                return self.episodes < self.limit
            self.first_pass = self.first_pass or self.episodes
            if self.passes():
                self.trained = self.episodes
                return False
        return self.episodes < self.limit


def make_sb3(setup: Setup, seed: int, settings: dict[str, Any]) -> DQN:
    """Build stable-baselines3's DQN, with this package's settings where not said otherwise."""
    torch.manual_seed(seed)
    learning = setup.learning
    arms = settings.get('arms', learning.arms)
    environments = DummyVecEnv([lambda: ReachEnv(joints=setup.arm.joints)] * arms)
    network = {'net_arch': list(learning.hidden), 'activation_fn': torch.nn.ReLU}
    if settings.get('defaults'):
        return DQN('MlpPolicy', environments, policy_kwargs=network, seed=seed, device='cpu')
    model = DQN(
        'MlpPolicy',
        environments,
        learning_rate=settings.get('learning_rate', learning.step_size()),
        buffer_size=settings.get('buffer_size', learning.replay_capacity),
        learning_starts=settings.get('learning_starts', arms * setup.task.episode_steps),
        batch_size=settings.get('batch_size', learning.batch_size),
        tau=learning.target_rate,
        gamma=settings.get('gamma', learning.gamma),
        train_freq=1,
        gradient_steps=settings.get('updates_per_cycle', 1),
        target_update_interval=1,
        # The schedule is given in shares of all steps: linear, over the first 1500 episodes.
        exploration_fraction=1500 / settings.get('limit', 30_000),
        exploration_final_eps=settings.get('epsilon', 0.1),
        max_grad_norm=1e9,
        policy_kwargs=network,
        seed=seed,
        device='cpu',
    )
    ours = QNetwork(setup.layer_sizes)
    ours.initialize([torch.Generator().manual_seed(seed)], TYPICAL_REWARD / (1 - learning.gamma))
    for net in (model.q_net, model.q_net_target):
        layers = [m for m in net.modules() if isinstance(m, torch.nn.Linear)]
        with torch.no_grad():
            for layer, weight, bias in zip(layers, ours.weights, ours.biases, strict=True):
                layer.weight.copy_(weight[0])
                layer.bias.copy_(bias[0, 0])
    return model


def train_sb3(setup: Setup, seed: int, settings: dict[str, Any], limit: int) -> dict[str, Any]:
    """Train with stable-baselines3 until validation is passed and confirmed."""
    model = make_sb3(setup, seed, {**settings, 'limit': limit})
    judge = Judge(setup, seed, model.n_envs, limit)
    start = time.process_time()
    model.learn(limit * setup.task.episode_steps, callback=judge)
    return {
        'seed': seed,
        'cpu': time.process_time() - start,
        'updates': model._n_updates,
        'first_pass': judge.first_pass,
        'trained': judge.trained,
        'episodes': judge.episodes,
    }


def per_update(setup: Setup, networks: int, updates: int) -> tuple[float, float]:
    """Return CPU ms per update and network, arms' motion included, no validation: ours, theirs."""
    training = Training(setup, range(networks))
    fleet = FleetSimulator(setup.arm, networks * setup.learning.arms)
    for _ in range(2):  # the first one fills the memory, the second one compiles
        training.round(fleet)
    before = training.learner.updates
    start = time.process_time()
    while training.learner.updates < before + updates:
        training.round(fleet)
    made = (training.learner.updates - before) * networks
    ours = (time.process_time() - start) / made
    model = make_sb3(setup, 0, {})
    steps = setup.learning.arms * setup.task.episode_steps
    model.learn(steps)  # fills the memory, as our first round does
    before = model._n_updates
    start = time.process_time()
    model.learn(setup.learning.arms * updates, reset_num_timesteps=False)
    theirs = (time.process_time() - start) / (model._n_updates - before)
    return 1000 * ours, 1000 * theirs


def summary(results: list[dict[str, Any]]) -> str:
    """Return a table row's cells; runs that never passed count as slower than all others."""

    def median(key: str) -> str:
        values = [r[key] if r['trained'] is not None else np.inf for r in results]
        low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), method='nearest')
        return f'{middle:,.1f} ({low:,.1f} to {high:,.1f})'

    passed = sum(r['trained'] is not None for r in results)
    return (
        f'{passed} of {len(results)} | {median("updates")} | {median("trained")} | {median("cpu")}'
    )


def main() -> None:
    """Measure what is missing and print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--networks', type=int, default=20, help='of the stack')
    parser.add_argument('--seeds', type=int, default=10, help='of stable-baselines3')
    parser.add_argument('--settings', nargs='*', default=['matched'], choices=list(SETTINGS))
    parser.add_argument('--limit', type=int, default=20_000, help='episodes after which to give up')
    parser.add_argument('--update-repeats', type=int, default=5)
    parser.add_argument('--results', type=Path, default=Path('runs/sb3.json'))
    options = parser.parse_args()
    use_one_core()
    setup = Setup.from_values({'joints': 3}, 'benchmark')
    quiet = Setup.from_values({'joints': 3, 'validation_interval': 10_000_000}, 'benchmark')
    pairs = [per_update(quiet, options.networks, 300) for _ in range(options.update_repeats)]
    if pairs:
        print(f'stable-baselines3 {stable_baselines3.__version__}, torch {torch.__version__}\n')
        print('| ms CPU per update | this package | stable-baselines3 | ratio |\n|---|---|---|---|')
        ours, theirs = np.array(pairs).T
        cells = [f'{np.median(x):.2f} ({x.min():.2f} to {x.max():.2f})' for x in (ours, theirs)]
        ratio = theirs / ours
        print(
            f'| median (range) of {len(pairs)} | {cells[0]} | {cells[1]} '
            f'| {np.median(ratio):.1f} ({ratio.min():.1f} to {ratio.max():.1f}) |\n',
            flush=True,
        )
    options.results.parent.mkdir(parents=True, exist_ok=True)
    known: dict[str, list[dict[str, Any]]] = {}
    if options.results.exists():
        known = json.loads(options.results.read_text())
    if OURS not in known:
        known[OURS] = train_stack(setup, list(range(options.networks)))
        write_text(options.results, json.dumps(known, indent=1))
    for seed, name in itertools.product(range(options.seeds), options.settings):
        results = known.setdefault(name, [])
        if seed not in {r['seed'] for r in results}:
            results.append(train_sb3(setup, seed, SETTINGS[name], options.limit))
            print('#', name, results[-1], flush=True)
            write_text(options.results, json.dumps(known, indent=1))
    own = np.mean([r['cpu'] for r in known[OURS]])
    print('| learner | trained | updates | episodes | CPU s | mean, compared with this package |')
    print('|---|---|---|---|---|---|')
    for name, results in known.items():
        mean = np.mean([r['cpu'] for r in results])
        print(f'| {name} | {summary(results)} | {mean:.2f}, {mean / own:.1f} times |')


if __name__ == '__main__':
    main()

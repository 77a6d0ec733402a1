# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What does recording cost, and how does it compare with other ways to get activations?

* Playing with and without recording: the same loop with the same forward pass, in an environment
  that costs next to nothing, and in LunarLander; CPU time, in pairs that take turns.
* Activations of one batch, by layer: `Policy.activations`, forward hooks on the torch module, and
  torchlens if it is installed (`pip install torchlens`); CPU time, taking turns.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import nn

from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import Function
from neuron_reach.policies.feed_forward import FeedForwardPolicy
from neuron_reach.policies.playing import ROWS, PlayOptions, Recording, Stage

HIDDEN = ((64,), (512, 256, 128))
BATCHES = (1, 8, 256)
INPUTS, ACTIONS = 8, 4


class Cheap(gymnasium.Env[Any, Any]):
    """Costs next to nothing: 500 steps, always the same observation."""

    observation_space = gymnasium.spaces.Box(-1, 1, (INPUTS,), np.float32)
    action_space = gymnasium.spaces.Discrete(ACTIONS)
    observation = np.zeros(INPUTS, np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        self.time = 0
        return self.observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Count a step."""
        self.time += 1
        return self.observation, 1.0, False, self.time == 500, {}


def random_module(hidden: tuple[int, ...]) -> nn.Sequential:
    """Return a network with Tanh."""
    sizes = (INPUTS, *hidden, ACTIONS)
    torch.manual_seed(0)
    parts: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        parts += [nn.Linear(before, after), nn.Tanh()]
    return nn.Sequential(*parts[:-1])


def policy_of(module: nn.Sequential) -> FeedForwardPolicy:
    """Return the same network as a policy."""
    linear = [part for part in module if isinstance(part, nn.Linear)]
    layers = [
        Layer(
            part.weight.detach().numpy(),
            part.bias.detach().numpy(),
            () if part is linear[-1] else (Function.of('tanh'),),
        )
        for part in linear
    ]
    return FeedForwardPolicy(FeedForward(tuple(layers)))


def take_turns(works: dict[str, Callable[[], object]], repeats: int, clock: Any) -> Any:
    """Return the durations of each work, (works, repeats), after one turn to warm up."""
    for work in works.values():
        work()
    durations = np.empty((len(works), repeats))
    for repeat in range(repeats):
        for number, work in enumerate(works.values()):
            start = clock()
            work()
            durations[number, repeat] = clock() - start
    return durations


def spread(values: Any, digits: int = 2) -> str:
    """Return the median and the interquartile range."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f'{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})'


def compare_playing(name: str, hidden: tuple[int, ...], episodes: int, repeats: int) -> None:
    """Print a row of the table of playing."""

    def make() -> Any:
        return gymnasium.make(name, disable_env_checker=True) if name != 'cheap' else Cheap()

    policy, options = policy_of(random_module(hidden)), PlayOptions(episodes, seed=0)
    stage = Stage(policy, [make() for _ in range(ROWS)], options, name)
    steps = int(stage.play(lambda *_: None).lengths.sum())
    works: dict[str, Callable[[], object]] = {
        'without': lambda: stage.play(lambda *_: None),
        'with': lambda: stage.play(Recording(episodes, sum(policy.sizes), stage.limit)),
    }
    without, recording = take_turns(works, repeats, time.process_time)
    layers = '-'.join(map(str, hidden))
    columns = [spread(part / steps * 1e6, 1) for part in (without, recording)]
    print(
        f'| {name}, {layers} | {" | ".join(columns)} | {spread(recording / without)} |', flush=True
    )


def hook(module: nn.Sequential) -> Callable[[Any], dict[str, Any]]:
    """Return what computes the activations of a module by forward hooks."""
    kept: dict[str, Any] = {}

    def keep(name: str) -> Callable[..., None]:
        def store(_: object, inputs: object, output: torch.Tensor) -> None:
            kept[name] = output.detach().numpy()

        return store

    for name, part in module.named_children():
        if isinstance(part, nn.Tanh) or part is module[-1]:
            part.register_forward_hook(keep(name))

    def run(observations: Any) -> dict[str, Any]:
        with torch.no_grad():
            module(torch.from_numpy(observations))
        return dict(kept)

    return run


def compare_tools(hidden: tuple[int, ...], batch: int, repeats: int) -> None:
    """Print a row of the table of tools."""
    policy, by_hooks = policy_of(random_module(hidden)), hook(random_module(hidden))
    observations = np.random.default_rng(0).normal(size=(batch, INPUTS)).astype(np.float32)
    calls = 20

    def often(work: Callable[[Any], object]) -> Callable[[], object]:
        return lambda: [work(observations) for _ in range(calls)]

    works = {'ours': often(policy.activations), 'hooks': often(by_hooks)}
    own, hooks = take_turns(works, repeats, time.process_time)
    columns = [spread(part / calls * 1e6, 0) for part in (own, hooks)]
    columns.append(spread(hooks / own))
    try:
        import torchlens
    except ImportError:
        columns += ['not installed', '']
    else:
        module, inputs = random_module(hidden), torch.from_numpy(observations)
        lens = {
            'ours': often(policy.activations),
            'lens': lambda: torchlens.trace(module, inputs),
        }
        own, traced = take_turns(lens, max(3, repeats // 10), time.process_time)
        columns += [spread(traced * 1e6, 0), spread(traced / (own / calls), 0)]
    layers = '-'.join(map(str, hidden))
    print(f'| {layers}, batch {batch} | {" | ".join(columns)} |', flush=True)


def main() -> None:
    """Print two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--repeats', type=int, default=40)
    parser.add_argument('--episodes', type=int, default=24)
    parser.add_argument('--envs', nargs='*', default=['cheap', 'LunarLander-v3'])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print('| environment, hidden layers | CPU us per step, playing | and recording | ratio |')
    print('|---|---|---|---|')
    for name in options.envs:
        for hidden in HIDDEN:
            compare_playing(name, hidden, options.episodes, max(3, options.repeats // 4))
    print('\n| hidden layers, batch | CPU us, this package | hooks | ratio | torchlens | ratio |')
    print('|---|---|---|---|---|---|')
    for hidden in HIDDEN:
        for batch in BATCHES:
            compare_tools(hidden, batch, options.repeats)


if __name__ == '__main__':
    main()

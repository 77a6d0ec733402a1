# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""prune-train in an environment, next to magnitude pruning and to training from scratch.

python benchmarks/prune_train_env.py POLICY --env ENV_ID --until RETURN -o DIR [--seeds 2]

Each step of `neuron_reach prune-train` is compared with two others of the same layer sizes, under
the same test and budget: the same network without the neurons of least L2 norm of incoming weights,
retrained; and a network trained from scratch. Prints a table with 95 % intervals over seeds
(of successes, exact ones over all test episodes). The same command resumes.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import gymnasium
import numpy as np

from neuron_reach.analysis.intervals import mean_interval
from neuron_reach.analysis.options import EnvOptions, PruningOptions
from neuron_reach.commands.prune_train_env import read_values
from neuron_reach.common.names import PRUNED_FILE, START_FILE, TRAINED_FILE, step_folder
from neuron_reach.common.random_streams import retraining_seed
from neuron_reach.common.results import make_folder
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.policies.archives import open_archive
from neuron_reach.policies.criterion import Criterion, Score, exact_interval
from neuron_reach.policies.sb3 import read_sb3, write_sb3
from neuron_reach.policies.sb3_file import read_file
from neuron_reach.sb3.rebuilding import algorithm_class, hyperparameters, policy_options
from neuron_reach.sb3.retraining import Retraining, RetrainingPlan, RetrainingStatus, retrain
from neuron_reach.workflows.prune_train_env import EnvReduction

METHODS = {
    'ours': 'clusters of neurons',
    'magnitude': 'neurons of least weights',
    'nothing': 'from nothing',
}


COLUMNS = (
    'step',
    'method',
    'hidden neurons',
    'before training',
    'retrained',
    'environment steps',
    'then',
)


@dataclasses.dataclass
class Result:
    """A step of one seed by one method; its first test is of the network before training."""

    hidden: tuple[int, ...]
    retraining: Retraining


def show(what: str, done: int, total: int | None = None, unit: str = '', note: str = '') -> None:
    """Show no progress."""


def without_small_neurons(network: FeedForward, hidden: tuple[int, ...]) -> FeedForward:
    """Keep the neurons of each hidden layer whose incoming weights have the greatest L2 norms."""
    kept = [np.arange(network.sizes[0])]
    for layer, count in zip(network.layers[:-1], hidden, strict=True):
        norms = np.linalg.norm(layer.weight, axis=1)
        kept.append(np.sort(np.argsort(norms, kind='stable')[len(norms) - count :]))
    kept.append(np.arange(network.sizes[-1]))
    layers = [
        Layer(np.ascontiguousarray(layer.weight[np.ix_(out, into)]), layer.bias[out], layer.steps)
        for layer, into, out in zip(network.layers, kept[:-1], kept[1:], strict=True)
    ]
    return FeedForward(tuple(layers), network.preparation)


def write_untrained(like: Path, path: Path, env: str, plan: RetrainingPlan) -> None:
    """Write a randomly initialized network of the sizes of another file."""
    with open_archive(like) as archive:
        file = read_file(archive)
    kind = algorithm_class(file)
    values = hyperparameters(file, plan.chosen, continued=False).values
    options = policy_options(file, kind.policy_aliases['MlpPolicy'])
    made = gymnasium.make(env)
    model = kind('MlpPolicy', made, policy_kwargs=options, seed=plan.seed, device='cpu', **values)
    model.save(path)


def compare(options: argparse.Namespace, seed: int) -> dict[tuple[str, int], Result]:
    """Return the results of one seed by method and step."""
    folder = options.output / f'seed_{seed}'
    asked = EnvOptions(
        env=options.env,
        until=options.until,
        accuracy=options.accuracy,
        test_episodes=options.test_episodes,
        test_every=options.test_every,
        budget=options.budget,
        seed=seed,
    )
    reduction = EnvReduction(
        read_sb3(options.policy),
        folder / 'ours',
        PruningOptions(tau=options.tau),
        asked,
        steps=options.steps,
        episodes=options.episodes,
        chosen=read_values(options.set),
    )
    summary = reduction.run(show)
    results = {}
    for entry in summary.steps:
        step, ours = entry.step, reduction.folder
        plan = dataclasses.replace(reduction.plan, step=step)
        results['ours', step] = Result(entry.hidden, entry.retraining)
        before = ours / START_FILE if step == 1 else step_folder(ours, step - 1) / TRAINED_FILE
        policy = read_sb3(before)
        for method, continued in (('magnitude', True), ('nothing', False)):
            place = folder / method / f'step_{step}'
            start = place / 'start.zip'
            if not start.exists():
                make_folder(place)
                if continued:
                    smaller = without_small_neurons(policy.network, entry.hidden)
                    write_sb3(policy.with_network(smaller), start)
                else:
                    pruned = step_folder(ours, step) / PRUNED_FILE
                    write_untrained(pruned, start, options.env, plan)
            chosen = dataclasses.replace(plan, continued=continued)
            results[method, step] = Result(entry.hidden, retrain(start, place, chosen, show))
            print(f'seed {seed}, step {step}, {method}: done', flush=True)
    reduction.close()
    return results


def print_table(found: list[dict[tuple[str, int], Result]]) -> None:
    """Print a line for each step and method."""
    print(f'| {" | ".join(COLUMNS)} |')
    print('|---' * len(COLUMNS) + '|')
    for step in sorted({step for results in found for _, step in results}):
        for method, name in METHODS.items():
            done = [results[method, step] for results in found if (method, step) in results]
            last = [
                result.retraining
                for result in done
                if result.retraining.status is RetrainingStatus.TRAINED
            ]
            cells = (
                str(step),
                name,
                ', '.join('-'.join(map(str, result.hidden)) for result in done),
                _share([result.retraining.tests[0].score for result in done]),
                f'{len(last)} of {len(done)}',
                str(mean_interval([float(each.steps) for each in last])) if last else '-',
                _share([each.score for each in last if each.score is not None]),
            )
            print(f'| {" | ".join(cells)} |')


def _share(scores: list[Score]) -> str:
    """Return the success rate over all episodes of some tests, and its exact interval."""
    if not scores:
        return '-'
    successes = sum(score.successes for score in scores)
    episodes = sum(score.episodes for score in scores)
    low, high = exact_interval(successes, episodes)
    return f'{successes / episodes:.1%} ({low:.1%} to {high:.1%})'


def main() -> None:
    """Compare on the command line's policy."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('policy', type=Path)
    parser.add_argument('--env', required=True)
    parser.add_argument('--until', required=True)
    parser.add_argument('-o', '--output', type=Path, required=True)
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--steps', type=int, default=3)
    parser.add_argument('--tau', type=float, default=0.2)
    parser.add_argument('--accuracy', type=float, default=0.9)
    parser.add_argument('--episodes', type=int, default=300)
    parser.add_argument('--test-episodes', type=int, default=300)
    parser.add_argument('--test-every', type=int, default=10_000)
    parser.add_argument('--budget', type=int, default=100_000)
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE')
    options = parser.parse_args()
    found = [compare(options, seed) for seed in range(options.seeds)]
    until = None if options.until == 'success' else float(options.until)
    criterion = Criterion(options.env, until, options.accuracy, options.test_episodes)
    for seed in range(options.seeds):
        score = criterion.test(read_sb3(options.policy), retraining_seed(seed, 0, 'initial'))
        print(f'original policy, seed {seed}: {score}')
    print_table(found)


if __name__ == '__main__':
    main()

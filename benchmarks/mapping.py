# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How fast are exact linear projections, next to scipy's nnls and scikit-learn's positive Lasso?

Without --networks, two 3-joint networks of 6 x 256 are trained first (a minute or two each) and
kept in --runs. The other solvers get the problem after its reduction by the Gram matrix G = R'R:
K rows R instead of 18,000 samples, the lasso term completed into the square for nnls. They are
timed on some of the targets, the same in each solver, and everything is scaled to all targets.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls
from sklearn.linear_model import Lasso

from neuron_reach.analysis import (
    NormalEquations,
    Projection,
    input_samples,
    kkt_residual,
    map_records,
    normal_equations,
    projection_error,
    random_network,
    run_network,
    solve_projection,
)
from neuron_reach.analysis.options import LAMBDA
from neuron_reach.cli import main as neuron_reach
from neuron_reach.learning.checkpoint import Checkpoint, load_checkpoint
from neuron_reach.learning.setup import Setup
from neuron_reach.records.networks import find_networks
from neuron_reach.records.recording import record_checkpoint

PRUNED = (46, 22, 16, 13, 8, 20)
"""Mean sizes of pruned 3-joint networks in the paper (figure 5)."""

RESIDUAL = 1e-8
"""Largest relative Karush-Kuhn-Tucker residual that counts as exact."""


def measure(
    function: Callable[[], Any], repeats: int, clock: Callable[[], float] = time.process_time
) -> tuple[Any, list[float]]:
    """Return what a function returns, and the times of its calls, s: CPU unless said otherwise."""
    times = []
    for _ in range(repeats):
        start = clock()
        result = function()
        times.append(clock() - start)
    return result, times


def text(times: list[float]) -> str:
    """Return median and range of some times."""
    return f'{np.median(times):.3g} ({min(times):.3g} to {max(times):.3g})'


def trained(runs: Path) -> list[Checkpoint]:
    """Train the two networks, or load them."""
    folders = [runs / f'joints3_256_seed{seed}' for seed in range(2)]
    for seed, folder in enumerate(folders):
        if not (folder / 'checkpoint').exists():
            options = ['hidden:=256', f'seed:={seed}', f'run_dir:={folder}', 'test_episodes:=0']
            if neuron_reach(['train', '--no-ros', *options]):
                raise SystemExit('training failed')
    return [load_checkpoint(folder / 'checkpoint') for folder in folders]


def untrained(hidden: tuple[int, ...]) -> list[Checkpoint]:
    """Return two random networks for 3 joints."""
    setup = Setup.from_values({'joints': 3, 'hidden': list(hidden)}, 'benchmark')
    return [
        Checkpoint(
            Path('random'),
            random_network(setup.layer_sizes, torch.Generator().manual_seed(seed)),
            {},
            setup,
            has_digest=False,
        )
        for seed in range(2)
    ]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A pair of networks run on the same sample episodes of the target."""

    target: NDArray[np.float32]
    source: NDArray[np.float32]
    samples: NDArray[np.int64]

    @classmethod
    def of(cls, source: Checkpoint, target: Checkpoint) -> Problem:
        """Record 300 episodes of the target and run the source on their inputs."""
        record = record_checkpoint(target, 300)
        ran = run_network(source.network, record)
        target_neurons, source_neurons = (
            part.activations.reshape(-1, part.neurons)[:, record.sizes[0] :]
            for part in (record, ran)
        )
        return cls(target_neurons, source_neurons, input_samples(record))


def residual_of(equations: NormalEquations, like: Projection, targets: Any, p: Any) -> float:
    """Return the greatest KKT residual of some targets solved elsewhere, p (K, targets)."""
    matrix = np.zeros((like.matrix.shape[0], len(targets)))
    matrix[like.source_scale > 0.0] = p
    scale = equations.target_scale[equations.target_scale > 0.0]
    part = dataclasses.replace(
        equations, cross=equations.cross[targets], target_scale=scale[targets]
    )
    return float(kkt_residual(part, dataclasses.replace(like, matrix=matrix)).max())


def others(equations: NormalEquations, ours: Projection, count: int) -> None:
    """Time scipy and scikit-learn on some targets, and print rows of a table."""
    sources, all_targets = len(equations.gram), len(equations.cross)
    targets = np.linspace(0, all_targets - 1, count).astype(int)
    ridge = 1e-12 * equations.gram.diagonal().mean()
    factor = cholesky(equations.gram + ridge * np.eye(sources))
    right = solve_triangular(factor, equations.cross[targets].T - LAMBDA / 2.0, trans='T')

    def by_nnls() -> Any:
        return np.stack([nnls(factor, column, maxiter=100 * sources)[0] for column in right.T], 1)

    def row(name: str, solve: Callable[[], Any]) -> float:
        solution, (seconds,) = measure(solve, 1)
        worst = residual_of(equations, ours, targets, solution)
        whole = seconds / count * all_targets
        print(f'| {name} | {whole:.3g} | {worst:.1e} |', flush=True)
        return worst

    row(f'scipy nnls ({count} targets)', by_nnls)
    plain = solve_triangular(factor, equations.cross[targets].T, trans='T')
    x, gram = np.asfortranarray(factor), np.ascontiguousarray(equations.gram)
    for tolerance in (1e-8, 1e-10, 1e-12, 1e-14):
        lasso = Lasso(
            LAMBDA / (2.0 * sources),
            fit_intercept=False,
            precompute=gram,
            positive=True,
            tol=tolerance,
            max_iter=1_000_000,
            copy_X=False,
        )

        def by_lasso(lasso: Lasso = lasso) -> Any:
            return np.stack([lasso.fit(x, y, check_input=False).coef_ for y in plain.T], 1)

        name = f'scikit-learn Lasso, tol {tolerance:g} ({count} targets)'
        if row(name, by_lasso) <= RESIDUAL:
            return


def speed(name: str, pair: list[Checkpoint], repeats: int, count: int) -> None:
    """Print the tables of one pair of networks."""
    problem = Problem.of(*pair)
    equations, gram_times = measure(
        lambda: normal_equations(
            target=problem.target, source=problem.source, samples=problem.samples
        ),
        2,
        time.perf_counter,
    )
    solve_projection(equations, 1e6)  # compiles
    print(
        f'\n{name}: K = {len(equations.gram)}, M = {len(equations.cross)} live neurons, '
        f'N = {len(problem.samples)}, lambda = {LAMBDA:g}; '
        f'Gram matrix {min(gram_times):.2g} s of wall time\n'
    )

    def solve(lam: Any, threads: int = 1) -> Any:
        return solve_projection(equations, lam, threads=threads)

    print('| all targets | CPU s | KKT residual |\n|---|---|---|')
    ours, times = measure(lambda: solve(LAMBDA), repeats)
    worst = kkt_residual(equations, ours).max()
    print(f'| this package | {text(times)} | {worst:.1e} |', flush=True)
    if count:
        others(equations, ours, count)
    support = (ours.matrix > 0.0).sum(axis=0)
    error = projection_error(
        ours, target=problem.target, source=problem.source, samples=problem.samples
    )
    print(f'\nSource neurons a target: {support.mean():.1f}, at most {support.max()}; ', end='')
    print(f'error on the samples {error:.3f}.\n')
    threads = len(os.sched_getaffinity(0))
    _, times = measure(lambda: solve(LAMBDA, threads), repeats, time.perf_counter)
    print(f'With {threads} threads {text(times)} s of wall time.\n')
    print('| ten lambdas | path, CPU s | ten single solutions | smallest lambda alone |')
    print('|---|---|---|---|')
    for low, high in ((50, 500), (5, 500)):
        path = np.geomspace(high, low, 10).tolist()
        _, together = measure(lambda path=path: solve(path), repeats)
        single = [np.median(measure(lambda v=v: solve(v), repeats)[1]) for v in path]
        print(f'| {low} to {high} | {text(together)} | {sum(single):.3g} | {single[-1]:.3g} |')


def wide() -> None:
    """Map a pair of 6 x 512 with validation, and print the largest memory this process had."""
    pair = untrained((512,) * 6)
    records: list[dict[str, Any]] = []
    for seed in (None, 0):
        generator = None if seed is None else np.random.default_rng(seed)
        record = record_checkpoint(pair[1], 300, generator)
        records.append({'source': run_network(pair[0].network, record), 'target': record})
    map_records(
        **records[0],
        source_validation=records[1]['source'],
        target_validation=records[1]['target'],
        samples=input_samples(records[0]['target']),
    )
    print(f'{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB')


def main() -> None:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--networks', nargs=2, type=Path, metavar=('SOURCE', 'TARGET'))
    parser.add_argument('--runs', type=Path, default=Path('runs/benchmark_mapping'))
    parser.add_argument('--untrained', action='store_true', help='random networks, to try it out')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--targets', type=int, default=40, help='that other solvers are timed on')
    parser.add_argument('--wide', action='store_true', help='only the memory of a 6 x 512 pair')
    options = parser.parse_args()
    if options.wide:
        wide()
        return
    if options.networks:
        found = [network for path in options.networks for network in find_networks(path)]
        pair, name = [network.load('a benchmark') for network in found], 'Given networks'
    elif options.untrained:
        pair, name = untrained((256,) * 6), 'Random 6 x 256'
    else:
        pair, name = trained(options.runs), 'Trained 6 x 256'
    speed(name, pair, options.repeats, options.targets)
    speed('Random, of pruned size', untrained(PRUNED), options.repeats, options.targets)
    child = subprocess.run([sys.executable, __file__, '--wide'], capture_output=True, text=True)
    print(f'\nMemory of a whole mapping of 6 x 512 onto 6 x 512: {child.stdout.strip()}')


if __name__ == '__main__':
    main()

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Would the tests notice? Single changes of the numerical modules, each held against their tests.

Cosmic Ray makes the mutants: another operator, comparison, sign, number or condition in one place.
A mutant is killed if a test fails or hangs. Every module is tested by the fast tests that belong to
it (`TESTS`), in a copy of the tree, so that this one is left alone. All of it takes many hours:
--sample takes a random part of each module, a larger one later goes on from there. What was run is
kept in --work, with the copy of the tree: another call goes on where it was stopped. For tests or
sources that have changed since, take another folder.

Numba's cache needs no care: it is keyed by the file that a compiled function is in, no compiled
function calls one of another file, and the mutant is written to that file.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.util
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult
from scipy.stats import binomtest

REPOSITORY = Path(__file__).resolve().parent.parent

MODULES = (
    *(f'arm/{name}' for name in ('kinematics', 'pid', 'simulator', 'task')),
    *(f'learning/{name}' for name in ('checkpoint', 'dqn', 'kernels', 'qnetwork', 'replay')),
    *(f'learning/{name}' for name in ('rollout', 'session', 'setup', 'training', 'validation')),
    *(f'analysis/{name}' for name in ('active_set', 'bootstrap', 'clusters', 'distances')),
    *(f'analysis/{name}' for name in ('intervals', 'mapping', 'metrics', 'projection')),
    *(f'analysis/{name}' for name in ('merging', 'reuse', 'samples', 'transforms')),
    'records/record',
    'study/verdict',
)

TESTS = {
    'arm/pid': ('arm/simulator',),
    'arm/simulator': ('arm/simulator', 'learning/setup'),
    'arm/task': ('arm/task', 'learning/setup'),
    'learning/setup': ('learning/setup', 'learning/dqn'),
    'learning/kernels': ('learning/dqn', 'learning/qnetwork', 'learning/replay'),
    'analysis/active_set': ('analysis/projection',),
    'analysis/bootstrap': ('analysis/intervals', 'analysis/metrics', 'study/verdict'),
    'analysis/intervals': ('analysis/intervals', 'study/verdict'),
}
"""Modules whose tests are not, or not all, in the file named after them."""

PRELOADED = ('hypothesis.extra.numpy', 'numba', 'scipy.stats', 'torch')
"""What tests import and takes long to load: loaded once, not by each run of them."""

OPERATORS = re.compile(
    'core/('
    'ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul|Pow_Mul|BitAnd_BitOr)'
    '|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is|Lt_LtE|Lt_Gt|LtE_Lt|LtE_GtE'
    '|Gt_GtE|Gt_Lt|GtE_Gt|GtE_LtE)'
    '|ReplaceUnaryOperator_(USub_UAdd|Delete_Invert|Delete_Not)'
    '|AddNot|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd'
    '|ReplaceBreakWithContinue|ReplaceContinueWithBreak|NumberReplacer|ZeroIterationForLoop)'
)
"""The changes made; Cosmic Ray's others are more of the same, or change no behavior here."""


def copy_tree(tree: Path) -> None:
    """Copy what git knows of, as it is in the work tree."""
    listed = subprocess.run(
        ['git', 'ls-files', '-z'], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split('\0')[:-1]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, tree / name)


def tests_pass(module: str) -> bool:
    """Run the tests of a module in this process, up to the first that fails."""
    files = [
        f'test/{folder}/test_{name}.py'
        for folder, name in (one.split('/') for one in TESTS.get(module, (module,)))
    ]
    options = ['-x', '-q', '-m', 'not slow', '-p', 'no:cacheprovider']
    return pytest.main([*options, *files]) == pytest.ExitCode.OK


def outcome(module: str, timeout: float) -> str:
    """Run the tests of a module in a fork of this process, which has what they import."""
    child = os.fork()
    if not child:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        os._exit(not tests_pass(module))
    end = time.monotonic() + timeout
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return 'killed: timeout'
        time.sleep(0.02)
    return 'survived' if ended[1] == 0 else 'killed'


def items(db: WorkDB, source: Sequence[str]) -> list[WorkItem]:
    """Return the mutants that are of use, always in the same order; not those of decorators.

    Whether compiled code is kept or a class is frozen changes no result.
    """

    def place(item: WorkItem) -> tuple[str, int]:
        return item.mutations[0].operator_name, item.mutations[0].occurrence

    def is_known(item: WorkItem) -> bool:
        line = source[item.mutations[0].start_pos[0] - 1]
        return bool(OPERATORS.fullmatch(place(item)[0])) and not line.lstrip().startswith('@')

    return sorted(filter(is_known, db.work_items), key=place)


def run(module: str, db: WorkDB, chosen: Sequence[WorkItem]) -> Iterator[str]:
    """Test the chosen mutants of a module that were not tested yet; yields what came of each."""
    done = {job for job, _ in db.results}
    pending = [item for item in chosen if item.job_id not in done]
    if not pending:
        return
    for _ in range(2):  # the first run compiles what numba keeps
        start = time.monotonic()
        if outcome(module, math.inf) != 'survived':
            raise SystemExit(f'the tests of {module} fail as it is')
    timeout = 30.0 + 5.0 * (time.monotonic() - start)
    for item in pending:
        (mutation,) = item.mutations
        operator = get_operator(mutation.operator_name)()
        bytecode = Path(importlib.util.cache_from_source(str(mutation.module_path)))
        bytecode.unlink(missing_ok=True)  # its date is in seconds, too coarse to tell mutants apart
        with use_mutation(mutation.module_path, operator, mutation.occurrence) as (old, new):
            found = outcome(module, timeout)
        bytecode.unlink(missing_ok=True)
        diff = '\n'.join(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm='', n=0))
        tested = TestOutcome.SURVIVED if found == 'survived' else TestOutcome.KILLED
        db.set_result(item.job_id, WorkResult(WorkerOutcome.NORMAL, found, tested, diff))
        yield f'{module}:{mutation.start_pos[0]} {mutation.operator_name[5:]} {found}'


def report(db: WorkDB, module: str, mutants: int, survivors: bool) -> None:
    """Print how many mutants were tested and killed, and what was changed in the others."""
    results = [result for _, result in db.results]
    left = [result for result in results if result.test_outcome == TestOutcome.SURVIVED]
    if not results:
        return
    killed = len(results) - len(left)
    interval = binomtest(killed, len(results)).proportion_ci(0.95, 'wilson')
    score = f'{killed / len(results):.1%}'
    if len(results) < mutants:
        score += f' ({interval.low:.1%} to {interval.high:.1%})'
    print(f'{module}: {mutants} mutants, {len(results)} tested, {killed} killed: {score}')
    for result in left if survivors else ():
        print('\n'.join(result.diff.splitlines()[2:]))


def main() -> None:
    """Test the mutants and print the score of every module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'modules', nargs='*', metavar='MODULE', help='such as arm/task; default: all'
    )
    parser.add_argument('--sample', type=int, help='mutants of each module; default: all of them')
    parser.add_argument('--seed', type=int, default=0, help='of the sample')
    parser.add_argument('--work', type=Path, default=Path('runs/mutation'), help='kept there')
    parser.add_argument('--survivors', action='store_true', help='show what was not noticed')
    arguments = parser.parse_args()
    if unknown := set(arguments.modules) - set(MODULES):
        parser.error(f'no such module: {", ".join(sorted(unknown))}; known: {", ".join(MODULES)}')
    work = arguments.work.resolve()
    tree, unchanged = work / 'tree', work / 'unchanged'
    if not tree.exists():
        copy_tree(work / 'partial')
        shutil.copytree(work / 'partial/neuron_reach', unchanged, dirs_exist_ok=True)
        (work / 'partial').rename(tree)
    os.chdir(tree)
    sys.path[0] = str(tree)
    os.environ['CI'] = 'true'  # has hypothesis take the same examples in every run
    sys.dont_write_bytecode = False
    for name in PRELOADED:
        importlib.import_module(name)
    for module in arguments.modules or MODULES:
        session = work / f'{module.replace("/", "_")}.sqlite'
        with use_db(session, WorkDB.Mode.create) as db:
            source = Path(f'neuron_reach/{module}.py')
            shutil.copyfile(unchanged / f'{module}.py', source)  # a killed run leaves its mutant
            if not db.num_work_items:
                init([source], db, {})
            known = items(db, source.read_text().splitlines())
            shuffled = random.Random(arguments.seed).sample(known, len(known))
            for line in run(module, db, shuffled[: arguments.sample]):
                print(line, file=sys.stderr, flush=True)
            report(db, module, len(known), arguments.survivors)


if __name__ == '__main__':
    main()

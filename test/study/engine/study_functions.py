# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Functions of jobs for the tests; here, as workers have to find them by the name of a module."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from neuron_reach.errors import UserError
from neuron_reach.study.engine.jobs import function
from neuron_reach.study.engine.results import JobResult


@function('test.add', version=1, seconds=lambda **_: 1.0)
def add(first, second=10):
    def value(term):
        return term if isinstance(term, int) else term.values['sum']

    return JobResult({'sum': value(first) + value(second)})


@function('test.logged', version=1, seconds=lambda **_: 1.0)
def logged(log, needs=()):
    """Leaves a line in a file for every time it is called."""
    with Path(log).open('a') as file:
        file.write('x\n')
    return JobResult({'needs': [need.values for need in needs]})


@function('test.arrays', version=1, seconds=lambda **_: 1.0)
def arrays(seed, size):
    generator = np.random.default_rng(seed)
    return JobResult(
        {'size': size}, {'normal': generator.normal(size=size), 'ids': np.arange(size)}
    )


@function('test.mean', version=1, seconds=lambda **_: 2.0)
def mean(of):
    return JobResult({'mean': float(np.mean([one.arrays['normal'].mean() for one in of.values()]))})


@function('test.fail', version=1, seconds=lambda **_: 1.0)
def fail(how, needs=None):
    if how == 'user':
        raise UserError('a file is missing; give another')
    raise RuntimeError('deep inside\nand a second line')


@function('test.die', version=1, seconds=lambda **_: 1.0)
def die(marker, times, sign=signal.SIGKILL):
    """Kills its own process so many times, counted in a file, then succeeds."""
    path = Path(marker)
    deaths = len(path.read_text()) if path.exists() else 0
    if deaths < times:
        with path.open('a') as file:
            file.write('x')
        os.kill(os.getpid(), sign)
        time.sleep(60)
    return JobResult({'deaths': deaths})


@function('test.linger', version=1, seconds=lambda **_: 1.0)
def linger(marker):
    """The first time it tells its process id and hangs, then it succeeds at once."""
    path = Path(marker)
    if not path.exists():
        aside = path.with_suffix('.aside')
        aside.write_text(str(os.getpid()))
        aside.rename(path)
        time.sleep(600)
    return JobResult({'other_process': os.getpid() != int(path.read_text())})


@function('test.surroundings', version=1, seconds=lambda **_: 1.0)
def surroundings(wait=0.0):
    import torch

    time.sleep(wait)
    return JobResult(
        {
            'pid': os.getpid(),
            'torch_threads': torch.get_num_threads(),
            'gradients': torch.is_grad_enabled(),
            'omp': os.environ.get('OMP_NUM_THREADS'),
        }
    )

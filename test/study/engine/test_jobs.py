# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses
import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import is_typeddict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuron_reach import study
from neuron_reach.study.engine.jobs import Failure, Function, Success, perform, with_inputs
from neuron_reach.study.engine.results import write_files
from study.engine import study_functions as functions


def test_the_address_depends_on_function_version_and_arguments_and_on_nothing_else():
    job = functions.add.job('a', first=1)
    assert job.address == functions.add.job('another label', second=10, first=1).address
    others = [
        functions.add.job('a', first=2),
        functions.add.job('a', first=1, second=11),
        dataclasses.replace(functions.add, version=2).job('a', first=1),
        dataclasses.replace(functions.add, name='test.sum').job('a', first=1),
    ]
    assert len({job.address, *(other.address for other in others)}) == 5


def test_the_address_stays_the_same_from_one_release_to_the_next():
    # A change here makes everybody compute everything again.
    assert functions.add.job('a', first=1).address == 'bd2beba2675e629b8dc71199d389d84cd044ec86'


def test_the_address_depends_on_that_of_inputs_however_deep():
    def chain(start):
        job = functions.add.job('start', first=start)
        for _ in range(3):
            job = functions.logged.job('next', log='x', needs=[job, {'more': [job]}])
        return job

    assert chain(1).address == chain(1).address != chain(2).address


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, width=32).filter(np.isfinite),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_the_order_of_keys_does_not_matter(value):
    def turned(value):
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    first, second = (functions.add.job('a', first=v) for v in (value, turned(value)))
    assert first.address == second.address


@pytest.mark.parametrize('value', [float('nan'), {1, 2}, np.float32(1), Path('x')])
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        functions.add.job('a', first=value)


def test_arguments_that_the_function_does_not_take_are_refused():
    with pytest.raises(TypeError):
        functions.add.job('a', third=1)


def test_inputs_come_once_each_and_before_those_who_need_them():
    base = functions.add.job('base', first=1)
    left = functions.add.job('left', first=base)
    right = functions.add.job('right', first=base, second=2)
    top = functions.add.job('top', first=left, second=right)
    assert list(with_inputs([top, right])) == [base, left, right, top]
    assert top.inputs == [left, right]


def outcome_of(job, inputs=None):
    return perform(job.call(inputs or {}))


def test_inputs_arrive_the_same_as_folders_and_as_contents(tmp_path):
    jobs = [functions.arrays.job('a', seed=seed, size=4) for seed in range(2)]
    contents = {job.address: outcome_of(job).files for job in jobs}
    for address, files in contents.items():
        write_files(files, tmp_path / address)
    job = functions.mean.job('mean', of={'x': jobs[0], 'y': jobs[1]})
    from_folders = outcome_of(job, {address: tmp_path / address for address in contents})
    assert from_folders.files == outcome_of(job, contents).files
    expected = np.mean([np.random.default_rng(seed).normal(size=4).mean() for seed in range(2)])
    assert json.loads(from_folders.files['result.json']) == {'mean': pytest.approx(expected)}


def test_errors_become_failures_in_one_line():
    assert outcome_of(functions.fail.job('f', how='user')) == Failure(
        'a file is missing; give another'
    )
    failure = outcome_of(functions.fail.job('f', how='other'))
    assert failure.reason == 'RuntimeError: deep inside'
    assert 'study_functions.py' in failure.traceback


def test_a_worker_with_another_version_of_the_function_says_so():
    newer = dataclasses.replace(functions.add, version=7)
    failure = outcome_of(newer.job('a', first=1))
    assert 'test.add has version 1 on this worker, but 7' in failure.reason


def test_a_job_is_done_without_gradients_and_they_come_back_after_it():
    with torch.enable_grad():  # whatever another test has left
        outcome = outcome_of(functions.surroundings.job('s'))
        assert torch.is_grad_enabled()
    assert isinstance(outcome, Success)
    assert not json.loads(outcome.files['result.json'])['gradients']
    assert outcome.versions['torch'] == torch.__version__
    assert outcome.seconds > 0
    assert outcome.cpu_seconds > 0


def functions_of_the_studies():
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(study.__path__, 'neuron_reach.study.')
    ]
    found = [value for module in modules for value in vars(module).values()]
    return {id(value): value for value in found if isinstance(value, Function)}.values()


def test_functions_have_names_of_their_own():
    names = sorted(each.name for each in functions_of_the_studies())
    assert names == sorted(set(names))
    assert {'train', 'prune', 'prune samples', 'retrain', 'activity', 'map'} < set(names)


def test_every_function_of_the_studies_declares_the_type_of_its_values():
    for each in functions_of_the_studies():
        assert is_typeddict(each.returns), each.name
        hint = inspect.signature(each.call).return_annotation
        assert hint == f'JobResult[{each.returns.__name__}]'


def test_jobs_do_not_get_their_memory_from_the_system_again_and_again():
    code = """
import resource, numpy as np
from neuron_reach import study
from neuron_reach.study.engine.jobs import _keep_freed_memory
_keep_freed_memory()
def faults():
    for _ in range(100):
        np.empty(1_000_000, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(-faults() + faults())
"""
    # What Dask starts its workers with.
    environment = {**os.environ, 'MALLOC_TRIM_THRESHOLD_': '65536'}
    run = [sys.executable, '-c', code]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2000  # 24,000 without

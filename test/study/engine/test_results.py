# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Results are read as they were returned; damaged ones are named, set aside, computed again."""

import json
import shutil
import zipfile

import numpy as np
import pytest
import torch
from mutations import mutations

from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import describe
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member
from neuron_reach.study.engine.jobs import Success, perform
from neuron_reach.study.engine.results import (
    ARRAYS,
    RECORD,
    VALUES,
    JobResult,
    StoredResult,
    read_files,
    write_files,
)
from neuron_reach.study.engine.runner import Work
from neuron_reach.study.networks import train
from study.engine import study_functions as functions

NETWORK = 'checkpoints/seed_0'


@pytest.fixture
def job(store):
    """A job that is done, with every kind of file in its result."""
    setup = Setup.from_values({'joints': 1, 'hidden': [3]}, 'test')
    member = {'seed': 0, 'first_pass': 5, 'trained': 9, 'updates': 7, 'accuracy': 0.5}
    result = JobResult(
        {'members': [member]},
        {'x': np.arange(40.0), 'y': np.arange(5)},
        {'seed_0': (QNetwork(setup.layer_sizes), describe(setup, Member(0), None))},
    )
    job = train.job('train', options=setup.values(), seeds=[0], test_episodes=10)
    store.save(job, Success(result.files(), 1.5, 1.0, {'numpy': '2'}))
    return job


def loaded(store, job):
    """Everything that a result says, comparable."""
    result = store.load_checked(job)
    checkpoints = {name: result.checkpoint(name) for name in result.checkpoints()}
    return (
        result.record,
        result.values,
        {name: (array.dtype, array.tobytes()) for name, array in result.arrays.items()},
        {name: (c.metadata, c.network.flat.numpy().tobytes()) for name, c in checkpoints.items()},
    )


def without_digests(folder):
    """Make of a result one of before digests were kept."""
    values = json.loads((folder / RECORD).read_text())
    del values['files'], values['sha256']
    (folder / RECORD).write_text(json.dumps(values))


@pytest.mark.parametrize(
    'name', [RECORD, VALUES, ARRAYS, f'{NETWORK}/metadata.json', f'{NETWORK}/model.safetensors']
)
def test_damage_is_never_used(store, job, name):
    whole, file = loaded(store, job), store.folder(job) / name
    refused = 0
    for content in mutations(file.read_bytes(), 60):
        file.write_bytes(content)
        try:
            found = loaded(store, job)
        except UserError as error:
            assert str(error).startswith(str(file))
            assert '\n' not in str(error)
            refused += 1
        else:
            assert found == whole
    assert refused > 50
    file.unlink()
    assert list(Work.of([job], store).todo) == [job.address]


def test_the_result_of_another_job_is_not_used(store, job):
    other = train.job('train', options=job.arguments['options'], seeds=[1], test_episodes=10)
    shutil.copytree(store.folder(job), store.folder(other))
    with pytest.raises(UserError, match=r'record\.json: is of another job'):
        store.load_checked(other)


def test_results_without_digests_are_used_if_they_can_be_read(store, job):
    whole = loaded(store, job)
    without_digests(store.folder(job))
    assert loaded(store, job)[1:] == whole[1:]
    assert not store.load(job).digests


@pytest.mark.parametrize('text', ['{}', '[]', 'null', '3', '[' * 100_000, '{"members": [{}]}', ''])
@pytest.mark.parametrize('name', [RECORD, VALUES])
def test_what_is_no_result_is_computed_again(store, job, name, text):
    without_digests(store.folder(job))
    (store.folder(job) / name).write_text(text)
    work = Work.of([job], store)
    assert list(work.todo) == list(work.damaged) == [job.address]
    assert name in work.damaged[job.address]


def test_arrays_that_unpack_to_more_than_they_are_are_refused(store, job):
    without_digests(store.folder(job))
    with zipfile.ZipFile(store.folder(job) / ARRAYS, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('x.npy', bytes(10_000_000))
    assert (store.folder(job) / ARRAYS).stat().st_size < 20_000
    with pytest.raises(UserError, match=r'arrays\.npz'):
        store.load_checked(job)


def test_a_result_is_read_as_it_was_returned(tmp_path):
    setup = Setup.from_values({'joints': 2, 'hidden': [5, 4]}, 'test')
    network = QNetwork(setup.layer_sizes)
    network.initialize([torch.Generator().manual_seed(1)], 0.5)
    values = {'a': [1, 2.5, None, 'ü'], 'b': {'c': True}}
    given_arrays = {'x': np.arange(6.0).reshape(2, 3), 'y': np.array([True, False])}
    networks = {'seed_1': (network, describe(setup, Member(1), None))}
    files = JobResult(values, given_arrays, networks).files()
    assert files == JobResult(values, given_arrays, networks).files()
    write_files(files, tmp_path)
    assert read_files(tmp_path) == files
    stored = StoredResult(tmp_path)
    assert stored.values == values
    assert stored.arrays.keys() == given_arrays.keys()
    for name, array in given_arrays.items():
        assert np.array_equal(stored.arrays[name], array)
        assert stored.arrays[name].dtype == array.dtype
    assert stored.checkpoints() == ['seed_1']
    assert torch.equal(stored.checkpoint('seed_1').network.flat, network.flat)


def test_objects_are_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError, match=r'pickle|Object arrays'):
        JobResult({}, {'x': np.array([{}], object)}).files()
    np.savez(tmp_path / 'arrays.npz', x=np.array([{}], object))
    with pytest.raises(UserError, match='not as it was written'):
        StoredResult(tmp_path).arrays  # noqa: B018  # reads them


@pytest.mark.parametrize('name', ['result.json', 'arrays.npz'])
def test_damaged_results_are_named(tmp_path, name):
    write_files(perform(functions.arrays.job('a', seed=0, size=100).call({})).files, tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    stored = StoredResult(tmp_path)
    with pytest.raises(UserError, match=f'{name}: is truncated'):
        _ = stored.values, stored.arrays

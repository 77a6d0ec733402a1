# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Files that an earlier version made open and give the same results; see test/old/README.md."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import numba
import numpy as np
import pytest
import safetensors.numpy
from numpy.testing import assert_allclose, assert_array_equal

from neuron_reach.cli import main
from neuron_reach.learning.checkpoint import load_checkpoint
from neuron_reach.study.engine.jobs import (
    StoredResult,
    Success,
    perform,
    with_inputs,
    write_files,
)
from neuron_reach.study.engine.runner import Work
from neuron_reach.study.engine.store import Store
from neuron_reach.study.fig2.activity_jobs import activity
from neuron_reach.study.networks import train, training_jobs
from neuron_reach.study.reductions import prune
from neuron_reach.study.studies import SCALES, STUDIES

OLD = Path(__file__).parent / 'old'
EXPECTED = json.loads((OLD / 'expected.json').read_text())


def same_platform():
    """Say whether results equal the old ones to the bit here, rather than to the last digits."""
    processor = next(
        (
            line.split(': ')[1].strip()
            for line in Path('/proc/cpuinfo').read_text().splitlines()
            if line.startswith('model name')
        ),
        None,
    )
    here = {'processor': processor, 'numpy': np.__version__, 'numba': numba.__version__}
    return here == EXPECTED['platform']


def check_equal(actual, old):
    """Check numbers, and everything that holds some, against those of the earlier version."""
    if isinstance(old, dict):
        assert actual.keys() >= old.keys()
        for key, value in old.items():
            check_equal(actual[key], value)
    elif isinstance(old, list | tuple) and any(isinstance(item, dict) for item in old):
        assert len(actual) == len(old)
        for one, other in zip(actual, old, strict=True):
            check_equal(one, other)
    elif same_platform() or not np.issubdtype(np.asarray(old).dtype, np.inexact):
        assert_array_equal(actual, old)
    else:
        assert_allclose(actual, old, rtol=1e-5, atol=1e-6)


def read(path, *leave_out):
    """Return a JSON file without the entries that differ by version or place."""
    values = json.loads(path.read_text())
    for name in ('sha256', 'versions', 'source', 'files', *leave_out):
        values.pop(name, None)
    return values


def table(path):
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return [{key: number(value) for key, value in row.items()} for row in rows]


def number(text):
    try:
        return float(text)
    except ValueError:
        return text


def arrays(path):
    with np.load(path) as file:
        return dict(file)


@pytest.fixture
def old(tmp_path):
    """Return a copy of all that the earlier version made, which tests may change."""
    return Path(shutil.copytree(OLD, tmp_path / 'old'))


def run(capsys, *arguments):
    """Run a command in this process and return its output."""
    code = main(list(map(str, arguments)))
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out + captured.err


@pytest.mark.parametrize(
    'name, words',
    [
        (
            'run',
            ['4 | 10 8 | 3', 'after 1500 episodes', '4 of 4', 'The bag is complete', 'is of this'],
        ),
        ('run/checkpoint', ['4 | 10 8 | 3', '100.0% of 50 unseen goals']),
        ('run/bag', ['mcap', '4 of 4', 'The bag is complete']),
        ('sqlite', ['sqlite3', '4 of 4', 'The bag is complete']),
        ('interrupted', ['episode_000000550', 'not yet']),
        ('pruned/pruned', ['4 | 5 4 | 3']),
        ('reduced/step_1', ['4 | 5 4 | 3']),
        ('analysis', ['4, 80 steps', 'tau 0.3', '10 neurons, 4 never active, 5 clusters']),
        ('pruned', ['18 (10 8)', '9 (5 4)', '4 | 5 4 | 3']),
        ('reduced', ['18 hidden neurons (10 8)', '9 hidden neurons (5 4)', '4 | 5 4 | 3']),
        ('map', ['1 pair', 'error 0.557']),
        ('reproduce', ['3 jobs']),
    ],
)
def test_info_tells_what_every_folder_holds(name, words, capsys):
    text = run(capsys, 'info', OLD / name)
    assert [word for word in words if word not in text] == []
    assert 'digest' not in text  # that there is none


def test_a_network_gives_the_same_outputs():
    network = load_checkpoint(OLD / 'run' / 'checkpoint').network
    outputs = network.q_values(np.array(EXPECTED['observations'], np.float32))
    assert outputs.dtype == np.float32
    check_equal(outputs, np.array(EXPECTED['outputs'], np.float32))


@pytest.mark.parametrize('bag', ['run/bag', 'sqlite/bag'])
def test_analyze_gives_the_same_of_both_bags(bag, tmp_path, capsys):
    run(capsys, 'analyze', OLD / bag, '--tau', '0.3', '-o', tmp_path / 'new')
    leave_out = ('sources', 'network')
    check_equal(
        read(tmp_path / 'new' / 'analysis.json', *leave_out),
        read(OLD / 'analysis' / 'analysis.json', *leave_out),
    )
    for name in ('distances.npz', 'linkage.npz'):
        check_equal(arrays(tmp_path / 'new' / name), arrays(OLD / 'analysis' / name))


def test_prune_finds_the_same_clusters_and_network(tmp_path, capsys):
    new, bag = tmp_path / 'new', OLD / 'run' / 'bag'
    options = ['--bag', bag, '--tau', '0.3', '--episodes', '4', '--samples', '2']
    run(capsys, 'prune', OLD / 'run' / 'checkpoint', *options, '-o', new)
    assert (new / 'neurons.csv').read_text() == (OLD / 'pruned' / 'neurons.csv').read_text()
    check_equal(read(new / 'pruning.json', 'bag'), read(OLD / 'pruned' / 'pruning.json', 'bag'))
    weights = [
        safetensors.numpy.load_file(folder / 'pruned' / 'model.safetensors')
        for folder in (new, OLD / 'pruned')
    ]
    check_equal(*weights)


def test_map_gives_the_same_errors(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(OLD)  # pairs are called by the paths that are given
    run(capsys, 'map', 'run', 'run', '--episodes', '10', '-o', tmp_path / 'new')
    leave_out = ('target', 'notes')
    check_equal(
        read(tmp_path / 'new' / 'mapping.json', *leave_out),
        read(OLD / 'map' / 'mapping.json', *leave_out),
    )
    for name in ('pairs.csv', 'groups.csv'):
        check_equal(*(table(folder / name) for folder in (tmp_path / 'new', OLD / 'map')))


def test_an_interrupted_training_resumes_and_ends_with_the_same_network(old, capsys):
    options = [f'config:={old / "easy.yaml"}', 'record:=0', f'run_dir:={old / "interrupted"}']
    assert '600 episodes' in run(capsys, 'learn', *options)  # the first that is reported
    weights = [
        safetensors.numpy.load_file(old / name / 'checkpoint' / 'model.safetensors')
        for name in ('interrupted', 'run')
    ]
    if same_platform():  # where rounding differs, learning takes another course
        check_equal(*weights)


def test_a_finished_training_and_recording_is_not_done_again(old, capsys):
    before = (old / 'run' / 'checkpoint' / 'model.safetensors').read_bytes()
    options = [f'config:={old / "easy.yaml"}', 'record:=0', f'run_dir:={old / "run"}']
    run(capsys, 'learn', *options)
    assert (old / 'run' / 'checkpoint' / 'model.safetensors').read_bytes() == before


def test_a_finished_reduction_is_not_done_again(old, capsys):
    plan = old / 'reduced' / 'reduction.json'  # says where the network was, which is here now
    values = json.loads(plan.read_text())
    del values['sha256']
    plan.write_text(json.dumps({**values, 'source': str(old / 'run' / 'checkpoint')}))
    before = {path: path.read_bytes() for path in (old / 'reduced').rglob('*.safetensors')}
    options = ['--tau', '0.3', '--episodes', '4', '--steps', '1', '--samples', '2']
    options += ['--test-episodes', '50', '-o', old / 'reduced']
    text = run(capsys, 'prune-train', old / 'run' / 'checkpoint', *options)
    assert '9 (5 4)' in text
    assert 'pruning' not in text and 'training:' not in text
    assert before == {path: path.read_bytes() for path in (old / 'reduced').rglob('*.safetensors')}
    check_equal(read(old / 'reduced' / 'summary.json'), read(OLD / 'reduced' / 'summary.json'))


def study_jobs():
    """Return the jobs whose results are in test/old/reproduce, by label."""
    record = json.loads(next(OLD.glob('reproduce/results/62/*/record.json')).read_text())
    (training,) = training_jobs(record['arguments']['options'], range(2), 2, test_episodes=50)
    of = {'source': training, 'name': 'seed_0', 'episodes': 4}
    jobs = [
        training,
        activity.job('activity of seed 0', **of, seed=0, untrained=False, tau=0.2),
        prune.job('prune seed 0', **of, taus=[0.1, 0.3], pruning={}),
    ]
    return {job.label: job for job in jobs}


def test_results_of_a_study_are_found_by_address_and_not_computed_again():
    jobs, store = study_jobs(), Store(OLD / 'reproduce' / 'results')
    assert {label: job.address for label, job in jobs.items()} == EXPECTED['addresses']
    work = Work.of(list(jobs.values()), store)
    assert (work.todo, work.damaged) == ({}, {})
    trained, measured, pruned = map(store.load_checked, jobs.values())
    assert [member['trained'] for member in trained.values['members']] == [1500, 1500]
    assert trained.checkpoint('seed_1').setup.learning.hidden == (10, 8)
    assert measured.arrays['edges'][1] == 0.2
    assert pruned.checkpoints() == ['tau_0.1', 'tau_0.3']


def test_a_study_computes_the_same_results(tmp_path):
    jobs, store = study_jobs(), Store(OLD / 'reproduce' / 'results')
    for job in jobs.values():
        inputs = {needed.address: store.folder(needed) for needed in job.inputs}
        done = perform(job.call(inputs))
        assert isinstance(done, Success), done
        write_files(done.files, tmp_path / job.address)
        new, old = StoredResult(tmp_path / job.address), store.load(job)
        check_equal(new.arrays, old.arrays)
        if same_platform() or job.function is not train:  # else learning takes another course
            check_equal(new.values, old.values)


@pytest.mark.parametrize('scale', SCALES)
@pytest.mark.parametrize('study', STUDIES)
def test_the_results_of_every_study_keep_their_addresses(study, scale):
    jobs = with_inputs(STUDIES[study].plan(SCALES[scale]).jobs)
    text = '\n'.join(sorted(job.address for job in jobs))
    assert hashlib.sha256(text.encode()).hexdigest() == EXPECTED['studies'][f'{study} {scale}']

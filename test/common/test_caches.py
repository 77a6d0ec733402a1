# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from neuron_reach.common import caches

ROOT = Path(__file__).parents[2]


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Neither the package nor the home folder can be written to; temporary folders can."""
    for variable in ('NUMBA_CACHE_DIR', 'MPLCONFIGDIR', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME'):
        monkeypatch.setenv(variable, '')  # so that it is put back
        monkeypatch.delenv(variable)
    monkeypatch.setattr(caches, 'TEMPORARY', (str(tmp_path / 'none'), str(tmp_path)))
    monkeypatch.setenv('HOME', '/dev/null/home')
    monkeypatch.delenv('TMPDIR', raising=False)
    monkeypatch.setattr(caches, 'COMPILED', ('/dev/null',))
    return tmp_path / f'neuron_reach-{os.getuid()}'


def chosen():
    caches.provide()
    return [os.environ.get(name) for name in ('NUMBA_CACHE_DIR', 'MPLCONFIGDIR')]


def test_libraries_without_a_place_get_one_of_this_user_alone(nowhere):
    assert chosen() == [str(nowhere / 'numba'), str(nowhere / 'matplotlib')]
    assert nowhere.stat().st_mode & 0o777 == 0o700
    os.environ['NUMBA_CACHE_DIR'] = '/dev/null/given'
    assert chosen() == [str(nowhere / 'numba'), str(nowhere / 'matplotlib')]


def test_a_folder_that_others_can_write_to_or_that_is_a_link_is_not_used(nowhere, tmp_path):
    nowhere.mkdir()
    nowhere.chmod(0o777)
    assert chosen() == [None, None]
    nowhere.rmdir()
    (tmp_path / 'else').mkdir(mode=0o700)
    nowhere.symlink_to('else')
    assert chosen() == [None, None]


def test_what_is_there_and_what_was_chosen_stays(nowhere, tmp_path, monkeypatch):
    monkeypatch.setenv('MPLCONFIGDIR', '/mine')
    monkeypatch.setenv('NUMBA_CACHE_DIR', str(tmp_path / 'mine'))
    assert chosen() == [str(tmp_path / 'mine'), '/mine']
    for name in ('MPLCONFIGDIR', 'NUMBA_CACHE_DIR'):
        monkeypatch.delenv(name)
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    assert chosen() == [None, None]
    monkeypatch.setenv('HOME', '/dev/null/home')
    monkeypatch.setattr(caches, 'COMPILED', ('arm',))
    assert chosen()[0] is None
    assert not nowhere.joinpath('numba').exists()


def test_a_home_that_nobody_knows_is_not_a_folder_called_tilde(nowhere, monkeypatch):
    monkeypatch.setattr(os.path, 'expanduser', lambda path: path)  # as without a passwd entry
    assert chosen()[0] == str(nowhere / 'numba')


needs_mounts = pytest.mark.skipif(
    subprocess.run(['unshare', '-m', 'true'], capture_output=True, check=False).returncode != 0,
    reason='mounting needs root',
)


@needs_mounts
def test_a_read_only_package_and_home_make_no_noise(tmp_path):
    shutil.copytree(
        ROOT / 'neuron_reach',
        tmp_path / 'neuron_reach',
        ignore=shutil.ignore_patterns('__pycache__'),
    )
    code = (
        'import neuron_reach.arm.pid, neuron_reach.figures.style, os, numpy as np;'
        'from neuron_reach.arm.simulator import *; FleetSimulator(ArmOptions(), 1).receive();'
        'import matplotlib; print(matplotlib.get_cachedir())'
    )
    script = (
        f'mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path} && '
        f'mount -t tmpfs none /dev/shm && export HOME={tmp_path}/home TMPDIR=/dev/shm && '
        f'cd {tmp_path} && exec {sys.executable} -c "{code}"'
    )
    environment = {k: v for k, v in os.environ.items() if k not in ('MPLCONFIGDIR', 'PYTHONPATH')}
    result = subprocess.run(
        ['unshare', '-m', 'bash', '-c', script], capture_output=True, text=True, env=environment
    )
    assert (
        result.stderr.replace(
            'Matplotlib is building the font cache; this may take a moment.\n', ''
        )
        == ''
    )
    assert result.stdout == f'/dev/shm/neuron_reach-{os.getuid()}/matplotlib\n'

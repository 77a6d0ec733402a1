# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The script `run`: whose .venv it works in, and what it leaves alone.

A stand-in for Python makes the environments, in no time and without a network, so that the script
can be stopped at every stage.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MARKER = 'made_by_run'

PYTHON = r"""#!/bin/bash
stage=none
case "$*" in
  *sys.version_info*) echo "${FAKE_VERSION:-3.11.7}"; exit ;;
  '-m venv '*)
    stage=venv; for venv; do :; done
    mkdir -p "$venv/bin"; cp "$0" "$venv/bin/python"; cp "$0" "$venv/bin/python3" ;;
  *setuptools*) stage=setuptools ;;
  *'import torch'*) [ -e "${0%/*}/torch" ]; exit ;;
  *torch==*) stage=torch; touch "${0%/*}/torch" ;;
  *'/src[ros]'*)
    stage=package
    command=${0%/*}/neuron_reach
    printf '#!/bin/bash\necho "$0" "$@"\n' >"$command"; chmod +x "$command" ;;
esac
echo "$stage" >>"$FAKE_LOG"
[ "${FAKE_WAIT:-}" != "$stage" ] || sleep 0.5
[ "${FAKE_FAIL:-}" != "$stage" ] || { echo 'it went wrong'; exit 1; }
if [ "${FAKE_STOP:-}" = "$stage" ]; then kill "-$FAKE_SIGNAL" $PPID; exit 1; fi
"""

STAGES = ['venv', 'setuptools', 'torch', 'package']


class Clone:
    """A clone that has all that `run` looks at, and the stand-in."""

    def __init__(self, folder):
        self.path = folder
        self.venv = folder / '.venv'
        self.log = folder.parent / 'log'
        folder.mkdir()
        for name in ('config', 'launch', 'resource', 'rviz', 'scripts', 'urdf', 'worlds'):
            (folder / name).mkdir()
        for name in (
            'LICENSE',
            'README.md',
            'package.xml',
            'pyproject.toml',
            'setup.cfg',
            'setup.py',
        ):
            (folder / name).touch()
        (folder / 'neuron_reach').mkdir()
        (folder / 'neuron_reach' / 'cli.py').touch()
        shutil.copy(ROOT / 'run', folder)
        bin_ = folder.parent / 'bin'
        bin_.mkdir(exist_ok=True)
        (bin_ / 'python3').write_text(PYTHON)
        (bin_ / 'python3').chmod(0o755)
        self.environment = {
            'PATH': f'{bin_}:/usr/bin:/bin',
            'HOME': str(folder.parent),
            'FAKE_LOG': str(self.log),
        }

    def start(self, *command, cwd=None, **environment):
        return subprocess.Popen(
            command or (self.path / 'run', '--version'),
            cwd=cwd or self.path,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command, **options):
        """Return exit code, output, the lines of errors and the stages that were done."""
        self.log.write_text('')
        process = self.start(*command, **options)
        out, errors = process.communicate(timeout=20)
        stages = [line for line in self.log.read_text().split() if line != 'none']
        return process.returncode, out, errors.splitlines(), stages

    @property
    def worked(self):
        return (0, f'{self.venv}/bin/neuron_reach --version\n')


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path / 'my clone')


def test_the_first_call_sets_up_and_the_next_ones_do_not(clone):
    code, out, errors, stages = clone.run()
    assert (code, out) == clone.worked
    assert stages == STAGES
    assert [line.split()[1] for line in errors] == ['making', 'installing', 'installing']
    assert (clone.venv / MARKER).read_text() == f'{clone.venv}\n'
    assert clone.run() == (*clone.worked, [], [])
    (clone.path / 'neuron_reach' / 'new.py').touch()
    assert clone.run()[3] == ['package']


def test_a_link_works_on_the_clone_and_leaves_alone_what_is_beside_it(clone, tmp_path):
    own = tmp_path / 'own'
    mine = own / '.venv' / 'bin' / 'mine'
    mine.parent.mkdir(parents=True)
    mine.write_text('precious')
    (tmp_path / 'second').mkdir()
    (own / 'run').symlink_to(clone.path / 'run')
    (own / 'relative').symlink_to('../my clone/run')
    (tmp_path / 'second' / 'a link').symlink_to('../own/relative')
    for command in ('own/run', 'own/relative', 'second/a link'):
        assert clone.run(tmp_path / command, '--version', cwd=own)[:2] == clone.worked
    assert mine.read_text() == 'precious'
    assert sorted(path.name for path in own.rglob('*')) == [
        '.venv',
        'bin',
        'mine',
        'relative',
        'run',
    ]


@pytest.mark.parametrize('command', [('./run',), ('bash', 'run'), ('sh', 'run'), ('sh', './run')])
def test_it_runs_by_any_shell_from_anywhere(clone, command):
    elsewhere = {'CDPATH': '/:..', 'BASH_ENV': '/dev/null'}
    assert clone.run(*command, '--version', **elsewhere)[:2] == clone.worked


def test_it_refuses_to_be_sourced(clone):
    code, out, errors, _ = clone.run('bash', '-c', '. ./run; echo "alive $?"')
    assert (code, out) == (0, 'alive 2\n')
    assert errors == ['run: execute this script; do not source it']


def foreign(venv):
    (venv / 'bin').mkdir(parents=True)
    (venv / 'pyvenv.cfg').write_text('home = /usr')


def foreign_link(venv):
    foreign(venv.parent.parent / 'else')
    venv.symlink_to(venv.parent.parent / 'else')


def link_to_that_of_another_clone(venv):
    foreign(venv.parent.parent / 'else')
    (venv.parent.parent / 'else' / MARKER).write_text('/else/.venv\n')
    (venv.parent.parent / 'else' / 'venv.done').touch()
    venv.symlink_to(venv.parent.parent / 'else')


def contents(folder):
    return sorted(
        (str(path.relative_to(folder)), path.lstat().st_mtime_ns)
        for path in folder.rglob('*')
        if 'log' not in path.name
    )


@pytest.mark.parametrize(
    'make',
    [
        foreign,
        foreign_link,
        link_to_that_of_another_clone,
        Path.touch,
        lambda venv: venv.symlink_to('nowhere'),
        lambda venv: venv.symlink_to('.venv'),
        os.mkfifo,
    ],
)
def test_a_venv_of_somebody_else_is_refused_and_not_touched(clone, tmp_path, make):
    make(clone.venv)
    before = contents(tmp_path)
    for _ in range(2):
        code, _, errors, stages = clone.run()
        assert code == 2
        assert errors == [
            f'run: {clone.venv} was not made by ./run and is not changed; '
            'move it away, or use another clone'
        ]
        assert stages == []
    assert contents(tmp_path) == before


def test_a_venv_of_a_version_before_the_marker_is_used(clone):
    clone.run()
    (clone.venv / MARKER).unlink()
    assert clone.run() == (*clone.worked, [], [])


def test_an_empty_folder_elsewhere_may_be_linked(clone, tmp_path):
    (tmp_path / 'large disk').mkdir()
    clone.venv.symlink_to(tmp_path / 'large disk')
    assert clone.run()[:2] == clone.worked
    assert clone.run() == (*clone.worked, [], [])
    assert clone.run(FAKE_VERSION='3.12.1')[3] == STAGES


@pytest.mark.parametrize('stage', STAGES)
@pytest.mark.parametrize('sign', ['INT', 'KILL'])
def test_what_was_stopped_at_any_stage_is_made_whole_by_the_next_call(clone, stage, sign):
    code, out, _, _ = clone.run(FAKE_STOP=stage, FAKE_SIGNAL=sign)
    assert code == (130 if sign == 'INT' else -signal.SIGKILL)
    assert out == ''
    code, out, _, stages = clone.run()
    assert (code, out) == clone.worked
    assert set(STAGES[STAGES.index(stage) + 1 :]) <= set(stages)


@pytest.mark.parametrize('stage', STAGES)
def test_a_failure_says_where_it_is_told_and_the_next_call_works(clone, stage):
    code, _, errors, _ = clone.run(FAKE_FAIL=stage)
    assert code == 2
    assert 'it went wrong' in errors
    assert errors[-1] == f'run: this step failed; the whole output is in {clone.venv}/setup.log'
    assert clone.run()[:2] == clone.worked


def test_a_broken_environment_is_made_anew(clone, tmp_path):
    clone.run()
    (clone.venv / 'bin' / 'python').unlink()  # as if the system's had been replaced
    assert clone.run()[3] == STAGES
    assert clone.run(FAKE_VERSION='3.12.1')[3] == STAGES
    assert clone.run(FAKE_VERSION='3.12.1')[3] == []


def test_a_moved_clone_gets_a_new_environment(clone, tmp_path):
    clone.run()
    clone.path.rename(tmp_path / 'moved')
    command = (tmp_path / 'moved' / 'run', '--version')
    code, out, _, stages = clone.run(*command, cwd=tmp_path)
    assert (code, out) == (0, f'{tmp_path}/moved/.venv/bin/neuron_reach --version\n')
    assert stages == STAGES


def test_an_activated_environment_that_is_made_anew_is_not_the_one_it_is_made_with(clone):
    clone.run()
    path = f'{clone.venv}/bin:{clone.environment["PATH"]}'
    assert clone.run(PATH=path) == (*clone.worked, [], [])
    code, out, _, stages = clone.run(PATH=path, FAKE_VERSION='3.12.1')
    assert (code, out) == clone.worked
    assert stages == STAGES


def test_of_two_at_once_one_sets_up(clone):
    clone.log.write_text('')
    first = clone.start(FAKE_WAIT='torch')
    while 'venv' not in clone.log.read_text():
        time.sleep(0.01)
    second = clone.start()
    assert first.communicate(timeout=20)[0] == clone.worked[1]
    out, errors = second.communicate(timeout=20)
    assert out == clone.worked[1]
    assert errors == 'run: waiting for another call to finish the setup\n'
    assert [line for line in clone.log.read_text().split() if line != 'none'] == STAGES


def test_a_script_outside_a_clone_does_nothing(clone, tmp_path):
    (tmp_path / 'else').mkdir()
    copy = shutil.copy(ROOT / 'run', tmp_path / 'else')
    code, _, errors, _ = clone.run(copy, '--version')
    assert code == 2
    assert errors == [f'run: {tmp_path}/else is not a clone of neuron_reach; call ./run in a clone']
    assert [path.name for path in (tmp_path / 'else').iterdir()] == ['run']


needs_mounts = pytest.mark.skipif(
    subprocess.run(['unshare', '-m', 'true'], capture_output=True, check=False).returncode != 0,
    reason='mounting needs root',
)


@needs_mounts
def test_a_clone_that_cannot_be_written_to(clone):
    script = (
        'mount --bind "$PWD" "$PWD" && mount -o remount,ro,bind "$PWD" && cd "$PWD" && '
        'exec "$PWD/run" --version'
    )
    code, _, errors, _ = clone.run('unshare', '-m', 'bash', '-c', script)
    assert code == 2
    assert errors == [f'run: cannot make {clone.venv}; the clone must be writable']
    clone.run()
    assert clone.run('unshare', '-m', 'bash', '-c', script) == (*clone.worked, [], [])
    (clone.path / 'neuron_reach' / 'new.py').touch()
    code, _, errors, _ = clone.run('unshare', '-m', 'bash', '-c', script)
    assert code == 2
    assert errors[-1] == f'run: cannot write {clone.venv}/setup.log'


@needs_mounts
def test_a_full_disk_is_named_and_the_next_call_works(clone, tmp_path):
    script = (
        'cp -a "$PWD" ../copy && mount -t tmpfs -o size=200k none "$PWD" && cp -a ../copy/. "$PWD" '
        '&& cd "$PWD" && dd if=/dev/zero of=big status=none; ./run --version; echo "code $?"; '
        'rm big; exec ./run --version'
    )
    code, out, errors, _ = clone.run('unshare', '-m', 'bash', '-c', script)
    assert code == 0
    assert out == f'code 2\n{clone.worked[1]}'
    assert errors[1].startswith(f'run: cannot write {clone.venv}/')
    assert errors[1].endswith(': the disk is full')
    assert errors[2].startswith('run: making')

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Install Gazebo 11 for the current user: Debian's packages, unpacked into a cache folder.

Debian bullseye was the last release with Gazebo 11. Its packages are downloaded from the mirror in
this machine's apt configuration and verified by apt with the keyring of the distribution. They are
never installed: apt uses a separate state, and no package scripts run.
"""

from __future__ import annotations

import concurrent.futures
import fcntl
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from neuron_reach.common.names import GAZEBO_APT, GAZEBO_PLUGINS, LOCK, PARTIAL, beside
from neuron_reach.common.progress import Progress
from neuron_reach.errors import UserError
from neuron_reach.gazebo import tree

SUITE = 'bullseye'
KEYRING = Path('/usr/share/keyrings/debian-archive-keyring.gpg')
PACKAGES = ('gazebo', 'gazebo-plugin-base', 'liburdfdom-tools')
HEADER_PACKAGES = (
    'libboost1.74-dev',
    'libgazebo-dev',
    'libignition-common-dev',
    'libignition-math-dev',
    'libignition-msgs-dev',
    'libignition-transport-dev',
    'libprotobuf-dev',
    'libsdformat-dev',
    'libtinyxml2-dev',
)
"""Downloaded without dependencies, another 250 MB: all libraries come with PACKAGES."""

HOST_PACKAGES = {'libc6', 'libc6-dev', 'libgcc-s1', 'libstdc++6', 'linux-libc-dev'}
"""Not unpacked: those of the host are used, see `tree`."""

HEADER_FOLDERS = ('usr/include/gazebo-*', 'usr/include/sdformat-*', 'usr/include/ignition/*')


class NoPackagesError(UserError):
    """Debian's packages are not available on this machine."""


def install() -> None:
    """Install Gazebo and build the plugins; resumes an interrupted installation.

    Raises:
        NoPackagesError: apt, the keyring or the mirror is missing, or does not answer.
        UserError: there is no compiler, the build fails, or the disk is full.
    """
    with _lock(tree.cache_folder()):
        if not tree.tree_folder().is_dir():
            try:
                _require_programs(('apt-get', 'dpkg', 'dpkg-deb'))
                archives = _download()
            except UserError as error:
                raise NoPackagesError(str(error)) from None
            _unpack(archives)
        if not tree.plugin_folder().is_dir():
            _require_programs(('g++',))
            _build()


def _require_programs(names: Sequence[str]) -> None:
    for name in names:
        if shutil.which(name) is None:
            raise UserError(
                f'to install Gazebo, {name} is needed, but not installed on this machine'
            )


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open('w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise UserError(f'{folder}: cannot be written: {error.strerror or error}') from None


def _run(command: Sequence[str], what: str) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        UserError: it failed; the message contains its last error.
    """
    result = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if result.returncode != 0:
        lines = (result.stderr.strip() or result.stdout.strip() or 'no message').splitlines()
        errors = [line for line in lines if line.startswith(('E:', 'dpkg')) or ' error: ' in line]
        raise UserError(f'{what} failed: {(errors or lines[-1:])[0]}')
    return result.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, 'LC_ALL': 'C', 'DEBIAN_FRONTEND': 'noninteractive'}


def mirrors() -> list[str]:
    """Return the addresses of possible Debian mirrors in this machine's apt configuration.

    Raises:
        UserError: there is none.
    """
    codename = platform.freedesktop_os_release().get('VERSION_CODENAME', '')
    suites = {codename, 'oldstable', 'stable', 'testing', 'unstable', 'sid'}
    # Not by label or origin, which apt knows only after an update.
    form = '$(RELEASE) $(COMPONENT) $(REPO_URI)'
    command = ['apt-get', 'indextargets', '--format', form, 'Created-By: Packages']
    found = []
    for line in _run(command, 'asking apt for its mirrors').splitlines():
        suite, component, address = line.split(maxsplit=2)
        if suite in suites and component == 'main' and address not in found:
            found.append(address)
    if not found:
        raise UserError('apt has no Debian mirror on this machine; Gazebo 11 comes from Debian')
    return found


def _apt(folder: Path, mirror: str) -> list[str]:
    """Return the apt-get command with a separate state in `folder` and a single source."""
    if not KEYRING.exists():
        raise UserError(f'{KEYRING} is missing; it is in the package debian-archive-keyring')
    for name in ('state/lists/partial', 'cache/archives/partial'):
        (folder / name).mkdir(parents=True, exist_ok=True)
    source = f'deb [signed-by={KEYRING}] {mirror} {SUITE} main\n'
    (folder / 'sources.list').write_text(source, encoding='utf-8')
    (folder / 'status').touch()
    options = {
        'Dir::State': folder / 'state',
        'Dir::State::status': folder / 'status',
        'Dir::Cache': folder / 'cache',
        'Dir::Etc::sourcelist': folder / 'sources.list',
        'Dir::Etc::sourceparts': '/dev/null',
        'Dir::Etc::preferencesparts': '/dev/null',
        'Dir::Etc::preferences': '/dev/null',
        'APT::Architecture': 'amd64',
        'APT::Architectures': 'amd64',
        'APT::Install-Recommends': 'false',
        'APT::Sandbox::User': '',
        'APT::Keep-Downloaded-Packages': 'true',
        'Acquire::Languages': 'none',
        'Acquire::Retries': '3',
        'Debug::NoLocking': 'true',
    }
    words = [f'{key}={value}' for key, value in options.items()]
    return ['apt-get', '-qq', *(part for word in words for part in ('-o', word))]


def _download() -> list[Path]:
    """Download all packages that Gazebo needs, except those downloaded before."""
    folder = tree.cache_folder() / GAZEBO_APT
    apt = _updated(folder)
    archives = folder / 'cache' / 'archives'
    programs = [*apt, 'install', '--download-only', '-y', *PACKAGES]
    headers = [*apt, 'download', *HEADER_PACKAGES]
    # With another, empty cache: apt would not list the packages in its cache.
    (folder / 'none' / 'archives' / 'partial').mkdir(parents=True, exist_ok=True)
    nothing = ('--print-uris', '-o', f'Dir::Cache={folder / "none"}')
    files: dict[str, int] = {}
    for command in (programs, headers):
        for line in _run([*command, *nothing], 'choosing packages').splitlines():
            if line.startswith("'"):  # 'address' name size digest
                _, name, length, *_ = line.split()
                files[name] = int(length)
    total = round(sum(files.values()) / 1e6)
    progress = Progress('downloading', total, unit='MB')
    for command in (programs, headers):
        _fetch(command, archives, progress, total)
    progress.update(total)
    progress.close()
    for name, size in files.items():
        if not (archives / name).is_file() or (archives / name).stat().st_size != size:
            raise UserError(f'downloading Gazebo failed: {name} is missing or incomplete')
    return [archives / name for name in files]


def _updated(folder: Path) -> list[str]:
    """Return apt-get with the package list of the first mirror that has a signed one."""
    print('reading the list of packages', flush=True)
    problem = None
    for mirror in mirrors():
        apt = _apt(folder, mirror)
        try:
            _run([*apt, 'update', '-o', 'APT::Update::Error-Mode=any'], f'asking for {SUITE}')
        except UserError as error:
            problem = problem or error
        else:
            return apt
    assert problem is not None
    raise problem


def _fetch(command: Sequence[str], archives: Path, progress: Progress, total: int) -> None:
    """Run an apt-get that fills the folder `archives`."""
    with subprocess.Popen(
        command,
        cwd=archives,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
    ) as process:
        try:
            while True:
                try:
                    _, errors = process.communicate(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    progress.update(min(total, round(_size(archives) / 1e6)))
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        problem = (errors.strip() or 'no message').splitlines()[-1]
        raise UserError(f'downloading Gazebo failed: {problem}; repeat the command to resume')


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob('*'):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # just moved out of partial/
            continue
    return total


def _unpack(archives: Sequence[Path]) -> None:
    """Unpack the packages into the tree, atomically, and delete the archives."""
    wanted = [path for path in archives if path.name.split('_')[0] not in HOST_PACKAGES]
    with _atomic_folder(tree.tree_folder()) as partial:
        _unpack_into(partial, wanted)
    shutil.rmtree(tree.cache_folder() / GAZEBO_APT)


def _unpack_into(folder: Path, wanted: Sequence[Path]) -> None:
    # Created first, because some packages contain folders and others links of the same name.
    (folder / 'usr').mkdir()
    progress = Progress('unpacking', len(wanted), unit='packages')
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(_run, ['dpkg', '-x', str(p), str(folder)], p.name) for p in wanted]
        try:
            for done, job in enumerate(concurrent.futures.as_completed(jobs), 1):
                job.result()
                progress.update(done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    progress.close()
    for share in ('doc', 'icons', 'locale', 'man'):
        shutil.rmtree(folder / 'usr/share' / share, ignore_errors=True)


@contextmanager
def _atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to a new `folder` on success.

    Unlike `files.atomic_folder`, it does not sync its many files to the disk one by one.
    """
    partial = beside(folder, PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        os.sync()
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _build() -> None:
    """Build the plugins with the host's compiler; their folder is created atomically."""
    print('building the plugins (30 s)', flush=True)
    folder = tree.plugin_folder()
    for old in folder.parent.glob(f'{GAZEBO_PLUGINS}*'):
        shutil.rmtree(old)
    root = tree.tree_folder()
    headers = [path for pattern in HEADER_FOLDERS for path in sorted(root.glob(pattern))]
    headers += [root / 'usr/include', root / 'usr/include/x86_64-linux-gnu']
    flags = ['-std=c++17', '-O2', '-fPIC', '-shared', '-Wall', '-Wextra']
    include = [word for path in headers for word in ('-isystem', str(path))]
    with _atomic_folder(folder) as partial:
        for source, library, libraries in (
            ('loopback.cc', tree.LOOPBACK, ['-ldl']),
            ('arms.cc', tree.ARMS_PLUGIN, []),
        ):
            command = ['g++', *flags, *(include if source == 'arms.cc' else [])]
            command += [str(tree.SOURCES / source), '-o', str(partial / library), *libraries]
            _run(command, f'building {source}')

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Cache folders for libraries, on machines without a writable home folder.

numba caches compiled code beside the source or in the home folder, matplotlib its fonts in the home
folder. If these are read-only or missing, as in a container or for a service account, numba ends
with a traceback and matplotlib warns in every process. They then get a private temporary folder.
This module imports only modules that Python has already loaded.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

TEMPORARY = ('/tmp', '/var/tmp', '/dev/shm')
COMPILED = ('analysis', 'arm', 'learning')
"""The packages with compiled functions."""


def provide() -> None:
    """Set a cache folder for each library that would find none."""
    cache, config = _home('XDG_CACHE_HOME', '.cache'), _home('XDG_CONFIG_HOME', '.config')
    package = Path(__file__).parents[1]
    beside = all(_writable(package / name / '__pycache__') for name in COMPILED)
    chosen = os.environ.get('NUMBA_CACHE_DIR', '')
    if not ((chosen and _writable(Path(chosen))) or beside or _writable(cache / 'numba')):
        _name('NUMBA_CACHE_DIR', 'numba')
    if 'MPLCONFIGDIR' not in os.environ and not (
        _writable(cache / 'matplotlib') and _writable(config / 'matplotlib')
    ):
        _name('MPLCONFIGDIR', 'matplotlib')


def _home(variable: str, name: str) -> Path:
    # Unlike Path.home, this keeps `~` if the home folder is unknown.
    return Path(os.environ.get(variable) or os.path.expanduser(f'~/{name}'))  # noqa: PTH111


def _writable(folder: Path) -> bool:
    """Return whether a folder is writable, or can be created."""
    if not folder.is_absolute():  # no home folder
        return False
    place = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def _name(variable: str, name: str) -> None:
    folder = _own_folder()
    if folder is not None:
        os.environ[variable] = str(folder / name)  # also for child processes


def _own_folder() -> Path | None:
    """Return a folder that no other user can write to, as code is loaded from there."""
    for base in filter(None, (os.environ.get('TMPDIR'), *TEMPORARY)):
        folder = Path(base, f'neuron_reach-{os.getuid()}').absolute()
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            status = folder.lstat()
        except OSError:
            continue
        private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
        if private and status.st_uid == os.getuid() and os.access(folder, os.W_OK):
            return folder
    return None

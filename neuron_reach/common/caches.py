"""Where libraries keep compiled code and lists of fonts, on machines that leave them no place.

numba looks for one beside the source and in the home folder, matplotlib in the home folder. Where
both are read only or missing, as in a container or for a service's user, numba ends with a
traceback and matplotlib warns in every process. They are then given a folder of this user's alone
among the temporary ones. Nothing is imported here but what Python has loaded anyway.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

TEMPORARY = ('/tmp', '/var/tmp', '/dev/shm')
COMPILED = ('analysis', 'arm', 'learning')
"""The packages with compiled functions."""


def provide() -> None:
    """Name a folder to each of the libraries that would find none."""
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
    # Unlike Path's, this one leaves `~` where nobody knows the home folder.
    return Path(os.environ.get(variable) or os.path.expanduser(f'~/{name}'))  # noqa: PTH111


def _writable(folder: Path) -> bool:
    """Tell whether a folder can be written to, or be made."""
    if not folder.is_absolute():  # of a user without a home
        return False
    place = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def _name(variable: str, name: str) -> None:
    folder = _own_folder()
    if folder is not None:
        os.environ[variable] = str(folder / name)  # for the processes that are started, too


def _own_folder() -> Path | None:
    """Return a folder that nobody else can put anything into: code is loaded from there."""
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

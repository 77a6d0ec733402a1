"""Where our Gazebo lives, and how its programs run although it was never installed as a package.

The tree holds Debian packages unpacked side by side, without the C and C++ run-time libraries:
those are the host's, so that the plugins, built by the host's compiler, fit in.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from neuron_reach.common.names import GAZEBO_HOME, GAZEBO_PLUGINS, GAZEBO_TREE
from neuron_reach.errors import UserError

SOURCES = Path(__file__).parent / 'plugin'
ARMS_PLUGIN, LOOPBACK = 'libneuron_reach_arms.so', 'libneuron_reach_loopback.so'
HOW_TO_INSTALL = 'install it with: neuron_reach gazebo install (1 minute, 1 GB, no root needed)'


def cache_folder() -> Path:
    """Return the folder of our Gazebo: $NEURON_REACH_GAZEBO or one in the user's cache."""
    chosen = os.environ.get('NEURON_REACH_GAZEBO')
    if chosen:
        return Path(chosen).expanduser().absolute()
    cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(cache).expanduser() / 'neuron_reach' / 'gazebo'


def tree_folder() -> Path:
    """Return the folder of the unpacked packages; it exists once all of them are unpacked."""
    return cache_folder() / GAZEBO_TREE


@functools.cache
def plugin_folder() -> Path:
    """Return the folder of the plugins built from the present sources, which it is named after."""
    sources = b''.join(path.read_bytes() for path in sorted(SOURCES.glob('*.cc')))
    return cache_folder() / f'{GAZEBO_PLUGINS}{hashlib.sha256(sources).hexdigest()[:16]}'


def is_installed() -> bool:
    """Tell whether Gazebo and the plugins for it are there."""
    return tree_folder().is_dir() and plugin_folder().is_dir()


def require() -> None:
    """Raise UserError unless Gazebo is installed."""
    if not is_installed():
        raise UserError(f'Gazebo is not installed in {cache_folder()}; {HOW_TO_INSTALL}')


def library_folders(tree: Path) -> list[Path]:
    """Return the folders of a tree that hold shared libraries."""
    folders = [tree / 'lib', tree / 'usr/lib']
    folders += [folder / 'x86_64-linux-gnu' for folder in folders]
    own = folders[-1]
    # What a package's installation would have linked into the folder above.
    folders += [
        own / 'blas',
        own / 'lapack',
        own / 'pulseaudio',
        *sorted(own.glob('gazebo-*/plugins')),
    ]
    return [folder for folder in folders if folder.is_dir()]


def environment(**more: str) -> dict[str, str]:
    """Return the environment for programs of the tree; their home is in the cache folder."""
    tree = tree_folder()
    libraries = tree / 'usr/lib/x86_64-linux-gnu'
    home = cache_folder() / GAZEBO_HOME
    home.mkdir(parents=True, exist_ok=True)
    own = {
        'HOME': str(home),
        'PATH': f'{tree / "usr/bin"}:{os.environ.get("PATH", os.defpath)}',
        'LD_LIBRARY_PATH': _join(library_folders(tree)),
        'GAZEBO_IP': '127.0.0.1',
        'IGN_IP': '127.0.0.1',
        'GAZEBO_MODEL_DATABASE_URI': '',
        'GAZEBO_MODEL_PATH': '',
        'GAZEBO_RESOURCE_PATH': _join(tree.glob('usr/share/gazebo-*')),
        'GAZEBO_PLUGIN_PATH': _join([plugin_folder(), *libraries.glob('gazebo-*/plugins')]),
        'OGRE_RESOURCE_PATH': _join(libraries.glob('OGRE-*')),
        'SDF_PATH': _join(tree.glob('usr/share/sdformat/*')),
        'QT_QPA_PLATFORM_PLUGIN_PATH': str(libraries / 'qt5/plugins/platforms'),
        'LIBGL_DRIVERS_PATH': str(libraries / 'dri'),
    }
    kept = ('DISPLAY', 'XAUTHORITY', 'LANG', 'LC_ALL', 'TMPDIR', 'OMP_NUM_THREADS')
    return {**{key: os.environ[key] for key in kept if key in os.environ}, **own, **more}


def _join(paths: Iterable[Path]) -> str:
    return ':'.join(map(str, paths))


def program(name: str) -> str:
    """Return the path of a program of the tree.

    Raises:
        UserError: Gazebo is not installed, or lacks the program.
    """
    require()
    path = tree_folder() / 'usr/bin' / name
    if not path.exists():
        raise UserError(f'{path} is missing; remove {tree_folder()} and {HOW_TO_INSTALL}')
    return str(path)


_LIBC = ctypes.CDLL(None)  # not loaded after a fork: another thread may hold the loader's lock


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (for `preexec_fn`)."""
    pr_set_pdeathsig = 1
    _LIBC.prctl(pr_set_pdeathsig, signal.SIGKILL)

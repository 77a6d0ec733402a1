# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Where Gazebo is installed for this package, and the environment in which its programs run.

The tree contains unpacked Debian packages without the C and C++ run-time libraries. Those of the
host are used, so that plugins built with the host's compiler are compatible.
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
    """Return the folder of Gazebo: $NEURON_REACH_GAZEBO, or one in the user's cache."""
    chosen = os.environ.get('NEURON_REACH_GAZEBO')
    if chosen:
        return Path(chosen).expanduser().absolute()
    cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(cache).expanduser() / 'neuron_reach' / 'gazebo'


def tree_folder() -> Path:
    """Return the folder of the packages; it exists only when all of them are unpacked."""
    return cache_folder() / GAZEBO_TREE


@functools.cache
def plugin_folder() -> Path:
    """Return the folder of the plugins, named after a digest of their present sources."""
    sources = b''.join(path.read_bytes() for path in sorted(SOURCES.glob('*.cc')))
    return cache_folder() / f'{GAZEBO_PLUGINS}{hashlib.sha256(sources).hexdigest()[:16]}'


def is_installed() -> bool:
    """Tell whether Gazebo and its plugins are installed."""
    return tree_folder().is_dir() and plugin_folder().is_dir()


def require() -> None:
    """Raise UserError unless Gazebo is installed."""
    if not is_installed():
        raise UserError(f'Gazebo is not installed in {cache_folder()}; {HOW_TO_INSTALL}')


def library_folders(tree: Path) -> list[Path]:
    """Return the folders of a tree that hold shared libraries."""
    folders = [tree / 'lib', tree / 'usr/lib']
    folders += [folder / 'x86_64-linux-gnu' for folder in folders]
    libraries = folders[-1]
    # Installing the packages would have linked the content of these into the folder above.
    folders += [
        libraries / 'blas',
        libraries / 'lapack',
        libraries / 'pulseaudio',
        *sorted(libraries.glob('gazebo-*/plugins')),
    ]
    return [folder for folder in folders if folder.is_dir()]


def environment(**more: str) -> dict[str, str]:
    """Return the environment for programs of the tree; their home is in the cache folder."""
    tree = tree_folder()
    libraries = tree / 'usr/lib/x86_64-linux-gnu'
    home = cache_folder() / GAZEBO_HOME
    home.mkdir(parents=True, exist_ok=True)
    variables = {
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
    return {**{key: os.environ[key] for key in kept if key in os.environ}, **variables, **more}


def _join(paths: Iterable[Path]) -> str:
    return ':'.join(map(str, paths))


def program(name: str) -> str:
    """Return the path of a program of the tree.

    Raises:
        UserError: Gazebo is not installed, or the program is missing.
    """
    require()
    path = tree_folder() / 'usr/bin' / name
    if not path.exists():
        raise UserError(f'{path} is missing; remove {tree_folder()} and {HOW_TO_INSTALL}')
    return str(path)


_LIBC = ctypes.CDLL(
    None
)  # loaded before a fork, after which another thread may hold the loader's lock


def end_with_parent() -> None:
    """Make the kernel kill this process when its parent exits (for `preexec_fn`)."""
    pr_set_pdeathsig = 1
    _LIBC.prctl(pr_set_pdeathsig, signal.SIGKILL)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Find what is installed: files of this package beside its modules, and other ROS packages."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from neuron_reach.errors import UserError

PACKAGE = 'neuron_reach'


def shared_file(name: str) -> Path:
    """Return the path of a shared file such as `urdf/planar_arm.urdf.xacro`.

    It is searched in the checkout of this code, then where colcon and pip install it.

    Raises:
        UserError: it is in none of these places.
    """
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    folders = [Path(__file__).resolve().parents[2]]
    folders += [Path(prefix, 'share', PACKAGE) for prefix in prefixes if prefix]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise UserError(f'{name} is in none of {", ".join(map(str, folders))}; install {PACKAGE} anew')


def pip_install(*packages: str) -> str:
    """Return the command that installs packages where this process finds them."""
    quoted = ' '.join(map(shlex.quote, packages))
    return f'{shlex.quote(sys.executable)} -m pip install {quoted}'


def has_package(name: str) -> bool:
    """Return whether a ROS package is installed."""
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        get_package_prefix(name)
    except PackageNotFoundError:
        return False
    return True

"""Find what is installed: files of this package beside its modules, and other ROS packages."""

from __future__ import annotations

import os
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


def has_package(name: str) -> bool:
    """Return whether a ROS package is installed."""
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        get_package_prefix(name)
    except PackageNotFoundError:
        return False
    return True

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import neuron_reach

CORE = ('arm', 'learning', 'analysis')
ROS = {
    'rclpy',
    'rosbags',
    'ament_index_python',
    'launch',
    'sensor_msgs',
    'std_msgs',
    'geometry_msgs',
    'visualization_msgs',
    'diagnostic_msgs',
}
PLOTS = {'matplotlib'}
LIGHT = ['graph', 'options', 'starter', 'cli', 'learning.setup', 'arm.simulator', 'environment']


def core_modules():
    root = Path(neuron_reach.__file__).parent
    for package in CORE:
        yield from (
            f'neuron_reach.{package}.{module.name}'
            for module in pkgutil.iter_modules([str(root / package)])
        )


def imported(*modules):
    """Top-level names of everything that importing these modules brings into a fresh process."""
    code = (
        f'import sys, {", ".join(modules)}; print(*{{name.split(".")[0] for name in sys.modules}})'
    )
    path = os.pathsep.join(filter(None, map(str, sys.path)))
    result = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, 'PYTHONPATH': path},
    )
    return set(result.stdout.split())


def test_the_core_never_imports_ros_or_plots():
    modules = list(core_modules())
    assert 'neuron_reach.learning.session' in modules
    found = imported(*modules)
    assert 'torch' in found
    assert not found & (ROS | PLOTS)


def test_the_arm_needs_no_torch():
    arm = [module for module in core_modules() if module.startswith('neuron_reach.arm.')]
    found = imported(*arm)
    assert 'numpy' in found
    assert 'torch' not in found


@pytest.mark.parametrize('module', LIGHT)
def test_what_must_load_at_once_imports_neither_torch_nor_ros(module):
    assert not imported(f'neuron_reach.{module}') & {'torch', 'scipy', 'numba', *ROS, *PLOTS} - {
        'rosbags'
    }

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import ast
import graphlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import neuron_reach
from neuron_reach import analysis

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
LIGHT = [
    'launching.graph',
    'launching.starter',
    'common.options',
    'analysis.options',
    'cli',
    'learning.setup',
    'arm.simulator',
    'environment',
]


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


# --- arrows between folders ---------------------------------------------------------------------

ROOT = Path(neuron_reach.__file__).parent
GUIDE = Path(__file__).parents[1] / 'CONTRIBUTING.md'
ROW = re.compile(r'\| `([a-z0-9_.]+)` \| [^|]+ \| ([^|]+) \|')


def modules():
    """The syntax tree of every module, by its dotted name within the package."""
    paths = {
        '.'.join(path.relative_to(ROOT).with_suffix('').parts): path for path in ROOT.rglob('*.py')
    }
    return {name: ast.parse(path.read_text()) for name, path in paths.items()}


def imports(tree, names):
    """Modules of the package that a module imports, at its top or inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted = [(alias.name, '') for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, 'imports are absolute'
            wanted = [(node.module, alias.name) for alias in node.names]
        else:
            continue
        for module, item in wanted:
            top, _, own = module.partition('.')
            if top != 'neuron_reach':
                continue
            parts = filter(None, (own, item))
            found = '.'.join(parts)
            yield found if found in names else own or '__init__'


def allowed():
    """The table of CONTRIBUTING.md: what each folder may import, in its order."""
    rows = ROW.findall(GUIDE.read_text())
    return {name: set(re.findall(r'`([a-z0-9_.]+)`', others)) for name, others in rows}


def folder(module, rows):
    """The row of a module: itself, or the innermost folder that has one."""
    parts = module.split('.')
    return next(name for end in range(len(parts), 0, -1) if (name := '.'.join(parts[:end])) in rows)


def test_folders_import_what_the_table_allows_and_nothing_else():
    rows, trees = allowed(), modules()
    arrows = {name: set() for name in rows}
    for module, tree in trees.items():
        own = folder(module, rows)
        arrows[own] |= {folder(found, rows) for found in imports(tree, trees)} - {own}
    assert arrows == rows


def test_rows_of_the_table_name_only_rows_above():
    seen = set()
    for name, others in allowed().items():
        assert others <= seen, f'{name} is above one of {others}'
        seen.add(name)


def test_no_module_imports_itself_by_way_of_others():
    trees = modules()
    graph = {module: set(imports(tree, trees)) - {module} for module, tree in trees.items()}
    assert list(graphlib.TopologicalSorter(graph).static_order())


# --- the public API -----------------------------------------------------------------------------


def test_importing_the_package_is_quick_and_loads_no_library():
    libraries = {'numpy', 'torch', 'numba', 'scipy', 'gymnasium', 'yaml', *ROS, *PLOTS}
    assert not imported('neuron_reach') & libraries


def test_importing_the_package_takes_less_than_a_tenth_of_a_second():
    code = 'import time; a = time.perf_counter(); import neuron_reach; print(time.perf_counter()-a)'
    times = [
        float(subprocess.run([sys.executable, '-c', code], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(times) < 0.1


def test_every_public_name_is_there_and_listed():
    for name in neuron_reach.__all__:
        assert getattr(neuron_reach, name) is not None
    assert set(neuron_reach.__all__) <= set(dir(neuron_reach))
    with pytest.raises(AttributeError, match="'neuron_reach' has no attribute 'laod'"):
        neuron_reach.laod  # noqa: B018  # what a typo does


@pytest.mark.parametrize('package', [neuron_reach, analysis], ids=lambda each: each.__name__)
def test_lazy_names_are_those_that_type_checkers_see(package):
    tree = ast.parse(Path(package.__file__).read_text())
    (branch,) = (node for node in tree.body if type(node) is ast.If)
    typed = {
        (node.module.removeprefix('neuron_reach.'), alias.name)
        for node in branch.body
        for alias in node.names
    }
    (table,) = (node for node in ast.walk(branch) if isinstance(node, ast.Dict))
    lazy = {
        (module, name)
        for module, names in ast.literal_eval(table).items()
        for name in names.split()
    }
    assert typed == lazy
    assert {name for _, name in lazy} == set(package.__all__) - {'__version__'}
    assert all(getattr(package, name) is not None for name in package.__all__)

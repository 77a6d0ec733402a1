# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What is shipped: declared dependencies, shared files, executables, and the default options."""

import ast
import dataclasses
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

import neuron_reach
from neuron_reach.common.options import allowed, fill
from neuron_reach.launching import graph
from neuron_reach.launching.arguments import RunOptions, read_arguments
from neuron_reach.learning.setup import Setup

ROOT = Path(__file__).parents[1]
CHANGELOG = ROOT / 'CHANGELOG.md'
NODES = {
    'activation_recorder',
    'arm_reset',
    'arm_simulator',
    'bag_recorder',
    'dqn_policy',
    'gazebo_simulator',
    'policy_inspector',
}
COMMANDS = {
    'analyze',
    'export',
    'film',
    'gazebo',
    'info',
    'inspect',
    'map',
    'prune',
    'prune-train',
    'record',
    'reproduce',
    'run',
    'train',
}

# Imported names whose package is called otherwise, as rosdep and as PyPI call it.
LIBRARIES = ('matplotlib', 'numba', 'numpy', 'scipy', 'tqdm', 'yaml')
ROSDEP = {name: f'python3-{name}' for name in LIBRARIES}
ROSDEP['PIL'] = 'python3-pil'
PYPI = {'PIL': 'pillow', 'backports': 'backports.zstd', 'yaml': 'pyyaml'}
# Without a rosdep key that installs anywhere but into the system's Python; the README names them.
PIP_ONLY = {'backports', 'gymnasium', 'lz4', 'rosbags', 'safetensors', 'threadpoolctl', 'torch'}
# ROS packages that have no wheels; imported only where ROS 2 is installed.
ROS_ONLY = {'gazebo_msgs', 'launch', 'launch_ros'}
# Of extras, or used only where they are installed.
OPTIONAL = {'onnx', 'sb3_contrib', 'stable_baselines3', 'distributed', 'pandas'}
# Come along with rclpy.
WITH_RCLPY = {'rcl_interfaces', 'builtin_interfaces'}


@pytest.fixture(scope='module')
def manifest():
    return ElementTree.parse(ROOT / 'package.xml').getroot()


@pytest.fixture(scope='module')
def distribution():
    """Return what setup.py says, without building anything."""
    run_setup = pytest.importorskip('setuptools').distutils.core.run_setup
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        return run_setup('setup.py', stop_after='init')
    finally:
        os.chdir(before)


def test_setup_works_in_a_folder_of_links_as_colcon_makes_it(tmp_path, distribution, monkeypatch):
    run_setup = pytest.importorskip('setuptools').distutils.core.run_setup
    # `colcon build --symlink-install` links what setup.py names, and no other file.
    linked = {Path(file).parts[0] for _, files in distribution.data_files for file in files}
    for name in ('setup.py', 'setup.cfg', 'neuron_reach', *linked):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    assert run_setup('setup.py', stop_after='init').get_version() == distribution.get_version()


def imports():
    """Return the top-level names that the package imports, those of Python itself left out."""
    names = set()
    for file in [*ROOT.glob('neuron_reach/**/*.py'), *ROOT.glob('launch/*.py')]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name.split('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split('.')[0])
    return names - set(sys.stdlib_module_names) - {'neuron_reach'}


def test_the_manifest_is_what_ament_expects(manifest, distribution):
    assert manifest.tag == 'package'
    assert manifest.get('format') == '3'
    assert manifest.findtext('name') == 'neuron_reach'
    assert manifest.findtext('license') == 'Apache-2.0'
    assert manifest.findtext('export/build_type') == 'ament_python'
    versions = {manifest.findtext('version'), distribution.get_version(), neuron_reach.__version__}
    assert len(versions) == 1
    # colcon leaves its prefix hook out, and says nothing, if this is malformed.
    email = manifest.find('maintainer').get('email')
    assert re.fullmatch(r'[a-z.-]+@[a-z-]+(\.[a-z-]+)+', email)
    assert distribution.get_maintainer_email() == email


def test_setup_and_citation_say_the_same_as_the_manifest(manifest, distribution):
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == manifest.findtext('version')
    assert citation['license'] == distribution.get_license() == manifest.findtext('license')
    urls = {element.get('type'): element.text for element in manifest.findall('url')}
    assert urls == {
        'website': citation['url'],
        'repository': citation['repository-code'],
        'bugtracker': distribution.metadata.project_urls['Bug Tracker'],
    }
    assert distribution.get_url() == urls['website']
    assert distribution.metadata.project_urls['Repository'] == urls['repository']
    (author,) = citation['authors']
    assert author['name'] == distribution.get_author() == manifest.findtext('author')
    assert f'## [{citation["version"]}] - {citation["date-released"]}\n' in CHANGELOG.read_text()


def test_every_file_named_for_contributors_exists():
    texts = [(ROOT / name).read_text() for name in ('CONTRIBUTING.md', 'SECURITY.md')]
    quoted = re.findall(r'`([^`\s]+)`', '\n'.join(texts))
    linked = re.findall(r'\]\(([^)#:]+)\)', '\n'.join(texts))
    named = {path for path in quoted if '/' in path or re.search(r'\.(cff|md|py|xml|yaml)$', path)}
    named = named - {'./run', '/diagnostics', 'NAME.py'} | set(linked)
    assert len(named) > 30
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def sources():
    """Return all files with code."""
    folders = ('benchmarks', 'launch', 'neuron_reach', 'test')
    files = [file for folder in folders for file in (ROOT / folder).rglob('*.py')]
    files += [*(ROOT / 'scripts').iterdir(), *ROOT.glob('neuron_reach/**/*.cc')]
    return [ROOT / 'run', ROOT / 'setup.py', *(file for file in files if file.stat().st_size)]


def test_every_source_begins_with_the_copyright_lines():
    # Those that ament_copyright asks for. To add them: ament_copyright --add-missing, or copy them.
    _, *license_lines = (ROOT / 'setup.py').read_text().split('\n\n')[0].splitlines()
    assert license_lines[0].startswith('# Licensed under the Apache License, Version 2.0')
    for file in sources():
        first, *others = file.read_text().splitlines()
        if first.startswith('#!'):
            first, *others = others
        assert re.fullmatch(r'(#|//) Copyright 20\d\d neuron_reach maintainers', first), file
        mark = first.split()[0]
        expected = [line.replace('#', mark, 1) for line in license_lines]
        assert others[: len(expected) + 1] == [*expected, ''], file


def test_the_changelog_has_the_sections_of_keep_a_changelog():
    text = CHANGELOG.read_text()
    releases = re.findall(r'^## (.+)$', text, re.MULTILINE)
    assert releases[0] == '[Unreleased]'
    assert all(re.fullmatch(r'\[\d+\.\d+\.\d+] - \d{4}-\d\d-\d\d', name) for name in releases[1:])
    order = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']
    for release in text.split('\n## ')[1:]:
        sections = re.findall(r'^### (.+)$', release, re.MULTILINE)
        assert sections == sorted(sections, key=order.index)


def test_the_manifest_declares_what_is_imported(manifest):
    declared = {element.text for element in manifest.findall('exec_depend')}
    needed = {ROSDEP.get(name, name) for name in imports() - PIP_ONLY - OPTIONAL - WITH_RCLPY}
    assert needed <= declared


def test_setup_declares_what_is_imported(distribution):
    def names(requirements):
        return {re.match(r'[\w.-]+', requirement)[0] for requirement in requirements}

    libraries = names(distribution.install_requires)
    assert 'torch' not in libraries  # pip would bring its CUDA build
    wheels = {
        name.removeprefix('ros-').replace('-', '_')
        for name in names(distribution.extras_require['ros'])
    }
    needed = {
        PYPI.get(name, name) for name in imports() - ROS_ONLY - OPTIONAL - WITH_RCLPY - {'torch'}
    }
    assert needed <= libraries | wheels


def test_the_readme_tells_how_to_get_what_rosdep_does_not(distribution):
    text = (ROOT / 'README.md').read_text()
    for name in PIP_ONLY - {'backports', 'lz4'}:  # these come with rosbags
        assert name in text


def test_every_node_and_command_has_an_executable():
    scripts = {file.name: file for file in (ROOT / 'scripts').iterdir()}
    assert set(scripts) == NODES | COMMANDS
    for name, file in scripts.items():
        folder = 'nodes' if name in NODES else 'commands'
        assert file.stat().st_mode & stat.S_IXUSR
        assert (ROOT / 'neuron_reach' / folder / f'{name.replace("-", "_")}.py').exists()
    started = [
        process.name
        for phase in graph.build('train', {})
        for process in (phase.leader, *phase.followers)
        if not process.command
    ]
    assert set(started) <= NODES


def default_configuration():
    """Return what config/default.yaml must say: every option's meaning, range and default."""
    lines = [
        '# All arguments of the launch files, and of `neuron_reach train`, `record` and `run`,',
        '# that are no paths, with their defaults. Copy the lines you want to change into a file',
        '# of your own and name it with config:=FILE; arguments on the command line count more.',
    ]
    groups = [RunOptions, *(field.default_factory for field in dataclasses.fields(Setup))]
    for group in groups:
        lines += ['', f'# == {group.__doc__.splitlines()[0]} ==', '']
        for field in dataclasses.fields(group):
            if field.name in ('run_dir', 'checkpoint'):
                continue
            meaning = f'{field.metadata["description"]} ({allowed(field)})'
            lines += [f'# {line}' for line in textwrap.wrap(meaning, 97)]
            default = field.default
            text = default if default and isinstance(default, str) else json.dumps(default)
            lines.append(f'{field.name}: {text}')
    return '\n'.join(lines) + '\n'


def test_the_default_configuration_states_every_default_and_its_meaning():
    # After a change of options, `python test/test_packaging.py` writes the file anew.
    text = (ROOT / 'config' / 'default.yaml').read_text()
    assert text == default_configuration()
    values = read_arguments({'config': str(ROOT / 'config' / 'default.yaml')})
    assert Setup.from_values(values, 'default.yaml') == Setup()
    assert fill(RunOptions, values, 'default.yaml') == RunOptions()


def shared_folders():
    """Return the folders that belong into the package's share folder."""
    names = ('config', 'launch', 'rviz', 'urdf', 'worlds')
    return [name for name in names if any((ROOT / name).glob('*.*'))]


def test_run_installs_every_shared_folder():
    (sources,) = re.findall(
        r'^sources=\((.*?)\)$', (ROOT / 'run').read_text(), re.MULTILINE | re.DOTALL
    )
    assert {*shared_folders(), 'neuron_reach', 'resource', 'scripts'} <= set(sources.split())


TYPED = {
    'neuron_reach.analysis.distances.neuron_distances',
    'neuron_reach.analysis.projection.linear_projection',
    'neuron_reach.arm.simulator.FleetSimulator',
    'neuron_reach.learning.checkpoint.load_checkpoint',
    'neuron_reach.learning.setup.Setup',
    'neuron_reach.records.record.ActivityRecord',
}


def test_type_checkers_of_users_see_the_types(tmp_path):
    modules = sorted({name.rpartition('.')[0] for name in TYPED})
    lines = [f'import {module}' for module in modules]
    lines += [f'reveal_type({name})' for name in sorted(TYPED)]
    user = tmp_path / 'user.py'
    user.write_text('\n'.join(lines))
    cache = ROOT / '.mypy_cache' / 'user'
    command = [sys.executable, '-m', 'mypy', '--strict', '--cache-dir', cache, user]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    revealed = re.findall('Revealed type is "(.*)"', checked.stdout)
    assert len(revealed) == len(TYPED)
    assert not {'Any', 'object'} & set(revealed)


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    """Install a copy of the package as pip does, but for its dependencies."""
    pytest.importorskip('setuptools')
    folder = tmp_path_factory.mktemp('pip')
    source = folder / 'source'
    source.mkdir()
    leave_out = shutil.ignore_patterns('__pycache__', '*.pyc')
    for name in (*shared_folders(), 'neuron_reach', 'resource', 'scripts', 'test'):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=leave_out)
    for name in ('LICENSE', 'README.md', 'package.xml', 'pyproject.toml', 'setup.cfg', 'setup.py'):
        shutil.copy(ROOT / name, source)
    identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org']
    for command in (['init', '--quiet'], ['add', '.'], [*identity, 'commit', '-qm', 'all']):
        subprocess.run(['git', '-C', source, *command], check=True)
    prefix = folder / 'prefix'
    options = ['--quiet', '--no-deps', '--no-index', '--no-build-isolation', '--ignore-installed']
    pip = [sys.executable, '-m', 'pip', 'install', *options, '--prefix', prefix, source]
    subprocess.run(pip, check=True)
    return prefix


@pytest.mark.slow
def test_an_installed_copy_knows_its_commit(prefix):
    (modules,) = prefix.glob('lib/python3*/site-packages')
    head = ['git', '-C', prefix.parent / 'source', 'rev-parse', 'HEAD']
    expected = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    ask = 'from neuron_reach.common.versions import versions; print(versions()["git_revision"])'
    environment = {**os.environ, 'PYTHONPATH': str(modules)}
    command = [sys.executable, '-c', ask]
    said = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=prefix)
    assert said.stdout.strip().removesuffix('-dirty') == expected


@pytest.mark.slow
def test_pip_installs_modules_shared_files_and_the_command(prefix):
    (modules,) = prefix.glob('lib/python3*/site-packages')
    shipped = {str(path.relative_to(modules)) for path in modules.glob('neuron_reach/**/*.py')}
    assert shipped == {str(path.relative_to(ROOT)) for path in ROOT.glob('neuron_reach/**/*.py')}
    plugins = {path.name for path in modules.glob('neuron_reach/gazebo/plugin/*')}
    assert plugins == {path.name for path in ROOT.glob('neuron_reach/gazebo/plugin/*')}
    assert (modules / 'neuron_reach' / 'py.typed').exists()
    assert any(modules.glob('neuron_reach-*.dist-info/**/LICENSE'))
    assert not (modules / 'test').exists()
    share = prefix / 'share' / 'neuron_reach'
    assert (share / 'package.xml').read_text() == (ROOT / 'package.xml').read_text()
    for folder in shared_folders():
        assert {path.name for path in (ROOT / folder).iterdir() if path.is_file()} == {
            path.name for path in (share / folder).iterdir() if path.is_file()
        }
    assert os.access(prefix / 'bin' / 'neuron_reach', os.X_OK)


@pytest.mark.slow
def test_the_ament_index_finds_what_pip_installed(prefix, monkeypatch):
    reason = 'ROS 2 (ament_index_python) is not installed'
    packages = pytest.importorskip('ament_index_python.packages', reason=reason)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))
    found = packages.get_package_share_directory('neuron_reach')
    assert Path(found) == prefix / 'share' / 'neuron_reach'


@pytest.mark.slow
@pytest.mark.parametrize('own', [True, False])
def test_executables_run_their_node_with_the_interpreter_of_their_prefix(prefix, tmp_path, own):
    def interpreter(folder):
        folder.mkdir(parents=True, exist_ok=True)
        python = folder / 'python3'
        python.write_text('#!/bin/sh\necho "$0" "$@"\n')
        python.chmod(0o755)
        return python

    expected = interpreter(tmp_path / 'bin')
    if own:
        expected = interpreter(prefix / 'bin')
    else:
        (prefix / 'bin' / 'python3').unlink(missing_ok=True)
    environment = {**os.environ, 'PATH': f'{tmp_path / "bin"}:{os.environ["PATH"]}'}
    for name in NODES | COMMANDS:
        module = 'neuron_reach.nodes' if name in NODES else 'neuron_reach'
        result = subprocess.run(
            [prefix / 'lib' / 'neuron_reach' / name, '--ros-args', 'a b'],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        python, *words = result.stdout.split(maxsplit=1)
        assert Path(python).resolve() == expected
        assert words == [f'-m {module} {name} --ros-args a b\n']


if __name__ == '__main__':
    (ROOT / 'config' / 'default.yaml').write_text(default_configuration())

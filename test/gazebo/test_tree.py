# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Where Gazebo is installed, and the environment of its programs."""

import os
from pathlib import Path

import pytest

from neuron_reach.errors import UserError
from neuron_reach.gazebo import tree


@pytest.mark.parametrize(
    ('variables', 'folder'),
    [
        ({'NEURON_REACH_GAZEBO': '~/own', 'XDG_CACHE_HOME': '/cache'}, '/home/me/own'),
        ({'NEURON_REACH_GAZEBO': '/own'}, '/own'),
        ({'XDG_CACHE_HOME': '/cache'}, '/cache/neuron_reach/gazebo'),
        ({'XDG_CACHE_HOME': ''}, '/home/me/.cache/neuron_reach/gazebo'),
        ({}, '/home/me/.cache/neuron_reach/gazebo'),
    ],
)
def test_the_folder_is_the_chosen_one_or_in_the_cache(monkeypatch, variables, folder):
    for name in ('NEURON_REACH_GAZEBO', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    for name, value in {'HOME': '/home/me', **variables}.items():
        monkeypatch.setenv(name, value)
    assert tree.cache_folder() == Path(folder)


def test_an_incomplete_installation_does_not_count(cache):
    for name in ('tree.partial', 'plugins-0.partial', 'apt'):
        (cache / name).mkdir(parents=True)
    assert not tree.is_installed()
    with pytest.raises(UserError, match=r'not installed.*neuron_reach gazebo install'):
        tree.require()


def test_other_sources_need_other_plugins(cache, tmp_path, monkeypatch):
    before = tree.plugin_folder()
    (tmp_path / 'new.cc').write_text('int x;')
    monkeypatch.setattr(tree, 'SOURCES', tmp_path)
    tree.plugin_folder.cache_clear()
    assert tree.plugin_folder() != before


@pytest.fixture
def installed(cache):
    """A tree with one program and a few folders of libraries, and the plugins."""
    libraries = tree.tree_folder() / 'usr/lib/x86_64-linux-gnu'
    for folder in (
        libraries / 'blas',
        libraries / 'gazebo-11/plugins',
        tree.tree_folder() / 'usr/bin',
        tree.tree_folder() / 'usr/share/gazebo-11',
        tree.plugin_folder(),
    ):
        folder.mkdir(parents=True)
    (tree.tree_folder() / 'usr/bin/gzserver').touch()
    return cache


def test_programs_are_those_of_the_tree(installed):
    tree.require()
    assert tree.program('gzserver') == f'{tree.tree_folder()}/usr/bin/gzserver'
    with pytest.raises(UserError, match=r'usr/bin/gz is missing; remove .*tree and install it'):
        tree.program('gz')


def test_programs_see_only_existing_folders_and_nothing_else_of_the_user(installed, monkeypatch):
    monkeypatch.setenv('DISPLAY', ':7')
    monkeypatch.setenv('LD_PRELOAD', 'own.so')
    monkeypatch.setenv('GAZEBO_MASTER_URI', 'http://elsewhere:1')
    found = tree.environment(GAZEBO_IP='127.0.0.2')
    usr = tree.tree_folder() / 'usr'
    libraries = usr / 'lib/x86_64-linux-gnu'
    assert found['LD_LIBRARY_PATH'].split(':') == [
        str(usr / 'lib'),
        str(libraries),
        str(libraries / 'blas'),
        str(libraries / 'gazebo-11/plugins'),
    ]
    assert found['GAZEBO_PLUGIN_PATH'] == f'{tree.plugin_folder()}:{libraries}/gazebo-11/plugins'
    assert found['GAZEBO_RESOURCE_PATH'] == str(usr / 'share/gazebo-11')
    assert found['PATH'] == f'{usr}/bin:{os.environ["PATH"]}'
    assert found['HOME'].startswith(str(installed))
    assert Path(found['HOME']).is_dir()
    assert found['DISPLAY'] == ':7'
    assert found['GAZEBO_IP'] == '127.0.0.2'
    assert not {'LD_PRELOAD', 'GAZEBO_MASTER_URI'} & found.keys()

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The installer where things go wrong; that it works is what all other tests here need."""

import pytest

from neuron_reach.errors import UserError
from neuron_reach.gazebo import install as installer
from neuron_reach.gazebo import tree


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Put programs of the test's own in place of all others."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    monkeypatch.setenv('PATH', str(folder))

    def make(name, script):
        (folder / name).write_text(f'#!/bin/sh\n{script}\n')
        (folder / name).chmod(0o755)

    return make


def test_a_missing_apt_is_reported(cache, programs):
    with pytest.raises(installer.NoPackagesError, match='apt-get is needed'):
        installer.install()
    assert not tree.is_installed()


MIRROR = 'case "$*" in *indextargets*) echo "sid main somewhere/";; *update*) {};; esac'


def test_a_missing_debian_mirror_is_reported(cache, programs):
    for name in ('dpkg', 'dpkg-deb'):
        programs(name, 'exit 1')
    programs('apt-get', 'case "$*" in *indextargets*) echo "nodistro main somewhere/";; esac')
    with pytest.raises(installer.NoPackagesError, match='no Debian mirror'):
        installer.install()


def test_error_messages_of_apt_are_quoted(cache, programs, monkeypatch, tmp_path):
    for name in ('dpkg', 'dpkg-deb'):
        programs(name, 'exit 1')
    programs('apt-get', MIRROR.format('echo "E: it is raining" >&2; exit 100'))
    monkeypatch.setattr(installer, 'KEYRING', tmp_path / 'bin' / 'apt-get')
    with pytest.raises(installer.NoPackagesError) as error:
        installer.install()
    assert str(error.value).endswith('E: it is raining')


def test_packages_are_verified_with_the_keyring(cache, programs, monkeypatch, tmp_path):
    programs('apt-get', 'exit 0')
    monkeypatch.setattr(installer, 'KEYRING', tmp_path / 'keyring.gpg')
    with pytest.raises(UserError, match='keyring'):
        installer._apt(cache, 'somewhere/')
    (tmp_path / 'keyring.gpg').touch()
    installer._apt(cache, 'somewhere/')
    assert f'[signed-by={tmp_path}/keyring.gpg]' in (cache / 'sources.list').read_text()


@pytest.mark.parametrize('downloaded', [['a_1_all.deb', 'b_1_all.deb'], ['a_1_all.deb'], []])
def test_nothing_is_unpacked_before_all_packages_are_downloaded(
    cache, programs, monkeypatch, tmp_path, downloaded
):
    (tmp_path / 'keyring.gpg').touch()
    monkeypatch.setattr(installer, 'KEYRING', tmp_path / 'keyring.gpg')
    listing = 'echo "\'x\' a_1_all.deb 4 SHA256:0"; echo "\'x\' b_1_all.deb 4 SHA256:0"'
    fetch = '; '.join(['true', *(f'echo deb > {name}' for name in downloaded)])
    programs(
        'apt-get',
        f'case "$*" in *indextargets*) echo "sid main x/";; *update*) ;; '
        f'*print-uris*) {listing};; *) {fetch};; esac',
    )
    if len(downloaded) == 2:
        assert [path.name for path in installer._download()] == downloaded
    else:
        with pytest.raises(UserError, match=r'_1_all\.deb is missing'):
            installer._download()


def test_a_failed_unpacking_leaves_no_tree(cache, programs, tmp_path):
    programs('dpkg', 'echo "dpkg-deb: error: no space left" >&2; exit 2')
    with pytest.raises(UserError, match='no space left'):
        installer._unpack([tmp_path / 'a_1_all.deb', tmp_path / 'b_1_all.deb'])
    assert list(cache.iterdir()) == []


def test_a_compiler_that_fails_is_quoted(cache, programs):
    programs('g++', 'echo "arms.cc:1: error: what is this" >&2; exit 1')
    with pytest.raises(UserError, match='error: what is this'):
        installer._build()
    assert list(cache.iterdir()) == []

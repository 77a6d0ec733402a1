# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import resource
import sys
from contextlib import contextmanager
from unittest.mock import MagicMock

import pytest
from workflow_fixtures import command as command
from workflow_fixtures import help_of as help_of
from workflow_fixtures import no_figures as no_figures
from workflow_fixtures import refusal as refusal
from workflow_fixtures import refused as refused
from workflow_fixtures import run_dir as run_dir
from workflow_fixtures import runs as runs
from workflow_fixtures import trained as trained
from workflow_fixtures import untrained as untrained

from neuron_reach.gazebo import tree
from neuron_reach.gazebo.install import NoPackagesError, install

try:
    from hypothesis import settings
except ImportError:
    # Only what needs it is skipped, not all the tests that stand beside such a one.
    hypothesis = MagicMock()
    hypothesis.given = lambda *_, **__: pytest.mark.skip(reason='hypothesis is not installed')
    hypothesis.settings = lambda **_: lambda test: test
    for name in ('hypothesis', 'hypothesis.extra', 'hypothesis.extra.numpy'):
        sys.modules[name] = hypothesis
else:
    # How long an example takes says more about the machine than about the code.
    settings.register_profile('neuron_reach', deadline=None)
    settings.load_profile('neuron_reach')


@pytest.fixture
def full_disk():
    """Within it, no file gets longer than so many bytes."""

    @contextmanager
    def limit(size):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


@pytest.fixture(scope='session')
def gazebo():
    """Install Gazebo unless it is installed; skip only where its packages cannot be had."""
    if not tree.is_installed():
        try:
            install()
        except NoPackagesError as error:
            pytest.skip(f'Gazebo cannot be installed: {error}')


def pytest_collection_modifyitems(items):
    """Whoever leaves out slow tests does not want Gazebo to be installed either."""
    for item in items:
        if 'gazebo' in item.fixturenames:
            item.add_marker(pytest.mark.slow)

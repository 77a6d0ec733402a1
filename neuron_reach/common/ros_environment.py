# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Checks of the environment of ROS before ROS starts, with clear messages."""

from __future__ import annotations

import os
from pathlib import Path

from neuron_reach.common.resources import shared_file
from neuron_reach.errors import UserError

HIGHEST_DOMAIN = 232
"""Largest ROS domain: higher ones would need invalid port numbers."""

LAUNCHER = 'NEURON_REACH_LAUNCHER'
"""Process id of the launcher of a node; the node ends when this process is gone."""


PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
"""Variables that name a file with settings of Fast DDS: since version 3, and until version 2."""


def set_up_discovery() -> None:
    """Speed up the discovery of nodes started from now on, unless the user has own settings."""
    if not any(os.environ.get(name) for name in PROFILES):
        new, old = PROFILES
        name = old if os.environ.get('ROS_DISTRO') in ('humble', 'iron', 'jazzy') else new
        os.environ[name] = str(shared_file('config/discovery.xml'))


def check_environment() -> None:
    """Check settings without which no node can start.

    Raises:
        UserError: a bad domain, or no folder for ROS's logs.
    """
    domain = os.environ.get('ROS_DOMAIN_ID', '').strip()
    if domain and not (domain.isdecimal() and int(domain) <= HIGHEST_DOMAIN):
        raise UserError(
            f'ROS_DOMAIN_ID must be a whole number from 0 to {HIGHEST_DOMAIN}, not {domain!r}'
        )
    folder = _log_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        problem = error.strerror
    else:
        problem = '' if writable else 'Permission denied'
    if problem:
        raise UserError(
            f'{folder}: ROS cannot write its logs there: {problem}; '
            'set ROS_LOG_DIR to a folder that can be written to'
        )


def _log_folder() -> Path:
    """Return where ROS writes its logs (see rcl_logging)."""
    home = os.environ.get('HOME', '')
    if given := os.environ.get('ROS_LOG_DIR'):
        chosen = given
    else:
        chosen = f'{os.environ.get("ROS_HOME") or "~/.ros"}/log'
    if not chosen.startswith('~'):
        return Path(chosen)
    if not home:
        raise UserError('HOME is not set; set it, or ROS_LOG_DIR to a folder for the logs of ROS')
    return Path(home + chosen[1:])

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The versions of everything that affects the numbers, for the record of a result."""

from __future__ import annotations

import functools
import platform
import subprocess
from pathlib import Path

__version__ = '0.1.0'


@functools.cache
def versions() -> dict[str, str | None]:
    """Return the versions of everything that affects the numbers."""
    import numpy as np
    import torch

    return {
        'neuron_reach': __version__,
        'git_revision': _git_revision(),
        'python': platform.python_version(),
        'numpy': np.__version__,
        'torch': torch.__version__,
    }


def _git_revision() -> str | None:
    """Return the installed commit, or that of the checkout of this code, if known."""
    package = Path(__file__).resolve().parents[1]
    installed = package / 'revision'  # written by setup.py
    if installed.exists():
        return installed.read_text(encoding='utf-8').strip()
    if not (package.parent / '.git').exists():
        return None
    command = ['git', '-C', str(package), 'describe', '--always', '--dirty', '--abbrev=40']
    try:
        found = subprocess.run(
            [*command, '--exclude=*'], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()

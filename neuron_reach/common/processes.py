# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How processes of a run end."""

from __future__ import annotations

import ctypes
import signal

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a process that was ended by Ctrl-C."""

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
"""Signals that ask a process to end."""


def end_with_parent() -> None:
    """Make the kernel interrupt this process when its parent dies."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGINT)

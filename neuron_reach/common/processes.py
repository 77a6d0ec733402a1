"""How processes of a run end."""

from __future__ import annotations

import ctypes
import signal

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a process that was ended by Ctrl-C."""


def end_with_parent() -> None:
    """Make the kernel interrupt this process when its parent dies."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGINT)

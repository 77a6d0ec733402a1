"""What processes of a run have in common: how they end."""

from __future__ import annotations

import ctypes
import signal

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a process that Ctrl-C ended."""


def end_with_parent() -> None:
    """Have the kernel interrupt this process should its parent be killed."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGINT)

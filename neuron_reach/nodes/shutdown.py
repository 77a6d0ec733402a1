"""A node that was started by a launcher does not outlive it."""

from __future__ import annotations

import os
import select
import signal
import threading
import time

from neuron_reach.common.ros_environment import LAUNCHER

CLOSING_DURATION = 10.0
"""Seconds that a node may take to close after its launcher is gone, before it is killed."""

abandoned = threading.Event()
"""Set when the launcher is gone, or has given up: nobody waits for what is still on its way."""


def end_with_launcher() -> None:
    """Have this process interrupted when the launcher that `LAUNCHER` names is gone.

    A node that nobody set it for, as by `ros2 run`, may well outlive the shell it came from.
    """
    given = os.environ.get(LAUNCHER, '')
    if not given.isdecimal():
        return
    try:
        descriptor = os.pidfd_open(int(given))
    except ProcessLookupError:
        descriptor = None  # gone already
    except (AttributeError, OSError):  # an old kernel
        return
    threading.Thread(target=_watch, args=(descriptor,), daemon=True).start()


def _watch(descriptor: int | None) -> None:
    if descriptor is not None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
    abandoned.set()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(CLOSING_DURATION)
    os.kill(os.getpid(), signal.SIGKILL)

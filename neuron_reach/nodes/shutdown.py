# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How a node learns that it has to end: by a signal, or because its launcher has ended."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from types import FrameType

from neuron_reach.common.processes import INTERRUPTS
from neuron_reach.common.ros_environment import LAUNCHER

CLOSING_DURATION = 10.0
"""Seconds that a node may take to close after its launcher has ended, before it is killed."""

urgent_shutdown = threading.Event()
"""Set when the launcher has ended or given up: nobody waits for messages in transit any more."""


class Interrupt:
    """Whether SIGINT or SIGTERM has been received; SIGTERM also makes the shutdown urgent.

    An exception that a signal handler raises may surface in a destructor and get lost. So the
    handler only sets `pending`, and `Loop.wait` raises KeyboardInterrupt, once.
    """

    pending = False

    @classmethod
    def install(cls) -> None:
        """Handle SIGINT and SIGTERM from now on, and those that the starter held back."""
        for number in INTERRUPTS:
            signal.signal(number, cls._handle)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)

    @classmethod
    def _handle(cls, number: int, _frame: FrameType | None) -> None:
        cls.pending = True
        if number == signal.SIGTERM:
            urgent_shutdown.set()

    @classmethod
    def check(cls) -> None:
        """Raise KeyboardInterrupt if a signal has been received since the last check."""
        if cls.pending:
            cls.pending = False
            for number in INTERRUPTS:  # nothing may interrupt the closing
                signal.signal(number, signal.SIG_IGN)
            raise KeyboardInterrupt


def end_with_launcher() -> None:
    """Interrupt this process when the launcher that the variable `LAUNCHER` names has ended.

    A node without that variable, such as one started by `ros2 run`, may outlive its shell.
    """
    launcher = os.environ.get(LAUNCHER, '')
    if not launcher.isdecimal():
        return
    try:
        descriptor = os.pidfd_open(int(launcher))
    except ProcessLookupError:
        descriptor = None  # it has ended already
    except (AttributeError, OSError):  # an old kernel
        return
    threading.Thread(target=_wait_for_launcher, args=(descriptor,), daemon=True).start()


def _wait_for_launcher(descriptor: int | None) -> None:
    if descriptor is not None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
    urgent_shutdown.set()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(CLOSING_DURATION)
    os.kill(os.getpid(), signal.SIGKILL)

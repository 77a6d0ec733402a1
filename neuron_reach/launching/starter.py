# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Start a graph without `ros2 launch`: one process per node, signals passed on, no orphans."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from neuron_reach.common.processes import INTERRUPTED, INTERRUPTS, end_with_parent
from neuron_reach.common.ros_environment import LAUNCHER, check_environment
from neuron_reach.launching.graph import Phase, Process

POLL_PERIOD = 0.02  # s
PATIENCE = 30.0
"""Seconds for a process to end after SIGINT, before it is killed."""


def run(phases: Sequence[Phase]) -> int:
    """Run the phases one after the other and return the exit code.

    0 on success; 130 after Ctrl-C; otherwise the code of the first process that failed.
    """
    check_environment()
    local_ros()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        for phase in phases:
            code = _run_phase(phase)
            if code != 0:
                if phase.after_failure and code != INTERRUPTED:
                    subprocess.run(phase.after_failure, check=False)
                return code
        return 0
    finally:
        remove_dead_segments()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


_domain_lock: socket.socket | None = None


def local_ros() -> None:
    """Keep ROS traffic on this host and apart from other runs, unless the user chose otherwise."""
    global _domain_lock
    os.environ.setdefault('AMENT_PREFIX_PATH', sys.prefix)
    if os.environ.get('ROS_DISTRO') == 'humble':
        os.environ.setdefault('ROS_LOCALHOST_ONLY', '1')
    else:
        os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    if 'ROS_DOMAIN_ID' not in os.environ:
        domain, _domain_lock = free_domain()
        os.environ['ROS_DOMAIN_ID'] = str(domain)
        if domain:
            print(f'another run has the default ROS domain; this one uses ROS_DOMAIN_ID={domain}')


def free_domain(first: int = 0) -> tuple[int, socket.socket]:
    """Find a ROS domain that no other run of this package uses on this host.

    Returns:
        The domain, and a lock that holds it until it is closed or the process ends.
    """
    for domain in range(first, 102):  # higher ones collide with ephemeral ports
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind(f'\0neuron_reach_domain_{domain}')  # abstract socket: leaves no file
        except OSError:
            lock.close()
        else:
            return domain, lock
    raise RuntimeError('all ROS domains are taken')


def remove_dead_segments() -> int:
    """Remove shared memory that killed Fast DDS processes left behind; return how many pieces.

    The owner of a piece holds a lock on a file beside it while it runs; `fastdds shm clean` of Fast
    DDS checks the same locks. A port has no lock from the end of its reader until the next reader
    opens it, but a process that writes to it keeps it mapped. It must stay: the writer would never
    reach the next reader.
    """
    removed = 0
    pieces = [
        piece
        for piece in Path('/dev/shm').glob('fast*_*')
        if re.fullmatch(r'(fastdds|fastrtps)_([0-9a-f]{16}|port\d+)', piece.name)
    ]
    mapped = _mapped_memory() if pieces else set()
    for piece in pieces:
        if 'port' in piece.name and piece.name in mapped:
            continue
        locks = [piece.with_name(piece.name + suffix) for suffix in ('_el', '_sl')]
        try:
            # A new piece may not be locked yet.
            if time.time() - piece.stat().st_ctime < 1.0 or any(map(_is_locked, locks)):
                continue
            for part in (piece, *locks, piece.with_name(f'sem.{piece.name}_mutex')):
                part.unlink(missing_ok=True)
            removed += 1
        except OSError:  # of another user, or removed meanwhile
            continue
    return removed


def _mapped_memory() -> set[str]:
    """Return the names of the files in /dev/shm that running processes have mapped."""
    names: set[str] = set()
    for maps in Path('/proc').glob('[0-9]*/maps'):
        try:
            text = maps.read_text(errors='replace')
        except OSError:  # of another user, or ended meanwhile
            continue
        names.update(re.findall(r' /dev/shm/(\S+)$', text, re.MULTILINE))
    return names


def _is_locked(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def command_of(process: Process) -> list[str]:
    """Return the command line that starts a process."""
    if process.command:
        return list(process.command)
    command = [sys.executable, '-m', 'neuron_reach.nodes', process.name, '--ros-args']
    command += ['-r', f'__node:={process.name}', '-r', f'__ns:={process.namespace}']
    for key, value in process.parameters.items():
        # JSON is YAML that keeps the types, except for its escapes of rare characters.
        command += ['-p', f'{key}:={json.dumps(value, ensure_ascii=False)}']
    return command


def _hold_interrupts() -> None:
    """Keep interrupts pending until the node can handle them (see `Interrupt.install`).

    One that arrives while Python starts would end the process by the signal.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    end_with_parent()


class _Child:
    """A started process."""

    def __init__(self, process: Process) -> None:
        self.name = process.name
        self._is_node = not process.command
        # A separate session: Ctrl-C must reach the children in order, not all at once.
        self._popen = subprocess.Popen(
            command_of(process),
            start_new_session=True,
            preexec_fn=_hold_interrupts if self._is_node else end_with_parent,
            env={**os.environ, LAUNCHER: str(os.getpid())},
        )

    @property
    def code(self) -> int | None:
        """The exit code, None while the process runs."""
        return self._popen.poll()

    def end(self, *, given_up: bool = False) -> int:
        """Interrupt it, wait for its end and return the exit code.

        Args:
            given_up: a node need not process pending messages.
        """
        interrupted = self.code is None
        if interrupted:
            number = signal.SIGTERM if given_up and self._is_node else signal.SIGINT
            self._popen.send_signal(number)
        try:
            code = self._popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            print(f'{self.name} does not end; killed', file=sys.stderr)
            self.kill()
            return -signal.SIGKILL
        if interrupted and not self._is_node and abs(code) == signal.SIGINT:
            return 0  # the exit code of `ros2` after an interrupt is its number
        return code

    def kill(self) -> None:
        """End it at once."""
        self._popen.kill()
        self._popen.wait()


def _run_phase(phase: Phase) -> int:
    children: list[_Child] = []
    try:
        try:
            for process in (phase.leader, *phase.followers):
                children.append(_Child(process))
            leader, followers = children[0], children[1:]
            failed = None
            while leader.code is None and failed is None:
                time.sleep(POLL_PERIOD)
                failed = next((child for child in followers if child.code is not None), None)
        except KeyboardInterrupt:
            for child in children:
                child.end()
            return INTERRUPTED
        if leader.code is not None and leader.code < 0:
            print(f'{leader.name} was killed (signal {-leader.code})', file=sys.stderr)
        elif failed is not None and leader.code is None:
            print(f'{failed.name} ended early (exit code {failed.code})', file=sys.stderr)
        given_up = failed is not None or leader.code != 0
        codes = [child.end(given_up=given_up) for child in children]
    except KeyboardInterrupt:  # the second Ctrl-C: kill at once
        for child in children:
            child.kill()
        return INTERRUPTED
    if failed is not None and failed.code:
        return abs(failed.code)
    bad = [code for code in codes if code != 0]
    return abs(bad[0]) if bad else int(failed is not None)

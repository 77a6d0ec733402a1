# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A gzserver process: start, requests and end, without leftovers."""

from __future__ import annotations

import itertools
import os
import re
import select
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import IO

import numpy as np

from neuron_reach.common.arrays import Array
from neuron_reach.errors import UserError
from neuron_reach.gazebo import tree

START_TIMEOUT = 60.0
"""Seconds for gzserver to load the world."""

ANSWER_TIMEOUT = 30.0
"""Seconds for gzserver to answer a request; it takes milliseconds."""

ATTEMPTS = 5
"""Attempts to start when another process takes the chosen port before gzserver does."""

STATE, ADVANCE, RESET, GAINS, GOALS = range(5)
"""Kinds of requests, as in plugin/arms.cc."""


class Server:
    """A running gzserver with the arms' plugin, headless, reachable on this host only.

    It is connected with this process by a socket pair: when either exits, the other is notified.
    """

    def __init__(self, world: str, joints: int, *arguments: str) -> None:
        """Start gzserver and wait until it has loaded the world.

        Args:
            world: the world file's content.
            joints: number of joints of all arms together.
            arguments: additional arguments of gzserver.

        Raises:
            UserError: Gazebo is not installed or does not start.
        """
        self._answer = bytearray(8 * (2 + 2 * joints))
        for attempt in itertools.count(1):
            self._start(world, arguments)
            try:
                self.request(STATE, timeout=START_TIMEOUT)
                return
            except UserError as error:
                port_was_taken = 'Address already in use' in self._messages()
                error_line = self._last_error()
                self.close()
                if attempt == ATTEMPTS or not port_was_taken:
                    raise UserError(f'{error}{error_line}') from None
            except BaseException:
                self.close()
                raise

    def _start(self, world: str, arguments: Sequence[str]) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._socket, child_socket = socket.socketpair()
        file = os.memfd_create('world')  # exists as long as its processes
        try:
            os.write(file, world.encode())
            self._process = subprocess.Popen(
                [tree.program('gzserver'), '--verbose', *arguments, f'/proc/self/fd/{file}'],
                env=tree.environment(
                    GAZEBO_MASTER_URI=f'http://127.0.0.1:{_free_port()}',
                    NEURON_REACH_SOCKET=str(child_socket.fileno()),
                    LD_PRELOAD=str(tree.plugin_folder() / tree.LOOPBACK),
                ),
                pass_fds=[child_socket.fileno(), file],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C interrupts this process, which then stops Gazebo
                preexec_fn=tree.end_with_parent,
            )
        finally:
            os.close(file)
            child_socket.close()

    @property
    def pid(self) -> int:
        """Process id of gzserver."""
        return self._process.pid

    def send(self, kind: int, values: Sequence[float] | Array = ()) -> None:
        """Send a request; `receive` waits for the answer.

        Args:
            kind: one of the constants above.
            values: arguments of the request.

        Raises:
            UserError: gzserver has exited.
        """
        data = np.asarray(values, np.float64).tobytes()
        try:
            self._socket.sendall(struct.pack('=II', kind, len(data) // 8) + data)
        except OSError:
            raise self._ended() from None

    def receive(self, timeout: float = ANSWER_TIMEOUT) -> Array:
        """Wait for the answer to the last request.

        Returns:
            Simulated time, s; wall time that Gazebo has spent advancing, s; angles, rad, and
            velocities, rad/s, of all joints: (2 + 2 joints,).

        Raises:
            UserError: gzserver has exited or does not answer in time.
        """
        deadline = time.monotonic() + timeout
        answer = memoryview(self._answer)
        while answer:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([self._socket], [], [], remaining)[0]:
                raise UserError(f'Gazebo gave no answer within {timeout:g} s')
            try:
                count = self._socket.recv_into(answer)
            except OSError:
                count = 0
            if count == 0:
                raise self._ended()
            answer = answer[count:]
        return np.frombuffer(bytes(self._answer), np.float64)

    def request(
        self, kind: int, values: Sequence[float] | Array = (), timeout: float = ANSWER_TIMEOUT
    ) -> Array:
        """Send a request and return the answer: `send` and `receive`."""
        self.send(kind, values)
        return self.receive(timeout)

    def _messages(self) -> str:
        """Return what gzserver has printed, without colors."""
        self._log.seek(0)
        text = self._log.read().decode('utf-8', 'replace')
        return re.sub(r'\x1b\[[0-9;]*m', '', text)

    def _ended(self) -> UserError:
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return UserError('Gazebo has closed its connection')
        how = f'signal {-code}' if code < 0 else f'exit code {code}'
        return UserError(f'Gazebo has ended ({how})')

    def _last_error(self) -> str:
        """Return the last error that gzserver has printed."""
        errors = [line.strip() for line in self._messages().splitlines() if '[Err]' in line]
        return f': {errors[-1]}' if errors else ''

    def close(self) -> None:
        """Kill gzserver, which has nothing to save."""
        if self._log.closed:
            return
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
        return port

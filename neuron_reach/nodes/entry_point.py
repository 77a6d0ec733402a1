# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The main function that all nodes share: start, run, report errors, shut down."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.exceptions import NameValidationException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from neuron_reach.common.ros_environment import check_environment, set_up_discovery
from neuron_reach.errors import UserError
from neuron_reach.nodes.diagnostics import RosoutLogger, diagnostic_array
from neuron_reach.nodes.publishing import DISCOVERY_DURATION, flush, has_subscribers
from neuron_reach.nodes.shutdown import Interrupt, end_with_launcher


def run_node(name: str, run: Callable[[Node], int]) -> int:
    """Create a node, run it until it ends, and return the exit code of the process.

    An interrupt is the normal end of a node that does not end by itself.
    """
    Interrupt.install()
    end_with_launcher()
    node = None
    try:
        node = _create_node(name)
        gc.freeze()  # a collection of all that is imported would take several milliseconds
        return run(node)
    except KeyboardInterrupt:
        return 0
    except UserError as error:
        print(f'{name}: error: {error}', file=sys.stderr, flush=True)
        if node is not None:
            _publish_error(node, str(error))
        return 2
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _create_node(name: str) -> Node:
    """Return a new node.

    Raises:
        UserError: ROS does not accept the environment or the arguments.
    """
    check_environment()
    set_up_discovery()
    try:
        with _stderr_unless_raised():
            rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        return Node(name)
    except rclpy_implementation.UnknownROSArgsError as error:
        raise UserError(f'unknown ROS arguments: {error}') from None
    except (RuntimeError, NameValidationException) as error:
        # Such as "failed to initialize rcl: Couldn't parse ..., at /src/rcl/arguments.c:415".
        text = str(error).partition(', at /')[0].removeprefix('failed to initialize rcl: ')
        raise UserError(f'ROS does not start: {" ".join(text.split())}') from None


@contextlib.contextmanager
def _stderr_unless_raised() -> Iterator[None]:
    """Hold back what C code prints on stderr; drop it if an exception reports the error anyway."""
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            if not failed and printed.tell():
                printed.seek(0)
                sys.stderr.write(printed.read().decode(errors='replace'))


def _publish_error(node: Node, problem: str) -> None:
    """Publish on `/rosout` and `/diagnostics` why the node ends."""
    rosout = RosoutLogger(node)
    diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
    publishers = (rosout.publisher, diagnostics)
    end = time.monotonic() + DISCOVERY_DURATION
    while time.monotonic() < end and not all(map(has_subscribers, publishers)):
        time.sleep(0.02)
    rosout.log(problem, RosoutLogger.ERROR)
    diagnostics.publish(diagnostic_array(node, {}, [(DiagnosticStatus.ERROR, problem)]))
    flush(publishers, DISCOVERY_DURATION)

"""What all nodes share: start and end, parameters from option dataclasses, diagnostics."""

from __future__ import annotations

import dataclasses
import gc
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from neuron_reach.errors import UserError
from neuron_reach.options import allowed, fill

T = TypeVar('T')


def reliable(depth: int) -> QoSProfile:
    """Return a profile that keeps the last `depth` messages and loses none of them."""
    return QoSProfile(
        depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE
    )


def latched() -> QoSProfile:
    """Return a profile whose newest message also reaches those who join later."""
    profile = reliable(1)
    profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
    return profile


class Interrupt:
    """Whether SIGINT or SIGTERM has come.

    An exception raised from a signal handler may surface in a destructor and get lost; so the
    handler only takes note, and `Loop.wait` raises KeyboardInterrupt, once.
    """

    pending = False

    @classmethod
    def install(cls) -> None:
        """Take note of SIGINT and SIGTERM from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, cls._note)

    @classmethod
    def _note(cls, _number: int, _frame: Any) -> None:
        cls.pending = True

    @classmethod
    def check(cls) -> None:
        """Raise KeyboardInterrupt if a signal has come since the last check."""
        if cls.pending:
            cls.pending = False
            for number in (signal.SIGINT, signal.SIGTERM):  # nothing may disturb the closing
                signal.signal(number, signal.SIG_IGN)
            raise KeyboardInterrupt


def run_node(name: str, body: Callable[[Node], int]) -> int:
    """Run a node's body from start to end and return the process's exit code.

    Being interrupted is the normal end of a node that does not end by itself.
    """
    Interrupt.install()
    node = None
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        node = Node(name)
        gc.freeze()  # a collection of all that is imported would take several milliseconds
        return body(node)
    except KeyboardInterrupt:
        return 0
    except UserError as error:
        print(f'{name}: error: {error}', file=sys.stderr, flush=True)
        return 2
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def declare(node: Node, options: type[T]) -> T:
    """Declare a ROS parameter for every field of an option dataclass and read their values.

    Raises:
        UserError: a value is of the wrong type or out of range.
    """
    values = {}
    for field in dataclasses.fields(options):  # type: ignore[arg-type]  # T is a dataclass
        default = field.default
        descriptor = ParameterDescriptor(
            description=f'{field.metadata["description"]} ({allowed(field)})', read_only=True
        )
        low, high = field.metadata['low'], field.metadata['high']
        if isinstance(default, int) and not isinstance(default, bool) and high < 2**63:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        elif isinstance(default, float) and high < float('inf'):
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        if isinstance(default, tuple):
            default = list(default)
        try:
            values[field.name] = node.declare_parameter(field.name, default, descriptor).value
        except ParameterException:
            raise UserError(f'parameter {field.name} must be {allowed(field)}') from None
    return fill(options, values, 'parameters')


class Throttle:
    """Counts events and lets a warning through once a second at most."""

    def __init__(self, node: Node, what: str) -> None:
        self.count = 0
        self._node = node
        self._what = what
        self._next = 0.0

    def add(self, reason: str, events: int = 1) -> None:
        """Count events; warn of them unless a warning was given within the last second."""
        self.count += events
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1.0
            self._node.get_logger().warning(f'{self._what} ({self.count} so far): {reason}')


class Diagnostics:
    """Publishes a node's figures on `/diagnostics` once a second."""

    def __init__(self, node: Node, figures: Callable[[], Mapping[str, Any]]) -> None:
        self._node = node
        self._figures = figures
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._timer = node.create_timer(1.0, self.publish)

    def publish(self) -> None:
        """Publish now."""
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        values = [KeyValue(key=key, value=str(value)) for key, value in self._figures().items()]
        name = self._node.get_fully_qualified_name()
        message.status = [
            DiagnosticStatus(level=DiagnosticStatus.OK, name=name, message='running', values=values)
        ]
        self._publisher.publish(message)

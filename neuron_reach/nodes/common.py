"""What all nodes share: start and end, parameters from option dataclasses, diagnostics."""

from __future__ import annotations

import array
import contextlib
import dataclasses
import gc
import math
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, Log, ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from neuron_reach.common.options import allowed, fill
from neuron_reach.common.ros_environment import check_environment, set_up_discovery
from neuron_reach.errors import UserError
from neuron_reach.nodes.shutdown import abandoned, end_with_launcher

RECENT_DURATION = 5.0
"""Seconds for which what happened is called recent on `/diagnostics`."""

MEETING_DURATION = 0.3
"""Seconds within which those who listen are usually met, and messages have reached them."""

FLUSH_TIMEOUT = 10.0
"""Seconds for what was published to reach those who listen, when a node has done its work."""

ABANDONED_TIMEOUT = 0.3
"""Seconds for the same when those who listened are most likely gone as well."""

LITTLE_SPACE = 500_000_000
"""Bytes of disk space below which a node that writes files warns."""

CYCLES_DEPTH = 1000
"""Control cycles that a recorder may lag behind arm and policy before any is lost."""

OBSERVATION_DEPTH = 20_000
"""Observations that the activation recorder may lag behind the policy before any is lost."""

RECORDED_DEPTH = 10_000
"""Messages of a topic that are kept for a bag recorder while the disk is slow."""

T = TypeVar('T')


def reliable(depth: int) -> QoSProfile:
    """Return a profile that keeps the last `depth` messages and loses none of them."""
    return QoSProfile(
        depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE
    )


def latched(depth: int = 1) -> QoSProfile:
    """Return a profile whose last `depth` messages also reach those who join later."""
    profile = reliable(depth)
    profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
    return profile


def flush(publishers: Iterable[Any], timeout: float = FLUSH_TIMEOUT) -> None:
    """Wait until all that was published has reached its reliable subscribers.

    Args:
        publishers: of reliable topics.
        timeout: seconds for all of them together; a subscriber that was killed never answers.
    """
    end = time.monotonic() + (min(timeout, ABANDONED_TIMEOUT) if abandoned.is_set() else timeout)
    for publisher in publishers:
        left = max(0.0, end - time.monotonic())
        publisher.wait_for_all_acked(Duration(seconds=left))


class Interrupt:
    """Whether SIGINT or SIGTERM has come; after the latter, nobody waits for what is on its way.

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
    def _note(cls, number: int, _frame: Any) -> None:
        cls.pending = True
        if number == signal.SIGTERM:
            abandoned.set()

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
    end_with_launcher()
    node = None
    try:
        node = _start(name)
        gc.freeze()  # a collection of all that is imported would take several milliseconds
        return body(node)
    except KeyboardInterrupt:
        return 0
    except UserError as error:
        print(f'{name}: error: {error}', file=sys.stderr, flush=True)
        if node is not None:
            _tell_the_graph(node, str(error))
        return 2
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _start(name: str) -> Node:
    """Return a new node.

    Raises:
        UserError: the environment or the arguments are not those of ROS.
    """
    check_environment()
    set_up_discovery()
    try:
        with _quiet():
            rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        return Node(name)
    except rclpy_implementation.UnknownROSArgsError as error:
        raise UserError(f'unknown arguments of ROS: {error}') from None
    except (RuntimeError, NameValidationException) as error:
        # Such as "failed to initialize rcl: Couldn't parse ..., at /src/rcl/arguments.c:415".
        text = str(error).partition(', at /')[0].removeprefix('failed to initialize rcl: ')
        raise UserError(f'ROS does not start: {" ".join(text.split())}') from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the terminal what C code says of an error that is raised as well."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if not failed and said.tell():
                said.seek(0)
                sys.stderr.write(said.read().decode(errors='replace'))


def _tell_the_graph(node: Node, problem: str) -> None:
    """Say on `/rosout` and `/diagnostics` why the node ends, to those who listen there."""
    rosout = Rosout(node)
    diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
    publishers = (rosout.publisher, diagnostics)
    end = time.monotonic() + MEETING_DURATION
    while time.monotonic() < end and not all(map(_is_met, publishers)):
        time.sleep(0.02)
    rosout.say(problem, Rosout.ERROR)
    diagnostics.publish(diagnostic_array(node, {}, [(DiagnosticStatus.ERROR, problem)]))
    flush(publishers, MEETING_DURATION)


def _is_met(publisher: Any) -> bool:
    return bool(publisher.get_subscription_count())


def declare(node: Node, options: type[T], **defaults: Any) -> T:
    """Declare a ROS parameter for every field of an option dataclass and read their values.

    Args:
        node: that they are declared for.
        options: the dataclass.
        defaults: of some fields, where the node's differ from those of the dataclass.

    Raises:
        UserError: a value is of the wrong type or out of range.
    """
    values = {}
    for field in dataclasses.fields(options):  # type: ignore[arg-type]  # T is a dataclass
        default = defaults.get(field.name, field.default)
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
            value = node.declare_parameter(field.name, default, descriptor).value
        except ParameterException:
            value = _of_another_type(node, field.name, default, descriptor)
        try:
            values[field.name] = getattr(fill(options, {field.name: value}, ''), field.name)
        except UserError:
            said = 'empty' if value is None else repr(value)
            raise UserError(
                f'parameter {field.name} must be {allowed(field)}, not {said}'
            ) from None
    return options(**values)


def _of_another_type(node: Node, name: str, default: Any, descriptor: ParameterDescriptor) -> Any:
    """Return a parameter's value whatever its type, such as 0 for 0.0, or a number for a list."""
    free = ParameterDescriptor(
        description=descriptor.description, read_only=True, dynamic_typing=True
    )
    value = node.declare_parameter(name, default, free).value
    return list(value) if isinstance(value, array.array) else value


class Rosout:
    """Says on `/rosout` what is on the terminal already, where a logger would print it again."""

    INFO, ERROR = 20, 40

    def __init__(self, node: Node) -> None:
        self._node = node
        profile = reliable(1000)
        profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
        self.publisher = node.create_publisher(Log, '/rosout', profile)

    def say(self, text: str, level: int = INFO) -> None:
        """Publish one line."""
        stamp = self._node.get_clock().now().to_msg()
        name = self._node.get_logger().name
        self.publisher.publish(Log(stamp=stamp, level=level, name=name, msg=text))

    def flush(self) -> None:
        """Wait until those who listen have it all, for a short time at most."""
        flush([self.publisher], MEETING_DURATION)


class Throttle:
    """Counts events and lets a warning through once a second at most."""

    def __init__(self, node: Node, what: str) -> None:
        self.count = 0
        self._node = node
        self._what = what
        self._next = 0.0
        self._last = -math.inf
        self._reason = ''

    def add(self, reason: str, events: int = 1) -> None:
        """Count events; warn of them unless a warning was given within the last second."""
        self.count += events
        self._last = now = time.monotonic()
        self._reason = reason
        if now >= self._next:
            self._next = now + 1.0
            self._node.get_logger().warning(self.summary)

    @property
    def recent(self) -> str:
        """What happened within the last seconds, in a line; empty if nothing did."""
        return self.summary if time.monotonic() < self._last + RECENT_DURATION else ''

    @property
    def summary(self) -> str:
        """How many there were, and why the last one."""
        return f'{self._what} ({self.count} so far): {self._reason}'


Problem = tuple[bytes, str]
"""A level of `DiagnosticStatus` and what is wrong, in a line."""


def problems(*sources: Throttle | str, level: bytes = DiagnosticStatus.WARN) -> list[Problem]:
    """Return those of some sources that have something to say."""
    texts = [one if isinstance(one, str) else one.recent for one in sources]
    return [(level, text) for text in texts if text]


def full_disk(folder: str | Path) -> list[Problem]:
    """Return a warning if there is little space left where a folder is, or will be."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free >= LITTLE_SPACE:
        return []
    return [(DiagnosticStatus.WARN, f'{place}: only {free / 1e6:.0f} MB of disk are left')]


def diagnostic_array(
    node: Node, figures: Mapping[str, Any], found: Sequence[Problem]
) -> DiagnosticArray:
    """Return a node's figures and problems as a message; the worst problem gives the level."""
    message = DiagnosticArray()
    message.header.stamp = node.get_clock().now().to_msg()
    message.status = [
        DiagnosticStatus(
            level=max((level for level, _ in found), default=DiagnosticStatus.OK),
            name=node.get_fully_qualified_name(),
            message='; '.join(text for _, text in found) or 'running',
            values=[KeyValue(key=key, value=str(value)) for key, value in figures.items()],
        )
    ]
    return message


class Diagnostics:
    """Publishes a node's figures and problems on `/diagnostics` once a second."""

    def __init__(
        self,
        node: Node,
        figures: Callable[[], Mapping[str, Any]],
        found: Callable[[], Sequence[Problem]] = list,
    ) -> None:
        self._node = node
        self._figures = figures
        self._found = found
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # On a clock of its own: simulated time may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(1.0, self.publish, clock=steady)

    def publish(self) -> None:
        """Publish now."""
        self._publisher.publish(diagnostic_array(self._node, self._figures(), self._found()))

"""The node `bag_recorder`: records topics into a bag where `ros2 bag record` is not installed.

A topic is recorded from when its first publisher appears, with the message type and the quality of
service that the publisher offers; so it works for one arm and for a fleet, reliable or not.
"""

from __future__ import annotations

import importlib
import signal
import sys
import time
from types import FrameType

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from neuron_reach.bags import layout
from neuron_reach.bags.writer import STORAGES, BagWriter
from neuron_reach.errors import UserError

_DEPTH = 10_000
"""Messages kept per topic while the disk is slow."""
_DISCOVERY_INTERVAL = 0.05
_DIAGNOSTICS_INTERVAL = 1.0
_LOG_INTERVAL = 10.0
_DRAIN_TIMEOUT = 2.0
"""Seconds after the signal to end in which messages on their way are still taken."""
_DRAIN_SILENCE = 0.1
"""Seconds without a message after which nothing more is thought to be on its way."""


class BagRecorder(Node):
    """Writes what arrives, serialised as it came, with the time of receipt.

    Raises:
        UserError: a parameter is missing, of the wrong type or out of range; the bag exists.
    """

    def __init__(self) -> None:
        super().__init__('bag_recorder')
        bag = self._parameter('bag', '', 'Folder of the new bag; must not exist.')
        storage = self._parameter('storage', 'mcap', 'Format of the bag.', tuple(STORAGES))
        topics = self._parameter(
            'topics',
            list(layout.recorded_topics(hidden_layers=6)),
            'Relative names of the topics to record.',
        )
        if not bag:
            raise UserError('parameter bag is missing; give the path of the new bag')
        for topic in topics:
            if not layout.message_types(topic):
                allowed = ', '.join(layout.recorded_topics(hidden_layers=1))
                raise UserError(f'parameter topics: cannot record {topic!r}; allowed: {allowed}')
        self._awaited = set(topics)
        self._last_time = 0
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._writer = BagWriter(bag, storage)
        if self._writer.set_aside:
            self.get_logger().warning(f'an unfinished bag was moved to {self._writer.set_aside}')
        self.get_logger().info(f'recording into {self._writer.path}')

    def record_until(self, stopped: list[int]) -> None:
        """Record until `stopped` holds a signal, then what is on its way; close the bag."""
        intervals = (
            (_DISCOVERY_INTERVAL, self._subscribe_to_new),
            (_DIAGNOSTICS_INTERVAL, self._diagnose),
            (_LOG_INTERVAL, self._log),
        )
        due = [time.monotonic() + interval for interval, _ in intervals]
        deadline = None
        with self._writer:
            while deadline is None or time.monotonic() < deadline:
                now = time.monotonic()
                for place, (interval, action) in enumerate(intervals):
                    if now >= due[place]:
                        due[place] = now + interval
                        action()
                received = self._take(_DRAIN_SILENCE if deadline else _DISCOVERY_INTERVAL)
                self._writer.flush_if_due()
                if deadline and not received:
                    break
                if stopped and deadline is None:
                    deadline = time.monotonic() + _DRAIN_TIMEOUT

    @property
    def report(self) -> str:
        """What has been recorded, in one line."""
        counts = self._writer.counts
        topics = ', '.join(f'{topic} {count}' for topic, count in counts.items())
        return f'{self._writer.path}: {sum(counts.values())} messages ({topics or "no topic seen"})'

    def _parameter(self, name, default, description, choices=()):
        constraints = f'One of {", ".join(choices)}.' if choices else ''
        descriptor = ParameterDescriptor(
            description=description, additional_constraints=constraints, read_only=True
        )
        try:
            value = self.declare_parameter(name, default, descriptor).value
        except InvalidParameterTypeException:
            kind = 'text' if isinstance(default, str) else 'a list of texts'
            raise UserError(f'parameter {name} must be {kind}') from None
        if choices and value not in choices:
            raise UserError(f'parameter {name}: {value!r} is not one of {", ".join(choices)}')
        return value

    def _take(self, timeout: float) -> int:
        """Wait for anything to arrive and handle all of it; return how many messages there were.

        Not an executor: at thousands of messages a second its overhead alone would lose some.
        """
        subscriptions, services = list(self.subscriptions), list(self.services)
        waiting = rclpy_implementation.WaitSet(
            len(subscriptions), 0, 0, 0, len(services), 0, self.context.handle
        )
        waiting.clear_entities()
        for subscription in subscriptions:
            waiting.add_subscription(subscription.handle)
        for service in services:
            waiting.add_service(service.handle)
        waiting.wait(int(timeout * 1e9))
        received = 0
        ready = waiting.get_ready_entities('subscription')
        for subscription in subscriptions:
            if subscription.handle.pointer not in ready:
                continue
            # Not more than the history holds, else one busy topic would starve the others.
            for _ in range(_DEPTH):
                taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
                if taken is None:
                    break
                subscription.callback(taken[0])
                received += 1
        ready = waiting.get_ready_entities('service')
        for service in services:
            if service.handle.pointer in ready:
                request, header = service.handle.service_take_request(service.srv_type.Request)
                if header is not None:
                    response = service.callback(request, service.srv_type.Response())
                    service.send_response(response, header)
        return received

    def _subscribe_to_new(self) -> None:
        for name in sorted(self._awaited):
            publishers = self.get_publishers_info_by_topic(name)
            if not publishers:
                continue
            self._awaited.remove(name)
            kind = publishers[0].topic_type
            if kind not in layout.message_types(name):
                self.get_logger().error(f'{name} is not recorded: {kind} is not its message type')
                continue
            offered = [publisher.qos_profile for publisher in publishers]
            reliable = all(qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered)
            kept = all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
            self._subscribe(name, kind, reliable, kept)

    def _subscribe(self, name: str, kind: str, reliable: bool, transient_local: bool) -> None:
        topic = self.resolve_topic_name(name)
        self._writer.add_topic(
            topic, kind, depth=_DEPTH, reliable=reliable, transient_local=transient_local
        )
        durability = (
            DurabilityPolicy.TRANSIENT_LOCAL if transient_local else DurabilityPolicy.VOLATILE
        )
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=_DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=durability,
        )
        package, _, message = kind.split('/')
        message_type = getattr(importlib.import_module(f'{package}.msg'), message)

        def write(data: bytes) -> None:
            # A clock that is set back must not put messages out of order.
            self._last_time = max(self._last_time, self.get_clock().now().nanoseconds)
            self._writer.write(topic, self._last_time, data)

        self.create_subscription(message_type, name, write, qos, raw=True)

    def _diagnose(self) -> None:
        status = DiagnosticStatus(
            name=self.get_fully_qualified_name(),
            message=f'{sum(self._writer.counts.values())} messages recorded',
            values=[KeyValue(key=key, value=str(n)) for key, n in self._writer.counts.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def _log(self) -> None:
        self.get_logger().info(f'{sum(self._writer.counts.values())} messages recorded')


def main() -> int:
    """Run the node until SIGINT or SIGTERM; return the exit code."""
    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)

    # Own handlers: those of rclpy shut the context down, and what has arrived would be lost.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    try:
        recorder = BagRecorder()
        recorder.record_until(stopped)
        print(recorder.report, flush=True)
    except UserError as error:
        print(f'bag_recorder: {error}', file=sys.stderr)
        return 2
    finally:
        rclpy.shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())

"""A node's main loop, with a short path for the messages that come at every control cycle.

Going through an executor costs more than the rest of a lockstep control cycle. Subscriptions made
here are waited for and taken directly, with the calls that rclpy's own `wait_for_message` uses and
that Humble, Jazzy and Kilted share; an executor sees to services, timers and parameters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from neuron_reach.nodes.common import Interrupt

HOUSEKEEPING_PERIOD = 0.05
"""Seconds between two looks at timers and whatever else can wait."""

WATCH_PERIOD = 0.2
"""Seconds between two looks at who else is there."""

LONGEST_WAIT = 0.02
"""Seconds after which a wait returns to Python, so that a signal is noticed.

Well below the control period: else housekeeping could start just when a joint state is due.
"""


class _Withheld(CallbackGroup):
    """A group whose subscriptions the executor never runs; but it tells of their events.

    Such an event is a publisher whose quality of service does not fit: rclpy then warns, naming
    the topic and the policy.
    """

    def can_execute(self, entity: Any) -> bool:
        return not isinstance(entity, Subscription)

    def beginning_execution(self, entity: Any) -> bool:
        return not isinstance(entity, Subscription)

    def ending_execution(self, entity: Any) -> None:
        pass


class Loop:
    """Waits for messages of some subscriptions while an executor does the rest.

    Attributes:
        watch: called several times a second, however busy the node is; may raise.
    """

    def __init__(self, node: Node, watch: Callable[[], None] = lambda: None) -> None:
        self.node = node
        self.watch = watch
        self._withheld = _Withheld()
        self._subscriptions: list[Any] = []
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._next_housekeeping = 0.0
        self._next_watch = 0.0
        self._sizes: tuple[int, int, int] | None = None
        self._wait_set: Any = None

    def subscribe(self, message_type: Any, topic: str, qos: QoSProfile, raw: bool = False) -> Any:
        """Create a subscription whose messages are fetched with `take`."""
        subscription = self.node.create_subscription(
            message_type, topic, _never_called, qos, callback_group=self._withheld, raw=raw
        )
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Any) -> None:
        """End a subscription; what it has not been asked for is lost."""
        self._subscriptions.remove(subscription)
        self.node.destroy_subscription(subscription)

    def take(self, subscription: Any) -> Any:
        """Return the next message of a subscription, None if there is none."""
        taken = self.take_from(subscription)
        return None if taken is None else taken[0]

    def take_from(self, subscription: Any) -> tuple[Any, bytes | None] | None:
        """Return the next message and the id of its publisher, which old versions do not tell."""
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        if taken is None:
            return None
        gid = taken[1].get('publisher_gid')
        return taken[0], None if gid is None else bytes(gid['data'][:16])

    def attend(self) -> None:
        """Let the executor run one thing if it is time, and look at who else is there.

        A node that never needs to wait calls this at every control cycle.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM has come.
        """
        now = time.monotonic()
        if now >= self._next_housekeeping:
            self._next_housekeeping = now + HOUSEKEEPING_PERIOD
            self._executor.spin_once(timeout_sec=0.0)
        if now >= self._next_watch:
            self._next_watch = now + WATCH_PERIOD
            self.watch()
        Interrupt.check()

    def wait(self, timeout: float) -> None:
        """Wait until a subscription or service has something, or for `timeout` seconds.

        What the executor is responsible for is done before this returns.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM has come.
        """
        self.attend()  # before the wait, not after it: then it delays no message that has just come
        wait_set = self._filled_wait_set()
        wait_set.wait(int(1e9 * max(0.0, min(timeout, LONGEST_WAIT))))
        Interrupt.check()
        if wait_set.get_ready_entities('service') or wait_set.get_ready_entities('client'):
            self._executor.spin_once(timeout_sec=0.0)

    def _filled_wait_set(self) -> Any:
        services, clients = list(self.node.services), list(self.node.clients)
        sizes = (len(self._subscriptions), len(clients), len(services))
        if sizes != self._sizes:  # to make a new one takes longer than to fill it
            self._sizes = sizes
            self._wait_set = rclpy_implementation.WaitSet(
                sizes[0], 0, 0, sizes[1], sizes[2], 0, self.node.context.handle
            )
        self._wait_set.clear_entities()
        for subscription in self._subscriptions:
            self._wait_set.add_subscription(subscription.handle)
        for client in clients:
            self._wait_set.add_client(client.handle)
        for service in services:
            self._wait_set.add_service(service.handle)
        return self._wait_set

    def housekeeping(self) -> None:
        """Let the executor run everything that is ready: services, timers, parameters."""
        for _ in range(4):
            self._executor.spin_once(timeout_sec=0.0)

    def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until a condition holds; return whether it did within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self.wait(0.01)
        return True


def _never_called(_message: Any) -> None:
    raise AssertionError('taken by the loop, never by the executor')

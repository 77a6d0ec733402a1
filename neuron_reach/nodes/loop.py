# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A node's main loop, with a fast path for the messages of every control cycle.

An executor takes longer than the rest of a lockstep control cycle. So subscriptions made here are
waited for and read directly, with the calls that rclpy's own `wait_for_message` uses and that
Humble, Jazzy and Kilted share; an executor runs services, timers and parameters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rclpy.callback_groups import CallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from neuron_reach.nodes.shutdown import Interrupt

if TYPE_CHECKING:
    from rclpy.type_support import Msg

EXECUTOR_PERIOD = 0.05
"""Seconds between two executor runs for timers and whatever else can wait."""

CHECK_PERIOD = 0.2
"""Seconds between two calls of `Loop.periodic_check`."""

LONGEST_WAIT = 0.02
"""Seconds after which a wait returns to Python, so that a signal is noticed.

Well below the control period: otherwise the executor could start when a joint state is due.
"""

MessageT = TypeVar('MessageT', bound='Msg')
ContentT = TypeVar('ContentT')


class _DirectGroup(CallbackGroup):
    """A group whose subscriptions the executor never runs, although it reports their events.

    Such an event is a publisher with incompatible quality of service, about which rclpy then logs
    a warning that names the topic and the policy.
    """

    def can_execute(self, entity: object) -> bool:
        return not isinstance(entity, Subscription)

    def beginning_execution(self, entity: object) -> bool:
        return not isinstance(entity, Subscription)

    def ending_execution(self, entity: object) -> None:
        pass


class Inbox(Generic[ContentT]):
    """Received messages of one topic, taken one by one; made by `Loop.subscribe`.

    Attributes:
        subscription: of rclpy, which decides the type of the content.
    """

    def __init__(self, subscription: Subscription[Any]) -> None:
        self.subscription = subscription

    @property
    def topic_name(self) -> str:
        """Full name of the topic."""
        name: str = self.subscription.topic_name
        return name

    def take(self) -> ContentT | None:
        """Return the next message, None if there is none."""
        taken = self.take_with_gid()
        return None if taken is None else taken[0]

    def take_with_gid(self) -> tuple[ContentT, bytes | None] | None:
        """Return the next message and its publisher's id, None where rclpy does not report it."""
        subscription = self.subscription
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        if taken is None:
            return None
        gid = taken[1].get('publisher_gid')
        return taken[0], None if gid is None else bytes(gid['data'][:16])


class Loop:
    """Waits for the messages of its subscriptions while an executor does the rest.

    Attributes:
        node: whose loop it is.
        periodic_check: called several times a second, however busy the node is; may raise.
    """

    def __init__(self, node: Node, periodic_check: Callable[[], None] = lambda: None) -> None:
        self.node = node
        self.periodic_check = periodic_check
        self._group = _DirectGroup()
        self._subscriptions: list[Subscription[Any]] = []
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._next_executor_run = 0.0
        self._next_check = 0.0
        self._sizes: tuple[int, int, int] | None = None
        self._wait_set: rclpy_implementation.WaitSet | None = None

    def subscribe(
        self, message_type: type[MessageT], topic: str, qos: QoSProfile
    ) -> Inbox[MessageT]:
        """Subscribe to a topic whose messages are then taken from the inbox."""
        return Inbox(self._subscribe(message_type, topic, qos))

    def subscribe_raw(
        self, message_type: type[MessageT], topic: str, qos: QoSProfile
    ) -> Inbox[bytes]:
        """Subscribe to a topic for messages that stay serialized."""
        return Inbox(self._subscribe(message_type, topic, qos, raw=True))

    def _subscribe(
        self, message_type: type[MessageT], topic: str, qos: QoSProfile, raw: bool = False
    ) -> Subscription[MessageT]:
        subscription = self.node.create_subscription(
            message_type, topic, _never_called, qos, callback_group=self._group, raw=raw
        )
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, inbox: Inbox[ContentT]) -> None:
        """End a subscription; messages that were not taken are lost."""
        self._subscriptions.remove(inbox.subscription)
        self.node.destroy_subscription(inbox.subscription)

    def run_due(self) -> None:
        """Run the executor once and the periodic check, each if its time has come.

        A node that never needs to wait calls this in every control cycle.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM was received.
        """
        now = time.monotonic()
        if now >= self._next_executor_run:
            self._next_executor_run = now + EXECUTOR_PERIOD
            self._executor.spin_once(timeout_sec=0.0)
        if now >= self._next_check:
            self._next_check = now + CHECK_PERIOD
            self.periodic_check()
        Interrupt.check()

    def wait(self, timeout: float) -> None:
        """Wait for a message or a service request, for `timeout` seconds at most.

        What the executor is responsible for is done before this returns.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM was received.
        """
        self.run_due()  # before the wait: after it, it would delay the message that ended the wait
        wait_set = self._filled_wait_set()
        wait_set.wait(int(1e9 * max(0.0, min(timeout, LONGEST_WAIT))))
        Interrupt.check()
        if wait_set.get_ready_entities('service') or wait_set.get_ready_entities('client'):
            self._executor.spin_once(timeout_sec=0.0)

    def _filled_wait_set(self) -> rclpy_implementation.WaitSet:
        services, clients = list(self.node.services), list(self.node.clients)
        sizes = (len(self._subscriptions), len(clients), len(services))
        if self._wait_set is None or sizes != self._sizes:  # a new one costs more than refilling
            self._sizes = sizes
            context = self.node.context.handle
            assert context is not None  # the node exists, so rclpy is initialized
            self._wait_set = rclpy_implementation.WaitSet(
                sizes[0], 0, 0, sizes[1], sizes[2], 0, context
            )
        self._wait_set.clear_entities()
        for subscription in self._subscriptions:
            self._wait_set.add_subscription(subscription.handle)
        for client in clients:
            self._wait_set.add_client(client.handle)
        for service in services:
            self._wait_set.add_service(service.handle)
        return self._wait_set

    def run_callbacks(self) -> None:
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


def _never_called(_message: object) -> None:
    raise AssertionError('taken from the inbox, never by the executor')

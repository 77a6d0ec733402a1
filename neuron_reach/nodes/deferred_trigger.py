# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A service of type Trigger whose requests are answered later."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger


class PendingRequest:
    """A request that has not been answered yet.

    Attributes:
        received: time of receipt, s of the monotonic clock.
    """

    def __init__(self) -> None:
        self.received = time.monotonic()
        self._answer: Future[tuple[bool, str]] = Future()

    def answer(self, success: bool, message: str) -> None:
        """Answer the request; the executor then sends the response."""
        self._answer.set_result((success, message))

    async def fill(self, response: Trigger.Response) -> Trigger.Response:
        """Wait for the answer and return it as the response."""
        answer: tuple[bool, str] | None = await self._answer
        assert answer is not None  # `answer` sets nothing else
        response.success, response.message = answer
        return response


class DeferredTrigger:
    """A Trigger service whose requests stay pending until the node answers them."""

    def __init__(
        self, node: Node, name: str, on_request: Callable[[], None] = lambda: None
    ) -> None:
        """Create the service.

        Args:
            node: that serves it.
            name: of the service.
            on_request: called for every request.
        """
        self._pending: list[PendingRequest] = []
        self._on_request = on_request
        # Reentrant: while one request waits, others are received.
        self._service = node.create_service(
            Trigger, name, self._handle, callback_group=ReentrantCallbackGroup()
        )

    @property
    def is_pending(self) -> bool:
        """Whether a request has not been taken yet."""
        return bool(self._pending)

    def take(self, waited: float = 0.0) -> list[PendingRequest]:
        """Return, and remove, the requests that have waited for at least so many seconds."""
        latest = time.monotonic() - waited
        due = [request for request in self._pending if request.received <= latest]
        self._pending = [request for request in self._pending if request.received > latest]
        return due

    async def _handle(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        pending = PendingRequest()
        self._pending.append(pending)
        self._on_request()
        return await pending.fill(response)

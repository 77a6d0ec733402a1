"""What the policy is asked for by services, answered when it is time."""

from __future__ import annotations

import time
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

SERVICES = ('validate', 'save_checkpoint', 'cancel')


class Requests:
    """Requests of `~/validate`, `~/save_checkpoint` and `~/cancel` that wait for an answer.

    Attributes:
        validation: how the validation that was asked for stands, empty if there is none.
    """

    def __init__(self, node: Node) -> None:
        self.validation = ''
        self._waiting: dict[str, list[tuple[float, Future]]] = {name: [] for name in SERVICES}
        self._services = [
            node.create_service(
                Trigger,
                f'~/{name}',
                self._make_handler(name),
                callback_group=ReentrantCallbackGroup(),  # while one waits, the others go on
            )
            for name in SERVICES
        ]

    def _make_handler(self, name: str) -> Any:
        async def handle(_request: Trigger.Request, response: Trigger.Response) -> Any:
            future: Future = Future()
            self._waiting[name].append((time.monotonic(), future))
            response.success, response.message = await future
            return response

        return handle

    def take(self, name: str, waited: float = 0.0) -> list[Future]:
        """Return the futures to answer, of those who have waited so many seconds."""
        latest = time.monotonic() - waited
        due = [future for asked, future in self._waiting[name] if asked <= latest]
        self._waiting[name] = [entry for entry in self._waiting[name] if entry[0] > latest]
        return due

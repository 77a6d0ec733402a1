"""What the reader, the writer and the two storage formats have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore


@functools.cache
def humble_types() -> Typestore:
    """Message types of ROS 2 Humble; made once, as it compiles what it (de)serialises.

    Definitions inside a bag are never used: ``rosbags`` would turn them into code and run it.
    """
    return get_typestore(Stores.ROS2_HUMBLE)


class DamageError(Exception):
    """A file is damaged from here on; what came before is good."""


class Message(NamedTuple):
    """One recorded message, not yet decoded; time of receipt in ns."""

    topic: str
    msgtype: str
    timestamp_ns: int
    data: bytes


class StorageFile(Protocol):
    """A file of recorded messages, of either format."""

    incomplete: str | None

    def topics(self) -> dict[str, str]:
        """Message type of every topic."""

    def messages(self, wanted: Callable[[str], bool]) -> Iterator[Message]:
        """Yield the messages of the wanted topics; damage ends it, and shows in `incomplete`."""

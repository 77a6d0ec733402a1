"""What the reader, the writer and the two storage formats have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from neuron_reach import messages


@functools.cache
def humble_types() -> Typestore:
    """Message types of ROS 2 Humble; made once, as it compiles what it (de)serialises.

    Definitions inside a bag are never used: ``rosbags`` would turn them into code and run it.
    """
    return get_typestore(Stores.ROS2_HUMBLE)


MOST_TOPICS = 10_000
"""A file with more of them is none that anybody recorded."""


class DamageError(Exception):
    """A file is damaged from here on; what came before is good."""


class Channel(NamedTuple):
    """A topic as it was recorded: one message type, one encoding (ROS 2 has ``cdr``)."""

    topic: str
    msgtype: str
    encoding: str

    @property
    def own(self) -> tuple[str, str] | None:
        """Namespace and relative name if name, type and encoding are ours, else None."""
        return messages.own_topic(self.topic, self.msgtype) if self.encoding == 'cdr' else None


class Message(NamedTuple):
    """One recorded message, not yet decoded; time of receipt in ns."""

    channel: Channel
    timestamp_ns: int
    data: bytes


class StorageFile(Protocol):
    """A file of recorded messages, of either format.

    Attributes:
        incomplete: why not everything that was recorded is in the file, as far as known; else None.
        has_checksum: the file has a checksum over all its messages, which is checked.
    """

    incomplete: str | None
    has_checksum: bool

    def channels(self) -> tuple[Channel, ...]:
        """All that was recorded, with or without messages."""

    def messages(self, wanted: Callable[[Channel], bool]) -> Iterator[Message]:
        """Yield the messages of the wanted channels; damage ends it, and shows in `incomplete`."""

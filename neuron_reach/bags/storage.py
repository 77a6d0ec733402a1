# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Types shared by the reader, the writer and the two storage formats."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from neuron_reach import messages


@functools.cache
def humble_types() -> Typestore:
    """Message types of ROS 2 Humble; created once, because it compiles (de)serializers.

    Definitions inside a bag are never used: ``rosbags`` would turn them into code and run it.
    """
    return get_typestore(Stores.ROS2_HUMBLE)


MOST_TOPICS = 10_000
"""Topics in a file above which it is considered damaged."""


class DamageError(Exception):
    """A file is damaged from the current position on; everything before it is valid."""


class Channel(NamedTuple):
    """A topic as it was recorded: one message type, one encoding (ROS 2 has ``cdr``)."""

    topic: str
    msgtype: str
    encoding: str

    @property
    def project_topic(self) -> tuple[str, str] | None:
        """Namespace and relative name of a topic of this project; None for other topics."""
        return messages.project_topic(self.topic, self.msgtype) if self.encoding == 'cdr' else None


class Message(NamedTuple):
    """One recorded message, not decoded yet, with its time of receipt in ns."""

    channel: Channel
    timestamp_ns: int
    data: bytes


class StorageFile(Protocol):
    """A file of recorded messages, of either format.

    Attributes:
        incomplete: why recorded messages are known to be missing from the file, or None.
        has_checksum: whether the file has a checksum over all its messages, which is verified.
    """

    incomplete: str | None
    has_checksum: bool

    def channels(self) -> tuple[Channel, ...]:
        """Return all recorded channels, including those without messages."""

    def messages(self, wanted: Callable[[Channel], bool]) -> Iterator[Message]:
        """Yield the messages of the wanted channels up to damage, which sets `incomplete`."""

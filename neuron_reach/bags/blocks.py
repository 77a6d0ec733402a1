"""Activations of a bag in blocks: many messages decoded as one array.

Messages of one topic mostly differ in nothing but their floats, so that a run of equally long ones
is decoded by laying their bytes side by side: about as fast as reading the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuron_reach.bags import layout
from neuron_reach.bags.reader import BagReader

BLOCK_BYTES = 64 * 2**20
"""Serialised messages kept until they are decoded together."""


class Block(NamedTuple):
    """Control cycles of all arms on one topic; arm `a` of message `i` is in episode[i] + a.

    Attributes:
        topic: full name.
        episode: of the first arm, (messages,).
        step: (messages,).
        values: (messages, arms, neurons), float32.
    """

    topic: str
    episode: NDArray[np.int64]
    step: NDArray[np.int64]
    values: NDArray[np.float32]


def read_blocks(reader: BagReader, topics: Iterable[str]) -> Iterator[Block | tuple[str, Any]]:
    """Yield activations in blocks, and other messages as (topic, message), in any order.

    Args:
        reader: of one or more bags.
        topics: relative names, as for `BagReader.messages`.

    Raises:
        LayoutError: a message does not have the layout of its topic.
        UserError: a file cannot be read.
    """
    waiting: dict[str, list[bytes]] = {}
    size = 0
    for topic, _, data in reader.messages(topics, raw=True):
        if layout.layer_of(topic) is None:
            yield topic, reader.decode(topic, data)
            continue
        waiting.setdefault(topic, []).append(data)
        size += len(data)
        if size >= BLOCK_BYTES:
            yield from _decode_all(reader, waiting)
            size = 0
    yield from _decode_all(reader, waiting)


def _decode_all(reader: BagReader, waiting: dict[str, list[bytes]]) -> Iterator[Block]:
    for topic, messages in waiting.items():
        by_size: dict[int, list[bytes]] = {}
        for data in messages:
            by_size.setdefault(len(data), []).append(data)
        for equally_long in by_size.values():
            yield from _decode(reader, topic, equally_long)
    waiting.clear()


def _decode(reader: BagReader, topic: str, messages: list[bytes]) -> Iterator[Block]:
    """Decode messages of the same length."""
    first = messages[0]
    episode, step, values = layout.read_fleet_step(reader.decode(topic, first))
    count = values.size + 2
    head = len(first) - 4 * count
    little_endian = first[1] == 1
    if not little_endian or int.from_bytes(first[head - 4 : head], 'little') != count:
        alike = np.zeros(len(messages), bool)
    else:
        table = np.frombuffer(b''.join(messages), np.uint8).reshape(len(messages), -1)
        alike = (table[:, :head] == table[0, :head]).all(axis=1)
        rows = table[:, head:] if alike.all() else table[alike, head:]
        floats = np.ascontiguousarray(rows).view('<f4')
        numbers = floats[:, :2].astype(np.int64)
        if (numbers != floats[:, :2]).any() or (numbers < 0).any():
            raise layout.LayoutError('an episode or step is no count')
        yield Block(topic, numbers[:, 0], numbers[:, 1], floats[:, 2:].reshape(-1, *values.shape))
    for index in np.flatnonzero(~alike):  # another layout of the same length
        episode, step, values = layout.read_fleet_step(reader.decode(topic, messages[index]))
        yield Block(topic, np.array([episode]), np.array([step]), values[None])

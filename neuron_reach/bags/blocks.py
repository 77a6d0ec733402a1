"""Activations of a bag in blocks: many messages decoded as one array.

Messages of one topic mostly differ in nothing but their floats, so that a run of equally long ones
is decoded by laying their bytes side by side: about as fast as reading the bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuron_reach import messages
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.storage import Channel

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


def read_blocks(
    reader: BagReader, topics: Collection[str], left_alone: Counter[str]
) -> Iterator[Block | tuple[str, Any]]:
    """Yield activations in blocks, and other messages as (topic, message), in any order.

    Args:
        reader: of one or more bags.
        topics: full names; what else was recorded under these names is left alone.
        left_alone: counts, by topic, the messages of the right type that are no activations.

    Raises:
        UserError: a file cannot be read.
    """

    def wanted(channel: Channel) -> bool:
        return channel.own is not None and '/'.join(channel.own) in topics

    waiting: dict[Channel, list[bytes]] = {}
    size = 0
    for channel, _, data in reader.read(wanted):
        if messages.layer_of(channel.topic) is None:
            try:
                yield channel.topic, reader.decode(channel, data)
            except messages.LayoutError:
                left_alone[channel.topic] += 1
            continue
        waiting.setdefault(channel, []).append(data)
        size += len(data)
        if size >= BLOCK_BYTES:
            yield from _decode_all(reader, waiting, left_alone)
            size = 0
    yield from _decode_all(reader, waiting, left_alone)


def _decode_all(
    reader: BagReader, waiting: dict[Channel, list[bytes]], left_alone: Counter[str]
) -> Iterator[Block]:
    for channel, payloads in waiting.items():
        by_size: dict[int, list[bytes]] = {}
        for data in payloads:
            by_size.setdefault(len(data), []).append(data)
        for equally_long in by_size.values():
            blocks = list(_decode(reader, channel, equally_long))
            left_alone[channel.topic] += len(equally_long) - sum(len(one.step) for one in blocks)
            yield from blocks
    waiting.clear()


def _decode(reader: BagReader, channel: Channel, payloads: list[bytes]) -> Iterator[Block]:
    """Decode those messages of the same length that are activations."""
    first = next((data for data in payloads if _decode_one(reader, channel, data)), None)
    if first is None:
        return
    values = messages.read_fleet_step(reader.decode(channel, first)).values
    count = values.size + 2
    head = len(first) - 4 * count
    little_endian = first[1] == 1
    alike = np.zeros(len(payloads), bool)
    if little_endian and int.from_bytes(first[head - 4 : head], 'little') == count:
        table = np.frombuffer(b''.join(payloads), np.uint8).reshape(len(payloads), -1)
        alike = (table[:, :head] == np.frombuffer(first, np.uint8, head)).all(axis=1)
        rows = table[:, head:] if alike.all() else table[alike, head:]
        floats = np.ascontiguousarray(rows).view('<f4')
        numbers = floats[:, :2]
        counts = (
            (numbers >= 0) & (numbers <= messages.LARGEST_COUNT) & (numbers == np.floor(numbers))
        )
        if not (good := counts.all(axis=1)).all():
            floats, numbers = floats[good], numbers[good]
        episode, step = numbers.astype(np.int64).T
        yield Block(channel.topic, episode, step, floats[:, 2:].reshape(-1, *values.shape))
    for index in np.flatnonzero(~alike):  # another layout of the same length
        if block := _decode_one(reader, channel, payloads[index]):
            yield block


def _decode_one(reader: BagReader, channel: Channel, data: bytes) -> Block | None:
    try:
        episode, step, values = messages.read_fleet_step(reader.decode(channel, data))
    except messages.LayoutError:
        return None
    return Block(channel.topic, np.array([episode]), np.array([step]), values[None])

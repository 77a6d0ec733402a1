# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Activations of a bag in blocks: many messages decoded as one array.

Messages of one topic mostly differ only in their floats. So messages of equal length are stacked as
rows of bytes and decoded together, about as fast as the bytes can be read.
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
"""Bytes of serialized messages that are collected before they are decoded together."""


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
    reader: BagReader, topics: Collection[str], ignored: Counter[str]
) -> Iterator[Block | tuple[str, Any]]:
    """Yield activations in blocks, and other messages as (topic, message), in any order.

    Args:
        reader: of one or more bags.
        topics: full names; messages of other types under these names are skipped.
        ignored: counts, by topic, messages of the right type that are not laid out as expected.

    Raises:
        UserError: a file cannot be read.
    """

    def wanted(channel: Channel) -> bool:
        return channel.project_topic is not None and '/'.join(channel.project_topic) in topics

    pending: dict[Channel, list[bytes]] = {}
    size = 0
    for channel, _, data in reader.read(wanted):
        if messages.layer_of(channel.topic) is None:
            try:
                yield channel.topic, reader.decode(channel, data)
            except messages.LayoutError:
                ignored[channel.topic] += 1
            continue
        pending.setdefault(channel, []).append(data)
        size += len(data)
        if size >= BLOCK_BYTES:
            yield from _decode_all(reader, pending, ignored)
            size = 0
    yield from _decode_all(reader, pending, ignored)


def _decode_all(
    reader: BagReader, pending: dict[Channel, list[bytes]], ignored: Counter[str]
) -> Iterator[Block]:
    for channel, payloads in pending.items():
        by_size: dict[int, list[bytes]] = {}
        for data in payloads:
            by_size.setdefault(len(data), []).append(data)
        for equally_long in by_size.values():
            blocks = list(_decode(reader, channel, equally_long))
            ignored[channel.topic] += len(equally_long) - sum(len(block.step) for block in blocks)
            yield from blocks
    pending.clear()


def _decode(reader: BagReader, channel: Channel, payloads: list[bytes]) -> Iterator[Block]:
    """Decode those of the equally long messages that are activations."""
    first = next((data for data in payloads if _decode_one(reader, channel, data)), None)
    if first is None:
        return
    values = messages.read_fleet_step(reader.decode(channel, first)).values
    count = values.size + 2
    head = len(first) - 4 * count
    little_endian = first[1] == 1
    same_layout = np.zeros(len(payloads), bool)
    if little_endian and int.from_bytes(first[head - 4 : head], 'little') == count:
        table = np.frombuffer(b''.join(payloads), np.uint8).reshape(len(payloads), -1)
        same_layout = (table[:, :head] == np.frombuffer(first, np.uint8, head)).all(axis=1)
        rows = table[:, head:] if same_layout.all() else table[same_layout, head:]
        floats = np.ascontiguousarray(rows).view('<f4')
        numbers = floats[:, :2]
        counts = (
            (numbers >= 0) & (numbers <= messages.LARGEST_COUNT) & (numbers == np.floor(numbers))
        )
        if not (good := counts.all(axis=1)).all():
            floats, numbers = floats[good], numbers[good]
        episode, step = numbers.astype(np.int64).T
        yield Block(channel.topic, episode, step, floats[:, 2:].reshape(-1, *values.shape))
    for index in np.flatnonzero(~same_layout):  # the same length, but another layout
        if block := _decode_one(reader, channel, payloads[index]):
            yield block


def _decode_one(reader: BagReader, channel: Channel, data: bytes) -> Block | None:
    try:
        episode, step, values = messages.read_fleet_step(reader.decode(channel, data))
    except messages.LayoutError:
        return None
    return Block(channel.topic, np.array([episode]), np.array([step]), values[None])

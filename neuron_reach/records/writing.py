# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Bags of records that were played in this process, as the ROS recorder would write them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach import messages
from neuron_reach.bags.storage import humble_types
from neuron_reach.bags.writer import BagWriter
from neuron_reach.common.arrays import Single
from neuron_reach.common.progress import ShowProgress
from neuron_reach.records.record import OUTCOMES, ActivityRecord

NANOSECONDS = 1_000_000_000

_FLOAT32, _FLOAT64, _STRING = (
    f'std_msgs/msg/{name}' for name in ('Float32MultiArray', 'Float64MultiArray', 'String')
)


def write_record(
    record: ActivityRecord,
    bag: Path,
    period: float,
    storage: str = 'mcap',
    progress: ShowProgress | None = None,
) -> Path:
    """Write a record into `<bag>.partial`, one episode after the other, and return that folder.

    The first step gets the present time, and each step is a period after the one before.

    Args:
        record: with all layers, `path` and `digest` of its network, and the number of episodes.
        bag: folder that the bag will have; must not exist.
        period: seconds of a step.
        storage: ``mcap`` or ``sqlite3``.
        progress: shows how many episodes are written.

    Raises:
        UserError: the bag exists, or cannot be written.
    """
    stamp = time.time_ns()
    step = max(1, round(period * NANOSECONDS))
    with BagWriter(bag, storage, keep_partial=True) as writer:
        topics = {messages.activation_topic(name): record.columns(name) for name in record.layers}
        topics = {messages.OBSERVATION: record.columns('input'), **topics}
        for topic in topics:
            writer.add_topic(f'/{topic}', _FLOAT32)
        for topic in (messages.EPISODE, messages.OUTCOME):
            writer.add_topic(f'/{topic}', _FLOAT64)
        writer.add_topic(f'/{messages.CHECKPOINT}', _STRING, depth=1, transient_local=True)
        writer.write(f'/{messages.CHECKPOINT}', stamp, _checkpoint(record))
        for number, length in enumerate(record.lengths.tolist()):
            values = record.activations[number, :length]
            payloads = {
                f'/{topic}': _steps(
                    values[:, columns],
                    number,
                    'feature' if topic == messages.OBSERVATION else 'neuron',
                )
                for topic, columns in topics.items()
            }
            for _ in range(length):
                for topic, payload in payloads.items():
                    writer.write(topic, stamp, next(payload))
                stamp += step
            for topic, fill, row in _results(record, number):
                writer.write(f'/{topic}', stamp, _rows(fill, row))
            if progress is not None:
                progress('bag', number + 1, record.episodes)
    return writer.finished


def _checkpoint(record: ActivityRecord) -> bytes:
    known = record.network
    text = messages.encode_checkpoint(
        messages.CheckpointMessage(
            path=known['path'],
            version=known['version'],
            first_episode=0,
            network=known['digest'],
            episodes=known['episodes'],
        )
    )
    types = humble_types()
    return bytes(types.serialize_cdr(types.types[_STRING](text), _STRING))


def _results(record: ActivityRecord, number: int) -> Iterator[tuple[str, Any, list[float]]]:
    """Yield topic, function that fills its message, and row of an episode.

    An unknown success is a failure on `episode`, whose layout older versions require; `outcome`
    says that it is unknown.
    """
    success = record.successes[number]
    steps, reward = record.lengths[number], record.rewards[number]
    first = [number, *record.goals[number], steps, reward, success == 1.0]
    yield messages.EPISODE, messages.fill_episodes, first
    outcome = [number, record.returns[number], success, record.terminated[number]]
    yield messages.OUTCOME, messages.fill_outcomes, outcome


def _rows(fill: Any, row: list[float]) -> bytes:
    message = _multiarray(_FLOAT64)
    fill(message, _dimension(), np.array([row], np.float64))
    return bytes(humble_types().serialize_cdr(message, _FLOAT64))


def _multiarray(kind: str) -> Any:
    types = humble_types().types
    layout = types['std_msgs/msg/MultiArrayLayout']([], 0)
    return types[kind](layout, np.zeros(0, np.float32 if kind == _FLOAT32 else np.float64))


def _dimension() -> Any:
    return humble_types().types['std_msgs/msg/MultiArrayDimension']


def _steps(values: Single, episode: int, label: str) -> Iterator[bytes]:
    """Yield the serialized messages of the steps of an episode, of values (steps, neurons).

    They differ only in their floats, at their end, so only the first one is serialized.
    """
    message = _multiarray(_FLOAT32)
    messages.fill_fleet_step(message, _dimension(), values[:1], episode, len(values) - 1, label)
    serialized = bytes(humble_types().serialize_cdr(message, _FLOAT32))
    head = serialized[: -4 * (values.shape[1] + 2)]
    floats = np.empty((len(values), values.shape[1] + 2), '<f4')
    floats[:, 0], floats[:, 1], floats[:, 2:] = episode, np.arange(len(values)), values
    for row in floats:
        yield head + row.tobytes()


def same(one: ActivityRecord, other: ActivityRecord) -> bool:
    """Tell whether two records hold the same, to the bit."""
    if one.layers != other.layers or one.sizes != other.sizes or one.network != other.network:
        return False
    for name in ('lengths', 'goals', 'rewards', *OUTCOMES):
        if not np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True):
            return False
    return one.activations.shape == other.activations.shape and all(
        np.array_equal(a, b) for a, b in zip(one.blocks(), other.blocks(), strict=True)
    )

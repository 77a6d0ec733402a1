# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Writes activity records into bags, message by message, as the nodes do."""

import numpy as np

from neuron_reach import messages
from neuron_reach.bags.storage import humble_types
from neuron_reach.bags.writer import BagWriter

TYPES = humble_types()
FLOAT32, FLOAT64 = 'std_msgs/msg/Float32MultiArray', 'std_msgs/msg/Float64MultiArray'
STRING = 'std_msgs/msg/String'


def multiarray(kind, fill, *args, **options):
    """Serialize a multi-array that a function of `messages` fills."""
    dimension = TYPES.types['std_msgs/msg/MultiArrayDimension']
    empty = TYPES.types['std_msgs/msg/MultiArrayLayout']([], 0)
    message = TYPES.types[kind](empty, np.zeros(0, 'f' if kind == FLOAT32 else 'd'))
    fill(message, dimension, *args, **options)
    return TYPES.serialize_cdr(message, kind)


def text_message(text):
    return TYPES.serialize_cdr(TYPES.types[STRING](text), STRING)


def cycles_of(record, arms, first=0):
    """Yield (episode, step) of the messages, which all layers have in common."""
    steps = record.activations.shape[1]
    return [(first + e, s) for e in range(0, record.episodes, arms) for s in range(steps)]


def write_record(
    path,
    record,
    storage='mcap',
    arms=1,
    first=0,
    namespace='',
    lost=(),
    checkpoints=(),
    results=True,
    order=None,
    observations=False,
):
    """Write a record as a bag.

    Args:
        path: of the bag.
        record: whose episodes are of equal length.
        storage: mcap or sqlite3.
        arms: of the fleet; divides the episodes.
        first: number of the first episode.
        namespace: of the topics, such as `/a`.
        lost: (layer, episode, step) of messages that never arrived.
        checkpoints: (path, version, first episode) of messages.
        results: numbers of the episodes whose results are told; True: of all, False: of none.
        order: function that rearranges the list of (episode, step).
        observations: whether they are there as well.
    """
    steps = record.activations.shape[1]
    with BagWriter(path, storage) as bag:
        bag.add_topic(f'{namespace}/checkpoint', STRING, transient_local=True)
        for entry in checkpoints:
            text = messages.encode_checkpoint(messages.CheckpointMessage(*entry))
            bag.write(f'{namespace}/checkpoint', 0, text_message(text))
        for layer in record.layers:
            bag.add_topic(f'{namespace}/{messages.activation_topic(layer)}', FLOAT32)
        topics = {layer: messages.activation_topic(layer) for layer in record.layers}
        if observations:
            topics[messages.OBSERVATION] = messages.OBSERVATION
            bag.add_topic(f'{namespace}/{messages.OBSERVATION}', FLOAT32)
        cycles = cycles_of(record, arms, first)
        for episode, step in cycles if order is None else order(cycles):
            for layer, topic in topics.items():
                if (layer, episode, step) in lost:
                    continue
                activity = record.layer('input' if layer == messages.OBSERVATION else layer)
                values = activity[episode - first : episode - first + arms, step]
                data = multiarray(FLOAT32, messages.fill_fleet_step, values, episode, step)
                bag.write(f'{namespace}/{topic}', step, data)
        if results is False:
            return
        numbers = range(first, first + record.episodes) if results is True else results
        rows = np.zeros((len(numbers), len(messages.EPISODE_FIELDS)))
        rows[:, 0] = numbers
        for row in rows:
            index = int(row[0]) - first
            row[1:5] = *record.goals[index], steps, record.rewards[index]
        bag.add_topic(f'{namespace}/episode', FLOAT64)
        bag.write(f'{namespace}/episode', 0, multiarray(FLOAT64, messages.fill_episodes, rows))

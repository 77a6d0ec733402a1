# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Bags of the activity of two arms, with faults."""

import numpy as np
from record_bags import FLOAT32, FLOAT64, STRING, multiarray, text_message

from neuron_reach import messages
from neuron_reach.bags.writer import BagWriter

LAYERS = messages.layer_names(10)
ARMS, STEPS = 2, 3
NETWORK, OTHER = 'a' * 64, 'b' * 64


def write_activity(
    path,
    storage='mcap',
    cycles=None,
    successes=(1, 0, 1, 1),
    width=5,
    layers=LAYERS,
    numbers=None,
    announced=(),
    commands=None,
):
    """Write a bag of two arms' activity; `cycles` are the (episode, step) of each topic."""
    cycles = cycles or {}
    usual = [(episode, step) for episode in (0, 2) for step in range(STEPS)]
    with BagWriter(path, storage) as bag:
        bag.add_topic('/arm/observation', FLOAT32)
        for episode, step in cycles.get('observation', usual):
            data = multiarray(
                FLOAT32, messages.fill_fleet_step, np.ones((ARMS, 4)), episode, step, 'feature'
            )
            bag.write('/arm/observation', 10**9 * step, data)
        for layer in reversed(layers):
            topic = f'/arm/{messages.activation_topic(layer)}'
            bag.add_topic(topic, FLOAT32)
            for episode, step in cycles.get(layer, usual):
                values = np.ones((ARMS, width))
                data = multiarray(FLOAT32, messages.fill_fleet_step, values, episode, step)
                bag.write(topic, 10**9 * step, data)
        results = np.zeros((len(successes), len(messages.EPISODE_FIELDS)))
        results[:, 0] = range(len(successes)) if numbers is None else numbers
        results[:, 3] = STEPS
        results[:, -1] = successes
        bag.add_topic('/arm/episode', FLOAT64)
        bag.write('/arm/episode', 0, multiarray(FLOAT64, messages.fill_episodes, results))
        bag.add_topic('/arm/checkpoint', STRING)
        for checkpoint in announced:
            text = messages.encode_checkpoint(checkpoint)
            bag.write('/arm/checkpoint', 0, text_message(text))
        if commands is not None:
            topic = f'/arm/{messages.COMMANDS}'
            bag.add_topic(topic, FLOAT64)
            for sequence in range(commands):
                targets = np.zeros((ARMS, 2)), sequence + 1
                bag.write(topic, 0, multiarray(FLOAT64, messages.fill_commands, *targets))

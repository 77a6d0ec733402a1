# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import time

import numpy as np
import pytest

from neuron_reach.analysis import ActivityRecord
from neuron_reach.bags.storage import humble_types
from neuron_reach.bags.writer import BagWriter

STRING = 'std_msgs/msg/String'


@pytest.fixture(params=['mcap', 'sqlite3'])
def storage(request):
    return request.param


@pytest.fixture
def types():
    return humble_types()


@pytest.fixture
def text_message(types):
    """Serialize a text as a std_msgs/String."""

    def serialize(text):
        return types.serialize_cdr(types.types[STRING](text), STRING)

    return serialize


@pytest.fixture
def write_texts(text_message):
    """Write one bag with the texts on a topic; message i has time i."""

    def write(path, storage, texts, topic='/arm/checkpoint'):
        with BagWriter(path, storage) as bag:
            bag.add_topic(topic, STRING, transient_local=True)
            for time, text in enumerate(texts):
                bag.write(topic, time, text_message(text))
        return next(item for item in path.iterdir() if item.suffix != '.yaml')

    return write


@pytest.fixture
def record_small():
    draw = np.random.default_rng(0)
    return ActivityRecord(
        activations=draw.random((4, 3, 9), np.float32),
        lengths=np.full(4, 3),
        layers=('input', 'hidden_1', 'output'),
        sizes=(4, 2, 3),
        goals=draw.random((4, 2)),
        rewards=draw.random(4),
        network={'path': '/x/checkpoint', 'version': 3},
    )


@pytest.fixture
def in_time():
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < 20  # some of these took minutes, and gigabytes

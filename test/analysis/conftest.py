# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import numpy as np
import pytest

from neuron_reach.analysis import ActivityRecord


@pytest.fixture
def random_record():
    """Makes records of random activity, some of it silent, of episodes of different lengths."""

    def make(episodes=6, steps=9, sizes=(4, 7, 5, 3), seed=0, equal=False):
        draw = np.random.default_rng(seed)
        lengths = np.full(episodes, steps) if equal else draw.integers(1, steps + 1, episodes)
        goals, rewards = draw.normal(size=(episodes, 2)), draw.random(episodes)
        activations = draw.normal(size=(episodes, steps, sum(sizes))).astype(np.float32)
        hidden = slice(sizes[0], sum(sizes[:-1]))
        activations[:, :, hidden] = np.maximum(activations[:, :, hidden], 0.0)
        activations[np.arange(steps) >= lengths[:, None]] = 0.0
        names = ('input', *(f'hidden_{n}' for n in range(1, len(sizes) - 1)), 'output')
        return ActivityRecord(activations, lengths, names, sizes, goals, rewards)

    return make

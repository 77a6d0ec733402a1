# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Small Gymnasium environments for tests of playing; `environments:Ramp-v0` names the first."""

import gymnasium
import numpy as np
from gymnasium import spaces


class Ramp(gymnasium.Env):
    """Observes (time, length); lasts as many steps as its seed says, and rewards the action."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = spaces.Discrete(3)
    metadata = {'render_fps': 10, 'render_modes': []}  # noqa: RUF012  # as Gymnasium declares it

    def __init__(self, longest=40, success=True):
        self.longest, self.success = longest, success
        self.seeds = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.time, self.length = 0, int(self.np_random.integers(1, self.longest + 1))
        return np.array([0.0, self.length]), {}

    def step(self, action):
        self.time += 1
        over = self.time == self.length
        even = self.length % 2 == 0
        info = {'is_success': even} if over and self.success else {}
        observation = np.array([self.time, self.length], float)
        return observation, float(action) + 0.25, over and even, over and not even, info


class Parts(gymnasium.Env):
    """Observes a dict with discrete parts; acts within bounds."""

    observation_space = spaces.Dict(
        {
            'wheel': spaces.MultiDiscrete([2, 3]),
            'box': spaces.Box(-1, 1, (2, 2), np.float32),
            'gear': spaces.Discrete(3, start=1),
            'lamps': spaces.MultiBinary(2),
        }
    )
    action_space = spaces.Box(np.array([-1, 0], np.float32), np.array([2, 1], np.float32))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.actions, self.seen = [], []
        return self._observe(), {}

    def _observe(self):
        self.seen.append(self.observation_space.sample())
        return self.seen[-1]

    def step(self, action):
        assert self.action_space.contains(action), action
        self.actions.append(action)
        return self._observe(), 0.0, False, len(self.actions) == 5, {}


class Spaces(gymnasium.Env):
    """Has the given spaces; its episodes never end."""

    def __init__(self, observations, actions):
        self.observation_space, self.action_space = observations, actions
        self.actions = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        self.actions.append(action)
        return self.observation_space.sample(), 1.0, False, False, {}


gymnasium.register('Ramp-v0', entry_point=Ramp)

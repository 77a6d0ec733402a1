# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A short task in which a policy says whether two numbers have the same sign, and small policies.

`sb3.signs:Signs-v0` takes 0 or 1, `sb3.signs:Steer-v0` a number, of which the sign counts.
"""

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

STEPS = 10
SIGNS, STEER = 'sb3.signs:Signs-v0', 'sb3.signs:Steer-v0'


class Signs(gymnasium.Env):
    """Rewards each right answer by 1; an episode with at least 8 of 10 is a success."""

    observation_space = spaces.Box(-1.0, 1.0, (3,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, scale=1.0, says=True):
        self.scale, self.says = scale, says

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = self.right = 0
        return self._observe(), {}

    def _observe(self):
        self.seen = self.np_random.uniform(-1.0, 1.0, 3).astype(np.float32)
        return self.seen * np.float32(self.scale)

    def answer(self, action):
        return bool(action)

    def step(self, action):
        right = self.answer(action) == (self.seen[0] * self.seen[1] > 0)
        self.steps += 1
        self.right += right
        over = self.steps == STEPS
        info = {'is_success': self.right >= 8} if over and self.says else {}
        return self._observe(), float(right), over, False, info


class Steer(Signs):
    """Takes a number."""

    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def answer(self, action):
        return bool(action[0] > 0)


gymnasium.register('Signs-v0', Signs, max_episode_steps=STEPS)
gymnasium.register('Silent-v0', Signs, max_episode_steps=STEPS, kwargs={'says': False})
gymnasium.register('Large-v0', Signs, max_episode_steps=STEPS, kwargs={'scale': 50.0})
gymnasium.register('Steer-v0', Steer, max_episode_steps=STEPS)


def model(algorithm, env=SIGNS, **options):
    """Return a small untrained model."""
    options = {'policy_kwargs': {'net_arch': [16, 12]}, 'seed': 0, 'device': 'cpu', **options}
    return algorithm('MlpPolicy', gymnasium.make(env), **options)


def teach(network, *, scale=1.0):
    """Let a network of two outputs give the right answers, without any environment."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(400):
        seen = torch.rand((128, 3), generator=generator) * 2 - 1
        right = (seen[:, 0] * seen[:, 1] > 0).long()
        loss = torch.nn.functional.cross_entropy(network(seen * scale), right)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def taught_ppo():
    """Return a PPO model that passes, with a value network that knows nothing."""
    from stable_baselines3 import PPO

    made = model(PPO, n_steps=64, batch_size=32, n_epochs=4, learning_rate=3e-3)
    policy = made.policy
    teach(torch.nn.Sequential(policy.mlp_extractor.policy_net, policy.action_net))
    return made

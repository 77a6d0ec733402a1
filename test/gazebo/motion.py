# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Motions of arms that several tests play."""

import numpy as np

from neuron_reach.arm.task import action_table


def play(arms, seed, steps=20):
    """Play random actions from the start pose; return angles (steps, arms, n)."""
    generator = np.random.default_rng(seed)
    actions = action_table(arms.options.joints)
    target = np.tile(arms.options.start_pose, (arms.arms, 1))
    arms.reset()
    angles = []
    for _ in range(steps):
        target = target + actions[generator.integers(len(actions), size=arms.arms)]
        arms.send(target)
        angles.append(arms.receive())
    return np.array(angles)

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
import torch

from neuron_reach.arm.simulator import ArmOptions, FleetSimulator
from neuron_reach.arm.task import ReachingTask, TaskOptions
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.rollout import greedy_successes, play

STEPS = 8


@pytest.fixture
def task():
    return ReachingTask(TaskOptions(episode_steps=STEPS, success_reward=0.5), ArmOptions(joints=2))


def network_of(task, members=1, seed=0):
    network = QNetwork(*[(task.observation_size, 12, len(task.actions))] * members)
    network.flat.copy_(
        torch.randn(network.flat.shape, generator=torch.Generator().manual_seed(seed))
    )
    return network


class Log:
    """A watcher that writes down what it is told."""

    def __init__(self):
        self.told = []

    def begin(self, goals):
        self.told.append(('begin', goals.copy()))

    def observe(self, observations):
        self.told.append(('observe', observations.copy()))

    def end(self, final_rewards):
        self.told.append(('end', final_rewards.copy()))


def test_a_rollout_is_what_the_simulator_does_step_by_step(task):
    members, arms = 2, 3
    draw = np.random.default_rng(0)
    goals = draw.uniform(-1, 1, (members, arms, 2))
    script = draw.integers(9, size=(STEPS, members, arms))
    chosen_for = []

    def choose(observations):
        chosen_for.append(observations.copy())
        return script[len(chosen_for) - 1]

    fleet = FleetSimulator(task.arm, members * arms)
    fleet.send(np.zeros((6, 2)))  # a past that the reset has to wipe out
    fleet.receive()
    beats, log = [], Log()
    rollout = play(fleet, task, goals, choose, lambda: beats.append(len(chosen_for)), log)
    assert np.array_equal(rollout.actions, script)
    assert np.array_equal(chosen_for, rollout.observations[:-1])
    assert beats == list(range(1, STEPS + 1))
    for member, arm in np.ndindex(members, arms):
        alone = FleetSimulator(task.arm, 1)
        targets = alone.reset()
        goal = goals[member, arm]
        seen = rollout.observations[:, member, arm]
        assert np.array_equal(seen[0], task.observe(task.arm.start_pose, goal))
        for step in range(STEPS):
            targets += task.actions[script[step, member, arm]]
            alone.send(targets)
            angles = alone.receive()[0]
            assert np.array_equal(seen[step + 1], task.observe(angles, goal))
            assert rollout.rewards[step, member, arm] == pytest.approx(
                task.reward(angles, goal), rel=1e-12
            )
    assert [kind for kind, _ in log.told] == ['begin', *['observe'] * STEPS, 'end']
    assert np.array_equal(log.told[0][1], goals.reshape(-1, 2))
    assert np.array_equal(log.told[-1][1], rollout.rewards[-1].reshape(-1))
    for (_, observed), seen in zip(log.told[1:-1], rollout.observations[:-1], strict=True):
        assert np.array_equal(observed, seen.reshape(members * arms, -1))


@pytest.mark.parametrize('arms', [1, 3, 7, 10, 25])
def test_greedy_successes_do_not_depend_on_the_size_of_the_fleet(task, arms):
    goals = task.sample_goals(np.random.default_rng(1), 20)[None]
    network = network_of(task)
    reference = greedy_successes(FleetSimulator(task.arm, 20), task, network, goals)[0]
    won = greedy_successes(FleetSimulator(task.arm, arms), task, network, goals)[0]
    assert won.shape == (20,)
    assert np.array_equal(won, reference)
    assert won.any()
    assert not won.all()


def test_a_hopeless_member_is_tested_no_further_but_the_others_are(task):
    goals = np.zeros((2, 12, 2))
    goals[0] = [0.0, 1.0]  # near the start pose of an arm that stays upright
    goals[1] = [0.0, -1.0]
    network = network_of(task, 2)
    network.flat.zero_()
    network.biases[-1][:, 0, 4] = 1.0  # action 4 moves no joint
    won = greedy_successes(FleetSimulator(task.arm, 4), task, network, goals, stop_after_failures=3)
    assert won[0].tolist() == [True] * 12
    assert won[1].tolist() == [False] * 4  # after the second round it is certain


def test_a_member_may_fail_exactly_as_often_as_is_allowed(task):
    near, far = [0.0, 1.0], [0.0, -1.0]  # for an arm that stays upright
    goals = np.full((3, 12, 2), near)
    goals[1, :3] = goals[2, :4] = far
    network = network_of(task, 3)
    network.flat.zero_()
    network.biases[-1][:, 0, 4] = 1.0  # action 4 moves no joint
    fleet = FleetSimulator(task.arm, 3 * 4)
    won = greedy_successes(fleet, task, network, goals, stop_after_failures=3)
    assert [row.tolist() for row in won] == [
        [True] * 12,
        [False] * 3 + [True] * 9,
        [False] * 4,  # one too many
    ]


def test_arms_beyond_those_of_the_members_stay_where_they_start(task):
    sent = []

    class Fleet(FleetSimulator):
        def send(self, targets):
            sent.append(targets.copy())
            super().send(targets)

    fleet = Fleet(task.arm, 5)
    play(fleet, task, np.zeros((2, 2, 2)), lambda seen: np.zeros(seen.shape[:2], np.int64))
    assert len(sent) == STEPS
    for step, targets in enumerate(sent, start=1):
        assert np.array_equal(targets[4], task.arm.start_pose)
        assert targets[:4] == pytest.approx(task.arm.start_pose - 0.05 * step + np.zeros((4, 2)))

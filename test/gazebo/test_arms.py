# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Arms in the real Gazebo: time, repetition and physics."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from gazebo.motion import play
from neuron_reach.arm.kinematics import link_ends
from neuron_reach.arm.simulator import CONTROL_PERIOD, ArmOptions
from neuron_reach.arm.task import action_table

GRAVITY = 9.81


@pytest.mark.parametrize('physics_steps', [25, 50])
def test_a_cycle_is_50_ms_and_time_stands_still_between_cycles(make_arms, physics_steps):
    arms = make_arms(physics_steps=physics_steps)
    start = arms.time
    for cycle in range(1, 21):
        arms.receive()
        assert arms.time == pytest.approx(start + cycle * CONTROL_PERIOD, abs=1e-9)
        if cycle == 10:
            time.sleep(0.2)


def test_a_reset_puts_the_arm_at_rest_into_the_start_pose(make_arms):
    arms = make_arms(joints=4)
    play(arms, 1)
    assert np.abs(arms.joint_velocities).max() > 1e-3
    assert arms.reset() == pytest.approx(np.array([arms.options.start_pose]), abs=1e-12)
    assert arms.joint_velocities == pytest.approx(np.zeros((1, 4)), abs=1e-12)


def test_episodes_repeat_after_any_other_motion(make_arms):
    arms = make_arms()
    first = play(arms, 1)
    play(arms, 2)
    assert play(arms, 1) == pytest.approx(first, abs=1e-9)


def test_arms_of_a_fleet_move_as_each_would_alone(make_arms):
    fleet = play(make_arms(joints=2, arms=3), 5)
    alone = make_arms(joints=2)
    generator = np.random.default_rng(5)
    choices = [generator.integers(9, size=3) for _ in range(20)]
    for arm in range(3):
        alone.reset()
        target = alone.options.start_pose[None]
        for step, chosen in enumerate(choices):
            target = target + action_table(2)[chosen[arm]]
            alone.send(target)
            assert alone.receive()[0] == pytest.approx(fleet[step, arm], abs=1e-6)


@pytest.mark.parametrize('joints', range(1, 7))
def test_joints_follow_what_the_policy_commands(make_arms, joints):
    """At the fastest motion there is, for every arm."""
    arms = make_arms(joints=joints)
    target = arms.options.start_pose[None].copy()
    for step in range(30):
        target = target + 0.05 * (1 if step < 15 else -1)
        arms.send(target)
        assert arms.receive() == pytest.approx(target, abs=0.2)
    for _ in range(20):
        arms.receive()
    assert arms.joint_angles == pytest.approx(target, abs=0.005)


def level(arms):
    """Return the pose stretched out level."""
    return np.zeros((arms.arms, arms.options.joints))


def test_without_control_the_arm_falls(make_arms):
    arms = make_arms(gain_scale=0.0)
    arms.place(level(arms))
    for _ in range(20):
        arms.receive()
    assert arms.joint_angles[0, 0] < -0.1


def test_without_the_integral_the_arm_droops_as_its_weight_predicts(make_arms):
    arms = make_arms(joints=2)
    gains = [replace(joint, i=0.0) for joint in arms.gains]
    arms.set_gains(gains)
    arms.place(level(arms))
    for _ in range(60):
        arms.receive()
    angles = arms.joint_angles[0]
    mass, length = 1000.0 * math.pi * 0.02**2 * 0.5, 0.5
    ends = link_ends(angles, [length, length])[:, 0]
    centres = (ends + np.concatenate(([0.0], ends[:-1]))) / 2
    torques = [mass * GRAVITY * centres.sum(), mass * GRAVITY * (centres[1] - ends[0])]
    droop = [torque / joint.p for torque, joint in zip(torques, gains, strict=True)]
    assert -angles == pytest.approx(droop, rel=1e-3)
    assert droop[0] > 1e-3


@pytest.mark.parametrize('joints', [1, 3, 6])
def test_with_the_integral_nothing_droops(make_arms, joints):
    arms = make_arms(joints=joints)
    arms.place(level(arms))
    for _ in range(100):
        arms.receive()
    assert arms.joint_angles == pytest.approx(level(arms), abs=1e-4)


def energy(arms):
    """Return kinetic and potential energy of the first arm, J, from its angles and velocities."""
    lengths = arms.options.link_lengths
    angles, velocities = arms.joint_angles[0], arms.joint_velocities[0]
    mass = 1000.0 * math.pi * 0.02**2 * lengths
    inertia = mass * (3 * 0.02**2 + lengths**2) / 12

    def centres(angles):
        ends = link_ends(angles, lengths)
        return ends - np.diff(ends, axis=0, prepend=0.0) / 2

    step = 1e-6
    speeds = (centres(angles + step * velocities) - centres(angles - step * velocities)) / step / 2
    spins = np.cumsum(velocities)
    kinetic = (mass * (speeds**2).sum(axis=1) + inertia * spins**2).sum() / 2
    return kinetic + GRAVITY * (mass * centres(angles)[:, 1]).sum()


@pytest.mark.parametrize('joints', [1, 3, 6])
def test_energy_only_falls_without_actuation(make_arms, joints):
    arms = make_arms(joints=joints, gain_scale=0.0)
    arms.place(level(arms) + 0.3)
    energies = [energy(arms)]
    for _ in range(200):
        arms.receive(10)
        energies.append(energy(arms))
    assert energies[-1] < energies[0] - 0.5
    assert np.diff(energies).max() < 1e-3


def test_a_payload_is_carried(make_arms):
    """Without the integral it droops further, as far as its weight says."""
    angles = []
    for payload in (0.0, 0.5):
        arms = make_arms(joints=1, payload=payload)
        arms.set_gains([replace(arms.gains[0], i=0.0)])
        arms.place(level(arms))
        for _ in range(60):
            arms.receive()
        angles.append(
            -arms.joint_angles[0, 0] * arms.gains[0].p / math.cos(arms.joint_angles[0, 0])
        )
    assert angles[1] - angles[0] == pytest.approx(0.5 * GRAVITY, rel=0.01)


def test_gains_are_scaled_as_requested(make_arms):
    right, wrong = make_arms(joints=2).gains, make_arms(joints=2, gain_scale=0.5).gains
    for a, b in zip(right, wrong, strict=True):
        assert (b.p, b.i, b.d) == pytest.approx((a.p / 2, a.i / 2, a.d / 2))
        assert b.effort_limit == a.effort_limit


def test_the_arm_is_the_one_that_is_asked_for(make_arms):
    arms = make_arms(joints=2, arm_length=0.5, bend=0.7)
    assert arms.joint_angles[0] == pytest.approx(
        ArmOptions(joints=2, arm_length=0.5, bend=0.7).start_pose
    )
    for _ in range(20):
        arms.receive()
    assert arms.joint_angles[0] == pytest.approx(arms.options.start_pose, abs=1e-3)

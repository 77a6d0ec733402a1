# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuron_reach.arm.kinematics import forward_kinematics
from neuron_reach.arm.simulator import CONTROL_PERIOD, ArmOptions, FleetSimulator

seeds = st.integers(0, 2**32 - 1)


def random_targets(options, arms, cycles, seed):
    """Target angles that now crawl and now jump, (cycles, arms, joints)."""
    generator = np.random.default_rng(seed)
    shape = (cycles, arms, options.joints)
    jumps = generator.uniform(-3, 3, shape) * (generator.random(shape) < 0.1)
    crawl = generator.choice([-0.05, 0.0, 0.05], shape)
    return options.start_pose + np.cumsum(jumps + crawl, axis=0)


def play(simulator, targets):
    """Angles and velocities after every control cycle, both (cycles, arms, joints)."""
    angles, velocities = [], []
    for target in targets:
        simulator.send(target)
        angles.append(simulator.receive())
        velocities.append(simulator.joint_velocities)
    return np.array(angles), np.array(velocities)


@settings(max_examples=25)
@given(seed=seeds, joints=st.integers(1, 4), arms=st.integers(1, 70))
def test_a_fleet_is_exactly_so_many_single_arms(seed, joints, arms):
    options = ArmOptions(joints=joints)
    targets = random_targets(options, arms, 12, seed)
    fleet = play(FleetSimulator(options, arms), targets)
    for arm in {0, arms // 2, arms - 1}:
        alone = play(FleetSimulator(options, 1), targets[:, arm : arm + 1])
        assert np.array_equal(fleet[0][:, arm], alone[0][:, 0])
        assert np.array_equal(fleet[1][:, arm], alone[1][:, 0])


@settings(max_examples=25)
@given(seed=seeds, steps=st.integers(10, 30), integral_limit=st.floats(0.0, 0.5))
def test_the_compiled_controller_computes_what_numpy_does(seed, steps, integral_limit):
    options = ArmOptions(joints=3, inner_steps=steps, integral_limit=integral_limit)
    targets = random_targets(options, 5, 12, seed)
    period, limit = CONTROL_PERIOD / steps, options.velocity_limit
    angles = np.tile(options.start_pose, (5, 1))
    velocity, integral = np.zeros((5, 3)), np.zeros((5, 3))
    for target, angles_now, velocity_now in zip(
        targets, *play(FleetSimulator(options, 5), targets), strict=True
    ):
        for _ in range(steps):
            error = target - angles
            velocity = options.pid_p * error + integral - options.pid_d * velocity
            velocity = np.clip(velocity, -limit, limit)
            integral = integral + options.pid_i * period * error
            integral = np.clip(integral, -integral_limit, integral_limit)
            angles = angles + period * velocity
        assert np.array_equal(angles, angles_now)
        assert np.array_equal(velocity, velocity_now)


@settings(max_examples=25)
@given(seed=seeds, limit=st.floats(0.1, 5.0), gain=st.floats(1.0, 150.0))
def test_no_joint_is_ever_faster_than_its_limit(seed, limit, gain):
    options = ArmOptions(joints=2, velocity_limit=limit, pid_p=gain)
    start = np.broadcast_to(options.start_pose, (1, 3, 2))
    angles, velocities = play(FleetSimulator(options, 3), random_targets(options, 3, 40, seed))
    assert np.abs(velocities).max() <= limit
    moved = np.abs(np.diff(np.concatenate((start, angles)), axis=0))
    assert moved.max() <= limit * CONTROL_PERIOD * (1 + 1e-12)


def test_a_far_target_is_approached_at_the_velocity_limit():
    options = ArmOptions(joints=1)
    target = options.start_pose + 10.0
    _, velocities = play(FleetSimulator(options, 1), np.tile(target, (20, 1, 1)))
    assert np.all(velocities == options.velocity_limit)


@pytest.mark.parametrize('joints', [1, 4])
def test_every_target_is_reached_without_an_error_that_stays(joints):
    options = ArmOptions(joints=joints)
    targets = options.start_pose + np.random.default_rng(0).uniform(-2.5, 2.5, (30, joints))
    # At 3 rad/s the way takes less than 17 cycles; then the integral share has to decay.
    decay = options.pid_p / options.pid_i / CONTROL_PERIOD
    cycles = 40 + round(12 * decay)
    angles, velocities = play(FleetSimulator(options, 30), np.tile(targets, (cycles, 1, 1)))
    assert np.abs(angles[40] - targets).max() < 0.01
    assert np.abs(angles[-1] - targets).max() < 1e-6
    assert np.abs(velocities[-1]).max() < 1e-6


def test_a_ramp_as_in_an_episode_is_followed_closely():
    """A target that moves 0.05 rad a cycle for 50 cycles and rests for 10, as the policy's can."""
    options = ArmOptions(joints=3)
    steps = np.minimum(np.arange(1, 61), 50)[:, None, None] * 0.05
    targets = options.start_pose + steps * np.array([[[1.0, -1.0, 0.0]]])
    angles, _ = play(FleetSimulator(options, 1), targets)
    assert np.abs(angles - targets).max() < 0.05
    assert np.abs(angles[-1] - targets[-1]).max() < 0.005


@settings(max_examples=10)
@given(seed=seeds)
def test_after_a_reset_nothing_of_the_past_is_left(seed):
    options = ArmOptions(joints=2)
    used, fresh = FleetSimulator(options, 4), FleetSimulator(options, 4)
    play(used, random_targets(options, 4, 10, seed))
    assert np.array_equal(used.reset(), np.tile(options.start_pose, (4, 1)))
    assert not used.joint_velocities.any()
    assert np.array_equal(used.receive(), fresh.receive())  # the old targets are gone, too
    targets = random_targets(options, 4, 10, seed + 1)
    assert all(map(np.array_equal, play(used, targets), play(fresh, targets)))


def test_what_was_handed_out_or_in_is_not_shared():
    simulator = FleetSimulator(ArmOptions(joints=2), 2)
    targets = simulator.options.start_pose + np.ones((2, 2))
    simulator.send(targets)
    targets[:] = 0.0
    angles = simulator.receive()
    kept = angles.copy()
    simulator.receive()
    assert np.array_equal(angles, kept)
    assert (angles > simulator.options.start_pose).all()


@given(joints=st.integers(1, 6), length=st.floats(0.01, 100.0), bend=st.floats(-3.0, 3.0))
def test_links_share_the_length_and_the_start_pose_is_balanced_about_upright(joints, length, bend):
    options = ArmOptions(joints=joints, arm_length=length, bend=bend)
    assert options.link_lengths == pytest.approx([length / joints] * joints)
    absolute = np.cumsum(options.start_pose)
    assert absolute.mean() == pytest.approx(math.pi / 2)
    tip = forward_kinematics(options.start_pose, options.link_lengths)
    assert tip[0] == pytest.approx(0.0, abs=1e-12 * length)


@pytest.mark.parametrize('joints', [2, 3, 4])
def test_the_jacobian_of_the_start_pose_has_full_rank(joints):
    options = ArmOptions(joints=joints)
    h = 1e-6
    columns = [
        forward_kinematics(options.start_pose + h * unit, options.link_lengths)
        - forward_kinematics(options.start_pose - h * unit, options.link_lengths)
        for unit in np.eye(joints)
    ]
    singular = np.linalg.svd(np.array(columns).T / (2 * h), compute_uv=False)
    assert singular[1] > 0.02

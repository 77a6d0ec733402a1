# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import KDTree
from scipy.stats import chisquare

from neuron_reach.arm.kinematics import forward_kinematics
from neuron_reach.arm.simulator import ArmOptions, FleetSimulator
from neuron_reach.arm.task import ReachingTask, TaskOptions, action_table, goal_cells

SUCCESS_RADIUS = 0.9**-0.5 - 1.0
CELLS = {1: 191, 2: 3878, 3: 4004}
"""Cells of the goal region by joints; another number changes what every seed draws."""


def task(joints=2, **options):
    return ReachingTask(TaskOptions(**options), ArmOptions(joints=joints))


def test_the_success_radius_is_that_of_the_paper():
    assert pytest.approx(0.0541, abs=5e-5) == SUCCESS_RADIUS


@pytest.mark.parametrize('joints', [1, 2, 3, 4])
def test_actions_are_every_combination_once_the_last_joint_changing_fastest(joints):
    actions = action_table(joints)
    assert actions.shape == (3**joints, joints)
    for index, row in enumerate(actions):
        digits = [index // 3 ** (joints - 1 - joint) % 3 for joint in range(joints)]
        assert row == pytest.approx([0.05 * (digit - 1) for digit in digits])
    assert not actions[3**joints // 2].any()


@given(
    st.lists(st.floats(-20.0, 20.0), min_size=3, max_size=3),
    st.floats(-1.0, 1.0),
    st.floats(-1.0, 1.0),
)
def test_an_observation_is_sine_and_cosine_of_each_joint_then_the_goal(angles, x, z):
    seen = task(3).observe(angles, (x, z))
    expected = [f(angle) for angle in angles for f in (np.sin, np.cos)] + [x, z]
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, expected, atol=1e-7)


def test_observations_keep_leading_axes():
    generator = np.random.default_rng(0)
    angles, goals = generator.random((4, 5, 2)), generator.random((4, 5, 2))
    seen = task(2).observe(angles, goals)
    assert seen.shape == (4, 5, 6)
    for index in np.ndindex(4, 5):
        assert np.array_equal(seen[index], task(2).observe(angles[index], goals[index]))


distances = st.floats(0.0, 3.0)
directions = st.floats(-np.pi, np.pi)


@given(distances, directions)
def test_rewards_follow_their_formulas(distance, direction):
    goal = np.array([0.0, 1.0]) + distance * np.array([np.cos(direction), np.sin(direction)])
    upright = [np.pi / 2, 0.0]  # tip at (0, 1)
    assert task().distance(upright, goal) == pytest.approx(distance, abs=1e-12)
    inverse = task().reward(upright, goal)
    assert inverse == pytest.approx((1 / (1 + distance)) ** 2, abs=1e-12)
    linear = task(reward='linear').reward(upright, goal)
    expected = (1 - distance / 2) ** 2 if distance < 2 else 0.0  # d_max = 2 m
    assert linear == pytest.approx(expected, abs=1e-12)


@given(distances)
def test_success_is_the_paper_s_radius(distance):
    own = task()
    reached = bool(own.success(own.reward_at(np.array(distance))))
    if abs(distance - SUCCESS_RADIUS) > 1e-9:
        assert reached == (distance < SUCCESS_RADIUS)


def test_success_takes_the_threshold_of_the_options():
    assert task(success_reward=0.5).success([0.49, 0.5, 0.51]).tolist() == [False, True, True]


# --- goals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('joints', 'goals'), [(1, 'upper'), (1, 'full'), (2, 'upper'), (2, 'full'), (3, 'full')]
)
def test_every_goal_can_be_reached_by_actions_within_an_episode(joints, goals):
    """Search the poses that 50 actions a joint can command, then go there and see."""
    own = task(joints, goals=goals)
    arm, steps = own.arm, own.options.reach_steps
    wanted = own.sample_goals(np.random.default_rng(0), 500)
    if joints < 3:
        moves = np.array(list(itertools.product(range(-steps, steps + 1), repeat=joints)))
    else:
        moves = np.random.default_rng(1).integers(-steps, steps + 1, (200_000, joints))
    tips = forward_kinematics(arm.start_pose + 0.05 * moves, arm.link_lengths)
    distance, nearest = KDTree(tips).query(wanted)
    assert distance.max() < SUCCESS_RADIUS
    fleet, left = FleetSimulator(arm, len(wanted)), moves[nearest]
    targets = fleet.reset()
    for _ in range(own.options.episode_steps):
        actions = (np.clip(left, -1, 1) + 1) @ 3 ** np.arange(joints)[::-1]
        left = left - np.clip(left, -1, 1)
        targets += own.actions[actions]
        fleet.send(targets)
        angles = fleet.receive()
    assert own.success(own.reward(angles, wanted)).all()


@pytest.mark.parametrize('goals', ['upper', 'full'])
@pytest.mark.parametrize('joints', [1, 2, 3])
def test_the_goal_region_leaves_out_nothing_the_tip_reaches(joints, goals):
    own = task(joints, goals=goals)
    span = 0.05 * own.options.reach_steps
    offsets = np.random.default_rng(2).uniform(-span, span, (20_000, joints))
    tips = forward_kinematics(own.arm.start_pose + offsets, own.arm.link_lengths)
    if goals == 'upper':
        tips = tips[tips[:, 1] >= 0]
    corners, edge = goal_cells(own.arm, own.options)
    marked = set(map(tuple, np.rint(corners / edge).astype(int)))
    hit = [cell in marked for cell in map(tuple, np.floor(tips / edge).astype(int))]
    assert np.mean(hit) > 0.999  # the rim is only as sharp as the search for it


def test_upper_goals_are_the_upper_part_of_the_full_disc():
    (upper, edge), (full, _) = (
        goal_cells(ArmOptions(joints=2), TaskOptions(goals=goals)) for goals in ('upper', 'full')
    )
    assert upper[:, 1].min() == pytest.approx(0.0)
    above = full[full[:, 1] > -edge / 2]
    np.testing.assert_allclose(upper, above)
    assert len(full) > 1.2 * len(upper)


@pytest.mark.parametrize(('joints', 'goals'), [(1, 'full'), (2, 'upper')])
def test_goals_are_uniform_by_area(joints, goals):
    own = task(joints, goals=goals)
    drawn = own.sample_goals(np.random.default_rng(3), 60_000)
    corners, edge = goal_cells(own.arm, own.options)
    _, cell = KDTree(corners + edge / 2).query(drawn, p=np.inf)
    inside = (drawn - corners[cell]) / edge
    assert inside.min() > -1e-9
    assert inside.max() < 1 + 1e-9
    assert chisquare(np.bincount(cell, minlength=len(corners))).pvalue > 0.01
    where = np.histogram2d(*inside.T, bins=5)[0]
    assert chisquare(where.ravel()).pvalue > 0.01


@pytest.mark.parametrize(('joints', 'cells'), CELLS.items())
def test_the_goals_of_a_seed_stay_what_they_were(joints, cells):
    corners, edge = goal_cells(ArmOptions(joints=joints), TaskOptions())
    assert edge == 0.02
    assert len(corners) == pytest.approx(cells, abs=2)  # but for rounding elsewhere


def test_goals_depend_on_nothing_but_the_generator():
    first, second = (task().sample_goals(np.random.default_rng(4), 50) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize('length', [0.1, 1.0, 1.9])
def test_cells_scale_with_the_arm(length):
    small, edge = goal_cells(ArmOptions(joints=2, arm_length=length), TaskOptions())
    unit, unit_edge = goal_cells(ArmOptions(joints=2), TaskOptions())
    assert edge == pytest.approx(unit_edge * length)
    assert len(small) == pytest.approx(len(unit), abs=5)  # but for cells grazed by rounding
    assert np.sqrt(2) * edge < SUCCESS_RADIUS

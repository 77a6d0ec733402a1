# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import re

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.environment import ENVIRONMENT_ID, ReachEnv, ReachVectorEnv
from neuron_reach.errors import UserError
from neuron_reach.learning.rollout import play

SHORT = {'joints': 2, 'episode_steps': 7, 'reach_steps': 5}


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('options', [{'joints': 1}, {'joints': 2, 'goals': 'full'}])
def test_gymnasiums_checker_has_nothing_to_say(options):
    check_env(gymnasium.make(ENVIRONMENT_ID, **options).unwrapped)


@pytest.mark.filterwarnings('error:.*environment.*:UserWarning')
def test_stable_baselines3s_checker_has_nothing_to_say():
    checker = pytest.importorskip('stable_baselines3.common.env_checker')
    checker.check_env(gymnasium.make(ENVIRONMENT_ID, joints=2).unwrapped)


def test_gymnasium_can_import_the_module_itself():
    env = gymnasium.make(f'neuron_reach.environment:{ENVIRONMENT_ID}', joints=2)
    assert isinstance(env.unwrapped, ReachEnv)


def test_an_episode_ends_by_truncation_after_60_steps():
    env = gymnasium.make(ENVIRONMENT_ID, joints=1)
    env.reset(seed=0)
    for step in range(1, 61):
        _, _, terminated, truncated, info = env.step(step % 3)
        assert not terminated
        assert truncated == (step == 60) == ('is_success' in info)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)


def test_a_step_before_the_first_reset_is_refused():
    with pytest.raises(gymnasium.error.ResetNeeded):
        ReachEnv(joints=1).step(0)


@pytest.mark.parametrize('action', [-1, 9])
def test_an_action_out_of_range_is_refused(action):
    env = ReachEnv(joints=2)
    env.reset()
    with pytest.raises(AssertionError, match='Discrete'):
        env.step(action)
    envs = ReachVectorEnv(2, joints=2)
    envs.reset()
    with pytest.raises(AssertionError, match='MultiDiscrete'):
        envs.step(np.array([0, action]))


@settings(max_examples=25)
@given(
    joints=st.integers(1, 2),
    goals=st.sampled_from(['upper', 'full']),
    arm_length=st.sampled_from([0.3, 1.0, 1.8]),
    bias=st.integers(0, 8),
    seed=st.integers(0, 2**31),
)
def test_observations_keep_to_their_bounds(joints, goals, arm_length, bias, seed):
    env = ReachEnv(joints=joints, goals=goals, arm_length=arm_length)
    generator = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    truncated = False
    while not truncated:
        assert env.observation_space.contains(observation)
        # Mostly the same action, so that the arm gets far.
        stray = generator.random() < 0.2
        action = generator.integers(3**joints) if stray else bias % 3**joints
        observation, reward, _, truncated, info = env.step(action)
        assert 0.0 <= reward <= 1.0
        assert reward == pytest.approx((1.0 + info['distance']) ** -2)
    assert env.observation_space.contains(observation)


@pytest.mark.parametrize('goals', ['upper', 'full'])
def test_goals_use_the_whole_range_of_their_bounds(goals):
    env = ReachEnv(joints=2, goals=goals)
    seen = np.array([env.reset(seed=seed)[0][-2:] for seed in range(2000)])
    space = env.observation_space
    assert seen.max(axis=0) == pytest.approx(space.high[-2:], abs=0.1)
    assert seen.min(axis=0) == pytest.approx(space.low[-2:], abs=0.1)


def test_a_reached_goal_is_a_success_and_a_missed_one_is_not():
    env = ReachEnv(**SHORT)
    flags = []
    for seed in range(300):
        env.reset(seed=seed)
        truncated = False
        while not truncated:  # up and forth, so as to get near some of the goals
            _, reward, _, truncated, info = env.step(seed % 9)
        assert info['is_success'] == (reward >= 0.9) == (info['distance'] <= 0.9**-0.5 - 1.0)
        assert type(info['is_success']) is bool
        flags.append(info['is_success'])
    assert any(flags)
    assert not all(flags)


def test_an_episode_is_the_one_that_training_plays():
    """Same goal, same actions: the environment and `rollout.play` are the same world."""
    env = ReachEnv(joints=3)
    observation, _ = env.reset(seed=5)
    goal = env.unwrapped._episodes.goals.copy()
    actions = np.random.default_rng(0).integers(27, size=60)
    script = iter(actions)
    rollout = play(
        FleetSimulator(env.task.arm, 1),
        env.task,
        goal[None],
        lambda seen: np.full(seen.shape[:2], next(script)),
    )
    assert np.array_equal(observation, rollout.observations[0, 0, 0])
    for step, action in enumerate(actions):
        observation, reward, _, _, _ = env.step(action)
        assert np.array_equal(observation, rollout.observations[step + 1, 0, 0])
        assert reward == rollout.rewards[step, 0, 0]


def test_a_seed_decides_the_goals_of_all_episodes_after_it():
    def goals(seed):
        env = ReachEnv(**SHORT)
        return [env.reset(seed=seed)[0][-2:]] + [env.reset()[0][-2:] for _ in range(3)]

    first, again, other = goals(3), goals(3), goals(4)
    assert np.array_equal(first, again)
    assert not np.intersect1d(first, other).size
    assert len(np.unique(first, axis=0)) == 4


def fleet_and_reference(count):
    """Return our vector environment, and Gymnasium's of as many single ones."""
    return gymnasium.make_vec(ENVIRONMENT_ID, num_envs=count, **SHORT), SyncVectorEnv(
        [lambda: gymnasium.make(ENVIRONMENT_ID, **SHORT) for _ in range(count)]
    )


def assert_same(ours, theirs):
    for one, other in zip(ours[:-1], theirs[:-1], strict=True):
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype
    assert ours[-1].keys() == theirs[-1].keys()
    for key, value in theirs[-1].items():
        assert np.array_equal(ours[-1][key], value)
        assert ours[-1][key].dtype == value.dtype


def test_a_vector_environment_steps_exactly_like_single_ones():
    count, steps = 5, 3 * 8  # an episode of 7 steps and the step that resets, three times
    envs, reference = fleet_and_reference(count)
    assert isinstance(envs, ReachVectorEnv)
    assert envs.metadata.get('autoreset_mode') == reference.metadata.get('autoreset_mode')
    for space in (
        'observation_space',
        'action_space',
        'single_observation_space',
        'single_action_space',
    ):
        assert getattr(envs, space) == getattr(reference, space)

    generator = np.random.default_rng(1)
    for seed in (11, [3, 1, 4, 1, 5]):
        assert_same(envs.reset(seed=seed), reference.reset(seed=seed))
        ends = 0
        for _ in range(steps):
            actions = generator.integers(9, size=count)
            ours = envs.step(actions)
            assert_same(ours, reference.step(actions))
            ends += int(ours[3].all())
        assert ends == 3


def masks(seed, count, steps):
    """Yield now and then which arms to reset, and with which seeds."""
    generator = np.random.default_rng(seed)
    for _ in range(steps):
        mask = generator.random(count) < 0.4
        if generator.random() < 0.3 and mask.any():
            seeds = [int(s) if s < 50 else None for s in generator.integers(100, size=count)]
            yield mask, [None, int(generator.integers(100)), seeds][generator.integers(3)]
        else:
            yield None, None


@pytest.mark.skipif(not hasattr(gymnasium.vector, 'AutoresetMode'), reason='Gymnasium 1.0')
@pytest.mark.parametrize('seed', range(4))
def test_a_reset_of_some_arms_is_what_gymnasiums_own_is(seed):
    count, steps = 5, 60
    envs, reference = fleet_and_reference(count)
    assert_same(envs.reset(seed=seed), reference.reset(seed=seed))
    generator = np.random.default_rng(seed)
    lengths = set()
    for mask, seeds in masks(seed, count, steps):
        if mask is not None:
            kept = mask.copy()
            ours = envs.reset(seed=seeds, options={'reset_mask': mask})
            assert_same(ours, reference.reset(seed=seeds, options={'reset_mask': kept}))
            assert np.array_equal(mask, kept)
        actions = generator.integers(9, size=count)
        ours = envs.step(actions)
        assert_same(ours, reference.step(actions))
        lengths.add(int(ours[3].sum()))
    assert {0, 1, 2} <= lengths  # episodes of single arms have ended


def test_the_arms_that_are_not_reset_go_on_as_if_nothing_had_happened():
    mask = np.array([True, False, False])

    def course(interrupted):
        envs = ReachVectorEnv(3, **SHORT)
        envs.reset(seed=9)
        for step in range(20):
            if interrupted and step in (3, 11):
                envs.reset(seed=step, options={'reset_mask': mask})
            yield [part[1:] for part in envs.step(np.full(3, step % 9))[:4]]

    for with_, without in zip(course(True), course(False), strict=True):
        assert all(map(np.array_equal, with_, without))


FLAGS = np.array([True, False, False, True])


@pytest.mark.skipif(not hasattr(gymnasium.vector, 'AutoresetMode'), reason='Gymnasium 1.0')
@pytest.mark.parametrize(
    'arguments',
    [
        *({'seed': seed} for seed in ([1, 2], [], (1, 2, 3, 4, 5), 1.5, 'abcd', 'ab', -1)),
        *({'seed': seed} for seed in ([1, 2, 3, -4], [1, 2, 3, 0.5], [1, 2, 3, '4'])),
        *({'seed': seed} for seed in (np.int64(1), np.array([1, 2]), np.arange(4), {1, 2})),
        *(
            {'options': {'reset_mask': mask}}
            for mask in (
                FLAGS.tolist(),
                FLAGS.astype(int),
                FLAGS[:3],
                FLAGS[None],
                ~FLAGS & FLAGS,
                True,
                None,
            )
        ),
        {'seed': [1, 2], 'options': {'reset_mask': FLAGS}},
    ],
    ids=str,
)
def test_a_wrong_reset_is_refused_as_gymnasiums_own_vector_environments_do(arguments):
    envs, reference = fleet_and_reference(4)
    for each in (envs, reference):
        each.reset(seed=0)
    options = arguments.get('options')
    with pytest.raises(Exception) as theirs:  # which one is what is compared
        reference.reset(**{**arguments, 'options': options and dict(options)})
    with pytest.raises(type(theirs.value)):
        envs.reset(**arguments)
    untouched, _ = fleet_and_reference(4)
    untouched.reset(seed=0)
    for _ in range(12):  # over the end of the episodes, so goals of the next ones as well
        ours, expected = envs.step(np.ones(4, int)), untouched.step(np.ones(4, int))
        assert np.array_equal(ours[0], expected[0])


def test_a_vector_environment_has_to_be_reset_first():
    envs = ReachVectorEnv(2, **SHORT)
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(np.zeros(2, int))
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.reset(options={'reset_mask': np.array([True, False])})
    envs.reset()
    with pytest.raises(AssertionError, match='MultiDiscrete'):
        envs.step(np.int64(3))


def test_vector_environments_of_the_same_seed_do_the_same():
    def course():
        envs = ReachVectorEnv(3, **SHORT)
        yield envs.reset(seed=9)[0]
        for step in range(20):
            yield envs.step(np.full(3, step % 9))[0]

    assert all(map(np.array_equal, course(), course()))


def test_what_a_step_returned_is_not_touched_by_the_next_one():
    envs = ReachVectorEnv(2, **SHORT)
    results = [envs.reset(seed=0)[0]]
    for step in range(9):
        results.extend(envs.step(np.full(2, step % 9))[:4])
    kept = [result.copy() for result in results]
    envs.step(np.zeros(2, int))
    assert all(map(np.array_equal, results, kept))
    assert not any(np.shares_memory(a, b) for i, a in enumerate(results) for b in results[:i])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'joint': 3}, "unknown key 'joint' (did you mean joints?); allowed: "),
        ({'hidden': 3}, "unknown key 'hidden'; allowed: "),
        ({'joints': 0}, 'joints must be a whole number from 1 to 6, not 0'),
        ({'joints': 2.5}, 'joints must be a whole number from 1 to 6, not 2.5'),
        ({'goals': 'lower'}, "goals must be one of upper, full, not 'lower'"),
        ({'episode_steps': 10}, 'reach_steps must be at most episode_steps (10), not 50'),
        ({'render_mode': 'ascii'}, "render_mode must be one of None, rgb_array, not 'ascii'"),
    ],
)
@pytest.mark.parametrize('make', [ReachEnv, ReachVectorEnv])
def test_wrong_arguments_get_one_clear_line(make, options, message):
    with pytest.raises(UserError, match=re.escape(f'{ENVIRONMENT_ID}: {message}')) as caught:
        make(**options)
    assert '\n' not in str(caught.value)


def test_wrong_arguments_get_through_gymnasium():
    with pytest.raises(UserError, match='joints must be'):
        gymnasium.make(ENVIRONMENT_ID, joints=7)
    with pytest.raises(UserError, match='joints must be'):
        gymnasium.make_vec(ENVIRONMENT_ID, num_envs=2, joints=7)


def test_a_picture_shows_the_arm_moving():
    pytest.importorskip('matplotlib')
    envs = ReachVectorEnv(2, render_mode='rgb_array', **SHORT)
    envs.reset(seed=0)
    before = envs.render()
    envs.step(np.array([0, 8]))
    after = envs.render()
    for one, other in zip(before, after, strict=True):
        assert one.shape == (400, 400, 3)
        assert one.dtype == np.uint8
        assert (one != other).any()
    assert (after[0] != after[1]).any()
    envs.reset(seed=0, options={'reset_mask': np.array([True, False])})
    assert np.array_equal(envs.render()[0], before[0])
    assert np.array_equal(envs.render()[1], after[1])
    assert ReachEnv(**SHORT).render() is None

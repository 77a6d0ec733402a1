# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Playing any policy in Gymnasium environments, and recording it."""

import dataclasses
import itertools
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import neuron_reach as nr
from neuron_reach.common.random_streams import episode_seed
from neuron_reach.errors import UserError
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import Affine, Function
from neuron_reach.policies import playing
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.environments import opened
from neuron_reach.policies.feed_forward import FeedForwardPolicy
from policies.environments import Parts, Ramp, Spaces

RAMP = 'policies.environments:Ramp-v0'

SHORT = {'episode_steps': 12, 'reach_steps': 10}


def make(*sizes, actions=None, function='tanh', preparation=(), seed=0):
    generator = np.random.default_rng(seed)
    layers = [
        Layer(
            generator.normal(size=(after, before)).astype(np.float32),
            generator.normal(size=after).astype(np.float32),
            (Function.of(function),) if number < len(sizes) - 2 else (),
        )
        for number, (before, after) in enumerate(itertools.pairwise(sizes))
    ]
    return FeedForwardPolicy(FeedForward(tuple(layers), preparation), actions)


@pytest.fixture(scope='module')
def policy():
    return make(2, 11, 17, 3)


def assert_equal(one, other):
    for name in ('activations', 'lengths', 'rewards', 'returns', 'successes', 'terminated'):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


def test_a_record_holds_what_the_policy_saw_computed_and_reached(policy):
    record = policy.record(RAMP, episodes=20, seed=3)
    assert record.episodes == 20 and len(set(record.lengths.tolist())) > 5
    assert record.activations.shape == (20, record.lengths.max(), 33)
    for episode, length in enumerate(record.lengths):
        inputs = record.layer('input')[episode, :length]
        np.testing.assert_array_equal(inputs[:, 0], np.arange(length))
        assert (inputs[:, 1] == length).all()
        assert not record.activations[episode, length:].any()
        expected = policy.activations(inputs)
        for layer in policy.layers[1:]:
            found = record.layer(layer)[episode, :length]
            np.testing.assert_allclose(found, expected[layer], rtol=1e-5, atol=1e-5)
        actions = record.layer('output')[episode, :length].argmax(axis=1)
        assert record.returns[episode] == (actions + 0.25).sum()
        assert record.rewards[episode] == actions[-1] + 0.25
    np.testing.assert_array_equal(record.successes, record.lengths % 2 == 0)
    np.testing.assert_array_equal(record.terminated, record.successes)
    assert np.isnan(record.goals).all() and record.notes == ()
    assert record.network['digest'] == policy.network.digest
    assert record.network['episodes'] == 20


def test_records_do_not_depend_on_the_number_of_environments(policy):
    whole = policy.record(RAMP, episodes=20, seed=3)
    assert_equal(policy.record(RAMP, episodes=20, seed=3), whole)
    assert_equal(policy.record(Ramp(), episodes=20, seed=3), whole)
    few = policy.record(RAMP, episodes=5, seed=3)
    assert_equal(few, _shortened(whole.first(5)))
    other = policy.record(RAMP, episodes=20, seed=4)
    assert other.lengths.tolist() != whole.lengths.tolist()


def _shortened(record):
    longest = record.lengths.max()
    return dataclasses.replace(record, activations=record.activations[:, :longest])


def test_each_episode_starts_by_a_seed_of_its_own(policy):
    env = Ramp()
    policy.record(env, episodes=3, seed=7)
    assert env.seeds == [episode_seed(7, number) for number in range(3)]
    policy.record(env, episodes=1)
    assert env.seeds[-1] == episode_seed(policy.seed, 0)
    policy.record(env, episodes=1, seed=np.random.default_rng(0))
    assert env.seeds[-1] not in env.seeds[:-1]


def test_episodes_that_outgrow_the_first_space_are_kept_whole(policy, monkeypatch):
    whole = policy.record(RAMP, episodes=20, seed=3)
    monkeypatch.setattr(playing, 'FIRST_STEPS', 3)
    assert_equal(policy.record(RAMP, episodes=20, seed=3), whole)


def test_inputs_are_recorded_before_normalization():
    scaling = Affine(np.array([5, 5], np.float32), np.array([0.1, 0.2], np.float32))
    record = make(2, 4, 3, preparation=(scaling,)).record(Ramp(), episodes=2, seed=0)
    assert record.layer('input')[0, 0, 1] == record.lengths[0]


def test_success_is_unknown_where_the_environment_does_not_tell(policy):
    record = policy.record(Ramp(success=False), episodes=3)
    assert np.isnan(record.successes).all() and not np.isnan(record.returns).any()


def test_observations_are_flattened_as_by_stable_baselines3():
    env = Parts()
    policy = make(4 + 3 + 2 + 5, 6, 2)
    record = policy.record(env, episodes=1, seed=0)
    assert record.lengths.tolist() == [5]
    torch = pytest.importorskip('torch')
    preprocessing = pytest.importorskip('stable_baselines3.common.preprocessing')
    torch_layers = pytest.importorskip('stable_baselines3.common.torch_layers')
    space = spaces.Dict({**env.observation_space.spaces, 'gear': spaces.Discrete(3)})
    extractor = torch_layers.CombinedExtractor(space)
    for seen, inputs in zip(env.seen[:-1], record.layer('input')[0], strict=True):
        shifted = {**seen, 'gear': seen['gear'] - 1}
        tensors = {name: torch.as_tensor(np.array(part))[None] for name, part in shifted.items()}
        expected = extractor(preprocessing.preprocess_obs(tensors, space))[0].numpy()
        np.testing.assert_array_equal(inputs, expected)


def test_actions_are_kept_within_the_bounds_of_the_environment():
    env = Parts()
    record = make(14, 6, 2).record(env, episodes=1, seed=0)
    outputs = record.layer('output')[0]
    assert (outputs < -1).any() or (outputs > 1).any()
    np.testing.assert_array_equal(env.actions, np.clip(outputs, [-1, 0], [2, 1]))


@pytest.mark.parametrize(
    ('space', 'outputs', 'actions', 'taken'),
    [
        (spaces.Discrete(3, start=5), [0, 2, 1], None, 6),
        (spaces.Discrete(2), [0, 4, 3, 3], Actions('quantiles', groups=(2,)), 1),
        (spaces.MultiDiscrete([2, 3]), [0, 1, 5, 2, 9], None, [1, 2]),
        (spaces.MultiBinary(3), [-1, 2, 0], None, [0, 1, 0]),
        (spaces.Box(-1, 1, (2, 1)), [-3, 0.5], None, [[-1], [0.5]]),
        (spaces.Box(-np.inf, np.inf, (2,)), [-3, 0.5], None, [-3, 0.5]),
        (spaces.Box(0, 4, (2,)), [-1, 0.5], Actions('squashed'), [0, 3]),
    ],
)
def test_outputs_become_actions_of_the_space(space, outputs, actions, taken):
    env = Spaces(spaces.Box(-1, 1, (1,)), space)
    bias = np.array(outputs, np.float32)
    layer = Layer(np.zeros((len(bias), 1), np.float32), bias)
    FeedForwardPolicy(FeedForward((layer,)), actions).record(env, episodes=1, max_steps=2)
    assert space.contains(np.int64(env.actions[0]) if np.isscalar(taken) else env.actions[0])
    np.testing.assert_array_equal(env.actions[0], taken)


def test_episodes_without_end_are_cut_and_noted(policy, monkeypatch):
    env = Spaces(spaces.Box(-1, 1, (2,)), spaces.Discrete(3))
    record = policy.record(env, episodes=2, max_steps=7)
    assert record.lengths.tolist() == [7, 7] and record.terminated.tolist() == [0, 0]
    assert record.notes == ('2 episodes were cut after 7 steps',)
    monkeypatch.setattr(playing, 'STEPS', 9)
    assert policy.record(env, episodes=1).lengths.tolist() == [9]
    limited = gymnasium.make('CartPole-v1', max_episode_steps=4)
    assert make(4, 3, 2).record(limited, episodes=1, max_steps=8).notes == ()


def test_networks_that_do_not_fit_are_refused_with_both_numbers(policy):
    for env, message in (
        (
            Spaces(spaces.Box(-1, 1, (3,)), spaces.Discrete(3)),
            'observes 3 values, but the network has 2 inputs',
        ),
        (
            Spaces(spaces.Box(-1, 1, (2,)), spaces.Discrete(2)),
            'expects 2 outputs, but the network has 3',
        ),
        (
            Spaces(spaces.Box(0, 255, (8, 8, 3), np.uint8), spaces.Discrete(3)),
            r'images \(8, 8, 3\)',
        ),
        (
            Spaces(spaces.Text(3), spaces.Discrete(3)),
            'observations of the space Text are not supported',
        ),
        (Spaces(spaces.Box(-1, 1, (2,)), spaces.Text(3)), 'actions of the space Text'),
    ):
        with pytest.raises(UserError, match=message):
            policy.record(env, episodes=1)
    box = Spaces(spaces.Box(-1, 1, (2,)), spaces.Box(-np.inf, np.inf, (3,)))
    for kind, message in (
        ('argmax', 'actions of Box, but those of the network are of Discrete'),
        ('squashed', 'have no bounds'),
        ('none', 'chooses no actions'),
    ):
        with pytest.raises(UserError, match=message):
            make(2, 3, actions=Actions(kind)).record(box, episodes=1)


def test_what_is_no_environment_is_refused(policy):
    vector = gymnasium.make_vec('CartPole-v1', num_envs=2)
    for env, message in (
        (vector, 'is a vector of environments'),
        (3, 'not int'),
        ('LunarLander-v2', 'Please use `LunarLander-v3`'),
        ('Nothing-v0', "doesn't exist"),
        ('no_such_module:Env-v0', 'no_such_module cannot be imported'),
        ('PandaReach-v3', 'pip install panda-gym'),
    ):
        with pytest.raises(UserError, match=message) as error:
            policy.record(env, episodes=1)
        assert '\n' not in str(error.value)
    with pytest.raises(UserError, match='env is missing'):
        policy.record()


def test_numbers_out_of_range_are_refused(policy):
    for name, value in (('episodes', 0), ('max_steps', 0), ('seed', -1)):
        with pytest.raises(UserError, match=f'{name} must be at least'):
            policy.record(RAMP, **{'episodes': 1, name: value})


def test_observations_that_are_not_finite_are_refused(policy):
    env = Spaces(spaces.Box(-1, 1, (2,)), spaces.Discrete(3))
    env.reset = lambda **_: (np.array([0.0, np.nan]), {})
    with pytest.raises(UserError, match='activations of input in episode 0 are not finite'):
        policy.record(env, episodes=1, max_steps=3)


def test_policies_of_the_reaching_task_play_it_as_an_environment_too(folders):
    reaching = nr.load(folders[2])
    env = gymnasium.make('neuron_reach/Reach-v0', joints=2, **SHORT)
    record = reaching.record(env, episodes=3, seed=0)
    assert record.lengths.tolist() == [12, 12, 12] and not record.terminated.any()
    np.testing.assert_array_equal(record.successes, record.rewards >= 0.9)
    assert record.network['digest'] == reaching.record(episodes=5).network['digest']
    with pytest.raises(UserError, match='observes 8 values, but the network has 6 inputs'):
        reaching.record('neuron_reach/Reach-v0', episodes=1)


def test_a_public_policy_lands_on_the_moon():
    path = Path(__file__).resolve().parents[2] / '../shared/policies/dqn_LunarLander-v2.zip'
    if not path.exists():
        pytest.skip('the public policies are not there')
    pytest.importorskip('Box2D')
    try:
        lander = nr.load(path)
    except UserError:
        pytest.skip('files of stable-baselines3 cannot be read yet')
    record = lander.record('LunarLander-v3', episodes=8, seed=0)
    assert record.returns.mean() > 100 and np.isnan(record.successes).all()


@pytest.mark.parametrize('name', [':X-v0', '../x:X-v0', '.x:X-v0', 'print(3):X-v0', 'a b:X-v0'])
def test_words_that_name_no_module_are_refused(name):
    with pytest.raises(UserError, match='is no name of a module'), opened(name, 1, {}):
        pass

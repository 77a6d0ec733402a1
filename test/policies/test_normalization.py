# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Statistics of observations, given by file."""

import pickle

import numpy as np
import pytest

from neuron_reach.errors import UserError
from neuron_reach.networks.functions import apply
from policies.test_playing import make

MEAN, VAR = np.array([5.0, -1.2]), np.array([4.0, 0.3])


@pytest.fixture
def policy():
    return make(2, 4, 3)


def normalized(policy, observations):
    import torch

    values = torch.from_numpy(np.asarray(observations, np.float32))
    return apply(policy.network.preparation, values).numpy()


def test_statistics_of_a_file_and_of_a_mapping_are_the_same(policy, tmp_path):
    np.savez(tmp_path / 'a.npz', mean=MEAN, var=VAR, epsilon=1e-4, clip=3.0)
    text = f'mean: {MEAN.tolist()}\nvar: {VAR.tolist()}\nepsilon: 1.0e-4\nclip: 3\n'
    (tmp_path / 'a.yaml').write_text(text)
    values = {'mean': MEAN, 'var': VAR, 'epsilon': 1e-4, 'clip': 3.0}
    observations = np.array([[5.5, -1.0], [100.0, -100.0]])
    expected = np.clip((observations - MEAN) / np.sqrt(VAR + 1e-4), -3, 3)
    for source in (values, tmp_path / 'a.npz', str(tmp_path / 'a.yaml')):
        with_them = policy.with_normalization(source)
        np.testing.assert_allclose(normalized(with_them, observations), expected, atol=1e-6)
        assert with_them.activations(observations)['hidden_1'] == pytest.approx(
            policy.activations(expected)['hidden_1'], abs=1e-5
        )
    deviation = policy.with_normalization({'mean': MEAN, 'std': np.sqrt(VAR)})
    expected = np.clip((observations - MEAN) / np.sqrt(VAR), -10, 10)
    np.testing.assert_allclose(normalized(deviation, observations), expected, atol=1e-6)


def test_normalization_equals_that_of_stable_baselines3(tmp_path):
    vec_env = pytest.importorskip('stable_baselines3.common.vec_env')
    import gymnasium

    environments = vec_env.DummyVecEnv([lambda: gymnasium.make('CartPole-v1')])
    other = vec_env.VecNormalize(environments)
    generator = np.random.default_rng(0)
    scale, center = [1.0, 0.0, 1e-6, 30.0], [0.1, 0.7, 100.1, -4.0]
    observations = (generator.normal(size=(500, 4)) * scale + center).astype(np.float32)
    other.obs_rms.update(observations)
    statistics = {'mean': other.obs_rms.mean, 'var': other.obs_rms.var}
    np.savez(tmp_path / 'a.npz', **statistics, epsilon=other.epsilon, clip=other.clip_obs)
    ours = normalized(make(4, 3, 2).with_normalization(tmp_path / 'a.npz'), observations)
    np.testing.assert_allclose(ours, other.normalize_obs(observations), rtol=1e-6, atol=1e-6)


def test_a_normalized_policy_is_saved_with_its_statistics(policy, tmp_path):
    import neuron_reach as nr

    saved = policy.with_normalization({'mean': MEAN, 'var': VAR}).save(tmp_path / 'saved')
    read = nr.load(saved)
    assert read.network.digest != policy.network.digest
    observations = np.array([[5.5, -1.0]])
    expected = (observations - MEAN) / np.sqrt(VAR + 1e-8)
    assert read.outputs(observations) == pytest.approx(policy.outputs(expected), abs=1e-5)


class Hostile:
    def __reduce__(self):
        return open, ('/nonexistent/was-run', 'w')


@pytest.mark.parametrize('name', ['vecnormalize.pkl', 'renamed.npz'])
def test_pickles_are_refused_by_a_line_that_says_what_to_do(policy, tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(UserError, match=r'is a pickle.*docs/own_policy.md shows how'):
        policy.with_normalization(tmp_path / name)


def test_statistics_that_do_not_fit_are_refused(policy, tmp_path):
    np.savez(tmp_path / 'objects.npz', mean=np.array([Hostile()], object), var=VAR)
    (tmp_path / 'bad.npz').write_bytes(b'PK\x03\x04nothing')
    (tmp_path / 'list.yaml').write_text('[1, 2]')
    (tmp_path / 'bad.yaml').write_text('mean: [')
    for source, message in (
        ({'mean': MEAN}, 'must hold mean, and either var or std'),
        ({'mean': MEAN, 'var': VAR, 'std': VAR}, 'either var or std'),
        ({'mean': MEAN, 'var': VAR, 'men': 1}, "unknown key 'men'"),
        ({'mean': MEAN[:1], 'var': VAR}, r'mean of shape \(1,\) does not fit 2 inputs'),
        ({'mean': MEAN, 'var': -VAR}, 'must be positive'),
        ({'mean': MEAN, 'std': 0 * VAR}, 'must be positive'),
        ({'mean': MEAN * np.nan, 'var': VAR}, 'infinity or NaN'),
        ({'mean': ['a', 'b'], 'var': VAR}, 'mean must be numbers'),
        ({'mean': MEAN, 'var': VAR, 'clip': MEAN}, 'clip must be one number'),
        (tmp_path / 'objects.npz', 'is damaged'),
        (tmp_path / 'bad.npz', 'is damaged'),
        (tmp_path / 'list.yaml', 'holds no keys'),
        (tmp_path / 'bad.yaml', 'is not YAML'),
        (tmp_path / 'none.npz', 'cannot be read'),
    ):
        with pytest.raises(UserError, match=message) as error, np.errstate(invalid='ignore'):
            policy.with_normalization(source)
        assert '\n' not in str(error.value)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Training in chunks, each from what is on disk."""

import numpy as np
import pytest
import torch

pytest.importorskip('stable_baselines3')

from sb3_contrib import TQC
from stable_baselines3 import DQN, PPO, SAC, TD3

from neuron_reach.common.names import STATE_FILE, STATE_REPLAY
from neuron_reach.common.tensors import read_tensors
from neuron_reach.errors import UserError
from neuron_reach.networks.functions import Affine
from neuron_reach.policies.archives import load_tensors, open_archive
from neuron_reach.policies.sb3_file import read_file
from neuron_reach.sb3.chunks import Counters, Gym, train_chunk
from neuron_reach.sb3.rebuilding import hyperparameters
from sb3.signs import SIGNS, STEER, model

OPTIONS = {
    DQN: {'learning_starts': 20, 'target_update_interval': 50, 'batch_size': 16},
    PPO: {'n_steps': 32, 'batch_size': 16},
    SAC: {'learning_starts': 20, 'batch_size': 16},
    TD3: {'learning_starts': 20, 'batch_size': 16},
    TQC: {'learning_starts': 20, 'batch_size': 16, 'use_sde': True},
}


START = Counters()


def place(algorithm):
    return SIGNS if algorithm in (DQN, PPO) else STEER


def members(path):
    with open_archive(path) as archive:
        return {
            name: load_tensors(path, archive.read(name))
            for name in archive.names
            if name.endswith('.pth')
        }


def state_of(folder):
    with open_archive(folder / STATE_FILE) as archive:
        return read_file(archive).state


@pytest.fixture
def train(tmp_path):
    """Train a chunk of 60 steps from a file or state to a folder of some name."""

    def chunk(algorithm, start=None, counters=START, name='state', seed=1, **options):
        if start is None:
            start = tmp_path / 'start.zip'
            if not start.exists():
                model(algorithm, place(algorithm), **OPTIONS[algorithm]).save(start)
        file = start / STATE_FILE if start.is_dir() else start
        chosen = {} if algorithm is PPO else {'learning_starts': 20}
        with open_archive(file) as archive:
            values = hyperparameters(read_file(archive), chosen).values
        gym = Gym(place(algorithm), 1, values, True, 1000, **options)
        folder = tmp_path / name
        folder.mkdir()
        return train_chunk(gym, start, counters, 60, seed, folder, lambda _: None), folder

    return chunk


@pytest.mark.parametrize('algorithm', OPTIONS)
def test_a_chunk_goes_on_from_the_one_before(train, tmp_path, algorithm):
    counters, first = train(algorithm)
    assert counters.steps == (64 if algorithm is PPO else 60)  # whole rollouts of PPO
    after, second = train(algorithm, first, counters, name='second')
    assert (after.steps, after.chunks) == (2 * counters.steps, 2)
    assert after.updates > counters.updates > 0
    assert any(not torch.equal(v, state_of(first)[k]) for k, v in state_of(second).items())
    optimizer = next(name for name in members(second / STATE_FILE) if 'optimizer' in name)
    counts = [
        next(iter(members(folder / STATE_FILE)[optimizer]['state'].values()))['step']
        for folder in (first, second)
    ]
    assert counts[1] > counts[0] > 0  # the optimizer was not begun anew
    if algorithm is not PPO:
        saved, _ = read_tensors(second / STATE_REPLAY, 2**30)
        early, _ = read_tensors(first / STATE_REPLAY, 2**30)
        assert len(saved['rewards']) == 120
        assert (saved['observations'][:60] == early['observations']).all()


@pytest.mark.parametrize('algorithm', OPTIONS)
def test_the_same_seed_trains_the_same_network(train, algorithm):
    _, first = train(algorithm)
    _, same = train(algorithm, name='same')
    _, other = train(algorithm, name='other', seed=2)
    states = [state_of(folder) for folder in (first, same, other)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert any(not torch.equal(value, states[2][name]) for name, value in states[0].items())


def test_the_entropy_coefficient_is_that_of_the_file(train, tmp_path):
    made = model(SAC, STEER, **OPTIONS[SAC], ent_coef='auto')
    with torch.no_grad():
        made.log_ent_coef.fill_(-3.0)
    made.save(tmp_path / 'start.zip')
    _, folder = train(SAC)
    after = members(folder / STATE_FILE)['pytorch_variables.pth']['log_ent_coef']
    assert -3.2 < after.item() < -2.8


def test_the_policy_acts_while_the_memory_fills(train, tmp_path):
    """Its first actions are its own, not drawn at random."""
    made = model(DQN, **OPTIONS[DQN], exploration_final_eps=0.0)
    with torch.no_grad():
        made.policy.q_net.q_net[-1].bias.copy_(torch.tensor([0.0, 100.0]))
        made.policy.q_net_target.load_state_dict(made.policy.q_net.state_dict())
    made.save(tmp_path / 'start.zip')
    _, folder = train(DQN)
    saved, _ = read_tensors(folder / STATE_REPLAY, 2**30)
    assert (saved['actions'][:20] == 1).all()


def test_networks_see_prepared_observations(train, tmp_path):
    center, scale = np.full(3, 2.0, np.float32), np.full(3, 0.5, np.float32)
    _, folder = train(DQN, preparation=(Affine(center, scale),))
    saved, _ = read_tensors(folder / STATE_REPLAY, 2**30)
    assert -1.5 <= saved['observations'].min() < saved['observations'].max() <= -0.5


def test_a_replay_memory_of_another_training_is_refused(train, tmp_path):
    counters, first = train(DQN)
    (first / STATE_REPLAY).write_bytes(b'')
    with pytest.raises(UserError, match=r'replay.safetensors: is truncated'):
        train(DQN, first, counters, name='second')

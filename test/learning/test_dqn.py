# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import copy

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from neuron_reach.learning.dqn import DqnLearner
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.replay import ReplayMemory
from neuron_reach.learning.setup import LearningOptions

INPUTS, ACTIONS = 4, 3
SIZES = (INPUTS, 6, 1, 5, ACTIONS)


def options(**changes):
    return LearningOptions(**{'hidden': SIZES[1:-1], 'batch_size': 10, 'gamma': 0.9, **changes})


def learner(members=1, **changes):
    network = QNetwork(*[SIZES] * members)
    draw = torch.Generator().manual_seed(3)
    network.flat.copy_(torch.randn(network.flat.shape, generator=draw) * 0.6)
    streams = [[np.random.default_rng(base + k) for k in range(members)] for base in (10, 20)]
    made = DqnLearner(options(**changes), network, *streams)
    noise = torch.randn(network.flat.shape, generator=draw)
    made.target.flat.add_(noise, alpha=0.1)  # or the two networks could be mixed up unseen
    return made


def filled_memory(members=1):
    memory = ReplayMemory(members, 30, INPUTS)
    draw = np.random.default_rng(4)
    shape = (members, 30, INPUTS)
    memory.add(
        draw.normal(size=shape).astype(np.float32),
        draw.integers(ACTIONS, size=shape[:2]),
        draw.random(shape[:2]),
        draw.normal(size=shape).astype(np.float32),
    )
    return memory


def torch_member(network, member):
    """One member's parameters as leaves of autograd, in the order of the flat array."""
    parts = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        parts += [weight[member].clone(), bias[member, 0].clone()]
    return [part.requires_grad_() for part in parts]


def forward(parts, values):
    for layer in range(0, len(parts), 2):
        values = values @ parts[layer].T + parts[layer + 1]
        if layer < len(parts) - 2:
            values = values.relu()
    return values


@pytest.mark.parametrize('members', [1, 3])
def test_updates_are_those_of_autograd_and_torchs_adam(members):
    """Ten of them, each with the squared TD error, one Adam step and one Polyak step."""
    own, memory = learner(members, learning_rate=0.01, target_rate=0.2), filled_memory(members)
    with torch.enable_grad():
        online = [torch_member(own.online, member) for member in range(members)]
    target = [torch_member(own.target, member) for member in range(members)]
    optimizers = [torch.optim.Adam(parts, lr=0.01) for parts in online]
    for _ in range(10):
        batch = memory.sample(copy.deepcopy(own.sampling), 10)
        own.update(memory)
        for member in range(members):
            observations, actions, rewards, following = (
                torch.from_numpy(field[member]) for field in batch
            )
            with torch.no_grad():
                wanted = rewards + 0.9 * forward(target[member], following).max(dim=1).values
            with torch.enable_grad():
                optimizers[member].zero_grad()
                chosen = forward(online[member], observations).gather(1, actions[:, None])[:, 0]
                torch.nn.functional.mse_loss(chosen, wanted).backward()
                optimizers[member].step()
            with torch.no_grad():
                for slow, fast in zip(target[member], online[member], strict=True):
                    slow.mul_(0.8).add_(0.2 * fast)
    assert own.updates == 10
    for network, reference in ((own.online, online), (own.target, target)):
        for member in range(members):
            found = [part.detach() for part in torch_member(network, member)]
            expected = [part.detach() for part in reference[member]]
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-5)


def test_exploration_follows_the_softmax_of_q_over_temperature():
    own = learner(2, temperature_start=0.5, temperature_end=0.5)
    arms = 20_000
    observation = np.array([[0.3, -1.0, 0.7, 0.2], [1.0, 0.5, -0.4, -0.8]], np.float32)
    many = np.repeat(observation[:, None], arms, axis=1)
    actions = own.explore(many)
    values = own.online.q_values(many[:, :1])[:, 0].astype(float)
    weights = np.exp(values / 0.5)
    expected = arms * weights / weights.sum(axis=1, keepdims=True)
    assert expected.min() > 5
    for member in range(2):
        counts = np.bincount(actions[member], minlength=ACTIONS)
        assert chisquare(counts, expected[member]).pvalue > 0.01


def test_a_low_temperature_is_greedy_and_a_high_one_indifferent():
    arms = 9_000
    observations = np.random.default_rng(0).normal(size=(1, arms, INPUTS)).astype(np.float32)
    cold = learner(temperature_start=1e-6, temperature_end=1e-6)
    best = cold.online.q_values(observations).argmax(-1)
    assert np.array_equal(cold.explore(observations), best)
    hot = learner(temperature_start=100.0, temperature_end=100.0)
    counts = np.bincount(hot.explore(observations)[0], minlength=ACTIONS)
    assert counts / arms == pytest.approx([1 / 3] * 3, abs=0.03)


def test_the_temperature_falls_geometrically_and_then_stays():
    own = options(temperature_start=0.08, temperature_end=0.005, temperature_updates=400)
    assert own.temperature(0) == pytest.approx(0.08)
    assert own.temperature(100) == pytest.approx(0.04)
    assert own.temperature(200) == pytest.approx(0.02)
    assert own.temperature(400) == pytest.approx(0.005)
    assert own.temperature(10**9) == own.temperature(400)


def test_exploration_uses_the_temperature_of_the_updates_done():
    own = learner(temperature_start=100.0, temperature_end=1e-6, temperature_updates=10)
    observations = np.random.default_rng(0).normal(size=(1, 1000, INPUTS)).astype(np.float32)
    best = own.online.q_values(observations).argmax(-1)
    assert (own.explore(observations) != best).mean() > 0.3
    own.updates = 10
    assert np.array_equal(own.explore(observations), best)


@pytest.mark.parametrize(('widths', 'rate'), [((48,) * 6, 0.003), ((8,), 0.003)])
def test_the_step_size_is_that_of_narrow_layers(widths, rate):
    assert options(hidden=widths).step_size() == pytest.approx(rate)


def test_the_step_size_falls_with_the_width_unless_given():
    wide = options(hidden=(256,) * 6).step_size()
    assert options(hidden=(512,) * 6).step_size() < wide < 0.003
    assert options(hidden=(512,), learning_rate=0.02).step_size() == 0.02


def test_every_member_has_the_step_size_of_all_its_own_layers():
    shapes = [(INPUTS, 300, 60, ACTIONS), (INPUTS, 60, 500, ACTIONS), (INPUTS, 8, 5, ACTIONS)]
    streams = [[np.random.default_rng(0)] * 3] * 2
    own = DqnLearner(options(hidden=(1,)), QNetwork(*shapes), *streams)
    expected = [0.003 * (48 / 180) ** 0.6, 0.003 * (48 / 280) ** 0.6, 0.003]
    assert own._steps == pytest.approx(expected)


def test_members_that_stay_go_on_as_if_they_had_been_alone():
    own, memory = learner(3), filled_memory(3)
    for _ in range(3):
        own.update(memory)
    before = {name: value.clone() for name, value in own.tensors().items()}
    sampling = [own.sampling[2], own.sampling[0]]
    own.keep([2, 0])
    assert own.sampling == sampling
    assert own.online.members == own.target.members == 2
    for name, value in own.tensors().items():
        assert torch.equal(value, before[name][[2, 0]])
    memory.rows = memory.rows[[2, 0]]
    own.update(memory)  # whatever it works with has the new shape
    assert own.online.flat.shape[0] == 2
    assert not torch.equal(own.online.flat, before['online'][[2, 0]])


@pytest.mark.parametrize('inputs', [3, 5, 900])
def test_transitions_of_another_network_are_refused(inputs):
    other = ReplayMemory(1, 50, inputs)
    values = np.zeros((1, 9, inputs), np.float32)
    other.add(values, np.zeros((1, 9), np.int64), np.zeros((1, 9)), values)
    before = learner().online.flat.clone()
    fresh = learner()
    with pytest.raises(ValueError, match=rf'\(1, \d+, {inputs}\) do not fit \(1, batch, 4\)'):
        fresh.update(other)
    assert fresh.updates == 0 and torch.equal(fresh.online.flat, before)


@pytest.mark.parametrize('action', [-1, 3, 10**6])
def test_actions_that_the_network_does_not_have_are_refused(action):
    memory = filled_memory()
    memory.rows[..., -1] = action
    with pytest.raises(ValueError, match='from 0 to 2'):
        learner().update(memory)


def test_each_member_needs_its_generators():
    streams = [np.random.default_rng(0)] * 2
    with pytest.raises(ValueError, match='2 and 2 generators do not fit 1 members'):
        DqnLearner(options(), QNetwork((4, 3)), streams, streams)
    with pytest.raises(ValueError, match='2 generators do not fit 1 members'):
        filled_memory().sample(streams, 5)

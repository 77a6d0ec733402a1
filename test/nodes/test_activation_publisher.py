# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Publishing the activations of a network in a node of somebody else."""

import numpy as np
import pytest
import torch
from std_msgs.msg import Float32MultiArray, Float64MultiArray, Header
from torch import nn
from torch.nn import functional

from neuron_reach import messages
from neuron_reach.errors import UserError
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import Function
from neuron_reach.nodes import ActivationPublisher
from neuron_reach.policies.feed_forward import FeedForwardPolicy


class Actor(nn.Module):
    """Applies its activation functions as functions, and returns more than its outputs."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 5)
        self.mean = nn.Linear(5, 2)

    def forward(self, observation):
        hidden = functional.elu(self.second(torch.tanh(self.first(observation))))
        return self.mean(hidden), 0.5


@pytest.fixture
def listen(peer):
    """Subscribe to some layers; return what is received, once a publisher has found the peer."""

    def begin(layers):
        return {
            layer: peer.listen(Float32MultiArray, messages.activation_topic(layer))
            for layer in layers
        }

    return begin


def attach(peer, node, network, **options):
    publisher = ActivationPublisher(node, network, **options)
    peer.wait(
        lambda: all(each.get_subscription_count() for each in publisher._topics._activations),
        'subscriptions',
    )
    return publisher


def values(received):
    return [messages.read_fleet_step(message).values for message in received]


def test_a_module_publishes_what_its_layers_receive_in_rows_of_the_batch(peer, make_node, listen):
    torch.manual_seed(0)
    actor, batch = Actor(), torch.randn(3, 4)
    heard = listen(messages.layer_names(2))
    steps = peer.listen(Header, messages.STEPS)
    results = peer.listen(Float64MultiArray, messages.EPISODE)
    publisher = attach(peer, make_node('user'), actor, episode_steps=2)
    peer.wait(publisher._topics._steps.get_subscription_count, 'subscription')
    peer.wait(publisher._topics._episode.get_subscription_count, 'subscription')
    expected = actor(batch)[0]
    peer.wait(lambda: all(heard.values()) and steps, 'activations')
    hidden = torch.tanh(actor.first(batch))
    wanted = batch, hidden, functional.elu(actor.second(hidden)), expected
    for (layer, received), right in zip(heard.items(), wanted, strict=True):
        np.testing.assert_array_equal(values(received)[0], right.detach().numpy(), layer)
    assert steps[0].frame_id == '0:0'
    actor(batch)
    peer.wait(lambda: results, 'result')
    assert messages.read_episodes(results[0])[:, [0, 3]].tolist() == [[0, 2], [1, 2], [2, 2]]
    publisher.destroy()
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in actor.modules())
    peer.wait(lambda: not peer.node.count_publishers(messages.STEPS), 'end of the publishers')


def test_hidden_layers_can_be_named(peer, make_node, listen):
    torch.manual_seed(0)
    shared = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU())
    module = nn.Sequential(shared, nn.Linear(4, 2))
    heard = listen(messages.layer_names(1))
    publisher = attach(peer, make_node('user'), module, layers=['0'])
    observation = torch.randn(3)
    output = module(observation)
    peer.wait(lambda: all(heard.values()), 'activations')
    np.testing.assert_array_equal(values(heard['hidden_1'])[0][0], shared(observation).detach())
    np.testing.assert_array_equal(values(heard['output'])[0][0], output.detach())
    publisher.destroy()


def test_a_policy_publishes_whatever_it_is_asked_for(peer, make_node, listen):
    generator = np.random.default_rng(0)
    weights = [generator.normal(size=shape).astype(np.float32) for shape in ((4, 3), (2, 4))]
    zeros = [np.zeros(size, np.float32) for size in (4, 2)]
    network = FeedForward(
        (Layer(weights[0], zeros[0], (Function.of('silu'),)), Layer(weights[1], zeros[1]))
    )
    policy = FeedForwardPolicy(network)
    heard = listen(policy.layers)
    publisher = attach(peer, make_node('user'), policy)
    observation = np.ones(3, np.float32)
    policy.act(observation)
    peer.wait(lambda: all(heard.values()), 'activations')
    publisher.destroy()
    for layer, right in policy.activations(observation).items():
        np.testing.assert_array_equal(values(heard[layer])[0][0], right)
    peer.spin_for(0.2)
    assert len(heard['output']) == 1


def test_nothing_is_kept_while_nobody_listens(make_node):
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    publisher = ActivationPublisher(make_node('user'), module)
    module(torch.randn(3))
    assert publisher._values == {}
    assert publisher._topics.step == 0
    publisher.destroy()


def test_modules_that_are_no_chain_are_refused(make_node):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.actor, self.critic = nn.Linear(3, 2), nn.Linear(3, 1)

    with pytest.raises(UserError, match='actor has 2 outputs, critic has 3 inputs; give the part'):
        ActivationPublisher(make_node('user'), Both())
    with pytest.raises(UserError, match='has no linear layers'):
        ActivationPublisher(make_node('other'), nn.ReLU())
    with pytest.raises(UserError, match=r"no submodule 'actr' \(did you mean actor\?\)"):
        ActivationPublisher(make_node('third'), Both(), layers=['actr'])

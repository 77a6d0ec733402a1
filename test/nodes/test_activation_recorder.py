# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The activation recorder as a process of its own."""

import numpy as np
import pytest
import torch
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Float32MultiArray, MultiArrayDimension, String

from neuron_reach import messages
from neuron_reach.learning.checkpoint import describe, save_checkpoint
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member

ARMS = 5
LAYERS = messages.layer_names(2)


@pytest.fixture
def networks(tmp_path):
    """Two versions of a network's weights, with their checkpoints."""
    setup = Setup.from_values({'joints': 2, 'hidden': [9, 7]}, 'test')
    versions = []
    for seed in (1, 2):
        network = QNetwork(setup.layer_sizes)
        network.initialize([torch.Generator().manual_seed(seed)], 1.0)
        path = tmp_path / f'version_{seed}'
        save_checkpoint(path, network, describe(setup, Member(0), None))
        versions.append((path, network))
    return versions


class Policy:
    """Stands where the policy is: announces weights and publishes observations."""

    def __init__(self, peer):
        self.peer = peer
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.checkpoints = peer.node.create_publisher(String, messages.CHECKPOINT, latched)
        self.observations = peer.node.create_publisher(
            Float32MultiArray, messages.OBSERVATION, 1000
        )
        self.heard = {
            layer: peer.listen(Float32MultiArray, messages.activation_topic(layer))
            for layer in LAYERS
        }
        self.version = 0

    def announce(self, path, first_episode):
        self.version += 1
        newest = messages.CheckpointMessage(str(path), self.version, first_episode)
        self.checkpoints.publish(String(data=messages.encode_checkpoint(newest)))

    def observe(self, episode, step, size=6):
        observations = np.random.default_rng((episode, step)).normal(size=(ARMS, size))
        observations = observations.astype(np.float32)
        message = Float32MultiArray()
        messages.fill_fleet_step(
            message, MultiArrayDimension, observations, episode, step, 'feature'
        )
        self.observations.publish(message)
        return observations

    def wait_for(self, count):
        self.peer.wait(
            lambda: all(len(sent) >= count for sent in self.heard.values()), 'activations'
        )


def test_activations_are_those_of_the_forward_pass_to_the_bit(peer, start_node, networks):
    recorder = start_node('activation_recorder', recorded=True)
    policy = Policy(peer)
    policy.announce(networks[0][0], 0)
    peer.wait(policy.observations.get_subscription_count, 'recorder')
    seen = {(episode, step): policy.observe(episode, step) for episode in (0, 5) for step in (0, 1)}
    policy.wait_for(4)
    policy.announce(networks[1][0], 10)
    peer.spin_for(1.0)  # the recorder reads the new weights
    seen.update({(10, step): policy.observe(10, step) for step in (0, 1)})
    policy.wait_for(6)
    assert recorder.interrupt() == 0
    for number, layer in enumerate(LAYERS):
        assert len(policy.heard[layer]) == 6
        for message in policy.heard[layer]:
            episode, step, values = messages.read_fleet_step(message)
            network = networks[1][1] if episode >= 10 else networks[0][1]
            with torch.no_grad():
                batch = torch.from_numpy(seen[episode, step])[None]
                expected = network.activations(batch)[number][0].numpy()
            assert np.array_equal(values, expected), layer
            assert [dim.label for dim in message.layout.dim] == ['arm', 'neuron']
            assert message.layout.data_offset == 2


def test_gaps_are_counted_and_foreign_messages_are_ignored(peer, start_node, networks):
    recorder = start_node('activation_recorder')
    diagnostics = peer.listen(DiagnosticArray, '/diagnostics')
    policy = Policy(peer)
    policy.announce(networks[0][0].parent / 'nowhere', 0)
    policy.announce(networks[0][0], 0)
    peer.wait(policy.observations.get_subscription_count, 'recorder')
    policy.observe(0, 57)
    policy.observe(5, 1)  # 58, 59 and 0 are missing
    policy.observe(5, 2, size=7)  # not an input of this network
    policy.observations.publish(Float32MultiArray(data=[1.0, 2.0]))
    policy.observe(5, 3)  # 2 is missing

    def counts():
        for message in reversed(diagnostics):
            for status in message.status:
                figures = {value.key: value.value for value in status.values}
                if status.name == '/activation_recorder' and figures['observations'] == '3':
                    return figures
        return None

    figures = peer.wait(counts, 'diagnostics')
    assert figures['dropped'] == '4'
    assert int(figures['ignored']) >= 2
    assert recorder.interrupt() == 0
    assert '4 observations dropped in total' in recorder.text

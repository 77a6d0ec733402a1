# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Node `activation_recorder`: publishes the activation of every neuron for every observation."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import Float32MultiArray, MultiArrayDimension, String

from neuron_reach import messages
from neuron_reach.common.options import option
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import load_checkpoint, network_digest
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.nodes.diagnostics import Diagnostics, Problem, ThrottledWarning, problems
from neuron_reach.nodes.duplicates import (
    ACTIVATION_RECORDER,
    POLICY,
    DuplicateDetector,
    PublisherFilter,
    WatchedTopic,
)
from neuron_reach.nodes.entry_point import run_node
from neuron_reach.nodes.loop import ContentT, Inbox, Loop
from neuron_reach.nodes.parameters import declare
from neuron_reach.nodes.publishing import (
    OBSERVATION_DEPTH,
    RECORDED_DEPTH,
    flush,
    has_subscribers,
    latched,
    reliable,
)
from neuron_reach.nodes.shutdown import urgent_shutdown

MAX_DROPPED = 1_000_000
"""Control cycles beyond which a gap means that a message does not belong to this run."""


@dataclasses.dataclass(frozen=True)
class RecorderOptions:
    """Parameters of the node."""

    recorded: bool = option(
        False,
        'wait for subscribers of all layers, then process observations until the end; '
        'otherwise process observations while any layer has a subscriber',
    )


class ActivationRecorder:
    """Repeats the policy's forward pass, with the same weights and shapes, and publishes it.

    It runs in a separate process, so that it never slows the policy down. It may start or end at
    any time, and subscribes to observations only while its own topics have subscribers.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.options = declare(node, RecorderOptions)
        # A second policy spoils a recording; without one it may replace a policy that crashed.
        recorded = self.options.recorded
        self.duplicates = DuplicateDetector(
            node,
            ACTIVATION_RECORDER,
            [
                WatchedTopic(messages.activation_topic('output'), ACTIVATION_RECORDER),
                WatchedTopic(messages.OBSERVATION, POLICY, lambda: recorded),
                WatchedTopic(messages.CHECKPOINT, POLICY, lambda: recorded),
            ],
            subscribes_to=messages.CHECKPOINT,
        )
        self.duplicates.check_at_start()
        self.loop = Loop(node, self.duplicates.check)
        self.filters = {
            topic: PublisherFilter(self.duplicates, topic, POLICY, exclusive=recorded)
            for topic in (messages.CHECKPOINT, messages.OBSERVATION)
        }
        self.checkpoints = self.loop.subscribe(String, messages.CHECKPOINT, latched())
        self.observations: Inbox[Float32MultiArray] | None = None
        self.networks: list[tuple[int, QNetwork]] = []  # (first episode, weights), oldest first
        self.publishers: list[Publisher[Float32MultiArray]] = []
        self.message = Float32MultiArray()
        self.episode_steps = 0
        self.published = 0
        self.last_cycle: int | None = None
        self.dropped = ThrottledWarning(node, 'observations dropped')
        self.rejected = ThrottledWarning(node, 'message ignored')
        self.diagnostics = Diagnostics(node, self.diagnostic_values, self.problems)

    def diagnostic_values(self) -> dict[str, object]:
        """Return the values for /diagnostics."""
        return {
            'observations': self.published,
            'dropped': self.dropped.count,
            'ignored': self.rejected.count,
        }

    def problems(self) -> list[Problem]:
        """Return the problems for /diagnostics."""
        duplicate = problems(self.duplicates.problem, level=DiagnosticStatus.ERROR)
        return duplicate + problems(self.dropped, self.rejected)

    def load_weights(self, text: str) -> None:
        """Load the checkpoint that a message on `checkpoint` announces."""
        try:
            newest = messages.decode_checkpoint(text)
            checkpoint = load_checkpoint(newest.path)
        except (messages.LayoutError, UserError, OSError, ValueError) as error:
            self.rejected.add(str(error))
            return
        if self.networks and self.networks[-1][1].sizes != checkpoint.network.sizes:
            self.rejected.add(f'{newest.path} has other layer sizes; start a new recorder for it')
            return
        if newest.network not in (None, network_digest(checkpoint.network)):
            self.rejected.add(f'{newest.path} holds other weights than the policy uses')
            return
        self.networks.append((newest.first_episode, checkpoint.network))
        self.episode_steps = checkpoint.setup.task.episode_steps
        if not self.publishers:
            layers = messages.layer_names(len(checkpoint.network.sizes) - 2)
            self.publishers = [
                self.node.create_publisher(
                    Float32MultiArray, messages.activation_topic(layer), reliable(RECORDED_DEPTH)
                )
                for layer in layers
            ]

    def update_subscription(self) -> None:
        """Subscribe to observations while the activations have subscribers."""
        subscribed = [has_subscribers(publisher) for publisher in self.publishers]
        if self.observations is None:
            if subscribed and (all(subscribed) if self.options.recorded else any(subscribed)):
                self.last_cycle = None
                self.observations = self.loop.subscribe(
                    Float32MultiArray, messages.OBSERVATION, reliable(OBSERVATION_DEPTH)
                )
        elif not self.options.recorded and not any(subscribed):
            self.loop.unsubscribe(self.observations)
            self.observations = None

    def handle(self, message: Float32MultiArray) -> None:
        """Publish the activations for the observations of one control cycle."""
        try:
            episode, step, observations = messages.read_fleet_step(message)
        except messages.LayoutError as error:
            self.rejected.add(str(error))
            return
        sizes = self.networks[-1][1].sizes
        if observations.shape[1] != sizes[0]:
            self.rejected.add(f'{observations.shape[1]} inputs, but the network has {sizes[0]}')
            return
        if not np.isfinite(observations).all():
            self.rejected.add('observations that are not finite')
            return
        if not self.count_dropped(episode // observations.shape[0] * self.episode_steps + step):
            self.rejected.add(f'episode {episode}, step {step} is far from the previous one')
            return
        while len(self.networks) > 1 and self.networks[1][0] <= episode:
            self.networks.pop(0)
        subscribed = [has_subscribers(publisher) for publisher in self.publishers]
        self.published += 1
        batch = torch.from_numpy(observations.copy())[None]
        layers = self.networks[0][1].activations(batch)
        for publisher, values, wanted in zip(self.publishers, layers, subscribed, strict=True):
            if wanted:
                messages.fill_fleet_step(
                    self.message, MultiArrayDimension, values[0].numpy(), episode, step
                )
                publisher.publish(self.message)

    def count_dropped(self, cycle: int) -> bool:
        """Count the cycles missed since the last observation; return False if they are too many."""
        missing = 0 if self.last_cycle is None else cycle - self.last_cycle - 1
        if missing > MAX_DROPPED:
            return False
        if missing > 0:
            self.dropped.add('the recorder is too slow or lost the policy', missing)
        self.last_cycle = cycle
        return True

    def take(self, inbox: Inbox[ContentT], topic: str) -> ContentT | None:
        """Return the next message of the policy, None if there is none."""
        while (taken := inbox.take_with_gid()) is not None:
            message, gid = taken
            if self.filters[topic].accepts(gid):
                return message
            self.rejected.add(f'a message on {inbox.topic_name} that is not from the policy')
            self.loop.run_due()
        return None

    def take_all(self) -> bool:
        """Process all received messages; return whether there was an observation."""
        busy = False
        while (checkpoint := self.take(self.checkpoints, messages.CHECKPOINT)) is not None:
            self.load_weights(checkpoint.data)
        while self.observations is not None and not urgent_shutdown.is_set():
            message = self.take(self.observations, messages.OBSERVATION)
            if message is None:
                break
            self.handle(message)
            busy = True
            self.loop.run_due()
        self.update_subscription()
        return busy

    def spin(self) -> int:
        """Work until interrupted, then process what has been received."""
        try:
            while True:
                self.take_all()
                self.loop.wait(1.0)
        except KeyboardInterrupt:
            self.loop.periodic_check = lambda: None  # duplicates do not matter any more
            while self.take_all():
                self.loop.wait(0.1)
            flush(self.publishers)
            if self.dropped.count:
                self.node.get_logger().error(f'{self.dropped.count} observations dropped in total')
        return 0


def _run(node: Node) -> int:
    use_one_core()
    return ActivationRecorder(node).spin()


def main() -> int:
    """Run the node."""
    return run_node('activation_recorder', _run)


if __name__ == '__main__':
    raise SystemExit(main())

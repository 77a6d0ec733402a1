"""Node `activation_recorder`: publishes what every neuron does for every observation."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from std_msgs.msg import Float32MultiArray, MultiArrayDimension, String

from neuron_reach import messages
from neuron_reach.common.options import option
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import load_checkpoint, network_digest
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.nodes.common import (
    OBSERVATION_DEPTH,
    RECORDED_DEPTH,
    Diagnostics,
    Problem,
    Throttle,
    declare,
    flush,
    latched,
    problems,
    reliable,
    run_node,
)
from neuron_reach.nodes.duplicates import ACTIVATION_RECORDER, POLICY, Company, Speaker, Watch
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.shutdown import abandoned

MOST_DROPPED = 1_000_000
"""Control cycles beyond which a gap is none, but a message that belongs to something else."""


@dataclasses.dataclass(frozen=True)
class RecorderOptions:
    """Parameters of the node."""

    recorded: bool = option(
        False,
        'wait for a subscriber on every layer, then listen to observations until the end; '
        'else listen while there is a subscriber on any layer',
    )


class ActivationRecorder:
    """Repeats the policy's forward pass, with the same weights and shapes, and publishes it.

    A process of its own, so that it never slows the policy down. It may join or leave at any time,
    and listens to observations only while somebody listens to it.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.options = declare(node, RecorderOptions)
        # Recorded, a second policy spoils the bag; else it may be the next one, after a crash.
        recorded = self.options.recorded
        self.company = Company(
            node,
            ACTIVATION_RECORDER,
            [
                Watch(messages.activation_topic('output'), ACTIVATION_RECORDER),
                Watch(messages.OBSERVATION, POLICY, lambda: recorded),
                Watch(messages.CHECKPOINT, POLICY, lambda: recorded),
            ],
            hears=messages.CHECKPOINT,
        )
        self.company.look()
        self.loop = Loop(node, self.company.check)
        self.policy = {
            topic: Speaker(self.company, topic, POLICY, alone=recorded)
            for topic in (messages.CHECKPOINT, messages.OBSERVATION)
        }
        self.checkpoints = self.loop.subscribe(String, messages.CHECKPOINT, latched())
        self.observations = None
        self.networks: list[tuple[int, QNetwork]] = []  # (first episode, weights), oldest first
        self.publishers: list = []
        self.message = Float32MultiArray()
        self.episode_steps = 0
        self.published = 0
        self.last: int | None = None
        self.dropped = Throttle(node, 'observations dropped')
        self.rejected = Throttle(node, 'message ignored')
        self.diagnostics = Diagnostics(node, self.figures, self.problems)

    def figures(self) -> dict[str, object]:
        """Return the counts for /diagnostics."""
        return {
            'observations': self.published,
            'dropped': self.dropped.count,
            'ignored': self.rejected.count,
        }

    def problems(self) -> list[Problem]:
        """Return what is wrong, for /diagnostics."""
        second = problems(self.company.problem, level=DiagnosticStatus.ERROR)
        return second + problems(self.dropped, self.rejected)

    def learn_weights(self, text: str) -> None:
        """Load the checkpoint that a message on `checkpoint` tells of."""
        try:
            newest = messages.decode_checkpoint(text)
            checkpoint = load_checkpoint(newest.path)
        except (messages.LayoutError, UserError, OSError, ValueError) as error:
            self.rejected.add(str(error))
            return
        if self.networks and self.networks[-1][1].sizes != checkpoint.network.sizes:
            self.rejected.add(f'{newest.path} is another network; start a new recorder for it')
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

    def join_or_leave(self) -> None:
        """Listen to observations while somebody listens to the activations."""
        heard = [publisher.get_subscription_count() > 0 for publisher in self.publishers]
        if self.observations is None:
            if heard and (all(heard) if self.options.recorded else any(heard)):
                self.last = None
                self.observations = self.loop.subscribe(
                    Float32MultiArray, messages.OBSERVATION, reliable(OBSERVATION_DEPTH)
                )
        elif not self.options.recorded and not any(heard):
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
            self.rejected.add(f'{observations.shape[1]} inputs, the network takes {sizes[0]}')
            return
        if not np.isfinite(observations).all():
            self.rejected.add('observations that are not finite')
            return
        if not self.count_dropped(episode // observations.shape[0] * self.episode_steps + step):
            self.rejected.add(f'episode {episode}, step {step} is far from the last one')
            return
        while len(self.networks) > 1 and self.networks[1][0] <= episode:
            self.networks.pop(0)
        wanted = [publisher.get_subscription_count() > 0 for publisher in self.publishers]
        self.published += 1
        batch = torch.from_numpy(observations.copy())[None]
        layers = self.networks[0][1].activations(batch)
        for publisher, values, want in zip(self.publishers, layers, wanted, strict=True):
            if want:
                messages.fill_fleet_step(
                    self.message, MultiArrayDimension, values[0].numpy(), episode, step
                )
                publisher.publish(self.message)

    def count_dropped(self, cycle: int) -> bool:
        """Count the cycles between the last observation and this one; False if it can't be."""
        missing = 0 if self.last is None else cycle - self.last - 1
        if missing > MOST_DROPPED:
            return False
        if missing > 0:
            self.dropped.add('the recorder is too slow or lost the policy', missing)
        self.last = cycle
        return True

    def take(self, subscription: Any, topic: str) -> Any:
        """Return the next message of the policy, None if there is none."""
        while (taken := self.loop.take_from(subscription)) is not None:
            message, gid = taken
            if self.policy[topic].is_from(gid):
                return message
            self.rejected.add(f'a message on {subscription.topic_name} that is not of the policy')
            self.loop.attend()
        return None

    def take_all(self) -> bool:
        """Handle all that has arrived; return whether that was anything."""
        busy = False
        while (news := self.take(self.checkpoints, messages.CHECKPOINT)) is not None:
            self.learn_weights(news.data)
        while self.observations is not None and not abandoned.is_set():
            message = self.take(self.observations, messages.OBSERVATION)
            if message is None:
                break
            self.handle(message)
            busy = True
            self.loop.attend()
        self.join_or_leave()
        return busy

    def spin(self) -> int:
        """Work until interrupted, then finish what has arrived."""
        try:
            while True:
                self.take_all()
                self.loop.wait(1.0)
        except KeyboardInterrupt:
            self.loop.watch = lambda: None  # nobody comes any more who matters
            while self.take_all():
                self.loop.wait(0.1)
            flush(self.publishers)
            if self.dropped.count:
                self.node.get_logger().error(f'{self.dropped.count} observations dropped in all')
        return 0


def _body(node: Node) -> int:
    use_one_core()
    return ActivationRecorder(node).spin()


def main() -> int:
    """Run the node."""
    return run_node('activation_recorder', _body)


if __name__ == '__main__':
    raise SystemExit(main())

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Node `policy_inspector`: runs any policy on the topics of a robot and shows what it computes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.common.arrays import Array
from neuron_reach.common.options import option
from neuron_reach.errors import UserError
from neuron_reach.inspection.commands import Command
from neuron_reach.inspection.connections import Connections, read_connections
from neuron_reach.inspection.observation import Observation
from neuron_reach.inspection.options import InspectionOptions
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.nodes.activity_topics import ActivityTopics
from neuron_reach.nodes.diagnostics import Diagnostics, Problem, ThrottledWarning, problems
from neuron_reach.nodes.duplicates import POLICY_INSPECTOR, DuplicateDetector, WatchedTopic
from neuron_reach.nodes.endpoints import publishers_of
from neuron_reach.nodes.entry_point import run_node
from neuron_reach.nodes.input_topics import InputTopics
from neuron_reach.nodes.inspection_clock import InspectionClock
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.parameters import declare
from neuron_reach.nodes.publishing import reliable
from neuron_reach.policies.loading import load
from neuron_reach.policies.policy import Policy
from neuron_reach.policies.reaching import ReachingPolicy

COMMAND_DEPTH = 10
"""Commands that are kept for a slow robot."""

LONGEST_WAIT = 1.0  # s

MAKE_UP = 0.05
"""Seconds of delay up to which late steps are made up for; after longer ones they are skipped."""


@dataclasses.dataclass(frozen=True)
class InspectorOptions(InspectionOptions):
    """Parameters of the node."""

    recorded: bool = option(
        False, 'wait for a subscriber of every topic that is recorded before the first step'
    )


def read_options(node: Node) -> tuple[InspectorOptions, Connections]:
    """Return the parameters, and what is in the file of inputs.

    Raises:
        UserError: a parameter or the file is missing or invalid.
    """
    options = declare(node, InspectorOptions)
    for name, what in (('policy', 'the policy'), ('inputs', 'the inputs and outputs')):
        if not getattr(options, name):
            raise UserError(f'parameter {name} is missing; give the file of {what}')
    connections = read_connections(options.inputs)
    if options.rate:
        timing = dataclasses.replace(connections.timing, rate=options.rate, trigger='')
        connections = dataclasses.replace(connections, timing=timing)
    if options.act and connections.outputs is None:
        raise UserError(f'{options.inputs}: has no outputs, which act:=true needs')
    return options, connections


def action_size(policy: Policy) -> int:
    """Return the number of components of a policy's action; 0 if it chooses none."""
    try:
        return np.atleast_1d(policy.act(np.zeros(policy.sizes[0]))).size
    except UserError:  # it estimates values
        return 0


class PolicyInspector:
    """Makes observations of messages, runs the policy, and publishes what every layer computes.

    With stale inputs, the activations are published and marked, and no action is.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.options, connections = read_options(node)
        self.timing = connections.timing
        self.policy = load(
            self.options.policy,
            part=self.options.part or None,
            activation=self.options.activation or None,
        )
        sizes, actions = self.policy.sizes, action_size(self.policy)
        self.layer_ends = np.cumsum(sizes)[:-1]
        self.observation = Observation(connections, sizes[0], actions)
        self.no_action: Array = np.zeros(actions)
        self.command: Command | None = None
        if connections.outputs is not None:
            self.command = Command(connections.outputs, actions, connections.path)
        self.chooses = self.options.act or any(each.previous_action for each in connections.inputs)
        if self.chooses and not actions:
            raise UserError(f'{self.options.policy}: estimates values and chooses no actions')
        self.duplicates = DuplicateDetector(
            node,
            POLICY_INSPECTOR,
            [WatchedTopic(messages.activation_topic('output'), POLICY_INSPECTOR)],
        )
        self.duplicates.check_at_start()
        self._require_free_topics(connections)
        self.loop = Loop(node, self.check)
        self.clock = InspectionClock(self.loop)
        types = {each.topic: each.type for each in connections.inputs if each.topic}
        self.topics = InputTopics(self.loop, types)
        self.activity = ActivityTopics(node, self.policy.layers, self.options.episode_steps)
        self.commands = None
        if self.command is not None and self.options.act:
            self.commands = node.create_publisher(
                self.command.message_type, self.command.topic, reliable(COMMAND_DEPTH)
            )
        node.create_service(Trigger, '~/end_episode', self.end_episode)
        self.next_step: float | None = None
        self.steps = self.stale_steps = 0
        self.waiting = self.options.recorded
        self.rejected = ThrottledWarning(node, 'messages not used')
        self.missing = ThrottledWarning(node, 'steps not possible')
        self.late = ThrottledWarning(node, 'steps missed')
        self.stale = ThrottledWarning(node, 'steps with stale inputs')
        self.diagnostics = Diagnostics(node, self.diagnostic_values, self.problems)
        path = self.policy.checkpoint.path if isinstance(self.policy, ReachingPolicy) else None
        path = path or Path(self.options.policy)
        self.activity.announce(str(path.resolve()), self.policy.network.digest)

    def _require_free_topics(self, connections: Connections) -> None:
        """Raise UserError if topics of this node are inputs, or others publish on them."""
        resolve = self.node.resolve_topic_name
        layers = [messages.activation_topic(layer) for layer in self.policy.layers]
        images = [f'{topic}/image' for topic in layers]
        known = (messages.OBSERVATION, messages.STEPS, messages.EPISODE, messages.CHECKPOINT)
        own = {resolve(name) for name in (*layers, *images, *known)}
        given = [each.topic for each in connections.inputs if each.topic]
        given += [connections.outputs.topic] if connections.outputs else []
        for topic in given:
            if resolve(topic) in own:
                raise UserError(
                    f'{connections.path}: {topic} is a topic that this node publishes; use '
                    'another namespace, or another topic'
                )
        for name in (
            messages.activation_topic('output'),
            messages.OBSERVATION,
            messages.CHECKPOINT,
        ):
            if others := publishers_of(self.node, name):
                raise UserError(
                    f'{others[0].full_node_name} publishes on '
                    f'{self.node.resolve_topic_name(name)} already; use another namespace, '
                    'and names of topics that begin with / for the inputs'
                )

    def check(self) -> None:
        """Do what is due several times a second."""
        self.duplicates.check()
        self.topics.update()

    def diagnostic_values(self) -> dict[str, object]:
        """Return the values for /diagnostics."""
        return {
            'steps': self.steps,
            'stale': self.stale_steps,
            'missed': self.late.count,
            'ignored': self.rejected.count,
            'episodes': self.activity.finished,
            'act': self.options.act,
        }

    def problems(self) -> list[Problem]:
        """Return the problems for /diagnostics."""
        found = problems(self.duplicates.problem, level=DiagnosticStatus.ERROR)
        found += problems(*self.input_problems())
        if self.waiting and (topic := self.activity.not_subscribed()):
            found += problems(f'waiting for a subscriber of {topic}')
        return found + problems(self.rejected, self.missing, self.late)

    def input_problems(self) -> list[str]:
        """Return the current problems of inputs, a line for each topic."""
        now = self.clock.now()
        if now is None:
            return ['/clock: no message yet, and use_sim_time is true']
        found = self.observation.problems(now)
        return [self.topics.describe(topic, text) for topic, text in found.items()]

    def end_episode(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Serve `~/end_episode`: the next step is the first of an episode, after no action."""
        episode, steps = self.activity.episode, self.activity.step
        self.activity.end_episode()
        self.observation.act(self.no_action)
        response.success = True
        response.message = f'episode {episode}: {steps} steps'
        return response

    def receive(self, topic: str, now: float, *, single: bool = False) -> object | None:
        """Take the messages of a topic, or a single one; return the last."""
        last = None
        while (message := self.topics.inboxes[topic].take()) is not None:
            last = message
            for problem in self.observation.receive(topic, message, now):
                self.rejected.add(f'{self.node.resolve_topic_name(topic)}: {problem}')
            if single:
                break
        return last

    def take_all(self) -> None:
        """Process all received messages, and take the steps that are due."""
        if self.clock.update():
            self.node.get_logger().warning('time was set back; waiting for new messages')
            self.observation.reset()
            self.interrupt_episode()
            self.next_step = None
        now = self.clock.now()
        trigger = self.timing.trigger
        while now is not None:
            for topic in self.topics.inboxes:
                if topic != trigger:
                    self.receive(topic, now)
            if not trigger:
                self.step_if_due(now)
                return
            message = self.receive(trigger, now, single=True)
            if message is None:
                return
            stamp = getattr(getattr(message, 'header', None), 'stamp', None)
            self.step(now, stamp if stamp and (stamp.sec or stamp.nanosec) else self.clock.stamp())
            self.loop.run_due()
            now = self.clock.now()

    def step_if_due(self, now: float) -> None:
        """Take a step if it is time; skip and count those that are too late."""
        period = 1.0 / self.timing.rate
        if self.next_step is None:
            self.next_step = now
        if now < self.next_step:
            return
        self.next_step += period
        if now - self.next_step > MAKE_UP:
            late = int((now - self.next_step) / period)
            self.late.add('the node was too slow, or the clock too coarse', late)
            self.next_step += late * period
        self.step(now, self.clock.stamp())

    def interrupt_episode(self) -> None:
        """End the episode, as the policy cannot be run; afterwards there is no previous action."""
        self.activity.end_episode()
        self.observation.act(self.no_action)

    def step(self, now: float, stamp: Time) -> None:
        """Run the policy on the newest messages and publish what it computes."""
        if self.waiting:
            self.waiting = bool(self.activity.not_subscribed())
            if self.waiting:
                return
        seen = self.observation.build(now)
        if seen is None:
            self.missing.add('; '.join(self.input_problems()))
            self.interrupt_episode()
            return
        computed = self.policy.compute(seen.inputs[None])
        layers = np.split(computed, self.layer_ends, axis=1)
        if not np.isfinite(computed).all():
            self.missing.add('the network computes infinity or NaN')
            self.interrupt_episode()
            return
        action = self.no_action
        if seen.stale:
            self.stale_steps += 1
            self.stale.add('; '.join(self.input_problems()))
        elif self.chooses:
            action = np.atleast_1d(self.policy.choose(layers[-1][0])).astype(np.float64)
            self.send(action)
        self.observation.act(action)
        self.activity.publish(layers, stamp, stale=seen.stale)
        self.steps += 1

    def send(self, action: Array) -> None:
        """Publish an action, (actions,), if this node acts."""
        if self.commands is None or self.command is None:
            return
        message = self.command.message(action)
        if hasattr(message, 'header'):
            message.header.stamp = self.clock.stamp()
        self.commands.publish(message)

    def remaining(self) -> float:
        """Return how long to wait for messages, s."""
        now = self.clock.now()
        if self.timing.trigger or self.next_step is None or now is None:
            return LONGEST_WAIT
        return self.next_step - now

    def spin(self) -> int:
        """Work until interrupted, or for the given number of episodes."""
        try:
            while not self.options.episodes or self.activity.finished < self.options.episodes:
                self.take_all()
                self.loop.wait(self.remaining())
        except KeyboardInterrupt:
            self.activity.end_episode()
        self.activity.flush()
        return 0


def _run(node: Node) -> int:
    use_one_core()
    return PolicyInspector(node).spin()


def main() -> int:
    """Run the node."""
    return run_node('policy_inspector', _run)


if __name__ == '__main__':
    raise SystemExit(main())

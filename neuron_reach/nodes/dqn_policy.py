# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Node `dqn_policy`: trains a network over topics, or acts with a trained one."""

from __future__ import annotations

import dataclasses

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from neuron_reach import messages
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.arm.task import ReachingTask, TaskOptions
from neuron_reach.common.options import option
from neuron_reach.common.processes import INTERRUPTED
from neuron_reach.common.progress import Progress
from neuron_reach.common.random_streams import training_streams
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint, load_checkpoint
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.qnetwork import QNetwork, greedy
from neuron_reach.learning.rollout import greedy_successes, play
from neuron_reach.learning.session import Session
from neuron_reach.learning.setup import LearningOptions, SessionOptions, Setup, TrainingOptions
from neuron_reach.learning.training import Training, training_note
from neuron_reach.learning.validation import VALIDATION_EPISODES, required_successes
from neuron_reach.nodes.deferred_trigger import PendingRequest
from neuron_reach.nodes.diagnostics import (
    Diagnostics,
    Problem,
    RosoutLogger,
    low_disk_space,
    problems,
)
from neuron_reach.nodes.duplicates import (
    GRACE_PERIOD,
    POLICY,
    SIMULATOR,
    DuplicateDetector,
    WatchedTopic,
)
from neuron_reach.nodes.entry_point import run_node
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.parameters import declare
from neuron_reach.nodes.policy_publisher import PolicyPublisher
from neuron_reach.nodes.policy_services import PolicyServices
from neuron_reach.nodes.topic_arms import TopicArms

LONGEST_SAVE_DELAY = 5.0
"""Seconds after which a requested save is done even in the middle of a test."""


@dataclasses.dataclass(frozen=True)
class PolicyOptions(SessionOptions):
    """Parameters beside those of arm, task and learning."""

    mode: str = option(
        'run', 'train a network, or act with a trained one', choices=('train', 'run')
    )
    run_dir: str = option('', 'folder of the training run (mode train)', path=True)
    start: str = option(
        '', 'folder of a network to start the training from (mode train)', path=True
    )
    checkpoint: str = option('', 'folder of the trained network (mode run)', path=True)
    realtime: bool = option(False, 'the arms move by the wall clock, not by commands')
    start_timeout: float = option(
        0.0,
        'seconds to wait for the simulator at the start, if more than simulator_timeout',
        low=0.0,
        high=3600.0,
    )
    episodes: int = option(
        0, 'episodes to play in mode run; 0: until interrupted', low=0, high=10_000_000
    )
    observers: int = option(
        0, 'subscribers of `observation` to wait for before the first episode', low=0, high=100
    )


class DqnPolicy:
    """The policy in either mode."""

    def __init__(self, node: Node) -> None:
        self.options = declare(node, PolicyOptions)
        self.setup = Setup(
            arm=declare(node, ArmOptions),
            task=declare(node, TaskOptions),
            learning=declare(node, LearningOptions, arms=1),  # the simulators' default
            training=declare(node, TrainingOptions),
        )
        self.node = node
        self.task = ReachingTask(self.setup.task, self.setup.arm)
        self.session: Session | None = None
        self.trained: Checkpoint | None = None
        training = self.options.mode == 'train'
        self.duplicates = DuplicateDetector(
            node,
            POLICY,
            [
                WatchedTopic(messages.COMMANDS, POLICY),
                WatchedTopic(messages.OBSERVATION, POLICY),
                WatchedTopic(messages.JOINT_STATES, SIMULATOR),
            ],
            # In lockstep a duplicate is detected before its messages are mixed in.
            grace_period=0.0 if training and self.options.realtime else GRACE_PERIOD,
        )
        # Before the check, because the graph is discovered while this takes its time.
        if training:
            self.session = self.open_session()
        else:
            self.trained = self.load(self.options.checkpoint)
        self.duplicates.check_at_start()
        self.loop = Loop(node, self.duplicates.check)
        self.arms = TopicArms(
            self.loop,
            self.setup.learning.arms,
            self.setup.arm.joints,
            realtime=self.options.realtime,
            timeout=self.options.simulator_timeout,
        )
        self.publisher = PolicyPublisher(self.loop, self.task, self.arms, self.on_round_end)
        self.successes = 0
        self.played = 0
        self.services = PolicyServices(node)
        self.rosout = RosoutLogger(node)
        self.diagnostics = Diagnostics(node, self.diagnostic_values, self.problems)

    def progress(self, what: str, total: int | None = None, initial: int = 0) -> Progress:
        """Return a progress display on the terminal and on `/rosout`."""
        return Progress(what, total, initial, say=self.rosout.log)

    def diagnostic_values(self) -> dict[str, object]:
        """Return the values for /diagnostics."""
        values: dict[str, object] = {
            'mode': self.options.mode,
            'episode': self.publisher.episode,
            'joint_states_ignored': self.arms.rejected.count,
            'joint_states_lost': self.arms.lost.count,
        }
        if self.played:
            values['success_rate'] = f'{self.successes / self.played:.4f}'
        if self.session is not None and self.session.training is not None:
            values['training'] = training_note(self.session.training)
            values['training_episodes'] = self.session.training.episodes
        if self.services.validation:
            values['validation'] = self.services.validation
        return values

    def problems(self) -> list[Problem]:
        """Return the problems for /diagnostics."""
        duplicate = problems(self.duplicates.problem, level=DiagnosticStatus.ERROR)
        arms = problems(self.arms.silent, self.arms.rejected, self.arms.lost)
        disk = low_disk_space(self.options.run_dir) if self.options.mode == 'train' else []
        return duplicate + arms + disk

    def connect(self) -> None:
        """Wait for the simulator and for the observers."""
        timeout = self.options.simulator_timeout
        self.arms.connect(max(timeout, self.options.start_timeout))
        if not self.publisher.wait_for_observers(self.options.observers, timeout):
            raise UserError(
                f'fewer than {self.options.observers} subscribers of observation '
                f'after {timeout:g} s'
            )

    def on_round_end(self) -> None:
        """Save if a request has waited for long; a test may have many rounds."""
        self.save(self.services.save_checkpoint.take(waited=LONGEST_SAVE_DELAY))

    def save(self, requests: list[PendingRequest]) -> None:
        """Save the state after the last complete training round, and answer the requests."""
        if requests:
            self.wait_out_duplicates()
        for request in requests:
            if self.session is None or self.session.training is None:
                request.answer(False, 'not training: there is nothing to save')
                continue
            self.session.save()
            self.publisher.checkpoint(self.session.newest)
            request.answer(True, str(self.session.newest))
        if requests:
            self.loop.run_callbacks()

    def validate(self, network: QNetwork, requests: list[PendingRequest]) -> None:
        """Play a validation test and answer the requests.

        After every round it can be canceled, and requests to save are answered.
        """
        goals = self.task.sample_goals(np.random.default_rng(), VALIDATION_EPISODES)
        won = played = 0
        self.services.cancel.take()  # these were meant for an earlier test
        canceled: list[PendingRequest] = []
        while played < VALIDATION_EPISODES and not canceled:
            batch = goals[None, played : played + self.arms.arms]
            successes = greedy_successes(
                self.arms, self.task, network, batch, watcher=self.publisher
            )[0]
            won, played = won + int(successes.sum()), played + successes.size
            self.services.validation = f'{won} of {played} episodes, {VALIDATION_EPISODES} to play'
            self.rosout.log(f'validation: {self.services.validation}')
            self.save(self.services.save_checkpoint.take())
            canceled = self.services.cancel.take()
        passed = won >= required_successes() and not canceled
        verdict = 'canceled' if canceled else 'passed' if passed else 'not passed'
        self.services.validation = ''
        for request in requests:
            request.answer(passed, f'{won} of {played} episodes: {verdict}')
        for request in canceled:
            request.answer(True, f'canceled after {played} of {VALIDATION_EPISODES} episodes')
        self.loop.run_callbacks()

    def answer(self, network: QNetwork) -> None:
        """Answer the service requests received since the last round."""
        if requests := self.services.validate.take():
            self.validate(network, requests)
        self.save(self.services.save_checkpoint.take())
        for request in self.services.cancel.take():
            request.answer(False, 'no validation is running')

    def wait_out_duplicates(self) -> None:
        """Check for duplicate nodes and wait until they have ended, before anything is saved.

        Raises:
            SpoiledError: they do not end.
        """
        self.duplicates.check()
        while self.duplicates.has_duplicate:
            self.loop.wait(0.1)

    def load(self, path: str) -> Checkpoint:
        """Load a network with any hidden layers, for an arm with the same number of joints."""
        if not path:
            raise UserError('parameter checkpoint is missing; give the folder of a network')
        checkpoint = load_checkpoint(path)
        joints, expected = checkpoint.setup.arm.joints, self.setup.arm.joints
        if joints != expected:
            raise UserError(
                f'{checkpoint.path}: is for an arm with {joints} joints, but joints={expected}'
            )
        return checkpoint

    def open_session(self) -> Session:
        """Resume the training in the run folder, or start it."""
        if not self.options.run_dir:
            raise UserError('parameter run_dir is missing; mode train needs a folder')
        setup, network = self.setup, None
        if self.options.start:
            start = self.load(self.options.start)
            setup, network = setup.with_hidden(start.network.sizes[1:-1]), start.network
        return Session(setup, self.options.run_dir, self.options.checkpoint_interval, network)

    def train(self, session: Session) -> int:
        """Train until the validation test is passed, then measure the accuracy."""
        training = session.training
        if training is None and 'accuracy' in session.metadata()['validation']:
            print(f'{session.final} is trained already', flush=True)
            return 0
        self.publisher.checkpoint(session.newest)
        self.connect()
        if training is not None:
            progress = self.progress('training', initial=training.episodes)

            def after_round(_: Training) -> None:
                self.wait_out_duplicates()
                progress.update(training.episodes, training_note(training))
                self.answer(training.saved_network(0))

            try:
                session.train(
                    lambda _: self.arms, after_round, self.publisher.checkpoint, self.publisher
                )
            finally:
                progress.close()
        session.measure(lambda _: self.arms, self.options.test_episodes, self.publisher)
        return 0

    def run(self, checkpoint: Checkpoint) -> int:
        """Act greedily with a trained network for the given episodes, or until interrupted."""
        total = self.options.episodes or None
        self.publisher.checkpoint(checkpoint.path, total)
        self.connect()
        generator = training_streams(self.setup.training.seed)['record']
        network = checkpoint.network
        progress = self.progress('recording' if total else 'running', total)
        while total is None or self.played < total:
            goals = self.task.sample_goals(generator, self.arms.arms)[None]
            rollout = play(
                self.arms,
                self.task,
                goals,
                lambda observations: greedy(network, observations),
                watcher=self.publisher,
            )
            self.played += self.arms.arms
            self.successes += int(self.task.success(rollout.rewards[-1]).sum())
            progress.update(self.played, f'{self.successes / self.played:.1%} successful')
            self.answer(network)
        progress.close()
        self.publisher.flush()
        return 0


def _run(node: Node) -> int:
    use_one_core()
    policy = DqnPolicy(node)
    try:
        if policy.session is not None:
            return policy.train(policy.session)
        assert policy.trained is not None
        return policy.run(policy.trained)
    except KeyboardInterrupt:
        if policy.session is not None and policy.session.training is not None:
            line = f'interrupted; saved {policy.session.newest}'
            print(line, flush=True)
            policy.rosout.log(line)
        return INTERRUPTED
    finally:
        policy.rosout.flush()


def main() -> int:
    """Run the node."""
    return run_node('dqn_policy', _run)


if __name__ == '__main__':
    raise SystemExit(main())

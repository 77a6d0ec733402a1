"""Node `dqn_policy`: learns to reach from what it sees on topics, or acts with what it learned."""

from __future__ import annotations

import dataclasses

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.task import Future

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
from neuron_reach.nodes.common import (
    Diagnostics,
    Problem,
    Rosout,
    declare,
    full_disk,
    problems,
    run_node,
)
from neuron_reach.nodes.duplicates import GRACE, POLICY, SIMULATOR, Company, Watch
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.policy_publisher import Broadcast
from neuron_reach.nodes.policy_services import Requests
from neuron_reach.nodes.topic_arms import TopicArms

PATIENCE = 5.0
"""Seconds that somebody waits for a save before it is done in the middle of a test."""


@dataclasses.dataclass(frozen=True)
class PolicyOptions(SessionOptions):
    """Parameters beside those of arm, task and learning."""

    mode: str = option('run', 'learn, or act with a trained network', choices=('train', 'run'))
    run_dir: str = option('', 'folder of the training run (mode train)', path=True)
    start: str = option(
        '', 'folder of a network to begin the training with (mode train)', path=True
    )
    checkpoint: str = option('', 'folder of the trained network (mode run)', path=True)
    realtime: bool = option(False, 'the arms move by the wall clock, not by commands')
    start_timeout: float = option(
        0.0,
        'seconds until the arm must be there, if more than simulator_timeout',
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
    """The node's state, whatever its mode."""

    def __init__(self, node: Node) -> None:
        self.options = declare(node, PolicyOptions)
        self.setup = Setup(
            declare(node, ArmOptions),
            declare(node, TaskOptions),
            declare(node, LearningOptions, arms=1),  # as a simulator has by default
            declare(node, TrainingOptions),
        )
        self.node = node
        self.task = ReachingTask(self.setup.task, self.setup.arm)
        self.session: Session | None = None
        self.trained: Checkpoint | None = None
        training = self.options.mode == 'train'
        self.company = Company(
            node,
            POLICY,
            [
                Watch(messages.COMMANDS, POLICY),
                Watch(messages.OBSERVATION, POLICY),
                Watch(messages.JOINT_STATES, SIMULATOR),
            ],
            # In lockstep nothing gets mixed before it is noticed.
            grace=0.0 if training and self.options.realtime else GRACE,
        )
        # Before looking around: it takes a while, in which the graph is discovered.
        if training:
            self.session = self.open_session()
        else:
            self.trained = self.load(self.options.checkpoint)
        self.company.look()
        self.loop = Loop(node, self.company.check)
        self.arms = TopicArms(
            self.loop,
            self.setup.learning.arms,
            self.setup.arm.joints,
            realtime=self.options.realtime,
            timeout=self.options.simulator_timeout,
        )
        self.broadcast = Broadcast(self.loop, self.task, self.arms, self.round_ended)
        self.successes = 0
        self.played = 0
        self.requests = Requests(node)
        self.rosout = Rosout(node)
        self.diagnostics = Diagnostics(node, self.figures, self.problems)

    def progress(self, what: str, total: int | None = None, initial: int = 0) -> Progress:
        """Return what shows the progress on the terminal and tells `/rosout` of it."""
        return Progress(what, total, initial, say=self.rosout.say)

    def figures(self) -> dict[str, object]:
        """Return the counts for /diagnostics."""
        figures: dict[str, object] = {
            'mode': self.options.mode,
            'episode': self.broadcast.episode,
            'joint_states_ignored': self.arms.rejected.count,
            'joint_states_lost': self.arms.lost.count,
        }
        if self.played:
            figures['success_rate'] = f'{self.successes / self.played:.4f}'
        if self.session is not None and self.session.training is not None:
            figures['training'] = training_note(self.session.training)
            figures['training_episodes'] = self.session.training.episodes
        if self.requests.validation:
            figures['validation'] = self.requests.validation
        return figures

    def problems(self) -> list[Problem]:
        """Return what is wrong, for /diagnostics."""
        found = problems(self.company.problem, level=DiagnosticStatus.ERROR)
        found += problems(self.arms.silent, self.arms.rejected, self.arms.lost)
        return found + (full_disk(self.options.run_dir) if self.options.mode == 'train' else [])

    def connect(self) -> None:
        """Wait for the arms and for those who are to look on."""
        timeout = self.options.simulator_timeout
        self.arms.connect(max(timeout, self.options.start_timeout))
        if not self.broadcast.wait_for_observers(self.options.observers, timeout):
            raise UserError(
                f'fewer than {self.options.observers} subscribers of observation '
                f'after {timeout:g} s'
            )

    def round_ended(self) -> None:
        """Answer those who have waited for a save for long; a test may have many rounds."""
        self.save(self.requests.take('save_checkpoint', waited=PATIENCE))

    def save(self, requests: list[Future]) -> None:
        """Save as of the last training round that is over, and answer."""
        if requests:
            self.settle()
        for future in requests:
            if self.session is None or self.session.training is None:
                future.set_result((False, 'not training: there is nothing to save'))
                continue
            self.session.save()
            self.broadcast.checkpoint(self.session.newest)
            future.set_result((True, str(self.session.newest)))
        if requests:
            self.loop.housekeeping()

    def validate(self, network: QNetwork, requests: list[Future]) -> None:
        """Play a test, and answer; can be canceled after any round, and others are answered."""
        goals = self.task.sample_goals(np.random.default_rng(), VALIDATION_EPISODES)
        won = played = 0
        self.requests.take('cancel')  # of what was over before
        canceled: list[Future] = []
        while played < VALIDATION_EPISODES and not canceled:
            batch = goals[None, played : played + self.arms.arms]
            successes = greedy_successes(
                self.arms, self.task, network, batch, watcher=self.broadcast
            )[0]
            won, played = won + int(successes.sum()), played + successes.size
            self.requests.validation = f'{won} of {played} episodes, {VALIDATION_EPISODES} to play'
            self.rosout.say(f'validation: {self.requests.validation}')
            self.save(self.requests.take('save_checkpoint'))
            canceled = self.requests.take('cancel')
        passed = won >= required_successes() and not canceled
        verdict = 'canceled' if canceled else 'passed' if passed else 'not passed'
        self.requests.validation = ''
        for future in requests:
            future.set_result((passed, f'{won} of {played} episodes: {verdict}'))
        for future in canceled:
            future.set_result((True, f'canceled after {played} of {VALIDATION_EPISODES} episodes'))
        self.loop.housekeeping()

    def answer(self, network: QNetwork) -> None:
        """Answer the service requests that have come in since the last round."""
        if requests := self.requests.take('validate'):
            self.validate(network, requests)
        self.save(self.requests.take('save_checkpoint'))
        for future in self.requests.take('cancel'):
            future.set_result((False, 'no validation is going on'))

    def settle(self) -> None:
        """See whether others are there, and wait for them to leave, before anything is kept.

        Raises:
            SpoiledError: they do not leave.
        """
        self.company.check()
        while self.company.suspect:
            self.loop.wait(0.1)

    def load(self, path: str) -> Checkpoint:
        """Load a network, which may have any hidden layers, but must be of this arm."""
        if not path:
            raise UserError('parameter checkpoint is missing; give the folder of a network')
        checkpoint = load_checkpoint(path)
        joints, asked = checkpoint.setup.arm.joints, self.setup.arm.joints
        if joints != asked:
            raise UserError(f'{checkpoint.path}: is of {joints} joints, but joints={asked}')
        return checkpoint

    # --- modes -------------------------------------------------------------------------------

    def open_session(self) -> Session:
        """Take up the training in its folder, or begin it."""
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
        self.broadcast.checkpoint(session.newest)
        self.connect()
        if training is not None:
            progress = self.progress('training', initial=training.episodes)

            def after_round(_: Training) -> None:
                self.settle()
                progress.update(training.episodes, training_note(training))
                self.answer(training.saved_network(0))

            try:
                session.train(
                    lambda _: self.arms, after_round, self.broadcast.checkpoint, self.broadcast
                )
            finally:
                progress.close()
        session.measure(lambda _: self.arms, self.options.test_episodes, self.broadcast)
        return 0

    def run(self, checkpoint: Checkpoint) -> int:
        """Act greedily with a trained network for so many episodes, or until interrupted."""
        total = self.options.episodes or None
        self.broadcast.checkpoint(checkpoint.path, total)
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
                lambda seen: greedy(network, seen),
                watcher=self.broadcast,
            )
            self.played += self.arms.arms
            self.successes += int(self.task.success(rollout.rewards[-1]).sum())
            progress.update(self.played, f'{self.successes / self.played:.1%} successful')
            self.answer(network)
        progress.close()
        self.broadcast.flush()
        return 0


def _body(node: Node) -> int:
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
            policy.rosout.say(line)
        return INTERRUPTED
    finally:
        policy.rosout.flush()


def main() -> int:
    """Run the node."""
    return run_node('dqn_policy', _body)


if __name__ == '__main__':
    raise SystemExit(main())

"""Node `dqn_policy`: learns to reach from what it sees on topics, or acts with what it learned."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.arm.task import ReachingTask, TaskOptions
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint, load_checkpoint
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.qnetwork import QNetwork, greedy
from neuron_reach.learning.rollout import greedy_successes, play
from neuron_reach.learning.session import Session
from neuron_reach.learning.setup import LearningOptions, SessionOptions, Setup, TrainingOptions
from neuron_reach.learning.training import Training, random_streams
from neuron_reach.learning.validation import TEST_EPISODES, required_successes
from neuron_reach.nodes.broadcast import Broadcast
from neuron_reach.nodes.common import Diagnostics, declare, run_node
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.topic_arms import TopicArms
from neuron_reach.options import option
from neuron_reach.progress import Progress, training_note

INTERRUPTED = 130
FLUSH_TIMEOUT = 10.0  # s


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
        10.0,
        'seconds until the arm must be there, if more than simulator_timeout',
        low=0.1,
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
            declare(node, LearningOptions),
            declare(node, TrainingOptions),
        )
        self.node = node
        self.task = ReachingTask(self.setup.task, self.setup.arm)
        self.loop = Loop(node)
        self.arms = TopicArms(
            self.loop,
            self.setup.learning.arms,
            self.setup.arm.joints,
            realtime=self.options.realtime,
            timeout=self.options.simulator_timeout,
        )
        self.broadcast = Broadcast(self.loop, self.task, self.arms)
        self.successes = 0
        self.played = 0
        self.session: Session | None = None
        self.requests: dict[str, list[Any]] = {'validate': [], 'save_checkpoint': []}
        self.services = [
            node.create_service(
                Trigger,
                f'~/{name}',
                self.make_handler(name),
                callback_group=ReentrantCallbackGroup(),  # while one waits, the others go on
            )
            for name in self.requests
        ]
        self.diagnostics = Diagnostics(node, self.figures)

    def make_handler(self, name: str) -> Any:
        """Return a service callback whose answer comes at the end of the current round."""

        async def handle(_request: Trigger.Request, response: Trigger.Response) -> Any:
            future: Future = Future()
            self.requests[name].append(future)
            response.success, response.message = await future
            return response

        return handle

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
        return figures

    def connect(self) -> None:
        """Wait for the arms and for those who are to look on."""
        timeout = self.options.simulator_timeout
        self.arms.connect(max(timeout, self.options.start_timeout))
        if not self.broadcast.wait_for_observers(self.options.observers, timeout):
            raise UserError(
                f'fewer than {self.options.observers} subscribers of observation '
                f'after {timeout:g} s'
            )

    def answer(self, network: QNetwork) -> None:
        """Answer the service requests that have come in since the last round."""
        if not any(self.requests.values()):
            return
        for future in _drain(self.requests['validate']):
            goals = self.task.sample_goals(np.random.default_rng(), TEST_EPISODES)
            won = greedy_successes(
                self.arms, self.task, network, goals[None], watcher=self.broadcast
            )[0]
            passed = int(won.sum()) >= required_successes()
            verdict = 'passed' if passed else 'not passed'
            future.set_result((passed, f'{int(won.sum())} of {won.size} episodes: {verdict}'))
        for future in _drain(self.requests['save_checkpoint']):
            if self.session is None or self.session.training is None:
                future.set_result((False, 'not training: there is nothing to save'))
                continue
            self.session.save()
            self.broadcast.checkpoint(self.session.newest)
            future.set_result((True, str(self.session.newest)))
        self.loop.housekeeping()

    def load(self, path: str) -> Checkpoint:
        """Load a network, which may have any hidden layers, but must be of this arm."""
        checkpoint = load_checkpoint(path)
        joints, asked = checkpoint.setup.arm.joints, self.setup.arm.joints
        if joints != asked:
            raise UserError(f'{checkpoint.path}: is of {joints} joints, but joints={asked}')
        return checkpoint

    # --- modes -------------------------------------------------------------------------------

    def train(self) -> int:
        """Train until the validation test is passed, then measure the accuracy."""
        if not self.options.run_dir:
            raise UserError('parameter run_dir must name a folder in mode train')
        setup, network = self.setup, None
        if self.options.start:
            start = self.load(self.options.start)
            setup, network = setup.with_hidden(start.network.sizes[1:-1]), start.network
        session = Session(setup, self.options.run_dir, self.options.checkpoint_interval, network)
        self.session = session
        training = session.training
        if training is None and 'accuracy' in session.metadata()['validation']:
            print(f'{session.final} is trained already', flush=True)
            return 0
        self.broadcast.checkpoint(session.newest)
        self.connect()
        if training is not None:
            progress = Progress('training', initial=training.episodes)

            def after_round(_: Training) -> None:
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

    def run(self) -> int:
        """Act greedily with a trained network for so many episodes, or until interrupted."""
        checkpoint = self.load(self.options.checkpoint)
        total = self.options.episodes or None
        self.broadcast.checkpoint(checkpoint.path, total)
        self.connect()
        generator = random_streams(self.setup.training.seed)['record']
        network = checkpoint.network
        progress = Progress('recording' if total else 'running', total)
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
        self.broadcast.flush(FLUSH_TIMEOUT)
        return 0


def _drain(futures: list[Any]) -> list[Any]:
    taken = futures[:]
    futures.clear()
    return taken


def _body(node: Node) -> int:
    use_one_core()
    policy = DqnPolicy(node)
    try:
        return policy.train() if policy.options.mode == 'train' else policy.run()
    except KeyboardInterrupt:
        if policy.session is not None and policy.session.training is not None:
            print(f'interrupted; saved {policy.session.newest}', flush=True)
        return INTERRUPTED


def main() -> int:
    """Run the node."""
    return run_node('dqn_policy', _body)


if __name__ == '__main__':
    raise SystemExit(main())

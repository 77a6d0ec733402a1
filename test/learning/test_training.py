# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import copy
import itertools
import sys

import numpy as np
import pytest
import torch

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.arm.task import ReachingTask
from neuron_reach.common.random_streams import TRAINING_STREAMS, training_streams
from neuron_reach.learning import replay, training
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.rollout import greedy_successes, play
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import TYPICAL_REWARD, Training
from neuron_reach.learning.validation import required_successes


def fleet_of(own, members=None):
    members = len(own.members) if members is None else members
    return FleetSimulator(own.setup.arm, members * own.setup.learning.arms)


def played(setup, rounds, seeds=None):
    own = Training(setup, seeds)
    fleet = fleet_of(own)
    for _ in range(rounds):
        own.round(fleet)
    return own


def everything(own):
    """All that a training's future depends on, comparable with ==."""
    tensors, counters = own.state()
    return {name: value.numpy().tobytes() for name, value in tensors.items()}, counters


def copied(state):
    tensors, counters = state
    return {name: value.clone() for name, value in tensors.items()}, copy.deepcopy(counters)


class Interrupted(FleetSimulator):
    """A fleet at which somebody presses Ctrl-C in one control cycle, or while it starts over."""

    def __init__(self, options, arms, after_calls):
        self.calls_left = -1
        super().__init__(options, arms)
        self.calls_left = after_calls

    def _count(self):
        self.calls_left -= 1
        if self.calls_left == 0:
            raise KeyboardInterrupt

    def reset(self):
        self._count()
        return super().reset()

    def send(self, targets):
        self._count()
        super().send(targets)

    def receive(self):
        self._count()
        return super().receive()


def test_streams_of_a_seed_are_independent_and_named():
    streams = training_streams(3)
    assert tuple(streams) == TRAINING_STREAMS
    draws = [stream.integers(2**62) for stream in streams.values()]
    assert len(set(draws)) == len(TRAINING_STREAMS)
    again = [stream.integers(2**62) for stream in training_streams(3).values()]
    other = [stream.integers(2**62) for stream in training_streams(4).values()]
    assert draws == again
    assert not set(draws) & set(other)


def test_the_same_seed_trains_to_the_same_bits_and_another_does_not(setup):
    assert everything(played(setup(seed=1), 4)) == everything(played(setup(seed=1), 4))
    first, other = played(setup(seed=1), 4), played(setup(seed=2), 4)
    assert not torch.equal(first.learner.online.flat, other.learner.online.flat)


def test_a_round_plays_one_episode_an_arm_and_updates_once_a_cycle_from_the_second_on(setup):
    own = played(setup(), 1)
    assert own.episodes == own.setup.learning.arms == 5
    assert own.memory.size == 5 * 6
    assert own.learner.updates == 0
    own.round(fleet_of(own))
    assert own.memory.size == 2 * 5 * 6
    assert own.learner.updates == 6


def test_what_is_remembered_is_what_was_played(setup):
    own = Training(setup(arms=2))
    seen = []

    class Log:
        def begin(self, goals):
            pass

        def observe(self, observations):
            seen.append(observations.copy())

        def end(self, final_rewards):
            seen.append(final_rewards.copy())

    own.round(fleet_of(own), Log())
    inputs = own.task.observation_size
    rows = own.memory.rows[0, : own.memory.size].numpy().reshape(6, 2, -1)
    assert np.array_equal(rows[..., :inputs], seen[:6])
    assert np.array_equal(rows[:-1, :, inputs : 2 * inputs], seen[1:6])
    assert rows[-1, :, -2] == pytest.approx(seen[6])
    targets = own.setup.arm.start_pose + np.cumsum(own.task.actions[rows[..., -1].astype(int)], 0)
    measured = np.arctan2(rows[..., inputs], rows[..., inputs + 1])
    assert np.abs(measured - targets[..., 0]).max() < 0.05


def test_the_first_values_are_the_return_of_random_motion(setup):
    """The output bias is the mean reward over 1 - gamma, and the weights before it are small."""
    for gamma in (0.0, 0.7, 0.9):
        own = Training(setup(gamma=gamma), [1, 2])
        biases = own.learner.online.biases
        assert torch.equal(biases[-1], torch.full((2, 1, 3), TYPICAL_REWARD / (1.0 - gamma)))
        assert not any(bias.any() for bias in biases[:-1])
    setup = Setup()
    task, draw = ReachingTask(setup.task, setup.arm), np.random.default_rng(0)
    goals = task.sample_goals(draw, 500)[None]
    rollout = play(
        FleetSimulator(setup.arm, 500),
        task,
        goals,
        lambda seen: draw.integers(len(task.actions), size=seen.shape[:2]),
    )
    assert rollout.rewards.mean() == pytest.approx(TYPICAL_REWARD, abs=0.03)


# --- a stack ------------------------------------------------------------------------------------


def test_a_stack_trains_each_member_as_if_it_were_alone(setup):
    own, seeds = setup(validation_interval=25), [7, 8, 9]
    stack = played(own, 10, seeds)
    for member, seed in enumerate(seeds):
        alone = played(own, 10, [seed])
        for name, tensor in alone.learner.tensors().items():
            assert torch.equal(stack.learner.tensors()[name][member], tensor[0])
        assert torch.equal(stack.memory.rows[member], alone.memory.rows[0])
        assert stack.members[member] == alone.members[0]
        assert len(alone.members[0].validations) == 2
        for name, stream in alone._streams[0].items():
            assert stack._streams[member][name].bit_generator.state == stream.bit_generator.state


def test_pruned_networks_of_different_widths_share_a_stack(setup):
    """Each learns to the bit as it would alone, with the step size of its own layers."""
    shapes = [(4, 37, 11, 3), (4, 150, 64, 3), (4, 5, 1, 3)]
    networks = []
    for seed, shape in enumerate(shapes):
        networks.append(QNetwork(shape))
        networks[-1].initialize([torch.Generator().manual_seed(seed)], 1.0)
    own = setup(batch_size=256, arms=10, max_episodes=90)

    def train(seeds, network):
        training = Training(own, seeds, network)
        training.test_first(fleet_of(training))
        for _ in range(6):
            training.round(fleet_of(training))
        return training

    stack = train([7, 8, 9], QNetwork.stack(networks))
    for member, (seed, shape) in enumerate(zip((7, 8, 9), shapes, strict=True)):
        alone = train([seed], networks[member].copy())
        for name, tensor in alone.learner.tensors().items():
            row = stack.learner.tensors()[name][member]
            assert torch.equal(row[: tensor.shape[1]], tensor[0])
            assert not row[tensor.shape[1] :].any()
        assert stack.saved_network(member).sizes == shape
        assert torch.equal(stack.saved_network(member).flat, alone.saved_network(0).flat)
    kept = {name: tensor[[0, 2]] for name, tensor in stack.learner.tensors().items()}
    stack.learner.keep([0, 2])
    assert stack.learner.online.shapes == (shapes[0], shapes[2])
    for name, tensor in stack.learner.tensors().items():
        assert torch.equal(tensor, kept[name][:, : tensor.shape[1]])
        assert not kept[name][:, tensor.shape[1] :].any()


def test_members_leave_the_stack_when_trained_and_the_others_go_on_undisturbed(setup, monkeypatch):
    """The middle one is done after 20 episodes, the others after 60 and never."""
    trained_after = {7: 60, 8: 20, 9: 1000}

    def test(self, fleet, stream='validation', members=None, watcher=None):
        assert fleet.arms == len(self.members) * self.setup.learning.arms
        for member in range(len(self.members)) if members is None else members:
            self._streams[member][stream].random()
        won = [self.episodes + 5 >= trained_after[member.seed] for member in self.members]
        return [np.full(300, done) for done in won]

    monkeypatch.setattr(Training, 'test', test)

    def train(seeds):
        own, fleets, stacks = Training(setup(max_episodes=90), seeds), [], []

        def make_fleet(arms):
            fleets.append(arms)
            return FleetSimulator(own.setup.arm, arms)

        own.run(make_fleet, lambda training: stacks.append(len(training.members)))
        return own, fleets, stacks

    stack, fleets, stacks = train([7, 8, 9])
    assert fleets == [15, 10, 5]
    assert stacks == [3] * 4 + [2] * 8 + [1] * 6
    assert [member.seed for member, _ in stack.finished] == [8, 7]
    assert [member.seed for member in stack.members] == [9]
    results = [*stack.finished, (stack.members[0], stack.saved_network(0))]
    for member, network in results:
        alone, _, _ = train([member.seed])
        [(same, expected)] = alone.finished or [(alone.members[0], alone.saved_network(0))]
        assert member == same
        assert network.members == 1
        assert torch.equal(network.flat, expected.flat)


# --- validation ---------------------------------------------------------------------------------


def test_validations_come_at_their_interval(setup):
    own = played(setup(arms=5, validation_interval=10), 7)
    assert [entry[0] for entry in own.members[0].validations] == [10, 20, 30]
    for _, successes, tests in own.members[0].validations:
        assert 0 <= successes <= tests <= 300


def test_an_interval_that_is_no_multiple_of_the_arms_is_kept_on_average(setup):
    own = played(setup(arms=5, validation_interval=12), 12)
    assert [entry[0] for entry in own.members[0].validations] == [15, 25, 40, 50, 60]


def test_a_member_counts_as_trained_at_the_first_test_that_a_second_one_confirms(
    setup, monkeypatch
):
    """Tests of known outcome: by member, in the order in which they are played."""
    outcomes = [
        [278, 279, 300],  # first tests
        [300, 278, 279],  # second ones; the first member's is void: it had failed
        [279, 290, 279],
        [279, 100, 279],
    ]

    def test(self, fleet, stream='validation', members=None, watcher=None):
        for member in range(len(self.members)) if members is None else members:
            self._streams[member][stream].random()
        return [np.arange(300) < count for count in outcomes.pop(0)]

    monkeypatch.setattr(Training, 'test', test)
    own = Training(setup(validation_interval=5), [1, 2, 3])
    fleet = fleet_of(own)
    own.round(fleet)
    first, second, third = own.members
    assert (first.first_pass, first.trained) == (None, None)
    assert (second.first_pass, second.trained) == (5, None)
    assert (third.first_pass, third.trained) == (5, 5)
    assert first.validations == [(5, 278, 300)]
    own.round(fleet)
    assert (first.first_pass, first.trained) == (10, 10)
    assert (second.first_pass, second.trained) == (5, None)
    assert outcomes == []
    # The first member drew goals for one test, then for two, as it would have alone.
    expected = training_streams(1)['validation']
    expected.random(3)
    state = own._streams[0]['validation'].bit_generator.state
    assert state == expected.bit_generator.state


def test_the_averaged_network_is_tested_and_kept_not_the_online_one(setup):
    """With an arm that stays or moves as its network's only bias says."""
    own = Training(setup(seed=4))
    for network, action in ((own.learner.target, 1), (own.learner.online, 2)):
        network.flat.zero_()
        network.biases[-1][0, 0, action] = 1.0
    own.test_first(fleet_of(own))
    kept = own.saved_network(0)
    assert torch.equal(kept.flat, own.learner.target.flat)
    goals = own.task.sample_goals(training_streams(4)['validation'], 300)[None]
    won, other = (
        greedy_successes(
            fleet_of(own), own.task, network, goals, stop_after_failures=300 - required_successes()
        )[0]
        for network in (kept, own.learner.online)
    )
    assert own.members[0].validations == [(0, won.sum(), len(won))]
    assert (won.sum(), len(won)) != (other.sum(), len(other))
    drawn = copy.deepcopy(own._streams[0])
    own.test(fleet_of(own), 'test')
    own.task.sample_goals(drawn['test'], 300)
    for name, stream in own._streams[0].items():
        assert stream.bit_generator.state == drawn[name].bit_generator.state


def test_tests_use_goals_that_no_other_test_or_round_had(setup):
    goals = []

    class Log:
        def begin(self, drawn):
            goals.append(drawn.copy())

        def observe(self, observations):
            pass

        def end(self, final_rewards):
            pass

    own = Training(setup(validation_interval=5, arms=20, success_reward=0.0))  # all passes
    fleet = fleet_of(own)
    for _ in range(2):
        own.round(fleet, Log())
    assert len(goals) == 2 * (1 + 2 * 300 // 20)
    points = np.concatenate(goals)
    assert len(np.unique(points, axis=0)) == len(points)


def test_a_given_network_is_tested_before_it_plays(setup):
    network = Training(setup(seed=5)).saved_network(0)
    own = Training(setup(success_reward=0.0), network=network.copy())  # all passes
    calls = []
    own.run(lambda arms: fleet_of(own), lambda training: calls.append(training.episodes))
    [(member, trained)] = own.finished
    assert calls == [0]
    assert (member.first_pass, member.trained) == (0, 0)
    assert member.validations == [(0, 300, 300)]
    assert torch.equal(trained.flat, network.flat)


def test_a_given_network_that_fails_learns_on_from_its_weights(setup):
    network = Training(setup(seed=5)).saved_network(0)
    own = Training(setup(success_reward=1.0, max_episodes=10), network=network.copy())
    weights = []
    own.run(
        lambda arms: fleet_of(own),
        lambda training: weights.append(training.saved_network(0).flat),
    )
    [member] = own.members
    assert [entry[0] for entry in member.validations] == [0, 10]
    assert torch.equal(weights[0], network.flat)
    assert torch.equal(weights[1], network.flat)  # the first round only fills the memory
    assert not torch.equal(weights[2], network.flat)


# --- exact resume -------------------------------------------------------------------------------

ROUNDS = 6  # with two validations, and the replay memory wrapped from the fourth round on


@pytest.mark.parametrize('after_rounds', range(ROUNDS + 1))
def test_a_restored_training_goes_on_to_the_same_bits(setup, after_rounds):
    first = played(setup(), after_rounds)
    second = Training(setup())
    second.restore(*copied(first.state()))
    assert everything(second) == everything(first)
    for own in (first, second):
        fleet = fleet_of(own)
        for _ in range(ROUNDS - after_rounds):
            own.round(fleet)
    assert everything(first) == everything(second) == everything(played(setup(), ROUNDS))


@pytest.mark.parametrize('action', [-1.0, 3.0, 0.5])
def test_a_memory_with_what_is_no_action_is_refused(setup, action):
    tensors, counters = copied(played(setup(), 1).state())
    Training(setup()).restore(tensors, counters)
    tensors['replay'][0, 7, -1] = action
    with pytest.raises(ValueError, match='invalid actions'):
        Training(setup()).restore(tensors, counters)


@pytest.fixture(scope='module')
def uninterrupted():
    return {}


MOMENTS = np.random.default_rng(0).integers(1, 200, (10, 2)).tolist()


@pytest.mark.parametrize('moments', [[1, 1], [2, 3], [13, 14], *MOMENTS], ids=str)
def test_a_training_interrupted_in_any_control_cycle_resumes_to_the_same_bits(
    setup, moments, uninterrupted
):
    """Interrupted while it trains or validates, restored, interrupted again, restored."""
    saved, rounds = Training(setup()).state(), 0
    for calls in (*moments, 10**9):
        own = Training(setup())
        own.restore(*saved)
        fleet = Interrupted(own.setup.arm, own.setup.learning.arms, calls)
        try:
            while rounds < ROUNDS:
                own.round(fleet)
                rounds += 1
        except KeyboardInterrupt:
            assert own.saved_episodes == own.state()[1]['episodes'] == rounds * 5
        saved = copied(own.state())
    if not uninterrupted:
        uninterrupted['end'] = everything(played(setup(), ROUNDS))
    assert everything(own) == uninterrupted['end']


def test_ctrl_c_at_any_line_after_a_round_s_last_cycle_leaves_a_state_that_resumes_exactly(
    setup, monkeypatch
):
    monkeypatch.setattr(Training, 'test', lambda self, fleet, **_: [np.full(300, True)])
    begun = played(setup(), 5)  # the sixth round overwrites memory, and is validated
    saved = copied(begun.state())
    begun.round(fleet_of(begun))
    expected = everything(begun)
    files = {module.__file__ for module in (training, replay)}
    outcomes = []
    for line in itertools.count():
        own = Training(setup())
        own.restore(*copied(saved))
        if not interrupted_at_line(own, line, files):
            break
        outcomes.append(own.saved_episodes)
        resumed = Training(setup())
        resumed.restore(*copied(own.state()))
        if outcomes[-1] == 25:
            resumed.round(fleet_of(resumed))
        assert everything(resumed) == expected, f'interrupted at line {line}'
    assert set(outcomes) == {25, 30}
    assert len(outcomes) > 40


def interrupted_at_line(own, line, files):
    """Play a round with Ctrl-C at a line of these files after the arms' last motion.

    False if the round had no so many lines.
    """
    cycles, left = own.setup.task.episode_steps, line

    class Fleet(FleetSimulator):
        def receive(self):
            nonlocal cycles
            cycles -= 1
            return super().receive()

    def trace(frame, event, _argument):
        nonlocal left
        if frame.f_code.co_filename not in files:
            return None
        if event == 'line' and cycles == 0:
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    fleet = Fleet(own.setup.arm, own.setup.learning.arms)
    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        own.round(fleet)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(previous)
    return False

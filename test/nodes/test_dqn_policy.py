# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The policy as a process of its own: training, acting, and what may go wrong around it."""

import math
import os
import signal

import numpy as np
import pytest
import torch
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.learning.checkpoint import load_checkpoint
from neuron_reach.learning.session import Session
from nodes.policies import ENDLESS, SMALL, TRAINING, finished_rounds, small_setup, wait_until


@pytest.fixture
def simulator(start_node):
    return start_node('arm_simulator', joints=1, arms=20, clock='lockstep')


@pytest.fixture
def untrained(make_checkpoint):
    return make_checkpoint(**SMALL)


def test_training_over_topics_gives_the_same_network_as_in_process(start_node, simulator, tmp_path):
    policy = start_node('dqn_policy', run_dir=tmp_path / 'ros', **TRAINING)
    setup = small_setup()
    with torch.no_grad():
        session = Session(setup, tmp_path / 'here', 3600.0)
        session.train(lambda arms: FleetSimulator(setup.arm, arms), lambda training: None)
    assert policy.finish(timeout=180) == 0, policy.text
    there, here = (load_checkpoint(tmp_path / name / 'checkpoint') for name in ('ros', 'here'))
    assert torch.equal(there.network.flat, here.network.flat)
    assert there.metadata['validation'] == here.metadata['validation']
    assert there.metadata['validation']['confirmed'] is not None


def test_an_interrupted_training_is_saved_and_resumed_exactly(start_node, simulator, tmp_path):
    run_dir = tmp_path / 'run'
    for interruption in (signal.SIGINT, signal.SIGKILL, signal.SIGINT):
        before = max(finished_rounds(run_dir), default=0)
        policy = start_node('dqn_policy', run_dir=run_dir, **ENDLESS)
        wait_until(lambda least=before: max(finished_rounds(run_dir), default=0) > least, 'save')
        code = policy.finish(interruption)
        if interruption == signal.SIGINT:
            assert code == 130, policy.text
            assert 'interrupted; saved' in policy.text
    saved = Session(small_setup(success_reward=1.0), run_dir, 3600.0).training
    alone = Session(small_setup(success_reward=1.0), tmp_path / 'alone', 3600.0).training
    with torch.no_grad():
        fleet = FleetSimulator(alone.setup.arm, 20)
        while alone.episodes < saved.episodes:
            alone.round(fleet)
    assert torch.equal(alone.learner.online.flat, saved.learner.online.flat)
    assert torch.equal(alone.memory.rows, saved.memory.rows)


def test_a_folder_in_use_or_of_another_run_is_refused(start_node, simulator, tmp_path):
    first = start_node('dqn_policy', run_dir=tmp_path, **ENDLESS)
    wait_until(lambda: finished_rounds(tmp_path), 'save')
    second = start_node('dqn_policy', run_dir=tmp_path, **ENDLESS)
    assert second.finish() == 2
    assert 'another run is using this folder' in second.text
    assert first.interrupt() == 130
    other = start_node('dqn_policy', run_dir=tmp_path, **{**ENDLESS, 'gamma': 0.5})
    assert other.finish() == 2
    assert 'was trained with gamma=0.7, not 0.5' in other.text


def test_a_missing_simulator_is_reported_after_the_timeout(start_node, tmp_path):
    policy = start_node('dqn_policy', run_dir=tmp_path, simulator_timeout=1.0, **TRAINING)
    assert policy.finish() == 2
    assert 'no simulator answered within 1 s' in policy.text
    assert 'Traceback' not in policy.text


def test_training_ends_with_its_state_saved_when_the_simulator_is_killed(
    start_node, simulator, tmp_path
):
    policy = start_node('dqn_policy', run_dir=tmp_path, simulator_timeout=5.0, **ENDLESS)
    wait_until(lambda: max(finished_rounds(tmp_path), default=0) > 0, 'save')
    simulator.finish(signal.SIGKILL)
    assert policy.finish() == 2
    assert 'no simulator answered within 5 s' in policy.text


def test_invalid_joint_states_are_ignored(peer, start_node, untrained):
    """A made-up simulator answers every command with nonsense first."""
    node, arms = peer.node, 20
    states = node.create_publisher(JointState, messages.JOINT_STATES, 10)
    clock = {'cycle': 0}

    def answer(position):
        message = JointState(position=position)
        nanoseconds = clock['cycle'] * 50_000_000
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(nanoseconds, 10**9)
        states.publish(message)

    def on_reset(_request, response):
        answer([1.57] * arms)
        response.success = True
        return response

    def on_command(_message):
        clock['cycle'] += 1
        answer([math.nan] * arms)
        answer([1.0] * (arms + 1))
        answer([1.57] * arms)

    node.create_service(Trigger, 'reset', on_reset)
    node.create_subscription(Float64MultiArray, messages.COMMANDS, on_command, 10)
    episodes = peer.listen(Float64MultiArray, messages.EPISODE)
    policy = start_node('dqn_policy', mode='run', checkpoint=untrained, episodes=40, **SMALL)
    peer.wait(lambda: len(episodes) == 2, 'two rounds of episodes')
    assert policy.finish() == 0
    assert 'joint states ignored' in policy.text
    assert 'not finite' in policy.text or 'expected 20 x 1' in policy.text


def test_run_plays_the_requested_episodes_and_reports_the_results(
    peer, start_node, simulator, untrained
):
    episodes = peer.listen(Float64MultiArray, messages.EPISODE)
    policy = start_node('dqn_policy', mode='run', checkpoint=untrained, episodes=60, **SMALL)
    peer.wait(lambda: len(episodes) == 3, 'three rounds of episodes')
    assert policy.finish() == 0
    results = np.concatenate([messages.read_episodes(message) for message in episodes])
    assert (results[:, 0] == np.arange(60)).all()
    assert (results[:, 3] == 60).all()
    assert ((results[:, 4] >= 0.9) == results[:, 5]).all()
    assert 'of 60 episodes' in policy.text


@pytest.mark.parametrize('mode', ['run', 'train'])
def test_a_checkpoint_of_another_arm_is_refused(start_node, untrained, tmp_path, mode):
    given = {'checkpoint': untrained, 'start': untrained, 'run_dir': tmp_path / 'new'}
    policy = start_node('dqn_policy', mode=mode, **given, **{**SMALL, 'joints': 2})
    assert policy.finish() == 2
    assert f'{untrained}: is for an arm with 1 joints, but joints=2' in policy.text


def test_training_starts_from_a_given_network_with_its_own_layers(
    peer, start_node, simulator, untrained, tmp_path
):
    run_dir = tmp_path / 'new'
    asked = {**ENDLESS, 'hidden': [9, 9, 9], 'checkpoint_interval': 3600.0}
    policy = start_node('dqn_policy', run_dir=run_dir, start=untrained, **asked)
    begun = run_dir / 'checkpoints' / 'episode_000000000'
    wait_until(begun.exists, 'save')
    first = load_checkpoint(begun)  # now, as later saves remove it
    # The first answer may come right after the test with which it begins.
    saved = [peer.call(Trigger, 'dqn_policy/save_checkpoint').message for _ in range(2)]
    newest = load_checkpoint(saved[1])
    assert saved[0] != saved[1]
    assert policy.interrupt() == 130
    given = load_checkpoint(untrained)
    assert first.network.sizes == given.network.sizes
    assert first.network.flat.equal(given.network.flat)
    assert newest.metadata['validation']['history'][0][0] == 0


def test_a_checkpoint_that_is_missing_or_truncated_is_refused(start_node, untrained, tmp_path):
    missing = start_node('dqn_policy', mode='run', checkpoint=tmp_path / 'nowhere', **SMALL)
    assert missing.finish() == 2
    assert 'no such checkpoint' in missing.text
    model = untrained / 'model.safetensors'
    os.truncate(model, model.stat().st_size // 2)
    cut = start_node('dqn_policy', mode='run', checkpoint=untrained, **SMALL)
    assert cut.finish() == 2
    assert f'{model}: is truncated or no safetensors file' in cut.text


def test_services_validate_and_save(peer, start_node, simulator, tmp_path):
    policy = start_node('dqn_policy', run_dir=tmp_path, **ENDLESS)
    saved = peer.call(Trigger, 'dqn_policy/save_checkpoint')
    assert saved.success
    assert load_checkpoint(saved.message).metadata['joints'] == 1
    verdict = peer.call(Trigger, 'dqn_policy/validate')
    assert not verdict.success
    assert verdict.message == '0 of 300 episodes: not passed'
    assert policy.interrupt() == 130


def test_lost_commands_and_answers_are_sent_again_without_extra_steps(peer, start_node, untrained):
    """A made-up simulator that loses every tenth command and every tenth answer."""
    node, arms = peer.node, 20
    states = node.create_publisher(JointState, messages.JOINT_STATES, 10)
    seen = {'sequence': 0, 'steps': 0, 'messages': 0}

    def answer():
        message = JointState(position=[1.57] * arms)
        nanoseconds = seen['steps'] * 50_000_000
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(nanoseconds, 10**9)
        states.publish(message)

    def on_reset(_request, response):
        answer()
        response.success = True
        return response

    def on_command(message):
        seen['messages'] += 1
        if seen['messages'] % 20 == 7:
            return  # the command is lost
        sequence, _ = messages.read_commands(message)
        if sequence != seen['sequence']:
            seen['sequence'] = sequence
            seen['steps'] += 1
        if seen['messages'] % 20 != 13:  # else the answer is lost
            answer()

    node.create_service(Trigger, 'reset', on_reset)
    node.create_subscription(Float64MultiArray, messages.COMMANDS, on_command, 10)
    policy = start_node('dqn_policy', mode='run', checkpoint=untrained, episodes=20, **SMALL)
    peer.wait(lambda: policy.process.poll() is not None, 'end')
    assert policy.finish() == 0, policy.text
    assert seen['steps'] == 60, 'a control cycle was lost or made twice'

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A duplicate node on the same topics is detected and named, at the start and later."""

import time

import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import Float32MultiArray, Float64MultiArray, String
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.errors import SpoiledError, UserError
from neuron_reach.learning.checkpoint import load_checkpoint
from neuron_reach.nodes import duplicates
from neuron_reach.nodes.duplicates import (
    ACTIVATION_RECORDER,
    BAG_RECORDER,
    GRACE_PERIOD,
    NEWCOMER_DURATION,
    POLICY,
    SIMULATOR,
    DuplicateDetector,
    PublisherFilter,
    WatchedTopic,
    publisher_role,
)
from neuron_reach.nodes.publishing import latched
from nodes.policies import ENDLESS, finished_rounds, wait_until

DETECTED = 2.0
"""Seconds within which a duplicate must be detected."""


def play_role(node, role):
    """Give a node the topics and services of a role."""
    if role == SIMULATOR:
        node.create_publisher(JointState, messages.JOINT_STATES, 10)
        node.create_service(Trigger, 'reset', lambda _, response: response)
    elif role == POLICY:
        node.create_publisher(Float64MultiArray, messages.COMMANDS, 10)
        node.create_publisher(Float32MultiArray, messages.OBSERVATION, 10)
        node.create_service(Trigger, '~/save_checkpoint', lambda _, response: response)
    elif role == ACTIVATION_RECORDER:
        node.create_publisher(Float32MultiArray, messages.activation_topic('output'), 10)
        node.create_subscription(String, messages.CHECKPOINT, print, latched())
    else:
        node.create_subscription(Float32MultiArray, messages.OBSERVATION, print, 10)


def detector_of(node, role):
    watched = [
        WatchedTopic(topic, publisher_role(topic))
        for topic in (
            messages.JOINT_STATES,
            messages.COMMANDS,
            messages.OBSERVATION,
            messages.activation_topic('output'),
        )
    ]
    subscribes_to = messages.OBSERVATION if role == BAG_RECORDER else ''
    return DuplicateDetector(node, role, watched, subscribes_to=subscribes_to)


def until_detected(check):
    end = time.monotonic() + DETECTED
    while time.monotonic() < end:
        check()
        time.sleep(0.02)


ROLES = (SIMULATOR, POLICY, ACTIVATION_RECORDER, BAG_RECORDER)


@pytest.mark.parametrize('name', ['same', 'other'])
@pytest.mark.parametrize('role', ROLES, ids=lambda role: role.name)
def test_a_duplicate_is_detected_at_the_start_and_later(make_node, role, name):
    if role == BAG_RECORDER and name == 'other':
        pytest.skip('a bag recorder with another name is no duplicate')
    first, second = make_node('same'), make_node(name)
    detector = detector_of(first, role)
    detector.check_at_start()
    play_role(first, role)
    with pytest.raises(UserError, match=f'/same is the {role.name} on /.* already'):
        until_detected(detector_of(second, role).check_at_start)

    play_role(second, role)
    words = f'there is a second {role.name} on /.*: /{name}$'
    with pytest.raises(SpoiledError, match=words):
        until_detected(detector.check)


def test_a_duplicate_that_ends_soon_is_no_longer_reported(make_node, monkeypatch):
    monkeypatch.setattr(duplicates, 'NEWCOMER_DURATION', 0.0)
    first, second = make_node('first'), make_node('second')
    detector = detector_of(first, SIMULATOR)
    detector.check_at_start()
    play_role(first, SIMULATOR)
    play_role(second, SIMULATOR)
    deadline = time.monotonic() + DETECTED
    while not detector.has_duplicate:
        detector.check()
        assert time.monotonic() < deadline
    second.destroy_node()
    while detector.has_duplicate:
        detector.check()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_other_nodes_and_those_of_another_namespace_are_no_duplicates(make_node):
    node = make_node('policy')
    play_role(node, POLICY)
    for namespace in ('/left', '/right'):
        play_role(make_node('policy', namespace), POLICY)
        play_role(make_node('simulator', namespace), SIMULATOR)
    play_role(make_node('simulator'), SIMULATOR)
    gui = make_node('gui')
    gui.create_publisher(JointState, messages.JOINT_STATES, 10)
    gui.create_subscription(Float32MultiArray, messages.OBSERVATION, print, 10)
    helper = make_node('arm_reset')
    helper.create_publisher(Float64MultiArray, messages.COMMANDS, 10)
    time.sleep(0.5)
    detector = detector_of(node, POLICY)
    detector.check_at_start()
    detector.check()
    assert not detector.has_duplicate


def start_training(start_node, run_dir):
    """Start a training and wait until it has saved; return its simulator and its policy."""
    simulator = start_node('arm_simulator', joints=1, arms=20)
    policy = start_node('dqn_policy', run_dir=run_dir, **ENDLESS)
    wait_until(lambda: max(finished_rounds(run_dir), default=0) > 0, 'save')
    return simulator, policy


def check_nothing_saved(policy, run_dir, role, came):
    """Check that an intruder ended a training and that nothing was saved in its presence."""
    assert policy.finish(timeout=10.0) == 2
    assert f'there is a second {role.name}' in policy.text
    assert ': /intruder' in policy.text
    newest = run_dir / 'checkpoints' / f'episode_{max(finished_rounds(run_dir)):09d}'
    assert newest.stat().st_mtime < came + 0.5, 'saved with the intruder there'
    assert load_checkpoint(newest).metadata['joints'] == 1
    assert 'saved' not in policy.text


def test_newcomers_end_and_the_first_nodes_continue_until_a_duplicate_stays(
    start_node, make_node, tmp_path
):
    run_dir = tmp_path / 'first'
    recorder = start_node('activation_recorder')
    simulator, policy = start_training(start_node, run_dir)
    newcomers = {
        'arm_simulator': start_node('arm_simulator', joints=1, arms=20),
        'activation_recorder': start_node('activation_recorder'),
        'dqn_policy': start_node('dqn_policy', run_dir=tmp_path / 'second', **ENDLESS),
    }
    for name, node in newcomers.items():
        assert node.finish() == 2
        detected = f'error: /{name} is the', f': /{name}\n'  # at the start, or later
        assert any(line in node.text for line in detected)
        assert node.text.count('\n') == 1, node.text
    before = max(finished_rounds(run_dir))
    wait_until(lambda: max(finished_rounds(run_dir)) > before, 'save')
    lines = (simulator.text + recorder.text + policy.text).splitlines()
    # A newcomer that discovers the others late may have announced its first checkpoint.
    assert not [line for line in lines if 'ignored' in line and '/checkpoint' not in line]

    play_role(make_node('intruder'), POLICY)
    check_nothing_saved(policy, run_dir, POLICY, time.time())
    assert simulator.interrupt() == 0, 'the intruder sent no command'
    assert recorder.interrupt() == 0


def test_a_second_simulator_ends_a_training_and_the_first_one(start_node, make_node, tmp_path):
    simulator, policy = start_training(start_node, tmp_path)
    time.sleep(NEWCOMER_DURATION)  # then the newcomer is the other one
    play_role(make_node('intruder'), SIMULATOR)
    check_nothing_saved(policy, tmp_path, SIMULATOR, time.time())
    assert simulator.finish(timeout=10.0) == 2
    assert '/intruder' in simulator.text


def test_a_stream_of_foreign_commands_ends_the_simulator(peer, make_node, start_node):
    simulator = start_node('arm_simulator', joints=1, arms=20)
    policy, stranger = (
        make_node(name).create_publisher(Float64MultiArray, messages.COMMANDS, 10)
        for name in ('policy', 'stranger')
    )
    peer.wait(policy.get_subscription_count, 'simulator')
    began = None
    for sequence in range(1, 1000):
        command = Float64MultiArray(data=[float(sequence), *[1.0] * 20])
        command.layout.data_offset = 1
        policy.publish(command)
        if sequence > 10:
            began = began or time.monotonic()
            stranger.publish(Float64MultiArray(data=[1.0] * 20))
        if simulator.process.poll() is not None:
            break
        time.sleep(0.02)
    assert simulator.finish(timeout=1.0) == 2
    assert GRACE_PERIOD < time.monotonic() - began < GRACE_PERIOD + 2.0, (
        'a newcomer is given time to leave'
    )
    assert 'nodes publish on /joint_position_controller/commands: ' in simulator.text
    assert '/stranger' in simulator.text


def test_a_recording_with_a_second_policy_does_not_get_the_name_of_the_bag(
    peer, start_node, make_node, tmp_path
):
    play_role(make_node('policy'), POLICY)
    bag = tmp_path / 'bag'
    recorder = start_node('bag_recorder', bag=bag, topics=[messages.OBSERVATION])
    peer.wait(bag.with_name('bag.partial').exists, 'bag')
    play_role(make_node('intruder'), POLICY)
    assert recorder.finish() == 2
    assert '/intruder' in recorder.text
    assert bag.with_name('bag.partial').exists()
    assert not bag.exists()


@pytest.mark.parametrize('topic', [messages.CHECKPOINT, messages.OBSERVATION])
def test_another_publisher_is_not_accepted_on_a_silent_topic_of_rare_messages(
    make_node, monkeypatch, topic
):
    monkeypatch.setattr(duplicates, 'SILENCE', 0.0)
    listener = make_node('listener')
    publisher_filter = PublisherFilter(
        detector_of(listener, ACTIVATION_RECORDER), topic, POLICY, exclusive=False
    )

    def join(name):
        node = make_node(name)
        play_role(node, POLICY)
        node.create_publisher(String, messages.CHECKPOINT, latched())
        ends = []
        until_detected(lambda: ends.extend(publishers_of(node)) if not ends else None)
        return node, bytes(ends[0].endpoint_gid[:16])

    def publishers_of(node):
        ends = listener.get_publishers_info_by_topic(topic)
        served = listener.get_service_names_and_types_by_node(node.get_name(), '/')
        return [end for end in ends if end.node_name == node.get_name() and served]

    first, first_id = join('first')
    assert publisher_filter.accepts(first_id)
    _, second_id = join('second')
    assert publisher_filter.accepts(second_id) == (topic == messages.OBSERVATION)
    first.destroy_node()
    until_detected(lambda: None)
    assert publisher_filter.accepts(second_id)

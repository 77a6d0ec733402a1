"""How nodes answer to bad input, tell of themselves, and end."""

import functools
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Log
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Float32MultiArray, Float64MultiArray, MultiArrayDimension, String
from std_srvs.srv import Trigger

from neuron_reach import messages
from neuron_reach.common.resources import shared_file
from neuron_reach.common.ros_environment import LAUNCHER, PROFILES, set_up_discovery
from neuron_reach.nodes.activation_recorder import ActivationRecorder
from neuron_reach.nodes.arm_simulator import ArmSimulator
from neuron_reach.nodes.bag_recorder import BagOptions, BagRecorder
from neuron_reach.nodes.common import Interrupt, flush, latched, reliable, run_node
from neuron_reach.nodes.dqn_policy import DqnPolicy
from neuron_reach.nodes.shutdown import abandoned
from nodes.test_dqn_policy import ENDLESS, SMALL


def one_line(running):
    assert running.finish() == 2, running.text
    assert running.text.count('\n') == 1, running.text
    return running.text


@pytest.fixture
def ending(monkeypatch, capfd, handlers):
    """Begin a node in this process that ends at once; return the line that it leaves."""

    def begin(make, *arguments):
        monkeypatch.setattr(sys, 'argv', ['node', '--ros-args', *arguments])
        assert run_node('node', make) == 2
        return capfd.readouterr().err

    return begin


BAD_ENVIRONMENTS = [
    ('ROS_DOMAIN_ID', 'abc', "ROS_DOMAIN_ID must be a whole number from 0 to 232, not 'abc'"),
    ('ROS_DOMAIN_ID', '500', "not '500'"),
    ('ROS_DOMAIN_ID', '-1', "not '-1'"),
    ('HOME', '/dev/null/home', '/dev/null/home/.ros/log: ROS cannot write its logs there'),
    ('HOME', None, 'HOME is not set'),
    ('ROS_LOG_DIR', '/dev/null', '/dev/null: ROS cannot write its logs there'),
]


@pytest.fixture(params=BAD_ENVIRONMENTS, ids=lambda bad: f'{bad[0]}={bad[1]}')
def bad_environment(request, monkeypatch):
    """Set a variable to what ROS does not start with; return the words that say so."""
    variable, value, words = request.param
    for name in ('ROS_LOG_DIR', 'ROS_HOME'):
        monkeypatch.delenv(name, raising=False)
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    return words


def test_an_environment_without_ros_is_said_in_one_line(ending, bad_environment):
    line = ending(ArmSimulator)
    assert bad_environment in line
    assert line.count('\n') == 1


@pytest.mark.parametrize('bad_environment', BAD_ENVIRONMENTS[:1], indirect=True)
@pytest.mark.parametrize('command', ['neuron_reach.nodes arm_simulator', 'neuron_reach train'])
def test_it_is_said_before_anything_starts(start, monkeypatch, tmp_path, bad_environment, command):
    monkeypatch.chdir(tmp_path)
    assert bad_environment in one_line(start(*command.split()))


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--params-file', 'nowhere.yaml'], 'nowhere.yaml'),
        (['-p', 'gamma'], '-p gamma'),
        (['-r', '__ns:=not a name'], '__ns:=not a name'),
        (['--nonsense'], '--nonsense'),
    ],
)
def test_arguments_that_ros_refuses_are_named_in_one_line(ending, arguments, words):
    line = ending(ArmSimulator, *arguments)
    assert words in line
    assert line.count('\n') == 1


@pytest.mark.parametrize('words', [[], ['nobody']])
def test_an_unknown_node_is_said_in_one_line(start, words):
    assert 'activation_recorder, arm_reset' in one_line(start('neuron_reach.nodes', *words))


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        (
            ['gamma:=0', 'hidden:=48', 'bend:=1', 'joints:=1.0'],
            'parameter checkpoint is missing',
        ),
        (['gamma:=7'], 'parameter gamma must be a number from 0 to 0.9999, not 7'),
        (['gamma:=often'], "parameter gamma must be a number from 0 to 0.9999, not 'often'"),
        (['hidden:=[a]'], 'parameter hidden must be'),
        (['joints:=1.5'], 'parameter joints must be a whole number from 1 to 6, not 1.5'),
        (['mode:=train'], 'parameter run_dir is missing'),
    ],
)
def test_parameters_are_taken_by_their_value_or_the_trouble_is_named(ending, parameters, words):
    line = ending(DqnPolicy, *(word for each in parameters for word in ('-p', each)))
    assert words in line
    assert line.count('\n') == 1


def test_why_a_node_ends_reaches_rosout_and_diagnostics(peer, start_node, make_checkpoint):
    said = peer.listen(Log, '/rosout', latched())
    diagnosed = peer.listen(DiagnosticArray, '/diagnostics')
    checkpoint = make_checkpoint(**SMALL)
    start_node('arm_simulator', joints=1, arms=3)
    policy = start_node('dqn_policy', checkpoint=checkpoint, simulator_timeout=2.5, **SMALL)
    peer.wait(lambda: policy.process.poll() is not None, 'end')
    peer.spin_for(0.2)
    assert policy.process.returncode == 2
    reason = 'waited for joint states after a reset; joint states ignored'
    assert policy.text.count(reason) == 1
    assert '3 positions, expected 20 x 1 (parameters arms and joints must' in policy.text
    assert any(reason in each.msg and each.level == 40 for each in said)
    assert any('joint states ignored' in each.msg and each.level == 30 for each in said)
    levels = [
        (status.level, status.message)
        for message in diagnosed
        for status in message.status
        if status.name == '/dqn_policy'
    ]
    assert levels[-1][0] == DiagnosticStatus.ERROR
    assert reason in levels[-1][1]
    assert any(level == DiagnosticStatus.WARN for level, _ in levels)


def test_a_quality_of_service_that_does_not_fit_is_named(start_node, ending, make_checkpoint):
    start_node('arm_simulator', joints=1, arms=20, clock='realtime')
    timeouts = {'simulator_timeout': 1.0, 'start_timeout': 30.0}
    given = {**SMALL, **timeouts, 'checkpoint': make_checkpoint(**SMALL)}
    words = (word for key, value in given.items() for word in ('-p', f'{key}:={value}'))
    text = ending(lambda node: (policy := DqnPolicy(node)).run(policy.trained), *words)
    assert "joint_states', offering incompatible QoS" in text
    assert 'RELIABILITY' in text
    assert 'use clock:=lockstep there or realtime:=true here' in text


def test_defaults_of_simulator_and_policy_fit_each_other(peer, start_node, make_checkpoint):
    said = peer.listen(Log, '/rosout', latched())
    simulator = start_node('arm_simulator')
    policy = start_node('dqn_policy', checkpoint=make_checkpoint(), episodes=3)
    peer.wait(lambda: policy.process.poll() is not None, 'end')
    assert policy.finish() == 0, policy.text
    assert any('recording: 3 of 3 episodes' in each.msg for each in said)
    assert simulator.interrupt() == 0
    assert 'ignored' not in policy.text + simulator.text
    assert 'incompatible' not in policy.text + simulator.text


def test_a_state_of_another_clock_or_another_robot_does_not_end_a_live_policy(
    peer, start_node, make_checkpoint
):
    start_node('arm_simulator', joints=1, clock='realtime')
    given = {**SMALL, 'arms': 1}
    checkpoint = make_checkpoint(**given)
    policy = start_node(
        'dqn_policy', checkpoint=checkpoint, realtime=True, simulator_timeout=3.0, **given
    )
    publisher = peer.node.create_publisher(JointState, messages.JOINT_STATES, 10)
    peer.wait(publisher.get_subscription_count, 'policy')
    peer.wait(lambda: peer.node.count_publishers('/joint_states') == 2, 'simulator')
    peer.spin_for(1.0)
    for seconds in (2**31 - 1, -1):
        state = JointState(position=[1.0], velocity=[0.0], name=['joint_1'])
        state.header.stamp.sec = seconds
        publisher.publish(state)
    end = time.monotonic() + 4.0
    while time.monotonic() < end:
        publisher.publish(JointState(position=[1.0], velocity=[0.0], name=['gripper']))
        peer.spin_for(0.1)
    assert policy.process.poll() is None, policy.text
    assert "joints of other names, such as 'gripper'" in policy.text, policy.text
    assert policy.interrupt() == 130


def test_a_validation_shows_its_progress_can_be_canceled_and_lets_others_save(
    peer, start_node, make_checkpoint, tmp_path
):
    start_node('arm_simulator', joints=1, clock='realtime')
    given = {**ENDLESS, 'arms': 1, 'run_dir': tmp_path, 'realtime': True, 'episode_steps': 10}
    policy = start_node('dqn_policy', reach_steps=5, **given)
    diagnosed = peer.listen(DiagnosticArray, '/diagnostics')
    clients = {
        name: peer.node.create_client(Trigger, f'dqn_policy/{name}')
        for name in ('validate', 'save_checkpoint', 'cancel')
    }
    peer.wait(lambda: all(each.service_is_ready() for each in clients.values()), 'services')
    validated = clients['validate'].call_async(Trigger.Request())
    progress = peer.wait(
        lambda: [
            value.value
            for message in diagnosed
            for status in message.status
            for value in status.values
            if value.key == 'validation'
        ],
        'progress',
    )
    assert progress[0].endswith('300 to play')
    saved = peer.call(Trigger, 'dqn_policy/save_checkpoint')
    assert saved.success
    assert not validated.done()
    assert peer.call(Trigger, 'dqn_policy/cancel').success
    peer.wait(validated.done, 'answer')
    assert 'canceled' in validated.result().message
    assert not peer.call(Trigger, 'dqn_policy/cancel').success
    assert policy.interrupt() == 130


def test_those_who_were_killed_are_waited_for_once_and_by_those_who_gave_up_hardly(
    peer, start_node
):
    simulator = start_node('arm_simulator')
    made = [
        peer.node.create_publisher(Float64MultiArray, messages.COMMANDS, reliable(10))
        for _ in range(4)
    ]
    peer.wait(lambda: all(each.get_subscription_count() for each in made), 'simulator')
    simulator.finish(signal.SIGKILL)
    for publisher in made:
        publisher.publish(Float64MultiArray())
    began = time.monotonic()
    flush(made, 0.5)
    took = time.monotonic() - began
    assert 0.4 < took < 1.0
    abandoned.set()
    try:
        began = time.monotonic()
        flush(made, 10.0)
        assert time.monotonic() - began < 1.0
    finally:
        abandoned.clear()


def test_sigterm_gives_up_and_sigint_does_not(handlers):
    try:
        for number, given_up in ((signal.SIGINT, False), (signal.SIGTERM, True)):
            Interrupt.install()
            os.kill(os.getpid(), number)
            with pytest.raises(KeyboardInterrupt):
                Interrupt.check()
            assert abandoned.is_set() == given_up
    finally:
        abandoned.clear()


@pytest.fixture
def own_node(domain):
    """Nodes in the default context, which those of the package use."""
    rclpy.init(domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
    made = []

    def make(name):
        made.append(rclpy.create_node(name))
        return made[-1]

    yield make
    for node in made:
        node.destroy_node()
    rclpy.shutdown()


def test_recorders_with_a_backlog_notice_that_they_are_to_end(
    peer, own_node, make_checkpoint, handlers, tmp_path
):
    latest = messages.CheckpointMessage(str(make_checkpoint(**SMALL)), 1, 0)
    checkpoint = peer.node.create_publisher(String, messages.CHECKPOINT, latched())
    checkpoint.publish(String(data=messages.encode_checkpoint(latest)))
    observations = peer.node.create_publisher(Float32MultiArray, messages.OBSERVATION, 1000)
    peer.listen(Float32MultiArray, messages.activation_topic('output'))
    recorder = ActivationRecorder(own_node('activation_recorder'))
    recorder.loop.wait_until(lambda: recorder.take_all() or recorder.observations, 5.0)
    options = BagOptions(str(tmp_path / 'bag'), topics=(messages.OBSERVATION,))
    bag_recorder = BagRecorder(own_node('bag_recorder'), options)
    bag_recorder.subscribe_to_new()
    peer.wait(lambda: observations.get_subscription_count() == 2, 'recorders')
    message = Float32MultiArray()
    size = recorder.networks[0][1].sizes[0]
    for step in range(50):
        values = np.zeros((1, size), np.float32)
        messages.fill_fleet_step(message, MultiArrayDimension, values, 0, step, 'feature')
        observations.publish(message)
    peer.spin_for(0.3)
    abandoned.set()
    recorder.take_all()
    abandoned.clear()
    assert recorder.published == 0
    with bag_recorder.writer:
        for one, count in (
            (recorder, lambda: recorder.published),
            (bag_recorder, lambda: sum(bag_recorder.writer.counts.values())),
        ):
            Interrupt.pending = True
            with pytest.raises(KeyboardInterrupt):
                one.take_all()
            assert count() == 1
            assert one.take_all()
            assert count() == 50


def test_a_new_node_learns_soon_who_is_there(peer, domain, start_node):
    start_node('arm_simulator')
    peer.wait(lambda: peer.node.count_publishers(messages.JOINT_STATES), 'simulator')
    for late in (type(peer)(domain) for _ in range(5)):
        count = functools.partial(late.node.count_publishers, messages.JOINT_STATES)
        late.wait(count, 'simulator', 1.5)
        late.close()


@pytest.mark.parametrize(
    ('distribution', 'given', 'name'),
    [('humble', None, PROFILES[1]), ('rolling', None, PROFILES[0]), ('', PROFILES[1], '')],
)
def test_settings_of_fast_dds_are_the_users_or_ours(monkeypatch, distribution, given, name):
    monkeypatch.setenv('ROS_DISTRO', distribution)
    for each in PROFILES:
        monkeypatch.delenv(each, raising=False)
    if given:
        monkeypatch.setenv(given, 'own.xml')
    set_up_discovery()
    found = {each: value for each in PROFILES if (value := os.environ.pop(each, None))}
    assert found == (
        {given: 'own.xml'} if given else {name: str(shared_file('config/discovery.xml'))}
    )


def test_a_node_ends_with_its_launcher_but_not_with_its_shell(start, monkeypatch):
    shell = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
    try:
        free = start('neuron_reach.nodes', 'arm_simulator', '--ros-args', '-r', '__ns:=/free')
        monkeypatch.setenv(LAUNCHER, str(shell.pid))
        launched = start('neuron_reach.nodes', 'arm_simulator')
        time.sleep(4.0)
        assert launched.process.poll() is None
    finally:
        shell.kill()
        shell.wait()
    start_time = time.monotonic()
    assert launched.finish(timeout=10.0) == 0
    assert time.monotonic() - start_time < 2.0
    assert free.process.poll() is None
    late = start('neuron_reach.nodes', 'arm_simulator')
    assert late.finish(timeout=10.0) == 0, 'its launcher was gone before it began'
    os.kill(free.process.pid, signal.SIGINT)
    assert free.finish() == 0

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`ros2 bag record` is started and ended by our node, with the names that hold for it.

A program in its place writes down how it was started: rosbag2 itself has no wheels.
"""

import os
import sys

import pytest
import yaml
from geometry_msgs.msg import PoseArray

from neuron_reach import messages
from neuron_reach.bags.reader import BagReader
from neuron_reach.nodes.publishing import latched

ROS2 = """#!{python}
import os, shutil, signal, sys, time
words = sys.argv[1:]
os.mkdir(words[words.index('-o') + 1])
shutil.copy(words[words.index('--qos-profile-overrides-path') + 1], {qos!r})
signal.signal(signal.SIGINT, lambda *_: sys.exit({code}))
with open({log!r}, 'w') as log:
    log.write(' '.join(words))
time.sleep(60)
"""


@pytest.fixture
def ros2(tmp_path, monkeypatch):
    """Make a `ros2` that answers an interrupt with this code."""

    def make(code):
        program = tmp_path / 'ros2'
        paths = {name: str(tmp_path / name) for name in ('qos', 'log')}
        program.write_text(ROS2.format(python=sys.executable, code=code, **paths))
        program.chmod(0o755)
        index = tmp_path / 'share/ament_index/resource_index/packages'
        index.mkdir(parents=True)
        for package in ('ros2bag', 'rosbag2_transport'):
            (index / package).touch()
        monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
        monkeypatch.setenv('AMENT_PREFIX_PATH', f'{os.environ["AMENT_PREFIX_PATH"]}:{tmp_path}')

    return make


@pytest.fixture
def recorder(start, peer, tmp_path):
    def begin():
        names = ['-r', '__ns:=/left']
        parameters = ['-p', f'bag:={tmp_path / "bag"}', '-p', 'storage:=sqlite3']
        running = start(
            *('neuron_reach.nodes', 'bag_recorder', '--ros-args', *names, *parameters),
            *('-p', 'topics:=[joint_states, goal, observation, activations/input, checkpoint]'),
        )
        peer.wait((tmp_path / 'log').exists, 'ros2 bag record')
        return running

    return begin


def test_rosbag2_gets_the_full_names_of_topics(ros2, recorder, tmp_path):
    ros2(2)
    assert recorder().interrupt() == 0
    said = (tmp_path / 'log').read_text().split()
    assert said[:3] == ['bag', 'record', '--qos-profile-overrides-path']
    assert said[4:9] == ['-s', 'sqlite3', '-o', str(tmp_path / 'bag.partial'), '--topics']
    assert said[9:] == [
        '/left/joint_states',
        '/left/goal',
        '/left/observation',
        '/left/activations/input',
        '/left/checkpoint',
    ]
    profiles = yaml.safe_load((tmp_path / 'qos').read_text())
    assert set(profiles) == {'/left/observation', '/left/activations/input'}
    assert profiles['/left/observation']['depth'] == 10_000


def test_the_bag_gets_its_final_name_when_it_is_closed(ros2, recorder, tmp_path):
    ros2(0)
    (tmp_path / 'bag.partial').mkdir()  # of a killed recorder
    running = recorder()
    assert not (tmp_path / 'bag').exists()
    assert running.interrupt() == 0
    assert (tmp_path / 'bag').is_dir()
    assert (tmp_path / 'bag.partial-1').is_dir()
    assert not (tmp_path / 'bag.partial').exists()


def test_remapped_topics_have_their_own_names_in_the_bag(ros2, start, peer, tmp_path):
    """By these names bags are read; rosbag2's recorder would write the others."""
    ros2(0)
    goal = peer.node.create_publisher(PoseArray, '/aim', latched())
    goal.publish(PoseArray())
    running = start(
        *('neuron_reach.nodes', 'bag_recorder', '--ros-args', '-r', '__ns:=/left'),
        *('-r', 'goal:=/aim', '-p', f'bag:={tmp_path / "bag"}', '-p', 'topics:=[goal, episode]'),
    )
    peer.wait(goal.get_subscription_count, 'recorder')
    peer.spin_for(0.3)
    assert running.interrupt() == 0
    assert not (tmp_path / 'log').exists()
    reader = BagReader(tmp_path / 'bag')
    assert reader.topics == {'/left/goal': 'geometry_msgs/msg/PoseArray'}
    assert len(list(reader.messages())) == 1


def test_older_rosbag2_gets_topic_names_without_a_flag(ros2, recorder, tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', 'humble')
    ros2(2)
    assert recorder().interrupt() == 0
    assert '--topics' not in (tmp_path / 'log').read_text().split()


def test_a_failed_recording_does_not_get_the_name_of_the_bag(ros2, recorder, tmp_path):
    ros2(3)
    assert recorder().interrupt() == 3
    assert not (tmp_path / 'bag').exists()


def test_overrides_name_all_topics_that_are_not_best_effort_or_latched():
    from neuron_reach.nodes import rosbag2

    names = {topic: f'/{topic}' for topic in messages.recorded_topics(2)}
    assert set(names) - {full[1:] for full in rosbag2.overrides(names)} == {
        messages.JOINT_STATES,
        messages.GOAL,
        messages.CHECKPOINT,
    }

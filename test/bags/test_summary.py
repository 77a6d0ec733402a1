# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses

import pytest

from bags.activity_bags import ARMS, LAYERS, NETWORK, OTHER, STEPS, write_activity
from neuron_reach import messages
from neuron_reach.bags.seal import seal
from neuron_reach.bags.summary import summarize
from neuron_reach.errors import UserError


def test_a_whole_bag(tmp_path, storage):
    write_activity(tmp_path / 'bag', storage)
    summary = summarize(tmp_path / 'bag')
    assert summary.bags == (str(tmp_path / 'bag'),)
    assert summary.storage == storage
    assert summary.duration == STEPS - 1
    (robot,) = summary.robots.values()
    assert (robot.episodes, robot.success_rate) == (4, 0.75)
    assert (robot.arms, robot.steps) == (ARMS, 2 * STEPS * ARMS)
    assert list(robot.neurons.items()) == [(layer, 5) for layer in LAYERS]
    assert summary.messages['/arm/episode'] == 1
    assert summary.messages['/arm/activations/hidden_10'] == 2 * STEPS
    assert all(topic.unbroken for topic in summary.continuity.values())
    assert len(summary.continuity) == len(LAYERS) + 1
    assert summary.incomplete is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        robot.arms = 3


def test_bags_are_added_up(tmp_path):
    write_activity(tmp_path / 'a')
    write_activity(tmp_path / 'b', 'sqlite3', successes=(0, 0, 0, 1))
    summary = summarize([tmp_path / 'a', tmp_path / 'b'])
    assert summary.storage == 'mcap and sqlite3'
    robot = summary.robots['/arm']
    assert (robot.episodes, robot.success_rate) == (8, 0.5)
    assert summary.duration == 2 * (STEPS - 1)
    assert summary.messages['/arm/observation'] == 4 * STEPS
    assert all(topic.unbroken for topic in summary.continuity.values())


def test_the_text_contains_all_results(tmp_path):
    write_activity(tmp_path / 'bag', cycles={'output': [(0, 0), (0, 2), (2, 0)]})
    text = str(summarize(tmp_path / 'bag'))
    assert '4, 75.0% successful' in text
    assert 'input 5, hidden_1 5, hidden_2 5' in text
    assert '1 steps missing' in text.splitlines()[-1]
    assert 'complete.' not in text


@pytest.mark.parametrize('recorded', [2 * STEPS - 2, 2 * STEPS, 2 * STEPS + 1])
def test_lost_commands_are_reported(tmp_path, recorded):
    announced = [messages.CheckpointMessage('x', 1, 0, 'ab' * 32, 4)]
    write_activity(tmp_path / 'bag', announced=announced, commands=recorded)
    summary = summarize(tmp_path / 'bag')
    lost = recorded < 2 * STEPS
    assert summary.incomplete is None
    assert summary.missing == ({'/arm/joint_position_controller/commands': 2} if lost else {})
    assert ('The bag is complete.' in str(summary)) is not lost
    assert ('2 missing' in str(summary)) is lost
    assert (f'messages are missing on /arm/{messages.COMMANDS}.' in str(summary)) is lost


def test_a_seal_gives_the_number_of_episodes(tmp_path):
    write_activity(tmp_path / 'bag')
    seal(tmp_path / 'bag', 5, NETWORK)
    summary = summarize(tmp_path / 'bag')
    assert summary.robots['/arm'].requested == 5
    assert summary.incomplete.startswith('4 of 5 episodes')
    assert 'Episodes   4 of 5, 75.0% successful' in str(summary)
    write_activity(tmp_path / 'other', announced=[messages.CheckpointMessage('x', 1, 0, OTHER, 4)])
    seal(tmp_path / 'other', 4, NETWORK)
    assert 'of another network' in summarize(tmp_path / 'other').incomplete


def test_a_truncated_bag_is_reported_as_incomplete(tmp_path):
    write_activity(tmp_path / 'bag')
    file = tmp_path / 'bag' / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:-2000])
    summary = summarize(tmp_path / 'bag')
    assert 'bag.mcap' in summary.incomplete
    assert 'Incomplete' in str(summary).splitlines()[-1]


def test_a_bag_without_activity(tmp_path, storage, write_texts):
    write_texts(tmp_path / 'bag', storage, ['text'])
    summary = summarize(tmp_path / 'bag')
    assert summary.robots == {}
    assert summary.messages == {'/arm/checkpoint': 1}
    assert 'no activations recorded' in str(summary)


def test_two_networks_in_one_summary_are_refused(tmp_path):
    write_activity(tmp_path / 'a')
    write_activity(tmp_path / 'b', width=6)
    with pytest.raises(UserError, match='two networks'):
        summarize([tmp_path / 'a', tmp_path / 'b'])


def test_no_bag_is_an_error():
    with pytest.raises(UserError, match='no bag given'):
        summarize([])

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest

from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.arm.task import ACTION_STEP, TaskOptions
from neuron_reach.learning import validation
from neuron_reach.learning.setup import LearningOptions
from neuron_reach.study import paper
from neuron_reach.study.studies import SCALES

NUMBERS, STATEMENTS = paper.names()


@pytest.mark.parametrize('name', NUMBERS)
def test_every_number_has_a_value_a_unit_and_a_place(name):
    number = paper.number(name)
    values = number.value if isinstance(number.value, tuple) else (number.value,)
    assert all(isinstance(value, int | float) for value in values)
    assert number.unit
    assert number.where


@pytest.mark.parametrize('name', STATEMENTS)
def test_every_statement_is_a_sentence_with_a_place(name):
    statement = paper.statement(name)
    assert statement.text.endswith('.')
    assert '\n' not in statement.text
    assert statement.where


def test_what_is_not_in_the_paper_is_an_error():
    with pytest.raises(KeyError):
        paper.number('nonsense')
    with pytest.raises(KeyError):
        paper.statement('nonsense')


def test_the_package_s_own_numbers_are_the_paper_s():
    def value(name):
        return paper.number(name).value

    assert value('episode_steps') == TaskOptions().episode_steps
    assert value('action_step') == ACTION_STEP
    assert value('success_reward') == TaskOptions().success_reward
    assert value('required_accuracy') == validation.REQUIRED_ACCURACY
    assert value('significance') == validation.SIGNIFICANCE
    assert value('validation_episodes') == validation.VALIDATION_EPISODES
    hidden = LearningOptions().hidden
    assert hidden == (value('analysed_width'),) * value('hidden_layers')
    joints = value('analysed_joints')
    assert ArmOptions().joints == joints
    assert value('neurons_before_pruning') == 2 * joints + 2 + sum(hidden) + 3**joints


def test_the_paper_s_scale_is_the_paper_s():
    scale = SCALES['paper']
    assert scale.widths == paper.number('widths').value
    assert scale.networks == paper.number('pruned_networks').value
    assert scale.networks == paper.number('analysed_networks').value
    assert scale.networks_by_joints == paper.number('mapped_networks').value
    assert scale.compared_width == paper.number('mapped_width').value

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses
import json
import re
from array import array

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from neuron_reach.errors import UserError
from neuron_reach.learning.setup import SessionOptions, Setup

CONTRADICTORY = {'reach_steps', 'episode_steps'}


def values_of(field):
    low, high = field.metadata['low'], field.metadata['high']
    if field.metadata['choices']:
        return st.sampled_from(field.metadata['choices'])
    if isinstance(field.default, tuple):
        return st.lists(st.integers(low, min(high, 64)), min_size=1, max_size=8)
    if isinstance(field.default, float):
        return st.floats(low, high)
    return st.integers(int(low), int(high))


FIELDS = {field.name: field for field in Setup.fields()}
within_range = st.fixed_dictionaries(
    {},
    optional={
        name: values_of(field) for name, field in FIELDS.items() if name not in CONTRADICTORY
    },
)


@given(within_range)
def test_values_come_back_the_same_through_json_yaml_and_text(values):
    setup = Setup.from_values(values, 'test')
    flat = setup.values()
    assert flat.keys() == FIELDS.keys()
    assert {key: flat[key] for key in values} == values
    assert Setup.from_values(flat, 'test') == setup
    assert Setup.from_values(json.loads(json.dumps(flat)), 'test') == setup
    assert Setup.from_values(yaml.safe_load(yaml.safe_dump(flat)), 'test') == setup
    assert Setup.from_values({key: str(value) for key, value in flat.items()}, 'test') == setup


def test_without_values_it_is_the_defaults():
    assert Setup.from_values({}, 'test') == Setup()


@pytest.mark.parametrize('field', [f for f in FIELDS.values() if not f.metadata['choices']])
def test_every_default_and_both_ends_are_allowed_and_what_lies_beyond_is_not(field):
    low, high = field.metadata['low'], field.metadata['high']
    context = {'episode_steps': 10000} if field.name == 'reach_steps' else {}
    context = {'reach_steps': 1} if field.name == 'episode_steps' else context
    for value in (low, high):
        Setup.from_values({**context, field.name: value}, 'test')
    for value in (low - 1, high + 1):
        with pytest.raises(
            UserError, match=f'test: {field.name} must be .*, not {re.escape(str(value))}'
        ):
            Setup.from_values({**context, field.name: value}, 'test')
    assert Setup().values()[field.name] is not None


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (20, (20,) * 6),
        ('20', (20,) * 6),
        ([20], (20,)),
        ('[20]', (20,)),
        (array('q', [20]), (20,)),  # as ROS parameters come
        ((9, 1), (9, 1)),
        ('[9, 1]', (9, 1)),
    ],
)
def test_one_width_means_six_layers_and_a_list_means_itself(given, expected):
    assert Setup.from_values({'hidden': given}, 'test').learning.hidden == expected


PROMISED = {
    'joints': (3, 1, 6),
    'arm_length': (1.0, 0.1, 1.8),
    'bend': (0.3, -3.0, 3.0),
    'inner_steps': (10, 10, 1000),
    'pid_p': (80.0, 0.0, 200.0),
    'pid_i': (10.0, 0.0, 10000.0),
    'pid_d': (0.05, 0.0, 0.9),
    'integral_limit': (0.2, 0.0, 10.0),
    'velocity_limit': (3.0, 0.1, 100.0),
    'episode_steps': (60, 1, 10000),
    'reach_steps': (50, 1, 10000),
    'success_reward': (0.9, 0.0, 1.0),
    'hidden': ((48, 48, 48, 48, 48, 48), 1, 4096),
    'arms': (100, 1, 10000),
    'batch_size': (256, 1, 100000),
    'replay_capacity': (40000, 100, 10000000),
    'learning_rate': (0.0, 0.0, 1.0),
    'gamma': (0.7, 0.0, 0.9999),
    'temperature_start': (0.02, 1e-06, 100.0),
    'temperature_end': (0.005, 1e-06, 100.0),
    'temperature_updates': (500, 1, 10000000),
    'target_rate': (0.03, 1e-05, 1.0),
    'seed': (0, 0, 4294967295),
    'validation_interval': (200, 1, 10000000),
    'max_episodes': (60000, 1, 1000000000),
    'test_episodes': (3000, 0, 10000000),
    'checkpoint_interval': (10.0, 0.0, 86400.0),
    'simulator_timeout': (10.0, 0.1, 3600.0),
}
"""The default of every number, its least and its greatest value: results depend on them."""


def test_defaults_and_ranges_stay_what_they_are():
    found = {
        field.name: (field.default, field.metadata['low'], field.metadata['high'])
        for field in (*FIELDS.values(), *dataclasses.fields(SessionOptions))
        if not field.metadata['choices']
    }
    assert found == PROMISED


def test_goals_must_be_reachable_within_an_episode():
    message = r'a\.yaml: reach_steps must be at most episode_steps \(20\), not 21'
    with pytest.raises(UserError, match=message):
        Setup.from_values({'episode_steps': 20, 'reach_steps': 21}, 'a.yaml')
    Setup.from_values({'episode_steps': 20, 'reach_steps': 20}, 'a.yaml')


def test_names_are_unique_over_all_groups():
    names = [field.name for field in Setup.fields()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(('joints', 'expected'), [(1, (4, 7, 2, 3)), (3, (8, 7, 2, 27))])
def test_layer_sizes_count_inputs_and_outputs(joints, expected):
    setup = Setup.from_values({'joints': joints, 'hidden': [7, 2]}, 'test')
    assert setup.layer_sizes == expected


def test_a_setup_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Setup().arm.joints = 4

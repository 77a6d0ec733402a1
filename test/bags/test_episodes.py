# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Which control cycles and episodes are missing in a bag."""

import dataclasses

import pytest

from bags.activity_bags import LAYERS, NETWORK, OTHER, STEPS, write_activity
from neuron_reach import messages
from neuron_reach.bags.summary import summarize


def test_gaps_and_repetitions_are_counted_by_topic(tmp_path):
    cycles = {
        'hidden_1': [(0, 0), (0, 2), (2, 1), (2, 2)],
        'hidden_2': [(0, 0), (0, 1), (0, 1), (0, 2), (0, 0), (2, 0), (2, 1), (2, 2)],
        'hidden_3': [(0, 1), (0, 2), (8, 0), (8, 1)],
    }
    write_activity(tmp_path / 'bag', cycles=cycles)
    continuity = summarize(tmp_path / 'bag').continuity

    def found(layer):
        return dataclasses.astuple(continuity[f'/arm/activations/{layer}'])

    assert found('input') == (6, 0, 0, 0)
    assert found('hidden_1') == (4, 2, 0, 0)
    assert found('hidden_2') == (8, 0, 0, 2)
    assert found('hidden_3') == (4, 0, 6, 0)


STEP_3 = [(episode, step) for episode in (0, 2) for step in range(STEPS)]
CASES = {
    'complete': ({}, 'The bag is complete.'),
    'another number': ({'requested': 6}, 'Incomplete 4 of 6 episodes'),
    'a great number': ({'requested': 2**53}, f'Incomplete 4 of {2**53} episodes'),
    'others than requested': (
        {'numbers': [2, 3, 4, 5], 'cycles': {}},
        'Incomplete 4 of 4 episodes, but not 0 to 3',
    ),
    'more than requested': ({'requested': 2}, 'Incomplete 4 of 2 episodes'),
    'no number': ({'requested': None}, 'no number of episodes was requested'),
    'older version': ({'announced': []}, 'the bag does not say how many episodes'),
    'begun later': ({'numbers': [2, 3, 4, 5], 'requested': None}, 'begins at episode 0, step 0'),
    'no results': ({'successes': []}, 'Incomplete 0 of 4 episodes'),
    'a result twice': ({'numbers': [0, 1, 2, 2]}, '3 of 4 episodes; results of 1 episodes rep'),
    'a result less': (
        {'numbers': [0, 1, 3, 4], 'requested': None},
        'results of 1 episodes missing',
    ),
    'a layer less': ({'layers': [n for n in LAYERS if n != 'hidden_10']}, 'complete'),
    'no output': ({'layers': LAYERS[:-1]}, 'Incomplete no activations of output'),
    'a layer between': ({'layers': [n for n in LAYERS if n != 'hidden_3']}, 'of hidden_3'),
    'no activations': ({'layers': []}, 'no activations of input, output'),
    'no observations': ({'cycles': {'observation': []}}, 'observation: nothing'),
    'a whole round lost': ({'cycles': {'output': STEP_3[:3]}}, 'activations/output: 6 steps'),
    'lost at the end': ({'cycles': {'input': STEP_3[:-1]}}, 'activations/input: 10 steps'),
    'lost at the start': ({'cycles': {'input': STEP_3[1:]}}, 'begins at episode 0, step 1'),
    'lost between': ({'cycles': {'input': STEP_3[:1] + STEP_3[2:]}}, '1 steps missing'),
    'repeated': ({'cycles': {'observation': STEP_3 * 3}}, 'observation: 12 repeated'),
    'one longer, one shorter': (
        {'cycles': {'input': [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2), (2, 3)]}},
        'activations/input: 12 steps',
    ),
    'two announcements': ({'announced': [('x', 1, 0, NETWORK, 4)] * 2}, '2 announcements'),
    'two networks': (
        {'announced': [('x', 1, 0, NETWORK, 4), ('x', 2, 2, OTHER, 4)]},
        '2 announcements of weights',
    ),
}


@pytest.mark.parametrize(('change', 'words'), CASES.values(), ids=CASES)
def test_only_complete_bags_are_called_complete(tmp_path, change, words):
    announced = [('x', 1, 0, NETWORK, change.pop('requested', 4))]
    checkpoints = [messages.CheckpointMessage(*one) for one in change.pop('announced', announced)]
    write_activity(tmp_path / 'bag', announced=checkpoints, **change)
    text = str(summarize(tmp_path / 'bag')).splitlines()[-1]
    assert words in text
    assert ('is complete' in text) == (words in ('complete', 'The bag is complete.'))

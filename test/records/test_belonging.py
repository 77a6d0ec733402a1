# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses

import numpy as np
import pytest
from analysis.test_folding import inputs, make, recorded

from neuron_reach.errors import UserError
from neuron_reach.networks.functions import Function
from neuron_reach.records.belonging import check_network

SIZES = (5, 8, 7, 3)


def network(seed, name='tanh'):
    return make(seed, SIZES, [[Function.of(name)]] * 2)


@pytest.mark.parametrize('lengths', [None, [100, 3, 57, 80, 1, 99]])
def test_a_record_is_of_the_network_that_computes_its_activations(lengths):
    mine = network(0)
    record = recorded(mine, inputs(0))
    if lengths is not None:
        record = dataclasses.replace(record, lengths=np.array(lengths))
    assert check_network(mine, record, 'the record', 'mine') is None
    for other in (network(1), network(0, 'silu')):
        with pytest.raises(UserError, match='not of mine: from the same inputs, that network'):
            check_network(other, record, 'the record', 'mine')
    with pytest.raises(UserError, match=r'with layers \(5, 8, 7, 3\), but mine has \(5, 8, 6, 3\)'):
        check_network(make(0, (5, 8, 6, 3), [[]] * 2), record, 'the record', 'mine')
    note = check_network(mine, record.select(record.hidden), 'the record', 'mine')
    assert note == 'the record: cannot be compared with mine, as it holds only hidden_1, hidden_2'


def test_the_digest_says_whose_a_record_is():
    mine, part = network(0), recorded(network(0), inputs(0)).select(['hidden_1', 'hidden_2'])
    known = dataclasses.replace(part, network={'digest': mine.digest})
    assert check_network(mine, known, 'the record', 'mine') is None
    with pytest.raises(UserError, match='the record: is not of mine, which holds other weights'):
        check_network(network(0, 'silu'), known, 'the record', 'mine')

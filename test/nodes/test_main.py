"""`python -m neuron_reach.nodes`."""

import pytest

from nodes.policies import one_line


@pytest.mark.parametrize('words', [[], ['nobody']])
def test_an_unknown_node_is_reported_in_one_line(start, words):
    assert 'activation_recorder, arm_reset' in one_line(start('neuron_reach.nodes', *words))

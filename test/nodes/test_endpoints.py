"""Discovery of publishers."""

import functools

from neuron_reach import messages


def test_a_new_node_soon_discovers_publishers(peer, domain, start_node):
    start_node('arm_simulator')
    peer.wait(lambda: peer.node.count_publishers(messages.JOINT_STATES), 'simulator')
    for late in (type(peer)(domain) for _ in range(5)):
        count = functools.partial(late.node.count_publishers, messages.JOINT_STATES)
        late.wait(count, 'simulator', 1.5)
        late.close()

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A Trigger service whose requests are answered later."""

import time

import pytest
from std_srvs.srv import Trigger

from neuron_reach.nodes.deferred_trigger import DeferredTrigger
from neuron_reach.nodes.loop import Loop


@pytest.fixture
def service(peer, default_node, spin):
    """The service, a function that sends a request to it, and one that waits."""
    node = default_node('node')
    loop = Loop(node)
    received = []
    trigger = DeferredTrigger(node, 'ask', lambda: received.append(time.monotonic()))
    client = peer.node.create_client(Trigger, 'ask')
    peer.wait(client.service_is_ready, 'service')

    def ask():
        before = len(received)
        answer = client.call_async(Trigger.Request())
        spin(loop, lambda: len(received) == before + 1)
        assert trigger.is_pending
        return answer

    return trigger, ask, lambda condition: spin(loop, condition)


def test_requests_are_answered_in_any_order_each_with_its_own_answer(service):
    trigger, ask, wait = service
    answers = [ask(), ask()]
    first, second = trigger.take()
    assert not trigger.is_pending
    assert not any(answer.done() for answer in answers)
    second.answer(False, 'second')
    wait(answers[1].done)
    assert not answers[0].done()
    first.answer(True, 'first')
    wait(answers[0].done)
    results = [answer.result() for answer in answers]
    assert [(each.success, each.message) for each in results] == [
        (True, 'first'),
        (False, 'second'),
    ]


def test_only_requests_that_have_waited_long_enough_are_taken(service):
    trigger, ask, wait = service
    answers = [ask()]
    assert trigger.take(waited=60.0) == []
    time.sleep(1.0)
    answers.append(ask())
    (old,) = trigger.take(waited=1.0)
    assert trigger.is_pending
    (new,) = trigger.take()
    assert old.received < new.received
    assert trigger.take() == []
    for request in (old, new):
        request.answer(True, '')
    wait(lambda: all(answer.done() for answer in answers))

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The main loop of a node: its inboxes, waits, checks and services."""

import time

import pytest
from rclpy.serialization import serialize_message
from std_msgs.msg import String
from std_srvs.srv import Trigger

from neuron_reach.errors import SpoiledError
from neuron_reach.nodes import loop as loop_module
from neuron_reach.nodes.loop import CHECK_PERIOD, Loop
from neuron_reach.nodes.publishing import reliable


@pytest.fixture
def loop(default_node):
    return Loop(default_node('node'))


@pytest.fixture
def publish(peer):
    """Publishes texts on a topic once somebody subscribes to it."""

    def send(topic, *texts):
        publisher = peer.node.create_publisher(String, topic, reliable(10))
        peer.wait(publisher.get_subscription_count, 'subscription')
        for text in texts:
            publisher.publish(String(data=text))
        return publisher

    return send


def take(loop, inbox, count):
    """Return so many messages with the identifiers of their publishers."""
    taken = []

    def complete():
        while (message := inbox.take_with_gid()) is not None:
            taken.append(message)
        return len(taken) >= count

    assert loop.wait_until(complete, 10.0)
    return taken


def test_messages_are_taken_in_order_with_the_identifier_of_their_publisher(loop, publish):
    inbox = loop.subscribe(String, 'text', reliable(10))
    assert inbox.topic_name == '/text'
    assert inbox.take() is None
    publish('text', 'a', 'b', 'c')
    taken = take(loop, inbox, 3)
    assert [message.data for message, _ in taken] == ['a', 'b', 'c']
    (publisher,) = loop.node.get_publishers_info_by_topic('/text')
    assert {gid for _, gid in taken} in ({bytes(publisher.endpoint_gid[:16])}, {None})
    assert inbox.take() is None


def test_raw_messages_stay_serialized(loop, publish):
    inbox = loop.subscribe_raw(String, 'text', reliable(10))
    publish('text', 'a')
    ((message, _),) = take(loop, inbox, 1)
    assert message == serialize_message(String(data='a'))


def test_an_ended_subscription_leaves_the_others(loop, peer, publish):
    ended, kept = (loop.subscribe(String, topic, reliable(10)) for topic in ('ended', 'kept'))
    publisher = publish('ended', 'a')
    take(loop, ended, 1)
    loop.unsubscribe(ended)
    peer.wait(lambda: not publisher.get_subscription_count(), 'end of the subscription')
    publish('kept', 'b')
    assert [message.data for message, _ in take(loop, kept, 1)] == ['b']


def test_a_wait_for_nothing_ends_in_time_and_checks_periodically(loop):
    loop.subscribe(String, 'text', reliable(10))
    checked = []
    loop.periodic_check = lambda: checked.append(time.monotonic())
    began = time.monotonic()
    loop.wait(10.0)
    assert time.monotonic() - began < 1.0, 'a signal would be noticed too late'
    began = time.monotonic()
    assert not loop.wait_until(lambda: False, 1.0)
    assert 1.0 <= time.monotonic() - began < 3.0
    assert 3 <= len(checked) <= 3.0 / CHECK_PERIOD
    assert loop.wait_until(lambda: True, 0.0)


def test_an_error_of_the_periodic_check_ends_the_wait(loop):
    def fail():
        raise SpoiledError('another node')

    loop.periodic_check = fail
    with pytest.raises(SpoiledError, match='another node'):
        loop.wait(1.0)


def test_requests_are_answered_at_once_during_a_wait(loop, peer, spin, monkeypatch):
    def answer(_request, response):
        response.message = 'here'
        return response

    loop.node.create_service(Trigger, 'ask', answer)
    client = peer.node.create_client(Trigger, 'ask')
    loop.run_due()
    monkeypatch.setattr(loop_module, 'EXECUTOR_PERIOD', 1e6)  # no other run of the executor
    peer.wait(client.service_is_ready, 'service')
    loop.run_due()
    answered = client.call_async(Trigger.Request())
    spin(loop, answered.done)
    assert answered.result().message == 'here'

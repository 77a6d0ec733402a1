# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The services of the policy."""

from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import Trigger

from nodes.policies import ENDLESS


def test_a_validation_reports_progress_can_be_canceled_and_does_not_block_saving(
    peer, start_node, make_checkpoint, tmp_path
):
    start_node('arm_simulator', joints=1, clock='realtime')
    given = {**ENDLESS, 'arms': 1, 'run_dir': tmp_path, 'realtime': True, 'episode_steps': 10}
    policy = start_node('dqn_policy', reach_steps=5, **given)
    diagnosed = peer.listen(DiagnosticArray, '/diagnostics')
    clients = {
        name: peer.node.create_client(Trigger, f'dqn_policy/{name}')
        for name in ('validate', 'save_checkpoint', 'cancel')
    }
    peer.wait(lambda: all(each.service_is_ready() for each in clients.values()), 'services')
    validated = clients['validate'].call_async(Trigger.Request())
    progress = peer.wait(
        lambda: [
            value.value
            for message in diagnosed
            for status in message.status
            for value in status.values
            if value.key == 'validation'
        ],
        'progress',
    )
    assert progress[0].endswith('300 to play')
    saved = peer.call(Trigger, 'dqn_policy/save_checkpoint')
    assert saved.success
    assert not validated.done()
    assert peer.call(Trigger, 'dqn_policy/cancel').success
    peer.wait(validated.done, 'answer')
    assert 'canceled' in validated.result().message
    assert not peer.call(Trigger, 'dqn_policy/cancel').success
    assert policy.interrupt() == 130

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The services of the policy: validate, save a checkpoint, cancel a validation."""

from __future__ import annotations

from rclpy.node import Node

from neuron_reach.nodes.deferred_trigger import DeferredTrigger


class PolicyServices:
    """The services `~/validate`, `~/save_checkpoint` and `~/cancel`; answered between rounds.

    Attributes:
        validate: requests to play a validation test.
        save_checkpoint: requests to save the training.
        cancel: requests to cancel the validation test.
        validation: progress of the requested validation test, empty if none is running.
    """

    def __init__(self, node: Node) -> None:
        self.validate = DeferredTrigger(node, '~/validate')
        self.save_checkpoint = DeferredTrigger(node, '~/save_checkpoint')
        self.cancel = DeferredTrigger(node, '~/cancel')
        self.validation = ''

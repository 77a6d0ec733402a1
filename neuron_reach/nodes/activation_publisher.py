# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Publishes the activations of a network that runs in a node of another package."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from rclpy.node import Node
from torch import Tensor, nn

from neuron_reach import messages
from neuron_reach.common.arrays import Single
from neuron_reach.common.options import meant
from neuron_reach.errors import UserError
from neuron_reach.nodes.activity_topics import ActivityTopics
from neuron_reach.policies.policy import Policy

LOOK_PERIOD = 0.05
"""Seconds between two checks for subscribers."""


class ActivationPublisher:
    """Publishes what every layer of a network computes, whenever the network is run.

    Two lines in your own node:

        from neuron_reach.nodes import ActivationPublisher
        publisher = ActivationPublisher(node, module)

    The topics are those of the policy inspector, in the namespace of the node. Nothing is computed
    or copied without subscribers. A batch is published as several rows.
    """

    def __init__(
        self,
        node: Node,
        network: nn.Module | Policy,
        *,
        layers: Sequence[str] = (),
        episode_steps: int = 500,
    ) -> None:
        """Attach to the network; it works as before.

        Args:
            node: that publishes.
            network: a policy of `neuron_reach.load`, or a module. Without `layers`, its linear
                layers must form a chain; a hidden layer is what the next linear layer receives.
            layers: names of the submodules whose outputs are the hidden layers, in their order,
                as in `module.named_modules()`.
            episode_steps: forward passes after which an episode of a recording ends, at least 1.

        Raises:
            UserError: the linear layers form no chain, or there is no submodule of a name.
        """
        self._node = node
        self._undo: list[Callable[[], None]] = []
        self._values: dict[int, Tensor] = {}
        self._active = False
        self._next_look = 0.0
        if isinstance(network, Policy):
            hidden = len(network.layers) - 2
            self._attach_to_policy(network)
        elif layers:
            hidden = len(layers)
            self._attach_to_modules(network, layers)
        else:
            linear = _chain(network)
            hidden = len(linear) - 1
            self._attach_to_chain(network, linear)
        self._topics = ActivityTopics(node, messages.layer_names(hidden), episode_steps)

    def end_episode(self) -> None:
        """End the current episode: the next forward pass is the first of another one."""
        self._topics.end_episode()

    def destroy(self) -> None:
        """Detach from the network, end the episode, and destroy the publishers."""
        for undo in self._undo:
            undo()
        self._undo.clear()
        self._topics.end_episode()
        self._topics.destroy()

    def _look(self) -> bool:
        """Return whether a topic has subscribers."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_PERIOD
            self._active = self._topics.watched
        return self._active

    def _publish(self, layers: Sequence[Single]) -> None:
        rows = [np.ascontiguousarray(part.reshape(-1, part.shape[-1])) for part in layers]
        self._topics.publish(rows, self._node.get_clock().now().to_msg())

    def _attach_to_policy(self, policy: Policy) -> None:
        compute = policy.compute
        ends = np.cumsum(policy.sizes)[:-1]

        def computing(observations: Single) -> Single:
            computed = compute(observations)
            if self._look():
                self._publish(np.split(computed, ends, axis=-1))
            return computed

        policy.compute = computing  # type: ignore[method-assign]  # of this policy only
        self._undo.append(lambda: policy.__dict__.pop('compute', None))

    def _attach_to_chain(self, module: nn.Module, linear: Sequence[nn.Linear]) -> None:
        self._begin_with(module)
        for number, layer in enumerate(linear):
            self._keep_input(layer, number)
        # The module may return more than its last layer, such as a distribution.
        self._keep_output(linear[-1], len(linear))
        self._end_with(module, len(linear))

    def _attach_to_modules(self, module: nn.Module, layers: Sequence[str]) -> None:
        known = {name: each for name, each in module.named_modules() if name}
        if unknown := [name for name in layers if name not in known]:
            raise UserError(
                f'no submodule {unknown[0]!r}{meant(unknown[0], known)}; '
                f'there are {", ".join(known)}'
            )
        self._begin_with(module)
        self._keep_input(module, 0)
        for number, name in enumerate(layers, 1):
            self._keep_output(known[name], number)
        self._keep_output(module, len(layers) + 1)
        self._end_with(module, len(layers) + 1)

    def _begin_with(self, module: nn.Module) -> None:
        def begin(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._values.clear()
            self._look()

        self._undo.append(module.register_forward_pre_hook(begin).remove)

    def _keep_input(self, module: nn.Module, number: int) -> None:
        def keep(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            if self._active and inputs:
                self._values[number] = inputs[0]

        self._undo.append(module.register_forward_pre_hook(keep).remove)

    def _keep_output(self, module: nn.Module, number: int) -> None:
        def keep(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if self._active and isinstance(output, Tensor):
                self._values[number] = output

        self._undo.append(module.register_forward_hook(keep).remove)

    def _end_with(self, module: nn.Module, last: int) -> None:
        """Publish at the end of a forward pass; `last` is the number of the output."""

        def end(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            width = self._values[last].shape[-1] if last in self._values else None
            if isinstance(output, Tensor) and output.shape[-1:] == (width,):
                self._values[last] = output
            if self._active and len(self._values) == last + 1:
                values = [self._values[number] for number in range(last + 1)]
                self._publish([each.detach().to('cpu', torch.float32).numpy() for each in values])

        self._undo.append(module.register_forward_hook(end).remove)


def _chain(module: nn.Module) -> list[nn.Linear]:
    """Return the linear layers of a module, which must fit one after the other."""
    linear = [(name, each) for name, each in module.named_modules() if isinstance(each, nn.Linear)]
    if not linear:
        raise UserError(f'{type(module).__name__} has no linear layers; name some with layers=')
    for (before, first), (after, second) in itertools.pairwise(linear):
        if first.out_features != second.in_features:
            raise UserError(
                f'the linear layers of {type(module).__name__} form no chain: {before} has '
                f'{first.out_features} outputs, {after} has {second.in_features} inputs; give the '
                'part that acts, or name the hidden layers with layers='
            )
    return [each for _, each in linear]

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Robots of this project in a bag, which may contain topics of other programs, too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from neuron_reach import messages
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.storage import Channel
from neuron_reach.errors import UserError

_MOST_LISTED = 10


class Robot(NamedTuple):
    """A robot in a bag: a namespace with activations in this project's layout.

    Attributes:
        namespace: of its topics, as `/name`, or empty.
        layers: layers with recorded activations, from input to output.
    """

    namespace: str
    layers: tuple[str, ...]

    def topic(self, name: str) -> str:
        """Return the full name of a topic."""
        return f'{self.namespace}/{name}'


def find_robots(reader: BagReader) -> list[Robot]:
    """Return the robots in a bag, which is read until each of their topics has a message.

    Raises:
        UserError: a file cannot be read.
    """
    undecided: dict[Channel, tuple[str, str]] = {}
    for channel in reader.channels:
        topic = channel.project_topic
        if topic and (layer := messages.layer_of(topic[1])):
            undecided[channel] = topic[0], layer
    unused = dict(undecided)  # channels without any message
    layers_of: dict[str, set[str]] = {}
    for channel, _, data in reader.read(undecided.__contains__):
        unused.pop(channel, None)
        if channel not in undecided:
            continue
        try:
            messages.read_fleet_step(reader.decode(channel, data))
        except messages.LayoutError:
            continue
        namespace, layer = undecided.pop(channel)
        layers_of.setdefault(namespace, set()).add(layer)
        if not undecided:
            break
    for namespace, layer in unused.values():
        if namespace in layers_of:
            layers_of[namespace].add(layer)
    return [
        Robot(namespace, tuple(sorted(layers, key=messages.depth)))
        for namespace, layers in sorted(layers_of.items())
    ]


def choose_robot(bag: Path, reader: BagReader, namespace: str | None = None) -> Robot:
    """Return the only robot in a bag, or the one in a namespace.

    Raises:
        UserError: there is none, or several to choose from.
    """
    robots = find_robots(reader)
    if not robots:
        raise UserError(f'{bag}: holds no activations (no topic {messages.ACTIVATIONS}/<layer>)')
    names = list_namespaces(robot.namespace for robot in robots)
    if namespace is None:
        if len(robots) > 1:
            raise UserError(
                f'{bag}: holds several robots; name one of the namespaces {names} with --namespace'
            )
        return robots[0]
    for robot in robots:
        if robot.namespace == topic_prefix(namespace):
            return robot
    raise UserError(f'{bag}: has no activations in namespace {namespace!r}, but in {names}')


def list_namespaces(namespaces: Iterable[str]) -> str:
    """Return namespaces as text for a message, shortened if there are many."""
    names = sorted(name or '/' for name in namespaces)
    rest = len(names) - _MOST_LISTED
    return ', '.join(names[:_MOST_LISTED]) + (f' and {rest} others' if rest > 0 else '')


def topic_prefix(given: str) -> str:
    """Return a namespace in the form that topics have, `/name` or empty."""
    return f'/{given.strip("/")}'.rstrip('/')

"""Which robots of ours are in a bag, beside whatever else was recorded with them."""

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
    """A robot in a bag: a namespace with activations of our type, laid out as ours are.

    Attributes:
        namespace: of its topics, as `/name`, or empty.
        layers: whose activations were recorded, from input to output.
    """

    namespace: str
    layers: tuple[str, ...]

    def topic(self, name: str) -> str:
        """Return the full name of a topic."""
        return f'{self.namespace}/{name}'


def find_robots(reader: BagReader) -> list[Robot]:
    """Return the robots in a bag, read up to where each of their topics has begun.

    Raises:
        UserError: a file cannot be read.
    """
    undecided: dict[Channel, tuple[str, str]] = {}
    for channel in reader.channels:
        ours = channel.own
        if ours and (layer := messages.layer_of(ours[1])):
            undecided[channel] = ours[0], layer
    silent = dict(undecided)  # announced, but without any message
    found: dict[str, set[str]] = {}
    for channel, _, data in reader.read(undecided.__contains__):
        silent.pop(channel, None)
        if channel not in undecided:
            continue
        try:
            messages.read_fleet_step(reader.decode(channel, data))
        except messages.LayoutError:
            continue
        namespace, layer = undecided.pop(channel)
        found.setdefault(namespace, set()).add(layer)
        if not undecided:
            break
    for namespace, layer in silent.values():
        if namespace in found:
            found[namespace].add(layer)
    return [
        Robot(namespace, tuple(sorted(layers, key=messages.depth)))
        for namespace, layers in sorted(found.items())
    ]


def choose_robot(bag: Path, reader: BagReader, namespace: str | None = None) -> Robot:
    """Return the only robot in a bag, or the one in a namespace.

    Raises:
        UserError: there is none, or several to choose from.
    """
    robots = find_robots(reader)
    if not robots:
        raise UserError(f'{bag}: holds no activations (no topic {messages.ACTIVATIONS}/<layer>)')
    said = list_namespaces(robot.namespace for robot in robots)
    if namespace is None:
        if len(robots) > 1:
            raise UserError(
                f'{bag}: holds several robots; name one of the namespaces {said} with --namespace'
            )
        return robots[0]
    for robot in robots:
        if robot.namespace == topic_prefix(namespace):
            return robot
    raise UserError(f'{bag}: has no activations in namespace {namespace!r}, but in {said}')


def list_namespaces(namespaces: Iterable[str]) -> str:
    """Return namespaces as a list for a message; not all of them if they are many."""
    names = sorted(name or '/' for name in namespaces)
    rest = len(names) - _MOST_LISTED
    return ', '.join(names[:_MOST_LISTED]) + (f' and {rest} others' if rest > 0 else '')


def topic_prefix(given: str) -> str:
    """Return a namespace as topics have it, `/name` or empty, however it was given."""
    return f'/{given.strip("/")}'.rstrip('/')

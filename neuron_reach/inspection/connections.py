# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The file that says how a policy is connected to a robot: the topics of its inputs and outputs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from neuron_reach.common.options import check_keys, fill, load_yaml, option
from neuron_reach.errors import UserError

FEATURES = ('value', 'sin', 'cos')


@dataclasses.dataclass(frozen=True)
class Timing:
    """When the policy is run, and how old its inputs may be."""

    rate: float = option(
        0.0, 'steps a second; 0: one for every message on trigger', low=0.0, high=10_000.0
    )
    trigger: str = option('', 'topic of an input whose every message is a step')
    stale_after: float = option(
        0.2, 'age of inputs from which on they are stale, s', low=0.0, high=1e9
    )


@dataclasses.dataclass(frozen=True)
class Input:
    """Some inputs of the network: values of a topic, or the previous action.

    The inputs are f((value - offset) scale) for each feature f, the features of a value together.
    """

    topic: str = option('', 'name of the topic, relative to the namespace')
    type: str = option('', 'message type, such as sensor_msgs/msg/Imu')
    field: tuple[str, ...] = option((), 'fields of the message', item=str)
    names: tuple[str, ...] = option((), 'joints to take the values of, in this order', item=str)
    offset: tuple[float, ...] = option((0.0,), 'subtracted from the value')
    scale: tuple[float, ...] = option((1.0,), 'multiplies the difference')
    features: tuple[str, ...] = option(('value',), 'functions of the result', choices=FEATURES)
    default: tuple[float, ...] = option(
        (), 'values to use while there is no message, or only old ones', item=float
    )
    latched: bool = option(False, 'sent only when it changes: a message never becomes stale')
    previous_action: bool = option(False, 'the last action of the policy')

    @property
    def label(self) -> str:
        """What messages call it."""
        return f'{self.topic} ({", ".join(self.field)})' if self.topic else 'previous_action'


@dataclasses.dataclass(frozen=True)
class Output:
    """Where actions go: action scale + offset, within the limits."""

    topic: str = option('', 'name of the topic, relative to the namespace')
    type: str = option('', 'message type, such as std_msgs/msg/Float64MultiArray')
    field: tuple[str, ...] = option(('data',), 'fields of the message')
    names: tuple[str, ...] = option((), 'names of the joints in the message', item=str)
    scale: tuple[float, ...] = option((1.0,), 'multiplies the action')
    offset: tuple[float, ...] = option((0.0,), 'added to the product')
    limits: tuple[tuple[float, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class Connections:
    """How a policy is connected to a robot.

    Attributes:
        path: of the file, for messages.
        timing: when it is run.
        inputs: in the order of the inputs of the network.
        outputs: where actions go; None: nowhere.
    """

    path: str
    timing: Timing
    inputs: tuple[Input, ...]
    outputs: Output | None = None


def read_connections(path: str | Path) -> Connections:
    """Read the file of a robot; nothing in it is ever executed.

    Raises:
        UserError: it cannot be read, or an entry is unknown, missing or contradicts another.
    """
    source = str(path)
    values = load_yaml(path)
    keys = {field.name for field in dataclasses.fields(Timing)}
    check_keys(values, keys | {'inputs', 'outputs'}, source)
    timing = fill(Timing, values, source)
    if not isinstance(values.get('inputs'), list) or not values['inputs']:
        raise UserError(f'{source}: inputs must be a list of at least one topic')
    inputs = tuple(
        _input(entry, f'{source}: inputs[{number}]')
        for number, entry in enumerate(values['inputs'])
    )
    types: dict[str, str] = {}
    for each in inputs:
        if each.topic and types.setdefault(each.topic, each.type) != each.type:
            raise UserError(f'{source}: topic {each.topic} is of two types')
    if bool(timing.rate) == bool(timing.trigger):
        raise UserError(f'{source}: needs either rate or trigger')
    if timing.trigger and timing.trigger not in types:
        raise UserError(f'{source}: trigger {timing.trigger!r} is not the topic of an input')
    if timing.stale_after <= 0.0:
        raise UserError(f'{source}: stale_after must be greater than 0')
    outputs = values.get('outputs')
    return Connections(
        source, timing, inputs, None if outputs is None else _output(outputs, f'{source}: outputs')
    )


_TOPIC = re.compile(r'(?:~?/)?[a-z_{][\w{}]*(?:/[a-z_{][\w{}]*)*', re.ASCII | re.IGNORECASE)
"""How topics may be named; in braces, ROS names substitutions such as {node}."""

OptionsT = TypeVar('OptionsT', Input, Output)


def _filled(cls: type[OptionsT], entry: Any, where: str) -> OptionsT:
    """Return the options of one entry; a text may stand for a list of one."""
    if not isinstance(entry, dict):
        raise UserError(f'{where} must be `key: value` pairs, not {entry!r:.60}')
    check_keys(entry, {field.name for field in dataclasses.fields(cls)}, where)
    lists = ('field', 'names', 'features')
    return fill(
        cls,
        {
            key: [value] if key in lists and isinstance(value, str) else value
            for key, value in entry.items()
            if key != 'limits'
        },
        where,
    )


def _require(entry: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in keys:
        if not entry.get(key):
            raise UserError(f'{where}: {key} is missing')
    if _TOPIC.fullmatch(entry['topic']) is None:
        raise UserError(
            f'{where}: topic {entry["topic"]!r} is no name of a topic; it consists of letters, '
            'digits and _, and parts that are separated by / and begin with no digit'
        )


def _input(entry: Any, where: str) -> Input:
    read = _filled(Input, entry, where)
    if read.previous_action:
        allowed = {'previous_action', 'offset', 'scale', 'features'}
        check_keys(entry, allowed, f'{where} (previous_action)')
        return read
    _require(entry, ('topic', 'type', 'field'), where)
    return read


def _output(entry: Any, where: str) -> Output:
    read = _filled(Output, entry, where)
    _require(entry, ('topic', 'type'), where)
    return dataclasses.replace(read, limits=_limits(entry.get('limits'), where))


def _limits(given: Any, where: str) -> tuple[tuple[float, float], ...]:
    """Return the limits of each output, or the one pair that all share; () if there are none."""
    if given is None:
        return ()
    pairs = given if isinstance(given, list) and given and isinstance(given[0], list) else [given]
    for pair in pairs:
        numbers = isinstance(pair, list) and all(
            isinstance(bound, int | float) and not isinstance(bound, bool) for bound in pair
        )
        if not numbers or len(pair) != 2 or not pair[0] < pair[1]:
            raise UserError(
                f'{where}: limits must be [low, high] with low < high, or a list of those, '
                f'not {pair!r:.60}'
            )
    return tuple((float(low), float(high)) for low, high in pairs)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The observation of a policy, assembled from the newest messages of a robot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from neuron_reach.common.arrays import Array, Single
from neuron_reach.errors import UserError
from neuron_reach.inspection.connections import Connections, Input
from neuron_reach.inspection.fields import InputError, Leaf, leaves, message_class

NAME_FIELDS = ('name', 'joint_names')
"""Fields in which messages list the names of joints."""

_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    'value': lambda values: values,
    'sin': np.sin,
    'cos': np.cos,
}


def per_value(given: Sequence[float] | Array, width: int, where: str) -> Array:
    """Return one number for each value, (width,); a single one counts for all.

    Raises:
        UserError: there are more or fewer.
    """
    if len(given) not in (1, width):
        raise UserError(f'{where} has {len(given)} numbers, but there are {width} values')
    return np.broadcast_to(np.array(given, np.float64), (width,))


class Source:
    """Computes some inputs of the network from the messages of one topic.

    Attributes:
        input: what to take from a message.
        width: values in a message; None until `set_width`: as many as there are.
    """

    def __init__(self, entry: Input, where: str, actions: int) -> None:
        """Find the fields.

        Args:
            entry: what to take from a message.
            where: the place of the entry in its file, for messages.
            actions: values of the previous action.

        Raises:
            UserError: there is no such type or field.
        """
        self.input = entry
        self._where = where
        self._leaves: list[Leaf] = []
        self._name_field = ''
        self._listed: Sequence[str] = ()
        self._order: list[int] = []
        if entry.previous_action:
            self.set_width(actions)
            return
        try:
            message_type = message_class(entry.type)
            for field in entry.field:
                self._leaves += leaves(message_type, field)
            if entry.names:
                self._name_field = self._find_names(message_type)
        except UserError as error:
            raise UserError(f'{where}: {error}') from None
        widths = [leaf.width for leaf in self._leaves]
        self.width = None if None in widths else sum(filter(None, widths))
        if entry.names:
            self.width = len(entry.names) * len(self._leaves)
        if self.width is not None:
            self.set_width(self.width)

    def _find_names(self, message_type: Any) -> str:
        fields = message_type.get_fields_and_field_types()
        listing = [name for name in NAME_FIELDS if fields.get(name) == 'sequence<string>']
        if not listing or any(leaf.width is not None for leaf in self._leaves):
            raise UserError(
                'names need a message with a list of names and fields that are lists as well, '
                'such as sensor_msgs/msg/JointState with position'
            )
        return listing[0]

    def set_width(self, width: int) -> None:
        """Decide how many values a message must hold.

        Raises:
            UserError: scale, offset or default is of another number.
        """
        self.width = width
        entry, where = self.input, self._where
        self._scale = per_value(entry.scale, width, f'{where}: scale')
        self._offset = per_value(entry.offset, width, f'{where}: offset')
        self.default = None
        if entry.default:
            self.default = self.transform(per_value(entry.default, width, f'{where}: default'))

    def transform(self, values: Array) -> Single:
        """Return the inputs of the network for values, (width,): (width features,).

        Raises:
            InputError: infinity or NaN.
        """
        values = (values - self._offset) * self._scale
        parts = [_FUNCTIONS[name](values) for name in self.input.features]
        with np.errstate(over='ignore', invalid='ignore'):
            inputs = np.stack(parts, axis=-1).reshape(-1).astype(np.float32)
        if not np.isfinite(inputs).all():
            raise InputError('holds infinity or NaN')
        return inputs

    def read(self, message: Any) -> Single:
        """Return the inputs of the network that a message gives, (width features,).

        Raises:
            InputError: the message cannot be used.
        """
        if self._name_field:
            parts = self._by_name(message)
        else:
            parts = [leaf.read(message) for leaf in self._leaves]
        values = np.concatenate(parts)
        if values.size != self.width:
            raise InputError(f'holds {values.size} values, expected {self.width}')
        return self.transform(values)

    def _by_name(self, message: Any) -> list[Array]:
        """Return the values of the wanted joints, (joints,) for each field."""
        listed = getattr(message, self._name_field)
        if listed != self._listed or not self._order:
            missing = [name for name in self.input.names if name not in listed]
            if missing:
                there = ', '.join(listed[:10]) or 'none'
                raise InputError(f'has no joint {missing[0]!r}; it has {there}')
            self._order = [listed.index(name) for name in self.input.names]
            self._listed = list(listed)
        parts = []
        for leaf in self._leaves:
            part = leaf.read(message)
            if part.size != len(listed):
                raise InputError(f'holds {part.size} values for {len(listed)} names')
            parts.append(part[self._order])
        return parts


class _State:
    """What is known of one input: the last usable message, and the problem of the newest."""

    def __init__(self) -> None:
        self.inputs: Single | None = None
        self.time = -math.inf
        self.problem = ''


class Step(NamedTuple):
    """The inputs of the network in one step.

    Attributes:
        inputs: (inputs,), float32.
        stale: some of them are too old, or a newer message could not be used.
    """

    inputs: Single
    stale: bool


class Observation:
    """Keeps the newest messages and makes the observation of them.

    Times are in seconds, of any clock, the same for all calls.

    Attributes:
        topics: class of the messages of each topic.
    """

    def __init__(self, connections: Connections, inputs: int, actions: int) -> None:
        """Find all fields.

        Args:
            connections: the topics of the robot.
            inputs: of the network.
            actions: components of the policy's action.

        Raises:
            UserError: a type or field does not exist, or the number of inputs does not fit.
        """
        self._stale_after = connections.timing.stale_after
        self.sources = [
            Source(entry, f'{connections.path}: inputs[{number}]', actions)
            for number, entry in enumerate(connections.inputs)
        ]
        self._fit(connections.path, inputs)
        entries = connections.inputs
        self.topics = {each.topic: message_class(each.type) for each in entries if each.topic}
        self.reset()
        self.act(np.zeros(actions))

    def _fit(self, path: str, inputs: int) -> None:
        """Give the inputs that remain to the one topic whose number of values is unknown."""
        given = 0
        unknown = []
        for source in self.sources:
            if source.width is None:
                unknown.append(source)
            else:
                given += source.width * len(source.input.features)
        if len(unknown) > 1:
            raise UserError(
                f'{path}: {unknown[0].input.label} and {unknown[1].input.label} hold any number '
                'of values; say how many, as in data[0:12]'
            )
        if unknown:
            features = len(unknown[0].input.features)
            width, rest = divmod(inputs - given, features)
            if width < 1 or rest:
                raise UserError(
                    f'{path}: gives {given} inputs without {unknown[0].input.label}, and the '
                    f'network has {inputs}'
                )
            unknown[0].set_width(width)
        elif given != inputs:
            raise UserError(f'{path}: gives {given} inputs, but the network has {inputs}')

    def reset(self) -> None:
        """Forget all messages."""
        self._states = [_State() for _ in self.sources]

    def act(self, action: Array) -> None:
        """Remember the action of the policy, (actions,), for the next observation."""
        self._action = action

    def receive(self, topic: str, message: Any, now: float) -> list[str]:
        """Take a message; return what makes it unusable, a line for each input it cannot serve."""
        problems = []
        for source, state in zip(self.sources, self._states, strict=True):
            if source.input.topic != topic:
                continue
            try:
                state.inputs = source.read(message)
                state.time, state.problem = now, ''
            except InputError as error:
                state.problem = f'{source.input.label} {error}'
                problems.append(state.problem)
        return problems

    def _is_stale(self, source: Source, state: _State, now: float) -> bool:
        old = not source.input.latched and now - state.time > self._stale_after
        return state.inputs is None or bool(state.problem) or old

    def build(self, now: float) -> Step | None:
        """Return the observation; None while an input never had a usable message."""
        parts = []
        any_stale = False
        for source, state in zip(self.sources, self._states, strict=True):
            if source.input.previous_action:
                parts.append(source.transform(self._action))
                continue
            inputs = state.inputs
            if self._is_stale(source, state, now):
                if source.default is not None:
                    inputs = source.default
                else:
                    any_stale = True
            if inputs is None:
                return None
            parts.append(inputs)
        return Step(np.concatenate(parts), any_stale)

    def problems(self, now: float) -> dict[str, str]:
        """Return the current problems by topic; the use of defaults is not a problem."""
        found: dict[str, str] = {}
        for source, state in zip(self.sources, self._states, strict=True):
            entry = source.input
            if not entry.topic or not self._is_stale(source, state, now):
                continue
            if state.problem:
                found[entry.topic] = state.problem
            elif source.default is None:
                age = now - state.time
                found.setdefault(
                    entry.topic,
                    'no message yet' if state.inputs is None else f'no message for {age:.1f} s',
                )
        return found

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Actions of a policy as messages for a robot."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuron_reach.common.arrays import Array
from neuron_reach.errors import UserError
from neuron_reach.inspection.connections import Output
from neuron_reach.inspection.fields import FLOATS, INTEGERS, Leaf, leaves, message_class
from neuron_reach.inspection.observation import NAME_FIELDS, per_value


class Command:
    """Turns actions into messages.

    Attributes:
        topic: where they go.
        message_type: their class.
    """

    def __init__(self, output: Output, actions: int, path: str) -> None:
        """Find the fields.

        Args:
            output: the description.
            actions: components of the policy's action.
            path: of its file, for messages.

        Raises:
            UserError: there is no such type or field, or a number does not fit the actions.
        """
        where = f'{path}: outputs'
        self.topic = output.topic
        try:
            self.message_type = message_class(output.type)
            self._leaves: list[Leaf] = []
            for field in output.field:
                self._leaves += leaves(self.message_type, field)
        except UserError as error:
            raise UserError(f'{where}: {error}') from None
        for leaf in self._leaves:
            partial = leaf.part not in (None, slice(None))
            element = any(isinstance(step, int) for step in leaf.path)
            if leaf.kind not in (*FLOATS, *INTEGERS) or partial or element:
                raise UserError(f'{where}: field {leaf.name!r} cannot take an action')
        self._open = len(self._leaves) == 1 and self._leaves[0].width is None
        width = sum(leaf.width or 0 for leaf in self._leaves)
        if not self._open and width != actions:
            raise UserError(f'{where}: has {width} values, but the policy has {actions} actions')
        self._scale = per_value(output.scale, actions, f'{where}: scale')
        self._offset = per_value(output.offset, actions, f'{where}: offset')
        limits = np.array(output.limits or [(-np.inf, np.inf)], np.float64)
        self._low, self._high = (
            per_value(limits[:, side], actions, f'{where}: limits') for side in (0, 1)
        )
        self._names = list(output.names)
        if self._names:
            fields = self.message_type.get_fields_and_field_types()
            listing = [name for name in NAME_FIELDS if fields.get(name) == 'sequence<string>']
            if not listing or len(self._names) != actions:
                raise UserError(
                    f'{where}: has {len(self._names)} names, but the policy has {actions} actions'
                    if listing
                    else f'{where}: {output.type} has no names'
                )
            self._name_field = listing[0]

    def values(self, action: Array) -> Array:
        """Return what is sent for an action, (actions,)."""
        values: Array = np.clip(action * self._scale + self._offset, self._low, self._high)
        return values

    def message(self, action: Array) -> Any:
        """Return the message for an action, (actions,)."""
        message = self.message_type()
        values = self.values(action)
        start = 0
        for leaf in self._leaves:
            count = values.size if leaf.width is None else leaf.width
            part = values[start : start + count]
            start += count
            owner = message
            for name in leaf.path[:-1]:
                owner = getattr(owner, str(name))
            name = str(leaf.path[-1])
            numbers = part.tolist() if leaf.kind in FLOATS else np.rint(part).astype(int).tolist()
            setattr(owner, name, numbers[0] if leaf.part is None else numbers)
        if self._names:
            setattr(message, self._name_field, self._names)
        return message

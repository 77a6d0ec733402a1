# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A node of an ONNX graph with its operands."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from neuron_reach.networks.signals import Signal, UnfitError, Value


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """An operator with its operands.

    Attributes:
        kind: name of the operator.
        domain: that defines it; empty: ONNX.
        operands: None: an optional one that is not there.
        options: its attributes.
        outputs: how many there are.
        opset: version of the operators.
    """

    kind: str
    domain: str
    operands: Sequence[Value | None]
    options: dict[str, Any]
    outputs: int
    opset: int

    def operand(self, place: int) -> Value:
        """Return an operand that has to be there."""
        value = self.operands[place] if place < len(self.operands) else None
        if value is None:
            raise UnfitError('an operand is missing')
        return value

    def option(self, name: str, default: Any, place: int | None = None) -> Any:
        """Return an option: an attribute, or in later versions a constant operand."""
        if place is not None and place < len(self.operands):
            value = self.operands[place]
            if isinstance(value, Signal):
                raise UnfitError(f'its {name} depends on the inputs')
            if value is not None:
                return value
        return self.options.get(name, default)

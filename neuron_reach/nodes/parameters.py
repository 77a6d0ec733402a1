# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""ROS parameters declared from option dataclasses."""

from __future__ import annotations

import array
import dataclasses

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from neuron_reach.common.dataclass_types import DataclassT
from neuron_reach.common.options import allowed, fill
from neuron_reach.errors import UserError


def declare(node: Node, options: type[DataclassT], **defaults: object) -> DataclassT:
    """Declare a ROS parameter for every field of an option dataclass and read the values.

    Args:
        node: that the parameters are declared for.
        options: the dataclass.
        defaults: of fields whose default differs from that of the dataclass.

    Raises:
        UserError: a value is of the wrong type or out of range.
    """
    values = {}
    for field in dataclasses.fields(options):
        default = defaults.get(field.name, field.default)
        descriptor = ParameterDescriptor(
            description=f'{field.metadata["description"]} ({allowed(field)})', read_only=True
        )
        low, high = field.metadata['low'], field.metadata['high']
        if isinstance(default, int) and not isinstance(default, bool) and high < 2**63:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        elif isinstance(default, float) and high < float('inf'):
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        if isinstance(default, tuple):
            default = list(default)
        try:
            value: object = node.declare_parameter(field.name, default, descriptor).value
        except ParameterException:
            value = _value_of_any_type(node, field.name, default, descriptor.description)
        try:
            values[field.name] = getattr(fill(options, {field.name: value}, ''), field.name)
        except UserError:
            found = 'empty' if value is None else repr(value)
            raise UserError(
                f'parameter {field.name} must be {allowed(field)}, not {found}'
            ) from None
    return options(**values)


def _value_of_any_type(node: Node, name: str, default: object, description: str) -> object:
    """Return a parameter's value of any type, such as 0 for 0.0, or a number for a list."""
    descriptor = ParameterDescriptor(description=description, read_only=True, dynamic_typing=True)
    value: object = node.declare_parameter(name, default, descriptor).value
    return list(value) if isinstance(value, array.array) else value

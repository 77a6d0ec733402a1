# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Numbers and statements of the paper, each with its place in it, from `paper.yaml`."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

from neuron_reach.common.options import load_yaml

Number = float | tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Published:
    """A number, or a list of them, of the paper.

    Attributes:
        value: the number or numbers.
        unit: of the number.
        where: its place in the paper.
        networks: number of networks it is the mean of; None if it is a setting.
    """

    value: Number
    unit: str
    where: str
    networks: int | None = None

    @property
    def single(self) -> float:
        """The value, where it is one number."""
        assert not isinstance(self.value, tuple)
        return self.value

    @property
    def several(self) -> tuple[float, ...]:
        """The values, where it is a list of numbers."""
        assert isinstance(self.value, tuple)
        return self.value


@dataclasses.dataclass(frozen=True)
class Statement:
    """A finding of the paper, and its place in it."""

    text: str
    where: str


@functools.cache
def _content() -> dict[str, Any]:
    return load_yaml(Path(__file__).with_name('paper.yaml'))


def title() -> str:
    """Return the paper's title."""
    return str(_content()['title'])


def number(name: str) -> Published:
    """Return a number of the paper; KeyError if it is not in the data file."""
    entry = dict(_content()['numbers'][name])
    if isinstance(entry['value'], list):
        entry['value'] = tuple(entry['value'])
    return Published(**entry)


def statement(name: str) -> Statement:
    """Return a statement of the paper; KeyError if it is not in the data file."""
    return Statement(**_content()['statements'][name])


def names() -> tuple[list[str], list[str]]:
    """Return the names of all numbers and of all statements."""
    return list(_content()['numbers']), list(_content()['statements'])

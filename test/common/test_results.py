# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import dataclasses
import json
import math
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from neuron_reach.common.results import claimed_folder, from_json, to_json
from neuron_reach.errors import UserError


class Status(Enum):
    DONE = 'all done'


@dataclasses.dataclass(frozen=True)
class Inner:
    values: tuple[float, ...]
    sizes: tuple[tuple[int, ...], ...]


@dataclasses.dataclass(frozen=True)
class Outer:
    status: Status
    lam: float | None = dataclasses.field(metadata={'key': 'regularisation'})
    inner: Inner
    array: np.ndarray
    path: Path


def test_dataclasses_become_objects_in_the_order_of_their_fields():
    inner = Inner((0.5, math.nan), ((3, 2), (1,)))
    outer = Outer(Status.DONE, 5.0, inner, np.array([[1.0, np.inf]]), Path('/a'))
    assert json.dumps(to_json({'results': outer}), allow_nan=False) == (
        '{"results": {"status": "all done", "regularisation": 5.0, '
        '"inner": {"values": [0.5, null], "sizes": [[3, 2], [1]]}, '
        '"array": [[1.0, null]], "path": "/a"}}'
    )


def test_a_dataclass_of_plain_values_is_read_back():
    inner = Inner((0.5, 1.0), ((3, 2), (1,)))
    read = json.loads(json.dumps({**to_json(inner), 'from_a_later_version': 1}))
    assert from_json(Inner, read) == inner


def test_a_claimed_folder_is_locked_for_as_long_as_it_is_used(tmp_path):
    with (
        claimed_folder(tmp_path, 'prune', {}),
        pytest.raises(UserError, match='another run is using this folder'),
        claimed_folder(tmp_path, 'prune', {}),
    ):
        pass
    with claimed_folder(tmp_path, 'prune', {}):
        pass

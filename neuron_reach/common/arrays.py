# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Names for the types of arrays that signatures use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Numbers in double precision, what analysis computes with."""

Single = NDArray[np.float32]
"""Numbers in single precision, what networks compute with."""

Integers = NDArray[np.int64]
"""Indices, labels and counts."""

Flags = NDArray[np.bool_]
"""True or false."""

AnyArray = NDArray[Any]
"""Numbers of whatever precision the other arguments have."""

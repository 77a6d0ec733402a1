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

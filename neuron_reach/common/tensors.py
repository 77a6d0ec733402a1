# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Arrays in safetensors files, whose header holds a `sha256` over names, types, shapes and values.

Other programs ignore the digest and read the files as usual.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from neuron_reach.common.files import DIGEST, damaged, read_bytes, recorded_digest
from neuron_reach.errors import UserError

HEADER_LIMIT = 1 << 20
"""Largest header of a file, bytes."""


def tensors_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of the names, types, shapes and values of arrays."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        values = np.ascontiguousarray(array, array.dtype.newbyteorder('<'))
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(values.data)
    return digest.hexdigest()


def tensor_bytes(
    arrays: Mapping[str, NDArray[Any]], notes: Mapping[str, str] | None = None
) -> bytes:
    """Return the content of a safetensors file.

    Args:
        arrays: by name.
        notes: further text for the header.
    """
    whole = {
        name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()
    }
    return safetensors.numpy.save(whole, {**(notes or {}), DIGEST: tensors_digest(whole)})


def read_tensors(path: Path, size: int) -> tuple[dict[str, NDArray[Any]], bool]:
    """Read a safetensors file and check its digest if it has one.

    Args:
        path: the file.
        size: largest size of all values, bytes.

    Returns:
        The arrays by name, writable and not shared, and whether there is a digest.

    Raises:
        UserError: it is missing, cannot be read, is damaged or larger.
    """
    content = read_bytes(path, size + HEADER_LIMIT)
    try:
        arrays = safetensors.numpy.load(content)
        (length,) = struct.unpack_from('<Q', content)
        notes = json.loads(content[8 : 8 + length]).get('__metadata__', {})
    except Exception as error:  # safetensors' own error, or others from a damaged header
        raise UserError(f'{path}: is truncated or no safetensors file: {error}') from None
    digest = recorded_digest(notes)
    if digest is not None and digest != tensors_digest(arrays):
        raise damaged(path)
    return {
        name: np.require(array, requirements='W') for name, array in arrays.items()
    }, digest is not None

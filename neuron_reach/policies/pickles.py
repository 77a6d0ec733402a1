# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Reading tensors from pickles of PyTorch without running anything that they name."""

from __future__ import annotations

import collections
import io
import math
import pickle
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

_STORAGES = {
    'BFloat16Storage': torch.bfloat16,
    'BoolStorage': torch.bool,
    'ByteStorage': torch.uint8,
    'CharStorage': torch.int8,
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'IntStorage': torch.int32,
    'LongStorage': torch.int64,
    'ShortStorage': torch.int16,
}

_DTYPES = [np.dtype(code) for code in '?bBhHiIlLqQefd']
NUMPY: list[Any] = [
    *(np.ndarray, np.dtype, *{type(dtype) for dtype in _DTYPES}),
    *(
        (np.ndarray.__reduce__(np.zeros(1))[0], f'numpy.{module}.multiarray._reconstruct')
        for module in ('core', '_core')
    ),
    *(
        (np.float64(0).__reduce__()[0], f'numpy.{module}.multiarray.scalar')
        for module in ('core', '_core')
    ),
]
"""What rebuilds NumPy's numbers and arrays of numbers, which checkpoints hold beside tensors."""


class TensorUnpickler(pickle.Unpickler):
    """Reads tensors and plain values; other classes and functions are left to `other_class`."""

    def __init__(self, content: bytes, storage: Callable[[str], bytes]) -> None:
        """Prepare reading.

        Args:
            content: the pickle.
            storage: returns the numbers of a tensor, as bytes, by their key.
        """
        super().__init__(io.BytesIO(content))
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a class or a function; nothing is imported."""
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return self.rebuilt
        if (module, name) == ('torch._utils', '_rebuild_parameter'):
            return _parameter
        if (module, name) == ('collections', 'OrderedDict'):
            return collections.OrderedDict
        if module == 'torch' and name in _STORAGES:
            return name
        return self.other_class(module, name)

    def other_class(self, module: str, name: str) -> Any:
        """Return what stands for another class or function, or raise an error."""
        raise pickle.UnpicklingError(f'holds {module}.{name}')

    def persistent_load(self, pid: Any) -> torch.Tensor:
        """Return the numbers of a tensor, (count,)."""
        _, kind, key, *_ = pid
        content = bytearray(self._storage(str(key)))
        dtype = _STORAGES[str(kind)]
        return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)

    def rebuilt(self, storage: torch.Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Any:
        """Return a tensor of some numbers.

        Args:
            storage: the numbers, (count,).
            offset: place of the first one.
            size: shape.
            stride: steps between elements, by dimension.

        Raises:
            ValueError: there are fewer numbers.
        """
        if math.prod(size) > len(storage):
            raise ValueError(f'a tensor of shape {tuple(size)} has {len(storage)} numbers')
        return storage.as_strided(size, stride, offset).clone()


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


class _NeverCalled(type):
    """Kind of classes that are created without being called."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Refuse it: a pickle that calls something unknown could do anything."""
        raise pickle.UnpicklingError(f'would call {cls.__module__}.{cls.__qualname__}')


class Skipped(dict[Any, Any], metaclass=_NeverCalled):
    """An object of a class that is not known; its fields are ignored, entries of dicts kept."""

    def __setstate__(self, state: Any) -> None:
        """Ignore the fields."""

    def append(self, item: Any) -> None:
        """Ignore an element of a list."""

    def extend(self, items: Iterable[Any]) -> None:
        """Ignore elements of a list."""


def _skipped(*_: Any) -> Skipped:
    return Skipped.__new__(Skipped)


def _encoded(text: str, _: str) -> bytes:
    """Return bytes that old pickles hold as text."""
    return text.encode('latin1')


_HARMLESS = (
    *('__builtin__.set', 'builtins.set'),
    *('collections.Counter', 'collections.defaultdict', 'collections.deque'),
    *('datetime.datetime', 'datetime.timedelta'),
    *('pathlib.Path', 'pathlib.PosixPath', 'pathlib.PurePosixPath', 'pathlib.WindowsPath'),
    *('pathlib._local.PosixPath', 'pathlib._local.WindowsPath'),
    *('torch.device', 'types.SimpleNamespace'),
)
"""Classes of values that settings hold; they are skipped although pickles call them."""

_KNOWN: dict[str, Any] = {
    **dict.fromkeys(_HARMLESS, _skipped),
    **{
        name: known
        for module in ('core', '_core')
        for name, known in (
            (f'numpy.{module}.multiarray._reconstruct', np.ndarray.__reduce__(np.zeros(1))[0]),
            (f'numpy.{module}.multiarray.scalar', np.float64(0).__reduce__()[0]),
        )
    },
    '_codecs.encode': _encoded,
    'numpy.dtype': np.dtype,
    'numpy.ndarray': np.ndarray,
    'torch.Size': tuple,
}
"""Other classes and functions that pickles may call."""


class SkippingUnpickler(TensorUnpickler):
    """Reads tensors and plain values beside objects of other classes, which it skips.

    Checkpoints often hold settings as an `argparse.Namespace` or as objects of the classes of a
    project. A `Skipped` stands for each; nothing is imported. Pickles that call a class or a
    function that is not known are refused.
    """

    def other_class(self, module: str, name: str) -> Any:
        """Return a class that does nothing in the place of an unknown one."""
        full = f'{module}.{name}'
        if full in _KNOWN:
            return _KNOWN[full]
        return _NeverCalled(name, (Skipped,), {'__module__': module})

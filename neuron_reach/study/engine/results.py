# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Results of jobs: typed values, arrays and networks, and the folders that hold them.

Results are JSON, `.npz` arrays and checkpoint folders; nothing in them is ever executed. The type
of the JSON values is a TypedDict, which is checked when a result is read.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, cast

import numpy as np

from neuron_reach.common.arrays import AnyArray
from neuron_reach.common.files import (
    JSON_LIMIT,
    damaged,
    parse_json,
    read_bytes,
    read_json,
)
from neuron_reach.common.names import ARRAYS, NETWORKS, RECORD, VALUES
from neuron_reach.errors import UserError

if TYPE_CHECKING:
    from neuron_reach.learning.checkpoint import Checkpoint
    from neuron_reach.learning.qnetwork import QNetwork

FILE_LIMIT = 1 << 30
"""Largest file of a result, bytes."""

Files = dict[str, bytes]
"""Contents of a result folder, by paths relative to it."""

Values = TypeVar('Values', covariant=True, bound=Mapping[str, object])
"""The JSON values of a result: a TypedDict."""


class _Record(TypedDict):
    function: str
    version: int
    arguments: dict[str, Any]
    seconds: float
    cpu_seconds: float
    versions: dict[str, str | None]


class Record(_Record, total=False):
    """How a result was made, in `record.json`.

    Items:
        function: name of the function.
        version: of the function.
        arguments: as JSON, see `Job`.
        seconds: duration, s.
        cpu_seconds: processor time, s.
        versions: of everything that affects the numbers.
        files: SHA-256 by file; missing in results made before digests were kept.
    """

    files: dict[str, str]


@dataclasses.dataclass(frozen=True)
class JobResult(Generic[Values]):
    """What a job's function returns.

    Attributes:
        values: the JSON part.
        arrays: named arrays, of numbers.
        networks: named networks (stacks of one) with their metadata, see `checkpoint.describe`.
    """

    values: Values
    arrays: Mapping[str, AnyArray] = dataclasses.field(default_factory=dict)
    networks: Mapping[str, tuple[QNetwork, Mapping[str, object]]] = dataclasses.field(
        default_factory=dict
    )

    def files(self) -> Files:
        """Return the result as the files that a result folder holds."""
        files = {VALUES: json.dumps(self.values, indent=1, allow_nan=False).encode()}
        if self.arrays:
            arrays: dict[str, Any] = {key: np.asarray(a) for key, a in self.arrays.items()}
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **arrays)
            files[ARRAYS] = buffer.getvalue()
        if self.networks:
            from neuron_reach.learning.checkpoint import checkpoint_files

            for key, (network, metadata) in self.networks.items():
                for name, content in checkpoint_files(network, metadata).items():
                    files[f'{NETWORKS}/{key}/{name}'] = content
        return files


class StoredResult(Generic[Values]):
    """A job's result in its folder; each part is read and checked on first access.

    Attributes:
        folder: holds the files of `JobResult.files`, and a record with their digests.
        returns: type of the JSON part, see `Function`; None: not checked.
    """

    def __init__(self, folder: Path, returns: type[Values] | None = None) -> None:
        self.folder = folder
        self.returns = returns

    @functools.cached_property
    def record(self) -> Record:
        """How it was made (see `Store.save`); UserError if the record is damaged."""
        return cast('Record', read_json(self.folder / RECORD, Record))

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of every file; empty for results made before digests were kept."""
        if not (self.folder / RECORD).exists():  # not yet
            return {}
        return self.record.get('files', {})

    def check(self) -> None:
        """Make sure that all files exist and are as they were written; UserError if not."""
        for name in self.digests:
            self._read(name)
        _ = self.values
        if not self.digests:
            _ = self.arrays, [self.checkpoint(name) for name in self.checkpoints()]

    def _read(self, name: str, limit: int = FILE_LIMIT) -> bytes:
        path = self.folder / name
        content = read_bytes(path, limit)
        if self.digests and self.digests.get(name) != hashlib.sha256(content).hexdigest():
            raise damaged(path)
        return content

    @functools.cached_property
    def values(self) -> Values:
        """The JSON part; UserError if it is damaged or not of the type `returns`."""
        content = self._read(VALUES, JSON_LIMIT)
        return cast('Values', parse_json(self.folder / VALUES, content, self.returns)[0])

    @functools.cached_property
    def arrays(self) -> dict[str, AnyArray]:
        """The arrays by name; UserError if they are damaged."""
        path = self.folder / ARRAYS
        if ARRAYS not in self.digests and not path.exists():
            return {}
        content = self._read(ARRAYS)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = archive.infolist()
            if sum(member.file_size for member in members) > len(content):
                raise ValueError  # they are written without compression: nothing unpacks to more
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                return dict(file)
        except Exception:  # numpy, zipfile and zlib each have errors of their own
            raise UserError(f'{path}: is truncated, or not as it was written') from None

    def checkpoints(self) -> list[str]:
        """Return the names of the networks."""
        return sorted(path.name for path in (self.folder / NETWORKS).glob('*'))

    def checkpoint(self, name: str) -> Checkpoint:
        """Load a network; UserError if it is missing or damaged."""
        from neuron_reach.learning.checkpoint import load_checkpoint

        return load_checkpoint(self.folder / NETWORKS / name)

    def find_checkpoint(self, name: str) -> Checkpoint | None:
        """Load a network; None if there is none of this name, as its training was given up."""
        return self.checkpoint(name) if name in self.checkpoints() else None


AnyResult = StoredResult[Mapping[str, object]]
"""The result of a job of any function."""


def read_files(folder: Path) -> Files:
    """Return all files below a folder."""
    paths = sorted(path for path in folder.rglob('*') if path.is_file())
    return {path.relative_to(folder).as_posix(): read_bytes(path, FILE_LIMIT) for path in paths}


def write_files(files: Files, folder: Path) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Zip archives from others: read with limits, never extracted, and nothing in them is executed."""

from __future__ import annotations

import io
import lzma
import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import torch

from neuron_reach.common.files import open_regular
from neuron_reach.errors import UserError, printable
from neuron_reach.policies.pickles import NUMPY, Skipped, SkippingUnpickler

LARGEST_ARCHIVE = 2**31
"""Largest archive that is read, and largest content of one, bytes."""

_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, NotImplementedError, OSError, RuntimeError, ValueError),
)
"""What `zipfile` raises for damaged archives."""

_MOST_MEMBERS = 1000
_SMALL, _LARGEST_RATIO = 2**20, 100
"""Members of more bytes may not be compressed more than this many times; weights hardly are."""


class Archive:
    """A zip archive whose members can be read.

    Attributes:
        path: of the file, for messages.
        names: of the members.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        """Read the list of members and check it.

        Raises:
            UserError: it is no zip archive, is damaged, encrypted or expands too far, or has
                members whose names lead out of it.
        """
        self.path = path
        try:
            self._zip = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise self.error(f'is truncated or no zip archive: {error}') from None
        members = self._zip.infolist()
        self.names = tuple(member.filename for member in members)
        if len(members) > _MOST_MEMBERS:
            raise self.error(f'has {len(members)} members; at most {_MOST_MEMBERS}')
        if sum(member.file_size for member in members) > LARGEST_ARCHIVE:
            raise self.error(f'would expand to more than {LARGEST_ARCHIVE} bytes')
        for member in members:
            self._check(member)

    def _check(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        path = PurePosixPath(name.replace('\\', '/'))
        if path.is_absolute() or '..' in path.parts or name[1:2] == ':':
            raise self.error(f'has a member {name!r}, whose name leads out of it')
        if self.names.count(name) > 1:
            raise self.error(f'has more than one member {name!r}')
        if member.flag_bits & 1:
            raise self.error(f'{name} is encrypted')
        if member.file_size > max(_SMALL, _LARGEST_RATIO * member.compress_size):
            raise self.error(
                f'{name} would expand from {member.compress_size} to {member.file_size} bytes; '
                f'at most {_LARGEST_RATIO} times'
            )

    def read(self, name: str, limit: int = LARGEST_ARCHIVE) -> bytes:
        """Return the content of a member.

        Args:
            name: of the member.
            limit: bytes, at most.

        Raises:
            UserError: there is none, it is larger, or it is damaged.
        """
        if name not in self.names:
            raise self.error(f'has no {name}')
        size = self._zip.getinfo(name).file_size
        if size > limit:
            raise self.error(f'{name} is too large: {size} bytes; at most {limit}')
        try:
            return self._zip.read(name)
        except _DAMAGE as error:
            raise self.error(f'{name} is damaged: {error}') from None

    def error(self, problem: str) -> UserError:
        """Return the error for an archive that cannot be used."""
        return UserError(f'{self.path}: {printable(problem)}')


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip archive for reading.

    Raises:
        UserError: see `Archive`; or the file is missing, cannot be read or is too large.
    """
    try:
        with open_regular(path) as file:
            size = path.stat().st_size
            if size > LARGEST_ARCHIVE:
                raise UserError(f'{path}: is too large: {size} bytes; at most {LARGEST_ARCHIVE}')
            yield Archive(path, file)
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None


def load_tensors(path: Path, content: bytes) -> Any:
    """Return what `torch.save` wrote: tensors and plain values.

    Objects of other classes, such as an `argparse.Namespace` of settings, are skipped.

    Args:
        path: of the file, for messages.
        content: of the file.

    Raises:
        UserError: it is damaged, expands too far, or reading it would run code.
    """
    archive = Archive(path, io.BytesIO(content)) if content[:2] == b'PK' else None
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(NUMPY):
            warnings.simplefilter('ignore')
            return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)
    except pickle.UnpicklingError:
        return _without_objects(path, archive)
    except Exception as error:
        first, *_ = str(error).splitlines() or ['']
        raise UserError(f'{path}: is damaged: {printable(first) or type(error).__name__}') from None


def _without_objects(path: Path, archive: Archive | None) -> Any:
    """Return what a file holds beside objects of classes that are not known."""
    reason = 'holds other objects than tensors'
    if archive is not None:
        roots = [name.removesuffix('data.pkl') for name in archive.names if 'data.pkl' in name]
        root = roots[0] if roots else ''
        content = archive.read(f'{root}data.pkl')
        try:
            found = SkippingUnpickler(content, lambda key: archive.read(f'{root}data/{key}')).load()
        except pickle.UnpicklingError as error:
            found, reason = None, str(error)
        except UserError:
            raise
        except Exception:  # whatever a damaged or hostile pickle leads to
            found = None
        if isinstance(found, dict | list | tuple) and found:
            return found
        if isinstance(found, Skipped):
            reason = f'is an object of {type(found).__module__}.{type(found).__qualname__}'
    raise UserError(
        f'{path}: is damaged, or {printable(reason)}, which is not read because that could run code'
    )

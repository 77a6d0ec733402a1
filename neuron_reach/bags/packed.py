# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Decompresses bags that ``ros2 bag record`` compressed with zstd, within limits of size.

A few kilobytes may decompress to gigabytes, so every size is checked before decompression.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import IO

from backports import zstd

from neuron_reach.bags.storage import DamageError
from neuron_reach.common.files import open_regular
from neuron_reach.errors import UserError

MAGIC = b'\x28\xb5\x2f\xfd'
"""Of zstd; a ROS 2 message never starts with it, because its first byte is zero."""

LARGEST = 512 * 2**20
"""Most bytes of a chunk or a message; those of real recordings are far smaller."""

_ROOM, _RATIO = 64 * 2**20, 200
_PART = 2**20


class Allowance:
    """How many bytes may still be decompressed from a file: 64 MiB plus 200 times its size."""

    def __init__(self, size: int) -> None:
        """Start with the allowance of a file of `size` bytes."""
        self._left = _ROOM + _RATIO * size

    def take(self, size: int) -> None:
        """Use `size` bytes of the allowance.

        Raises:
            DamageError: less is left, or it is more than one chunk or message may have.
        """
        if size > min(LARGEST, self._left):
            raise DamageError(f'{size} bytes are far more than it can hold')
        self._left -= size

    def unpack(self, data: bytes) -> bytes:
        """Return the content of a zstd frame.

        Raises:
            DamageError: it is damaged or too large.
        """
        limit = min(LARGEST, self._left)
        decompressor = zstd.ZstdDecompressor()
        try:
            content: bytes = decompressor.decompress(data, max_length=limit + 1)
        except (zstd.ZstdError, MemoryError) as error:
            raise DamageError(f'a message cannot be decompressed ({error})') from None
        self.take(len(content))
        if not decompressor.eof:
            raise DamageError('a compressed message is cut off')
        return content


def unpack_file(path: Path, target: IO[bytes]) -> str | None:
    """Decompress a file into another one.

    Args:
        path: the compressed file.
        target: open file for its content.

    Returns:
        Why it is incomplete, None if it is complete.

    Raises:
        OSError: the file cannot be read.
        UserError: its content is too large, or there is no disk space for it.
    """
    with open_regular(path) as file:
        start = file.read(64)
        try:
            size = zstd.get_frame_info(start).decompressed_size or 0
        except zstd.ZstdError as error:
            raise UserError(f'{path} cannot be decompressed ({error})') from None
        limit = _ROOM + _RATIO * path.stat().st_size
        if size > limit:
            raise UserError(f'{path}: {size} bytes are far more than it can hold')
        if size > shutil.disk_usage(tempfile.gettempdir()).free:
            raise _no_room(path, f'it unpacks to {size / 1e9:.1f} GB')
        file.seek(0)
        written = 0
        with zstd.open(file) as unpacked:
            while True:
                try:
                    part = unpacked.read(_PART)
                except EOFError:
                    return 'the compressed file is cut off'
                except (zstd.ZstdError, MemoryError) as error:
                    return f'the compressed file is damaged ({error})'
                if not part:
                    return None
                written += len(part)
                if written > limit:
                    raise UserError(f'{path}: it unpacks to far more than it can hold')
                try:
                    target.write(part)
                    target.flush()
                except OSError as error:
                    raise _no_room(path, str(error.strerror)) from None


def _no_room(path: Path, reason: str) -> UserError:
    return UserError(
        f'{path}: no room to unpack it in {tempfile.gettempdir()} ({reason}); '
        'choose another place with TMPDIR'
    )

"""Unpacks what ``ros2 bag record`` compressed with zstd, and no more than a file can promise.

A few kilobytes may unpack to gigabytes, so that every size is weighed before anything is unpacked.
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
"""Of zstd; a message of ROS 2 never begins so, as its first byte is zero."""

LARGEST = 512 * 2**20
"""Bytes of a chunk or a message; those that recorders write are far smaller."""

_ROOM, _RATIO = 64 * 2**20, 200
_PART = 2**20


class Allowance:
    """How much may still be unpacked from a file: 64 MiB, and 200 times its size."""

    def __init__(self, size: int) -> None:
        """Begin with all that a file of so many bytes may hold."""
        self._left = _ROOM + _RATIO * size

    def take(self, size: int) -> None:
        """Use some of it.

        Raises:
            DamageError: there is not so much left, or nobody needs so much at a time.
        """
        if size > min(LARGEST, self._left):
            raise DamageError(f'{size} bytes are far more than it can hold')
        self._left -= size

    def unpack(self, data: bytes) -> bytes:
        """Return what a zstd frame holds.

        Raises:
            DamageError: it is damaged, or holds too much.
        """
        most = min(LARGEST, self._left)
        decompressor = zstd.ZstdDecompressor()
        try:
            content: bytes = decompressor.decompress(data, max_length=most + 1)
        except (zstd.ZstdError, MemoryError) as error:
            raise DamageError(f'a message cannot be decompressed ({error})') from None
        self.take(len(content))
        if not decompressor.eof:
            raise DamageError('a compressed message is cut off')
        return content


def unpack_file(path: Path, place: IO[bytes]) -> str | None:
    """Unpack a compressed file into another one.

    Args:
        path: the compressed file.
        place: where its content goes.

    Returns:
        Why it ends early, None if it is whole.

    Raises:
        OSError: the file cannot be read.
        UserError: it holds too much, or there is no room for its content.
    """
    with open_regular(path) as file:
        start = file.read(64)
        try:
            size = zstd.get_frame_info(start).decompressed_size or 0
        except zstd.ZstdError as error:
            raise UserError(f'{path} cannot be decompressed ({error})') from None
        most = _ROOM + _RATIO * path.stat().st_size
        if size > most:
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
                if written > most:
                    raise UserError(f'{path}: it unpacks to far more than it can hold')
                try:
                    place.write(part)
                    place.flush()
                except OSError as error:
                    raise _no_room(path, str(error.strerror)) from None


def _no_room(path: Path, reason: str) -> UserError:
    return UserError(
        f'{path}: no room to unpack it in {tempfile.gettempdir()} ({reason}); '
        'choose another place with TMPDIR'
    )

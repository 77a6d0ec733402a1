# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Recognizing by its content which library wrote a file with a policy."""

from __future__ import annotations

import struct
from pathlib import Path

from neuron_reach.common.files import open_regular
from neuron_reach.common.names import POLICY_FILES
from neuron_reach.errors import UserError
from neuron_reach.policies.archives import open_archive

SUPPORTED_FILES = (
    'supported are stable-baselines3 zips, ONNX, PyTorch state dicts, TorchScript and safetensors'
)

_FOUND = {
    b'version https://git-lfs': 'is only a pointer to a file in Git LFS; fetch it by git lfs pull',
    b'<': 'is a web page or XML, not the file itself',
    b'{': 'is a JSON file',
    b'\x89HDF': 'is an HDF5 file',
    b'\x93NUMPY': 'holds a NumPy array',
    b'\x1f\x8b': 'is compressed by gzip',
    b'BZh': 'is compressed by bzip2',
    b'7z\xbc\xaf': 'is a 7z archive',
    b'SQLite format 3': 'is an SQLite file',
    b'\x89MCAP': 'is an MCAP file',
}
"""What files are that begin with some bytes."""


def format_of(path: Path) -> str:
    """Return the format of a file: `ONNX`, ...

    Raises:
        UserError: it cannot be read, or is of no supported format; says what was found.
    """
    try:
        with open_regular(path) as file:
            start, size = file.read(32), path.stat().st_size
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None
    if not start:
        raise UserError(f'{path}: is empty')
    for begin, found in _FOUND.items():
        if start.startswith(begin):
            raise UserError(f'{path}: {found}; {SUPPORTED_FILES}')
    if start[:2] == b'PK':
        return _format_of_archive(path)
    if len(start) > 8 and start[8:9] == b'{' and struct.unpack('<Q', start[:8])[0] < size:
        return 'safetensors'
    if start[:1] == b'\x80' and start[1] <= 5:
        return 'PyTorch'  # as torch.save wrote it before version 1.6, or another pickle
    if path.suffix == '.onnx' or (start[0] == 8 and start[1] < 32):  # field `ir_version`
        return 'ONNX'
    if path.suffix in POLICY_FILES:
        raise UserError(f'{path}: is truncated or no {path.suffix} file; {SUPPORTED_FILES}')
    raise UserError(f'{path}: is of an unknown format; {SUPPORTED_FILES}')


def _format_of_archive(path: Path) -> str:
    with open_archive(path) as archive:
        names = archive.names
    if 'data' in names or 'policy.pth' in names:
        return 'stable-baselines3'
    if any(name.endswith('/data.pkl') for name in names):
        scripted = any(name.endswith('/constants.pkl') for name in names)
        return 'TorchScript' if scripted else 'PyTorch'
    shown = ', '.join(sorted(names)[:3]) + (' and others' if len(names) > 3 else '')
    raise UserError(f'{path}: is a zip archive with {shown or "nothing"}; {SUPPORTED_FILES}')

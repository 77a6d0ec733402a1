# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Reads the metadata.yaml of a bag; any part of it may be missing or wrong."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from neuron_reach.common import plain_yaml
from neuron_reach.common.files import open_regular
from neuron_reach.common.names import BAG_METADATA
from neuron_reach.errors import UserError

_LARGEST = 2**20


def read_metadata(file: Path) -> tuple[list[str], str | None]:
    """Return the names of the storage files in the order of recording, and any problem.

    Raises:
        UserError: it cannot be read, or the bag is compressed in a way that cannot be read.
        OSError: it cannot be read.
    """
    try:
        with open_regular(file) as opened:
            content = opened.read(_LARGEST + 1)
    except FileNotFoundError:
        return [], f'there is no {BAG_METADATA}; the recorder was killed or is still running'
    if len(content) > _LARGEST:
        return [], f'{BAG_METADATA} is too large'
    try:
        information = plain_yaml.parse(content.decode())['rosbag2_bagfile_information']
        # Older recordings list paths relative to another folder.
        paths = information['relative_file_paths']
        if not (isinstance(paths, list) and all(isinstance(path, str) for path in paths)):
            raise ValueError('no list of paths')
        names = [PurePosixPath(path).name for path in paths]
        compression = str(information.get('compression_format') or '')
        mode = str(information.get('compression_mode') or '')
    # Damaged text may raise any error; the storage files can be read without it.
    except Exception:
        return [], f'{BAG_METADATA} is damaged'
    if mode.lower() in ('file', 'message') and compression not in ('', 'zstd'):
        raise UserError(f'{file.parent} is compressed with {compression!r}; only zstd can be read')
    return names, None

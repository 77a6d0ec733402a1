# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Results as JSON and CSV files."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach.common.dataclass_types import DataclassT
from neuron_reach.common.files import (
    JSON_LIMIT,
    fsync,
    json_bytes,
    lock_folder,
    read_json,
    write_bytes,
)
from neuron_reach.common.lookup import check_holder
from neuron_reach.common.names import PARTIAL, RESULTS, beside
from neuron_reach.common.tensors import tensor_bytes
from neuron_reach.errors import UserError


def claim_folder(folder: Path, command: str, inputs: Mapping[str, Any]) -> None:
    """Make a folder for the results of a command, which may replace its own of the same inputs.

    Args:
        folder: made if need be.
        command: a key of `RESULTS`.
        inputs: what the file of results says of the inputs, by its keys.

    Raises:
        UserError: the folder holds results of another command or input, is a checkpoint or a bag,
            or cannot be made.
    """
    check_holder(folder)
    advice = 'move them away or name another folder'
    for other, name in RESULTS.items():
        if not (folder / name).exists():
            continue
        if other != command:
            raise UserError(f'{folder}: holds results of {other} ({name}); {advice}')
        try:
            saved = read_json(folder / name, limit=JSON_LIMIT)
        except UserError as error:
            raise UserError(f'{error}; {advice}') from None
        for key, value in inputs.items():
            if saved.get(key) != value:
                raise UserError(
                    f'{folder}: holds results of {other} with {key} {saved.get(key)}, not '
                    f'{value}; {advice}'
                )
    make_folder(folder)


@contextmanager
def claimed_folder(folder: Path, command: str, inputs: Mapping[str, Any]) -> Iterator[None]:
    """Keep a folder for the results of one command: see `claim_folder` and `lock_folder`."""
    claim_folder(folder, command, inputs)
    with lock_folder(folder):
        yield


@contextmanager
def replaced_results(folder: Path, command: str, results: Mapping[str, Any]) -> Iterator[Path]:
    """Write results aside; on success they take the place of the earlier ones, else none does.

    Args:
        folder: of the results; made if need be.
        command: a key of `RESULTS`.
        results: plain data for the file by which they are known, which also lists the other files.

    Yields:
        A folder to write the others into.

    Raises:
        UserError: a file cannot be written.
    """
    mark = RESULTS[command]
    aside = beside(folder / mark, PARTIAL)
    make_folder(folder)
    _remove(aside)  # that of a killed command
    make_folder(aside)
    try:
        yield aside
        files = sorted(item.name for item in aside.iterdir())
        write_json(aside / mark, {**results, 'files': files})
        earlier = _files(folder / mark)
        # The earlier mark goes first and the new one comes last: what is mixed has none.
        _remove(folder / mark)
        for name in earlier.difference(files):
            _remove(folder / name)
        for name in (*files, mark):
            if (aside / name).is_dir():
                _remove(folder / name)
            (aside / name).replace(folder / name)
        fsync(folder)
    except OSError as error:
        raise UserError(f'{folder}: cannot be written: {error.strerror}') from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _files(mark: Path) -> set[str]:
    """Return the names of the files that belong to earlier results, as far as these say."""
    if not mark.exists():
        return set()
    named = read_json(mark, limit=JSON_LIMIT).get('files')
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    return {name for name in names if '/' not in name and name not in ('', '.', '..')}


def _remove(path: Path) -> None:
    """Remove a file or folder, if it is there.

    Raises:
        UserError: it cannot be removed.
    """
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f'{path}: cannot be replaced: {error.strerror}') from None


def make_folder(path: Path) -> None:
    """Make a folder for results.

    Raises:
        UserError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None


def write_json(path: Path, results: Mapping[str, Any]) -> None:
    """Write plain data atomically, with a digest; what is unknown (NaN) becomes null.

    Raises:
        UserError: it cannot be written.
    """
    _write(path, json_bytes(to_json(results)))


def write_csv(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write lines with the same keys atomically, as a table with a header.

    Raises:
        UserError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, lines[0].keys(), lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    _write(path, text.getvalue().encode())


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays atomically as an `.npz` file, which `numpy.load` reads.

    Raises:
        UserError: it cannot be written.
    """
    content = io.BytesIO()
    np.savez(content, **arrays)
    _write(path, content.getvalue())


def write_tensors(path: Path, arrays: Mapping[str, Any], notes: Mapping[str, str]) -> None:
    """Write arrays atomically as a safetensors file, with notes in its header.

    Raises:
        UserError: it cannot be written.
    """
    _write(path, tensor_bytes(arrays, notes))


def _write(path: Path, content: bytes) -> None:
    try:
        write_bytes(path, content)
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None


def to_json(value: Any) -> Any:
    """Return results as plain data for a JSON file.

    Dataclasses become objects with their fields as keys (or the `key` of a field's metadata),
    enumerations their values, arrays and tuples lists, paths texts; numbers that are not finite
    become null, as JSON has none.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.metadata.get('key', field.name): to_json(getattr(value, field.name))
            for field in fields(value)
        }
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(cls: type[DataclassT], values: Mapping[str, Any]) -> DataclassT:
    """Return a dataclass of plain values that `to_json` made an object; lists become tuples.

    Args:
        cls: the dataclass.
        values: as read from a file, with at least its fields as keys.
    """
    return cls(**{field.name: _frozen(values[field.name]) for field in fields(cls)})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value

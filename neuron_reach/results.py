"""Results as JSON and CSV files."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach.errors import UserError
from neuron_reach.files import write_bytes, write_text


def make_folder(path: Path) -> None:
    """Make a folder for results.

    Raises:
        UserError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None


def write_json(path: Path, results: Any) -> None:
    """Write plain data atomically; what is unknown (NaN) becomes null.

    Raises:
        UserError: it cannot be written.
    """
    _write(path, json.dumps(_plain(results), indent=1))


def write_csv(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write lines with the same keys atomically, as a table with a header.

    Raises:
        UserError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, lines[0].keys(), lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    _write(path, text.getvalue())


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays atomically as an `.npz` file, which `numpy.load` reads.

    Raises:
        UserError: it cannot be written.
    """
    content = io.BytesIO()
    np.savez(content, **arrays)
    try:
        write_bytes(path, content.getvalue())
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None


def _plain(value: Any) -> Any:
    """Return the same data without NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

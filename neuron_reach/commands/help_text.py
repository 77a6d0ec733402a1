# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Texts of `--help`, wrapped at the width of the terminal as argparse does for flags."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Mapping
from typing import Any

LONGEST = 100
"""Columns of a line at most; longer ones are hard to read."""


def width() -> int:
    """Return the columns that a line of help may have."""
    return max(40, min(LONGEST, shutil.get_terminal_size().columns) - 2)


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Formats usage and flags for the same width as the texts of this module."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **{**options, 'width': width()})


def paragraphs(text: str, indent: int = 0) -> str:
    """Wrap paragraphs, which are separated by empty lines, to be indented by so many columns."""
    return '\n\n'.join(textwrap.fill(part, width() - indent) for part in text.split('\n\n'))


def table(heading: str, rows: Mapping[str, str]) -> str:
    """Return a heading and rows of a name and its meaning, as argparse lays them out."""
    column = min(24, max(map(len, rows)) + 4)
    lines = [f'{heading}:']
    for name, text in rows.items():
        first, *others = textwrap.wrap(text, width() - column)
        lines.append(f'  {name}'.ljust(column) + first)
        lines += [' ' * column + other for other in others]
    return '\n'.join(lines)


def indented(heading: str, text: str) -> str:
    """Return a heading and lines that are kept as they are, such as examples."""
    return f'{heading}:\n' + textwrap.indent(textwrap.dedent(text).strip('\n'), '  ')

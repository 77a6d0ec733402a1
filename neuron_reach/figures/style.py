# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Style and saving of figures, with colors for print and for color-blind readers."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib import figure as figures

from neuron_reach.common.files import atomic_file
from neuron_reach.common.names import PICTURES, beside
from neuron_reach.errors import UserError

COLORS = (
    '#0072b2',
    '#e69f00',
    '#009e73',
    '#cc79a7',
    '#56b4e9',
    '#d55e00',
    '#999999',
    '#f0e442',
)
"""Okabe and Ito, Color Universal Design, 2008."""

HATCHES = ('', '//', '..', 'xx', '\\\\', 'oo', '--', '++')
"""Fill patterns that accompany the colors, for black and white prints."""

DOTS_PER_INCH = 200


class Figure(figures.Figure):
    """A figure without a window or the state of `pyplot`, which notebooks show."""

    def _repr_png_(self) -> bytes:
        """Return the picture; IPython asks for it."""
        content = io.BytesIO()
        self.savefig(content, format='png')
        return content.getvalue()


def save(figure: figures.Figure, path: Path) -> list[Path]:
    """Write a figure as PNG and as SVG, each atomically.

    Args:
        figure: the figure.
        path: without suffix.

    Returns:
        The two files.

    Raises:
        UserError: they cannot be written.
    """
    files = []
    for ending in PICTURES:
        file = beside(path, ending)
        # Without a date and with names that are not random, the same figure gives the same file.
        metadata = {'Date': None} if ending == '.svg' else None
        try:
            with mpl.rc_context({'svg.hashsalt': path.name}), atomic_file(file) as aside:
                figure.savefig(aside, format=ending[1:], dpi=DOTS_PER_INCH, metadata=metadata)
        except OSError as error:
            raise UserError(f'{file}: cannot be written: {error.strerror}') from None
        files.append(file)
    return files

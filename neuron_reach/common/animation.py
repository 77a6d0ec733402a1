# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Animated pictures: frames with a common palette in a GIF or an animated PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageSequence

from neuron_reach.common.files import atomic_file
from neuron_reach.common.names import FILMS
from neuron_reach.errors import UserError

FORMATS = dict(zip(FILMS, ('GIF', 'PNG'), strict=True))
COLORS = 64
PALETTE_FRAMES = 8
"""Frames that the palette is chosen from."""


def check_name(file: Path) -> None:
    """Check the ending of a file name.

    Raises:
        UserError: it is not that of an animated picture.
    """
    if file.suffix not in FORMATS:
        raise UserError(f'{file}: the name of the file must end in {" or ".join(FILMS)}')


def write_animation(
    frames: Sequence[Image.Image], file: Path, durations: Sequence[int], colors: int = COLORS
) -> None:
    """Write an animated picture that repeats forever, atomically.

    All frames have the same palette: nothing flickers, and only what changes is stored.

    Args:
        frames: RGB, all of the same size, at least one.
        file: where to write, `.gif` or `.png`.
        durations: of each frame, ms; a GIF has steps of 10 ms.
        colors: size of the palette, at most 256.

    Raises:
        UserError: the name of the file has another ending, or it cannot be written.
    """
    check_name(file)
    width, height = frames[0].size
    samples = frames[:: max(1, len(frames) // PALETTE_FRAMES)]
    sheet = Image.new('RGB', (width, height * len(samples)))
    for index, frame in enumerate(samples):
        sheet.paste(frame, (0, index * height))
    palette = sheet.quantize(colors, Image.Quantize.FASTOCTREE)  # keeps the colors of small areas
    first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    try:
        with atomic_file(file) as aside:
            first.save(
                aside,
                format=FORMATS[file.suffix],
                save_all=True,
                append_images=others,
                duration=list(durations),
                loop=0,
            )
    except OSError as error:
        raise UserError(f'{file}: cannot be written: {error.strerror or error}') from None


def read_animation(file: Path) -> tuple[tuple[int, int], int, float]:
    """Return width and height in pixels, the number of frames, and the duration in seconds.

    Raises:
        UserError: it is no animated picture, or damaged.
    """
    try:
        with Image.open(file) as picture:
            durations = []
            for frame in ImageSequence.Iterator(picture):
                frame.load()
                durations.append(float(frame.info.get('duration', 0.0)))
            size = picture.size
    except Exception:  # whatever a damaged file makes the decoder raise
        raise UserError(f'{file}: is no picture, or damaged') from None
    if len(durations) < 2:
        raise UserError(f'{file}: is a picture that does not move, not a film')
    return size, len(durations), sum(durations) / 1000.0

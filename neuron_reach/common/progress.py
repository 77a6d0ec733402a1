# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Progress of work: a bar on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

from tqdm import tqdm

LINE_PERIOD = 2.0  # s


class ShowProgress(Protocol):
    """Shows how far a workflow is."""

    def __call__(
        self, what: str, done: int, total: int | None = None, unit: str = 'episodes', note: str = ''
    ) -> None:
        """Show that `done` of `total` units of some work are done.

        Args:
            what: the work; another name begins another count.
            done: how many are done.
            total: how many there are; None: unknown.
            unit: what is counted.
            note: the state in a few words.
        """


class Progress:
    """Counts episodes or other units; `total` is None if their number is unknown.

    If units are not `alike` but take very different times, like the jobs of a study, the bar makes
    no forecast from their number and leaves it to the notes. Outside a terminal, lines are
    `line_period` seconds apart.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        initial: int = 0,
        unit: str = 'episodes',
        *,
        alike: bool = True,
        line_period: float = LINE_PERIOD,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Start to show progress.

        Args:
            what: name of the work.
            total: number of units; None: unknown.
            initial: number of units that are done already.
            unit: name of the units.
            alike: whether all units take about the same time.
            line_period: seconds between two lines.
            say: called with every line, also if a terminal shows a bar instead.
        """
        self._what = what
        self._line_period = line_period
        self._unit = unit
        self._total = total
        self._say = say
        self._terminal = sys.stderr.isatty()
        self._next_line = 0.0
        self._bar = tqdm(
            total=total,
            initial=initial,
            desc=what,
            unit=f' {unit}',
            disable=not self._terminal,
            dynamic_ncols=True,
            bar_format=None if alike else '{l_bar}{bar}| {n}/{total}{unit} [{elapsed}{postfix}]',
        )

    def update(self, done: int, note: str = '', *, at_once: bool = False) -> None:
        """Show that `done` units are done.

        Args:
            done: number of units.
            note: the status in a few words.
            at_once: whether to print a line before its time.
        """
        if self._terminal:
            self._bar.set_postfix_str(note, refresh=False)
            if done == self._bar.n:
                self._bar.refresh()  # for the note
            self._bar.update(done - self._bar.n)
        if not at_once and time.monotonic() < self._next_line and done != self._total:
            return
        self._next_line = time.monotonic() + self._line_period
        of = '' if self._total is None else f' of {self._total}'
        line = f'{self._what}: {done}{of} {self._unit}{note and ", " + note}'
        self._say(line)
        if not self._terminal:
            print(line, flush=True)

    def close(self) -> None:
        """Leave the bar as it is and go to the next line."""
        self._bar.close()


class ProgressBars:
    """A `ShowProgress` that shows one bar after the other; the first call begins the first."""

    def __init__(self) -> None:
        self._what = ''
        self._bar: Progress | None = None

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(
        self, what: str, done: int, total: int | None = None, unit: str = 'episodes', note: str = ''
    ) -> None:
        """See `ShowProgress`."""
        if self._bar is None or what != self._what:
            self.close()
            self._what, self._bar = what, Progress(what, total, initial=done, unit=unit)
        self._bar.update(done, note)

    def close(self) -> None:
        """Leave the last bar as it is and go to the next line; a later call begins a new bar."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def renamed(progress: ShowProgress, name: str) -> ShowProgress:
    """Return what shows the same progress under another name."""

    def show(
        what: str, done: int, total: int | None = None, unit: str = 'episodes', note: str = ''
    ) -> None:
        progress(name, done, total, unit, note)

    return show
